"""Runs benches: `python -m loadtest.bench P1 P6`; without names all of them, in order.

Invariants: a bench is found by its module, `p<number>_….py` or `t<number>_….py`; one that gives no
figure is reported and the others still run; the exit status is 1 when one gave no figure, never for
a low figure. `peer_handle` is there when HANDLE_SERVER names an installed official server.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Sequence

import loadtest.bench
from loadtest.bench import peer_handle
from loadtest.bench.harness import Bench, run_and_record
from loadtest.bench.peer_server import installed_at
from loadtest.bench.processes import BenchFailed
from tests.server_process import ServerFailed


def discover() -> dict[str, Bench]:
    """Import the modules of benches in the package and give each BENCH, by id, in module order."""
    names = sorted(module.name for module in pkgutil.iter_modules(loadtest.bench.__path__))
    modules = [
        importlib.import_module(f"loadtest.bench.{name}")
        for name in names
        if name[:1] in ("p", "t") and name[1:].partition("_")[0].isdigit()
    ]
    benches: list[Bench] = [module.BENCH for module in modules]
    if installed_at() is not None:
        benches += peer_handle.BENCHES
    return {bench.id: bench for bench in benches}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benches named and give the exit status."""
    benches = discover()
    parser = argparse.ArgumentParser(
        prog="python -m loadtest.bench", description="性能测试 (benches against ceilings)"
    )
    parser.add_argument(
        "names", nargs="*", metavar="P1", help=f"可选 (one or more of) {' '.join(benches)}"
    )
    names = parser.parse_args(arguments).names or list(benches)
    if unknown := [name for name in names if name not in benches]:
        parser.error(f"没有这些性能测试 (no such bench): {' '.join(unknown)}")
    failed = [name for name in names if not _runs(benches[name])]
    return 1 if failed else 0


def _runs(bench: Bench) -> bool:
    print(f"{bench.id}  {bench.title} …", flush=True)
    try:
        run_and_record(bench)
    except (BenchFailed, ServerFailed) as failure:
        print(f"{bench.id}  没有结果 no figure: {failure}", file=sys.stderr, flush=True)
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
