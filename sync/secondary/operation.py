"""What an operator does with the data directory of a secondary node, running or not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from node.errors import InvalidInput, NotFound
from sync.peer import DirectiveKind
from sync.proto.idlink.v1 import secondary_link_pb2 as pb
from sync.secondary import directives, self_audit
from sync.secondary.self_audit import AuditReport
from sync.secondary.server import FILE_NAME
from sync.secondary.store import directive_rows, log_rows, node_rows
from sync.secondary.store.connection import Connection, open_reader, open_writer, snapshot
from sync.secondary.store.directive_rows import DirectiveRow
from sync.secondary.store.node_rows import NodeRow
from sync.secondary.store.thread import StoreThread

_T = TypeVar("_T")


def issue_directive(
    data_dir: Path, kind: DirectiveKind, directive: pb.Directive, *, node: str, quota: int
) -> None:
    """Give an order; `node` "": the only one there is.

    Raises NotFound for a data directory, node or prefix that does not exist, InvalidInput for an
    order that lacks something.
    """

    def give(db: Connection) -> None:
        directives.issue(db, node or _only_node(db), kind, directive, quota=quota)

    _on_file(data_dir, open_writer, give)


def list_directives(data_dir: Path) -> list[Mapping[str, object]]:
    """Return every order with what was answered; raises NotFound for no data directory."""
    return _on_file(data_dir, open_reader, lambda db: [*map(_shown, directive_rows.everyone(db))])


def status(data_dir: Path) -> list[Mapping[str, object]]:
    """Return for every node what is held of it; raises NotFound for no data directory."""
    return _on_file(data_dir, open_reader, _status)


def audit(data_dir: Path) -> AuditReport:
    """Recompute everything from leaves and openings; raises NotFound for no data directory."""
    return _on_file(data_dir, open_reader, self_audit.audit)


def _on_file(
    data_dir: Path, opening: Callable[[Path], Connection], job: Callable[[Connection], _T]
) -> _T:
    path = data_dir / FILE_NAME
    if not path.exists():
        raise NotFound(f"没有二级节点数据 {path}", f"No secondary node's data at {path}")
    with closing(StoreThread("secondary-operator", lambda: opening(path))) as thread:
        return thread.call(job)


def _only_node(db: Connection) -> str:
    known = [row.name for row in node_rows.everyone(db)]
    if len(known) != 1:
        raise InvalidInput(
            f"请用 --node 指明节点,已知:{'、'.join(known) or '无'}",
            f"Name the node with --node; known: {', '.join(known) or 'none'}",
        )
    return known[0]


def _status(db: Connection) -> list[Mapping[str, object]]:
    with snapshot(db):
        return [_status_of(db, row) for row in node_rows.everyone(db)]


def _status_of(db: Connection, row: NodeRow) -> Mapping[str, object]:
    cosigned = log_rows.cosigned(db, row.id)
    return {
        "node": row.name,
        "origin": row.origin,
        "size": row.size,
        "root": row.root.hex(),
        "cosigned_size": cosigned.size if cosigned else 0,
        "live_records": node_rows.live_records(db, row.id),
        "prefixes": {prefix.name: str(prefix.state) for prefix in node_rows.prefixes(db, row.id)},
        "evidence": len(log_rows.evidence(db, row.id)),
        "directives_waiting": directive_rows.count_waiting(db, row.id),
        "heard_at_ms": row.heard_at_ms,
    }


def _shown(row: DirectiveRow) -> Mapping[str, object]:
    given = pb.Directive.FromString(row.body)
    answer = pb.AcknowledgeDirectiveRequest.FromString(row.answer or b"")
    return {
        "id": row.id,
        "kind": pb.DirectiveKind.Name(given.kind).removeprefix("DIRECTIVE_KIND_").lower(),
        "prefix": given.prefix,
        "identifiers": list(given.identifiers),
        "reason": given.reason,
        "answered_at_ms": row.answered_at_ms,
        "accepted": answer.accepted,
        "acknowledged_by": answer.acknowledged_by,
        "note": answer.note,
    }
