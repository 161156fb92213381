"""A register has one answer: UDP, TCP, JSON and proxy agree in every field, after every change.

1,000 random records, half written by a Handle client, half batches of the registration interface,
are read over all faces when they are registered, changed, and suspended or revoked. What the
writers wrote is remembered, so that four faces cannot be wrong together.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from random import Random

import msgspec
import pytest

from node.domain.disclosure import STATUS_INDEX
from node.domain.handle_value import HandleReference, HandleValue
from node.domain.value_forms import stored
from resolver.handle.codes import ResponseCode
from resolver.handle.proofs import SecretForm
from tests.builders import attributes
from tests.conformance.conftest import ROOT, running_node
from tests.handle_administrator import HandleAdministrator, SecretLogin
from tests.handle_register import ADMIN, PREFIX, SECRET, SECRET_INDEX
from tests.handle_sockets import tcp, udp
from tests.processes.face_answers import Faces, Row, Seen, as_page_row

WAIT_S = 60.0
HALF = 500
BATCH = 250
_TEXTS = (
    "https://example.org/lot/{}", "氧化镨钕 {}", "<b>&amp;'\"{}</b>", "{}", "é̂ {} €",
    "javascript:alert({})", "10 % {};", "86.1000/OTHER{}",
)  # fmt: skip
# What a batch may hold beside its attributes; a Handle client may write any type.
_BATCH_TYPES = ("EMAIL", "DESC", "10320/loc", "INET_HOST", "URL.alt", "x-note")
_HANDLE_TYPES = (*_BATCH_TYPES, "URL", "url", "x-类型")
_SHOWN = {"active": "有效 Active", "suspended": "已暂停", "revoked": "已撤销"}


@dataclass(frozen=True, slots=True)
class Node:
    """A running node, and how to write to it."""

    http: str
    address: tuple[str, int]
    key: str
    administrator: HandleAdministrator = field(repr=False)

    def connection(self) -> HTTPConnection:
        return HTTPConnection(self.http.removeprefix("http://"), timeout=WAIT_S)


@dataclass(slots=True)
class Record:
    """What is known of a record: its own values by index, and the state it was brought to."""

    handle: str
    is_batch: bool
    values: dict[int, HandleValue]
    lot: str = ""
    status: str = "active"
    revision: int = 1


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """Run a node; its records are those of this file."""
    place = tmp_path_factory.mktemp("faces")
    with running_node(place, XIBIAO_HANDLE__UDP_UNLIMITED="127.0.0.0/8") as running:
        create = ["key", "create", "--role=administrator", f"--data={running.data}", "--json"]
        made = subprocess.run(
            [sys.executable, "-m", "admin", *create], cwd=ROOT, capture_output=True, check=True
        )
        login = SecretLogin(HandleReference(ADMIN, SECRET_INDEX), SECRET, SecretForm.SHA256)
        administrator = HandleAdministrator(running.tcp, login, seed=3)
        yield Node(running.http, running.address, json.loads(made.stdout)["key"], administrator)


class Writer:
    """Makes random records and changes them, by the way each kind is written."""

    def __init__(self, node: Node, seed: int) -> None:
        self._node = node
        self._random = Random(seed)
        self._http = node.connection()

    def close(self) -> None:
        """Hang up."""
        self._http.close()

    def register(self) -> list[Record]:
        """Register all records."""
        handles = [
            Record(f"{PREFIX}/H-{n}", False, self._values(range(1, 400), _HANDLE_TYPES))
            for n in range(HALF)
        ]
        for record in handles:
            values = tuple(record.values.values())
            assert self._node.administrator.create(record.handle, values).code == 1
        batches = [
            Record(f"{PREFIX}/B-{n}", True, self._values(range(1, 1900), _BATCH_TYPES), f"L-{n}")
            for n in range(HALF)
        ]
        for start in range(0, HALF, BATCH):
            items = [self._item(record) for record in batches[start : start + BATCH]]
            results = self._post("/api/v1/identifiers:batch", {"items": items})["results"]
            assert isinstance(results, list)
            assert [r for r in results if r["outcome"] != "registered"] == []
        return handles + batches

    def change(self, record: Record) -> None:
        """Write other data to one of the record's values."""
        index = self._random.choice(sorted(record.values))
        changed = replace(record.values[index], data=self._data())
        record.values[index] = changed
        record.revision += 1
        if record.is_batch:
            record.lot += "x"
            body = {
                "attributes": {"lot_no": record.lot},
                "values": [_json_value(value) for value in record.values.values()],
                "reason": "a test",
            }
            self._write("PATCH", f"/api/v1/identifiers/{record.handle}", body)
        else:
            reply = self._node.administrator.modify(record.handle, (changed,))
            assert reply.code == ResponseCode.SUCCESS

    def suspend(self, record: Record) -> None:
        """Suspend a record."""
        record.status, record.revision = "suspended", record.revision + 1
        self._post(f"/api/v1/identifiers/{record.handle}:suspend", {"reason": "a test"})

    def revoke(self, record: Record) -> None:
        """Revoke a record: delete it, if it is a Handle client's."""
        record.status, record.revision = "revoked", record.revision + 1
        if record.is_batch:
            self._post(f"/api/v1/identifiers/{record.handle}:revoke", {"reason": "a test"})
        else:
            assert self._node.administrator.delete(record.handle).code == ResponseCode.SUCCESS

    def _values(self, indexes: range, types: Sequence[str]) -> dict[int, HandleValue]:
        random = self._random
        chosen = sorted(random.sample(indexes, random.randint(1, 6)))
        return {index: self._value(index, random.choice(types)) for index in chosen}

    def _value(self, index: int, kind: str) -> HandleValue:
        random = self._random
        is_absolute = random.random() < 0.2
        return HandleValue(
            index=index,
            type=kind,
            data=self._data(),
            ttl=random.randint(10**9, 2**31) if is_absolute else random.choice((0, 60, 86_400)),
            permissions=random.choice((0x0E, 0x0E, 0x0E, 0x0F, 0x06, 0x0C)),
            is_ttl_absolute=is_absolute,
        )

    def _data(self) -> bytes:
        random = self._random
        if random.random() < 0.2:
            return b"\xff" + random.randbytes(random.randint(0, 200))
        return random.choice(_TEXTS).format(random.randint(0, 10**6)).encode()

    def _item(self, record: Record) -> dict[str, object]:
        return {
            "identifier": record.handle,
            "template": "ree-batch",
            "attributes": attributes(lot_no=record.lot),
            "values": [_json_value(value) for value in record.values.values()],
        }

    def _post(self, path: str, body: object) -> dict[str, object]:
        return self._write("POST", path, body)

    def _write(self, method: str, path: str, body: object) -> dict[str, object]:
        headers = {"Authorization": f"Bearer {self._node.key}"}
        self._http.request(method, path, json.dumps(body), headers)
        answer = self._http.getresponse()
        read: dict[str, object] = json.loads(answer.read())
        assert answer.status == 200, read
        return read


