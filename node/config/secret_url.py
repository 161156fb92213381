"""A URL that may carry a password and does not show it when printed as part of something else.

Invariant: `repr` and `masked` never contain the password; `str` is the whole URL, for the driver.
"""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit, urlunsplit

_USER_PASSWORD = re.compile(r"(?<=://)([^/@:]*):([^/]*)@")
_QUERY_PASSWORD = re.compile(r"(?<=[?&])((?:ssl)?password)=[^&#]*", re.IGNORECASE)


class SecretURL(str):
    """`scheme://user:password@host/name`, the text of a connection."""

    __slots__ = ()

    def masked(self) -> str:
        """Return the URL with `***` in place of every password."""
        return _QUERY_PASSWORD.sub(r"\1=***", _USER_PASSWORD.sub(r"\1:***@", self))

    def with_password(self, password: str) -> SecretURL:
        """Return the URL with the given password, percent-encoded (RFC 3986 §3.2.1)."""
        parts = urlsplit(self)
        user, _, host = parts.netloc.rpartition("@")
        name = user.partition(":")[0]
        netloc = f"{name}:{quote(password, safe='')}@{host}"
        return SecretURL(urlunsplit(parts._replace(netloc=netloc)))

    def __repr__(self) -> str:
        """Show the masked form, so that a printed configuration reveals nothing."""
        return repr(self.masked())
