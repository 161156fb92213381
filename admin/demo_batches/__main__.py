"""Writes demonstration data: `python -m admin.demo_batches -n 300000 -o /tmp/b/batches`.

`-o` is a path prefix. Written, by `--formats`:

    csv     PREFIX.csv            one row a batch
    ndjson  PREFIX.ndjson         one JSON object a batch; always clean, even with --dirty
    edges   PREFIX.edges.csv      child,parent,kg,process_id
    events  PREFIX.events.ndjson  EPCIS 2.0 flavoured events

With `--dirty P` also PREFIX.injected.csv (what was spoilt, where, and what should happen), with
`--oracle K` also PREFIX.oracle.ndjson (true ancestors and descendants of K batches).

Invariants: the same arguments give the same bytes; nothing but these files is written.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from admin.demo_batches.campaigns import DEFAULT_SEED, FIRST_DAY, iter_processes
from admin.demo_batches.columns import HEADINGS, NAMES, noisy_headings
from admin.demo_batches.dirt import Dirt
from admin.demo_batches.events import Events
from admin.demo_batches.industry import Order
from admin.demo_batches.oracle import Oracle
from admin.demo_batches.parties import DEFAULT_PREFIX
from admin.demo_batches.writers import (
    CleanCsv,
    CsvForm,
    DirtyCsv,
    Edges,
    InjectionList,
    JsonLines,
    OrderedRows,
    RowWriter,
    ShuffledRows,
    Writer,
    write_all,
)

_FORMATS = ("csv", "ndjson", "edges", "events")


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asks for."""

    order: Order
    out: str
    formats: frozenset[str]
    csv: CsvForm
    shuffle: bool
    dirty: float
    oracle: int
    resolver: str

    def path(self, ending: str) -> Path:
        """Give the path of one of the files."""
        return Path(f"{self.out}.{ending}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command. Exits with status 2 when the arguments make no sense."""
    request = _parse(arguments)
    started = time.monotonic()
    injections = InjectionList(request.path("injected.csv")) if request.dirty else None
    with _no_garbage_collection():
        count = write_all(iter_processes(request.order), _writers(request, injections))
    seconds = time.monotonic() - started
    spoilt = ""
    if injections:
        injections.close()
        spoilt = f"；注入 {injections.count} 处错误 ({injections.count} injections)"
    sys.stderr.write(
        f"已生成 {count} 个批次，用时 {seconds:.1f} 秒 "
        f"({count} batches in {seconds:.1f} s) -> {request.out}.*{spoilt}\n"
    )


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Spare a third of the time: no reference cycles are made here."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _writers(request: Request, injections: InjectionList | None) -> Iterator[Writer]:
    if "csv" in request.formats:
        rows = _csv(request, injections)
        if request.shuffle:
            yield ShuffledRows(rows, request.order.seed)
        else:
            yield OrderedRows(rows)
    if "ndjson" in request.formats:
        yield JsonLines(request.path("ndjson"))
    if "edges" in request.formats:
        yield Edges(request.path("edges.csv"))
    if "events" in request.formats:
        yield Events(request.path("events.ndjson"), request.resolver, request.order.prefix)
    if request.oracle:
        yield Oracle(request.path("oracle.ndjson"), request.oracle, request.order.seed)


def _csv(request: Request, injections: InjectionList | None) -> RowWriter:
    path = request.path("csv")
    if injections is None:
        return CleanCsv(path, request.csv)
    dirt = Dirt(request.dirty, request.order.seed, request.csv.encoding)
    return DirtyCsv(path, request.csv, dirt=dirt, injections=injections)


def _parse(arguments: Sequence[str] | None) -> Request:
    parser = _parser()
    given = parser.parse_args(arguments)
    formats = frozenset(given.formats.split(","))
    if unknown := sorted(formats.difference(_FORMATS)):
        names = ",".join(unknown)
        parser.error(f"未知格式 {names}，可用 {','.join(_FORMATS)} (unknown format: {names})")
    if not 0 <= given.dirty <= 1:
        parser.error("--dirty 须在 0 与 1 之间 (must be a share between 0 and 1)")
    headings = {"en": NAMES, "zh": HEADINGS.values(), "zh-noisy": noisy_headings()}
    return Request(
        Order(given.rows, given.seed, given.start, given.prefix),
        given.out,
        formats,
        CsvForm(given.encoding, "\r\n" if given.crlf else "\n", tuple(headings[given.headers])),
        given.shuffle,
        given.dirty,
        given.oracle,
        given.resolver,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m admin.demo_batches",
        description="生成稀土批次演示数据，物料平衡、谱系一致 "
        "(write rare-earth batches with a mass-balanced genealogy)",
    )
    add = parser.add_argument
    add("-n", "--rows", type=int, default=1000, help="批次数 (number of batches)")
    add("-o", "--out", required=True, help="输出文件的路径前缀 (path prefix of the files)")
    add("--seed", type=int, default=DEFAULT_SEED, help="随机种子 (random seed)")
    add("--start", type=date.fromisoformat, default=FIRST_DAY, metavar="YYYY-MM-DD",
        help="首个生产日 (first campaign day)")  # fmt: skip
    add("--prefix", default=DEFAULT_PREFIX,
        help="四位企业节点代码之前的前缀 (prefix before the four-digit node code)")  # fmt: skip
    add("--formats", default="csv,ndjson", help="csv,ndjson,edges,events")
    add("--encoding", default="utf-8", choices=["utf-8", "utf-8-sig", "gbk", "gb18030"],
        help="CSV 的编码 (of the CSV)")  # fmt: skip
    add("--headers", default="en", choices=["en", "zh", "zh-noisy"], help="CSV 表头 (headings)")
    add("--crlf", action="store_true", help="CSV 用 CRLF 换行 (line ends of the CSV)")
    add("--shuffle", action="store_true",
        help="CSV 行乱序，子批次可能先于母批次 (children may come before parents)")  # fmt: skip
    add("--dirty", type=float, default=0.0, metavar="P",
        help="损坏 CSV 中此比例的行 (spoil this share of the CSV rows)")  # fmt: skip
    add("--oracle", type=int, default=0, metavar="K",
        help="写出 K 个批次的全部祖先与后代 (true ancestors and descendants)")  # fmt: skip
    add("--resolver", default="https://id.example.test/",
        help="事件中标识的解析地址 (base address of identifiers in events)")  # fmt: skip
    return parser


if __name__ == "__main__":
    main()