def _json_value(value: HandleValue) -> object:
    return msgspec.to_builtins(stored(value))


def is_seen(faces: Faces, record: Record) -> bool:
    shown = faces.scan(record.handle)
    if record.status == "revoked" and not record.is_batch:
        return shown is None
    return shown is not None and shown["revision"] == record.revision


def wait_for(faces: Faces, last: Record) -> None:
    """Ask until a change is seen: look-ups follow the log in its order, so all before it are."""
    deadline = time.monotonic() + WAIT_S
    while not is_seen(faces, last):
        assert time.monotonic() < deadline, f"{last.handle} is not seen in its new state"


def check(faces: Faces, record: Record) -> None:
    """Compare the faces with each other and with what was written."""
    seen, page, scan = (
        faces.over_udp(record.handle),
        faces.over_proxy(record.handle),
        faces.scan(record.handle),
    )
    assert faces.over_tcp(record.handle) == seen
    assert faces.over_json(record.handle) == seen
    if record.status == "revoked" and not record.is_batch:
        assert (seen, page.status, scan) == (Seen(False), 404, None)
        return
    assert page.status == 200
    assert page.rows == tuple(as_page_row(row) for row in seen.rows)
    assert page.state.startswith(_SHOWN[record.status])
    assert scan is not None
    told = tuple(scan[name] for name in ("identifier", "status", "valid", "revision"))
    is_valid = record.status == "active"
    assert told == (record.handle, record.status, is_valid, record.revision)
    check_rows(record, seen.rows, [a["value"] for a in scan["attributes"]])  # type: ignore[attr-defined]


def check_rows(record: Record, rows: tuple[Row, ...], attributes: list[str]) -> None:
    """Compare rows with the record: its public values, its status, its public attributes."""
    own = [row for row in rows if row.index < STATUS_INDEX]
    status = [row.data.decode() for row in rows if row.index == STATUS_INDEX]
    rest = [row.data.decode() for row in rows if row.index > STATUS_INDEX]
    if record.status != "active":
        assert (own, status, rest, attributes) == ([], [record.status], [], [])
        return
    public = [value for value in record.values.values() if value.is_public]
    assert [replace(row, timestamp=0) for row in own] == [
        Row(v.index, v.type, v.data, v.ttl, v.is_ttl_absolute, 0, v.permissions) for v in public
    ]
    assert status == (["active"] if record.is_batch else [])
    assert rest == attributes
    assert (record.lot in rest) == record.is_batch


def check_all(node: Node, records: Sequence[Record]) -> None:
    """Compare all records, the last of which was changed last, over fresh connections."""
    with udp(node.address) as datagrams, tcp(node.address) as stream:
        faces = Faces(datagrams, stream, node.connection())
        wait_for(faces, records[-1])
        for record in records:
            check(faces, record)
        faces.http.close()


def test_four_faces_agree_before_and_after_change_suspend_and_revoke(node: Node) -> None:
    writer = Writer(node, seed=20_261_121)
    records = writer.register()
    check_all(node, records)
    for record in records:
        writer.change(record)
    check_all(node, records)
    for number, record in enumerate(records):
        if number % 3:
            (writer.suspend if number % 3 == 1 else writer.revoke)(record)
    check_all(node, sorted(records, key=lambda record: record.status != "active"))
    writer.close()
