"""Every record as the node's API gives it to its owner, read over a few kept connections."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from loadtest.ledger import facts_digest
from loadtest.trials.http_requests import KeptConnection, spread

CONNECTIONS = 16
_TEMPLATES = Path(__file__).parents[2] / "node" / "domain" / "templates"


class NodeRecord(msgspec.Struct, frozen=True, gc=False):
    """One record: state, digest of its facts, and digest of what may leave the plant."""

    revision: int
    status: str
    at: str
    facts: str
    shared: bytes


class _Record(msgspec.Struct, frozen=True, gc=False):
    """What the API tells an owner."""

    identifier: str
    template: str
    attributes: dict[str, str]
    status: str
    revision: int
    at: str
    test: bool
    source: dict[str, str]
    object_class: str = msgspec.field(name="class")
    parents: tuple[dict[str, str], ...] = ()
    values: tuple[dict[str, object], ...] = ()
    v: int = 2


@dataclass(slots=True)
class NodeRecords:
    """The records found, and why others could not be read, by identifier."""

    found: dict[str, NodeRecord]
    missing: dict[str, str]


_decoder = msgspec.json.Decoder(_Record)


def read_records(origin: str, key: str, identifiers: Iterable[str]) -> NodeRecords:
    """Read records one by one; an answer that is none goes to `missing`."""
    records = NodeRecords({}, {})
    port = urlsplit(origin).port or 80

    async def ask(connection: KeptConnection, identifier: str) -> None:
        try:
            reply = await connection.ask("GET", f"/api/v1/identifiers/{identifier}")
        except (OSError, TimeoutError) as error:
            records.missing[identifier] = str(error)
            return
        if reply.status != 200:
            records.missing[identifier] = f"{reply.status} {reply.body[:200].decode()}"
            return
        records.found[identifier] = read_record(reply.body)

    asyncio.run(spread(identifiers, CONNECTIONS, partial(KeptConnection, port, key), ask))
    return records


def read_record(body: bytes) -> NodeRecord:
    """Read what the API gives of one record; raises msgspec.DecodeError."""
    record = _decoder.decode(body)
    return NodeRecord(
        record.revision,
        record.status,
        record.at,
        facts_digest(record.attributes, [{"kg": "", **parent} for parent in record.parents]),
        shared_digest(record),
    )


def shared_digest(record: _Record) -> bytes:
    """Return SHA-256(identifier ‖ 0x00 ‖ shared), as idlink.v1 compares records.

    `shared` is the canonical JSON of what may leave the plant: attributes that the template says
    `leaves_plant` of, and values that anybody may read (the suites register none).
    """
    leaving = leaving_attributes(record.template)
    shared = {
        "at": record.at,
        "attributes": {n: v for n, v in record.attributes.items() if n in leaving},
        "class": record.object_class,
        "identifier": record.identifier,
        "revision": record.revision,
        "source": record.source["kind"],
        "status": record.status,
        "template": record.template,
        "test": record.test,
        "v": record.v,
        "values": [],
    }
    text = json.dumps(shared, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(record.identifier.encode() + b"\0" + text.encode()).digest()


@lru_cache
def leaving_attributes(template: str) -> frozenset[str]:
    """Return which attributes of a published template (`ree-batch/1`) may leave the plant."""
    name, _, version = template.partition("/")
    published = json.loads((_TEMPLATES / f"{name}.{version}.json").read_text(encoding="utf-8"))
    return frozenset(a["name"] for a in published["attributes"] if a.get("leaves_plant"))
