"""What the HTTP connections of one process share, and how it is built."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from random import random

from node.domain.forwarding import NOWHERE, ForwardingRules
from node.domain.identifiers.scheme import Identifier
from resolver.handle.proxy import Proxy
from resolver.http_deadlines import Deadlines, FrontLimits
from resolver.http_faces import Faces, LookUpFaces, NoFaces
from resolver.lookup import Lookup
from resolver.tally.tally import NO_TALLY, AnyTally

Fields = Sequence[tuple[bytes, bytes]]
# What a handler answers with: status, header lines with the empty line behind them, body.
Respond = Callable[[int, bytes, bytes], None]
# Is given the header fields (names in lower case) and the body of a request; may answer later.
EarlyHandler = Callable[[Fields, bytes, Respond], None]


class Front:
    """What the connections of one process share.

    `early`: by method and URL, who answers a small request before the application (`http_early`).
    """

    def __init__(
        self,
        lookup: Lookup,
        faces: LookUpFaces,
        *,
        limits: FrontLimits,
        clock: Callable[[], float],
        early: Mapping[tuple[bytes, bytes], EarlyHandler] | None = None,
        tally: AnyTally = NO_TALLY,
    ) -> None:
        self.lookup = lookup
        self.faces = faces
        self.limits = limits
        self.memory = lookup.memory
        self.counts = lookup.counts
        self.deadlines = Deadlines(limits, clock=clock)
        self.early = early or {}
        self.tally = tally


def create_front(
    lookup: Lookup,
    *,
    parse_handle: Callable[[str], Identifier],
    recognise: Callable[[str], Identifier],
    serves: Callable[[str], bool],
    forwarding: ForwardingRules = NOWHERE,
    public_url: str = "",
    refers: bool = False,
    early: Mapping[tuple[bytes, bytes], EarlyHandler] | None = None,
    limits: FrontLimits | None = None,
    tally: AnyTally = NO_TALLY,
    clock: Callable[[], float] = time.time,
    draw: Callable[[], float] = random,
) -> Front:
    """Build what the HTTP connections of one process share; see `Faces` for the callables.

    `forwarding` says to which hosts people are sent, `public_url` how links begin ("": relative);
    with `refers` the application is asked about handles of other nodes. `tally` notes look-ups.
    """
    proxy = Proxy(
        rules=forwarding,
        parse_handle=parse_handle,
        serves=serves,
        clock=clock,
        draw=draw,
        public_url=public_url,
    )
    faces = Faces(
        parse_handle=parse_handle, recognise=recognise, serves=serves, proxy=proxy, refers=refers
    )
    limits = limits or FrontLimits()
    return Front(lookup, faces, limits=limits, clock=clock, early=early, tally=tally)


def create_idle_front(
    lookup: Lookup,
    *,
    limits: FrontLimits,
    early: Mapping[tuple[bytes, bytes], EarlyHandler] | None = None,
    clock: Callable[[], float] = time.time,
) -> Front:
    """Build the front of a process without look-ups."""
    return Front(lookup, NoFaces(), limits=limits, clock=clock, early=early)
