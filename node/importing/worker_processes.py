"""The processes that analyse and seal rows beside the node.

Invariant: a worker never outlives its node, even one that was killed. The queue between them cannot
tell it, because every worker holds both of its ends; the pipe of `parent_process` can.
"""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from threading import Thread


def worker_pool(workers: int) -> ProcessPoolExecutor:
    """Return a pool of `workers` processes, which start when they are first needed."""
    # Not fork: the parent runs an event loop and threads.
    context = get_context("forkserver")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_end_with_node)


def _end_with_node() -> None:
    Thread(target=_wait_for_node, name="end-with-node", daemon=True).start()


def _wait_for_node() -> None:
    node = parent_process()
    if node is not None:
        node.join()
    # Without ceremony: there is nobody left to hand a result to.
    os._exit(1)
