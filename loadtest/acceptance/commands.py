"""The command line of the product, run to its end; what fails ends the acceptance run."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from loadtest.trials.xibiao_command import run_to_end, xibiao


class CommandFailed(Exception):
    """A command ended with another status than it should have."""


def run_xibiao(
    *arguments: str, settings: Mapping[str, str] | None = None, may_end: Collection[int] = (0,)
) -> str:
    """Run `xibiao …` and return what it printed; raises CommandFailed quoting it.

    `may_end`: the statuses that are fine; 1 is what a command gives to a negative finding.
    """
    ended = run_to_end(xibiao(*arguments), dict(settings or {}))
    if ended.status not in may_end:
        said = (ended.output + ended.errors)[-2_000:]
        raise CommandFailed(f"xibiao {' '.join(arguments)}: {ended.status}\n{said}")
    return ended.output
