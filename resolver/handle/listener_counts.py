"""What the Handle listeners of a process count; plain integers, as in `resolver.lookup_counts`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class ListenerCounts:
    """How often what happened since the process started.

    `udp_limited`: datagrams not answered because their network has had its share;
    `udp_malformed`: those that are no packet of a message; `udp_withheld`: answers too long for
    UDP, or errors too long for their question; `udp_crowded`: dropped because too many are waited
    for. `tcp_slow`, `tcp_crowded`, `tcp_malformed`: connections closed for a deadline, to make
    room, and for a length that no message has. `failed`: requests ended by an unexpected error.
    """

    udp_limited: int = 0
    udp_malformed: int = 0
    udp_withheld: int = 0
    udp_crowded: int = 0
    tcp_slow: int = 0
    tcp_crowded: int = 0
    tcp_malformed: int = 0
    failed: int = 0
