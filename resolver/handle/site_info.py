"""What this node says of itself: its HS_SITE, and the handles of the prefixes it serves.

`0.NA/<prefix>` is derived, not registered: HS_SITE at index 1 says where the prefix is served,
HS_ADMIN values from index 100 who administers it, and HS_VLIST at 200 which of them may do
everything: clients name that group, `200:0.NA/<prefix>`, as the owner of what they register when
they are not told of another. Its values never need an administrator to read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import count

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from node.domain.handle_record import ALL_RIGHTS, Administrator
from node.domain.handle_value import HandleReference, HandleValue
from resolver.handle.keys import encode_public
from resolver.handle.predefined import HS_ADMIN, HS_SITE, HS_VLIST, Admin, encode_value_list
from resolver.handle.register_port import HandleRegister
from resolver.handle.site import Interface, Server, Site

SITE_INDEX, FIRST_ADMIN_INDEX, GROUP_INDEX = 1, 100, 200
_SERVER_ID = 1


def describe_site(
    address: str,
    interfaces: Sequence[Interface],
    *,
    serial: int,
    key: RSAPublicKey,
    description: str = "",
) -> Site:
    """Return the HS_SITE of this node: one primary server.

    `address` is the IP address by which the world reaches it, `interfaces` say over what; `serial`
    1 … 65534 grows with every change of the rest.
    """
    server = Server(_SERVER_ID, address, encode_public(key), tuple(interfaces))
    attributes = (("desc", description),) if description else ()
    return Site(serial=serial, servers=(server,), attributes=attributes)


class PrefixHandles:
    """The values of the handles that stand for prefixes; `dated` seconds since 1970."""

    def __init__(self, register: HandleRegister, site: Site, *, dated: int) -> None:
        self._register = register
        self._site = HandleValue(SITE_INDEX, HS_SITE, site.encode(), timestamp=dated)
        self._dated = dated

    def values(self, prefix: str) -> tuple[HandleValue, ...] | None:
        """Return the values of `0.NA/<prefix>`; None for a prefix that is not served here."""
        if not prefix.isascii() or not self._register.serves(prefix):
            return None
        administrators = self._register.administrators(prefix)
        group = encode_value_list(group_of(administrators))
        indexes = (index for index in count(FIRST_ADMIN_INDEX) if index != GROUP_INDEX)
        values = [
            self._site,
            HandleValue(GROUP_INDEX, HS_VLIST, group, timestamp=self._dated),
            *(
                HandleValue(index, HS_ADMIN, _admin(who).encode(), timestamp=self._dated)
                for index, who in zip(indexes, administrators, strict=False)
            ),
        ]
        return tuple(sorted(values, key=lambda value: value.index))


def group_of(administrators: Iterable[Administrator]) -> tuple[HandleReference, ...]:
    """Return the members of a prefix's group: the administrators with every right below it."""
    return tuple(
        HandleReference(who.handle, who.index)
        for who in administrators
        if who.permissions & ALL_RIGHTS == ALL_RIGHTS
    )


def _admin(who: Administrator) -> Admin:
    return Admin(who.permissions, HandleReference(who.handle, who.index))
