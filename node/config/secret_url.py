"""A URL that may carry a password and does not show it.

Invariant: only `reveal` gives the password away; `str`, `repr` and formatting give the masked form,
so a URL that slips into a message or a log line betrays nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit, urlunsplit

from node.errors import InvalidInput

# Up to the last "@" of all, so that a password is masked whole even where "@", ":" or "/" in it
# should have been percent-encoded; to hide too much does no harm.
_USER_PASSWORD = re.compile(r"(?<=://)([^/@:]*):(.*)@", re.DOTALL)
_QUERY_PASSWORD = re.compile(r"(?<=[?&])((?:ssl)?password)=[^&#]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True, repr=False)
class SecretURL:
    """`scheme://user:password@host/name`, the address of a store; "" means none."""

    _text: str = ""

    def reveal(self) -> str:
        """Return the whole URL, for the driver that connects."""
        return self._text

    def masked(self) -> str:
        """Return the URL with `***` in place of every password."""
        return _QUERY_PASSWORD.sub(r"\1=***", _USER_PASSWORD.sub(r"\1:***@", self._text))

    def with_password(self, password: str) -> SecretURL:
        """Return the URL with the given password, percent-encoded (RFC 3986 §3.2.1).

        Raises InvalidInput when the URL names no server that could ask for one.
        """
        try:
            parts = urlsplit(self._text)
        except ValueError as error:
            raise InvalidInput("网址有误", "The URL is malformed") from error
        if not parts.netloc:
            raise InvalidInput("网址不含服务器,不需要口令", "The URL names no server; no password")
        user, _, host = parts.netloc.rpartition("@")
        name = user.partition(":")[0]
        netloc = f"{name}:{quote(password, safe='')}@{host}"
        return SecretURL(urlunsplit(parts._replace(netloc=netloc)))

    def __bool__(self) -> bool:
        return bool(self._text)

    def __str__(self) -> str:
        return self.masked()

    def __repr__(self) -> str:
        return repr(self.masked())
