"""What happened, as EPCIS 2.0 flavoured events: transform, ship, receive, inspect.

Invariants: identifiers are resolver addresses around the handle; an event's id has the form of
RFC 6920 that CBV 2.0 uses, over the event's JSON with sorted keys (not over CBV's own canonical
string); a process that was cut short has no events.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TypeAlias

from admin.demo_batches.industry import Process
from admin.demo_batches.lots import Draw
from admin.demo_batches.parties import PLANTS, producers

_Event: TypeAlias = dict[str, object]

_BUFFER_BYTES = 1 << 20
_ZONE = "+08:00"


def _at(day: int, hour: int) -> str:
    return f"{date.fromordinal(day).isoformat()}T{hour:02d}:00:00.000{_ZONE}"


class Events:
    """Writes the events of whole processes, one JSON object a line."""

    def __init__(self, path: Path, resolver: str, prefix: str) -> None:
        self._file = path.open("w", _BUFFER_BYTES, encoding="utf-8", newline="\n")
        self._resolver = resolver
        self._handle_prefixes = [producer.handle_prefix for producer in producers(prefix)]

    def write(self, process: Process) -> None:
        """Write the shipments to a process, the process and the inspection after it."""
        if not process.is_whole:
            return
        owner = PLANTS[process.plant]
        for draw in process.draws:
            if draw.lot.enterprise != owner:
                self._write_shipment(draw, owner, process.day)
        outputs = [self._quantity(b.lot.handle, b.net_kg) for b in process.batches]
        self._put(self._making(process, owner, outputs))
        self._put(
            {
                "type": "ObjectEvent",
                "action": "OBSERVE",
                "bizStep": "inspecting",
                "disposition": "conformant",
                "eventTime": _at(process.day, 15),
                "readPoint": {"id": self._site(owner)},
                "quantityList": outputs,
            }
        )

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _making(self, process: Process, owner: int, outputs: list[_Event]) -> _Event:
        when_and_where: _Event = {
            "bizStep": "commissioning",
            "disposition": "active",
            "eventTime": _at(process.day, 8),
            "readPoint": {"id": self._site(owner)},
        }
        if not process.draws:
            made: _Event = {"type": "ObjectEvent", "action": "ADD"}
            return made | when_and_where | {"quantityList": outputs}
        prefix = self._resolver + self._handle_prefixes[owner]
        transformed: _Event = {
            "type": "TransformationEvent",
            "transformationID": f"{prefix}/{process.process_id}",
        }
        return (
            transformed
            | when_and_where
            | {
                "inputQuantityList": [self._quantity(d.lot.handle, d.kg) for d in process.draws],
                "outputQuantityList": outputs,
            }
        )

    def _write_shipment(self, draw: Draw, receiver: int, day: int) -> None:
        lot = draw.lot
        source, target = self._site(lot.enterprise), self._site(receiver)
        parties: _Event = {
            "sourceList": [{"type": "possessing_party", "source": source}],
            "destinationList": [{"type": "possessing_party", "destination": target}],
        }
        for step, disposition, time, place in (
            ("shipping", "in_transit", _at(max(lot.day, day - 2), 16), source),
            ("receiving", "in_progress", _at(max(lot.day, day - 1), 17), target),
        ):
            observed: _Event = {
                "type": "ObjectEvent",
                "action": "OBSERVE",
                "bizStep": step,
                "disposition": disposition,
                "eventTime": time,
                "readPoint": {"id": place},
                "quantityList": [self._quantity(lot.handle, draw.kg)],
            }
            self._put(observed | parties)

    def _site(self, enterprise: int) -> str:
        return f"{self._resolver}{self._handle_prefixes[enterprise]}/SITE"

    def _quantity(self, handle: str, kg: float) -> _Event:
        return {"epcClass": self._resolver + handle, "quantity": kg, "uom": "KGM"}

    def _put(self, content: Mapping[str, object]) -> None:
        event: _Event = {"eventTimeZoneOffset": _ZONE, **content}
        digest = hashlib.sha256(json.dumps(event, sort_keys=True).encode()).hexdigest()
        event["eventID"] = f"ni:///sha-256;{digest}?ver=CBV2.0"
        self._file.write(json.dumps(event, ensure_ascii=False) + "\n")
