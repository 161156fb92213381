"""The processes that analyse and seal rows beside the node.

Invariants: a worker never outlives its node, even one that was killed (the queue between them
cannot tell it, because every worker holds both of its ends; the pipe of `parent_process` can);
signals to the node's process group, as a terminal or a supervisor sends them, are the node's to
answer and leave the workers alone; a pool that broke is replaced when it is next asked for.
"""

from __future__ import annotations

import gc
import os
import signal
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from multiprocessing import forkserver, get_context, parent_process, resource_tracker
from threading import Thread

from node.importing.prepare import worker_is_ready

GARBAGE_THRESHOLDS = 50_000, 20, 20
_GROUP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class WorkerProcesses:
    """The pool of one node; its processes start when they are first needed."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._pool: ProcessPoolExecutor | None = None

    def pool(self) -> ProcessPoolExecutor:
        """Return the pool in use."""
        if self._pool is None:
            self._pool = worker_pool(self._count)
        return self._pool

    def retire(self, pool: ProcessPoolExecutor) -> None:
        """Give up a pool that broke."""
        pool.shutdown(wait=False, cancel_futures=True)
        if pool is self._pool:
            self._pool = None

    def warm_up(self) -> None:
        """Let the workers start and load their modules before there is work for them."""
        pool = self.pool()
        try:
            for _ in range(self._count):
                pool.submit(worker_is_ready)
        except BrokenExecutor:
            self.retire(pool)

    def stop(self) -> None:
        """End the processes once they have finished what they hold."""
        if self._pool is not None:
            self.retire(self._pool)


def worker_pool(workers: int) -> ProcessPoolExecutor:
    """Return a pool of `workers` processes, which start when they are first needed."""
    # Not fork: the parent runs an event loop and threads.
    context = get_context("forkserver")
    # The fork server and its children begin with these signals blocked, as they are here then;
    # starting the resource tracker would unblock them, so it goes first.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _GROUP_SIGNALS)
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_begin_worker)


def leave_group() -> None:
    """Take this process, begun with the group's signals blocked, out of the node's group."""
    os.setpgid(0, 0)
    for name in _GROUP_SIGNALS:
        # To ignore a signal forgets one that waits; it was sent to the node's group.
        signal.signal(name, signal.SIG_IGN)
        signal.signal(name, signal.SIG_DFL)
    # From here on a worker hears the signals sent to it alone.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _GROUP_SIGNALS)


def _begin_worker() -> None:
    # A chunk is tens of thousands of objects that form no cycles; they are looked at rarely.
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    leave_group()
    Thread(target=_wait_for_node, name="end-with-node", daemon=True).start()


def _wait_for_node() -> None:
    node = parent_process()
    if node is not None:
        node.join()
    # Without ceremony: there is nobody left to hand a result to.
    os._exit(1)
