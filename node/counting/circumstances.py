"""What is known besides the events: whose keys, which prefixes, which networks, which campaigns."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_network

from node.domain.counting.campaign import Window
from node.domain.counting.facts import Circumstances
from node.registration.directory import Directory


class KnownCircumstances:
    """Reads them from the directory's picture, which is a second old at most."""

    def __init__(self, directory: Directory, own_networks: Sequence[str]) -> None:
        self._directory = directory
        self._own_networks = tuple(ip_network(text) for text in own_networks)

    def now(self, campaigns: tuple[Window, ...]) -> Circumstances:
        """Return what is known now, with these declared campaigns."""
        picture = self._directory.now
        return Circumstances(
            key_roles={key.id: key.role for key in picture.keys.values()},
            test_prefixes=frozenset(p.name for p in picture.prefixes.values() if p.is_test),
            own_networks=self._own_networks,
            campaigns=campaigns,
        )
