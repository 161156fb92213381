"""Which run a Locust environment is in: options, state of this process, totals of all.

Locust gives users and listeners an environment and nothing else, so what belongs to it is kept
beside it and goes with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from locust.env import Environment

from loadtest.suites.goals import Totals
from loadtest.suites.load_run import LoadRun
from loadtest.suites.options import SuiteOptions, read_options


@dataclass(slots=True)
class Attached:
    """What belongs to an environment; `others`: totals of worker processes, by their id."""

    options: SuiteOptions
    run: LoadRun | None = None
    others: dict[str, Totals] = field(default_factory=dict)

    def totals(self) -> Totals:
        """Return what this process and its workers have done."""
        total = Totals()
        if self.run is not None:
            total += Totals(self.run.registered, self.run.resolved, self.run.faults)
        for other in self.others.values():
            total += other
        return total


_attached: WeakKeyDictionary[Environment, Attached] = WeakKeyDictionary()


def attached_to(environment: Environment) -> Attached:
    """Return what belongs to an environment, made at the first call."""
    found = _attached.get(environment)
    if found is None:
        found = _attached[environment] = Attached(read_options(environment.parsed_options))
    return found


def options_of(environment: Environment) -> SuiteOptions:
    """Return the options of a run."""
    return attached_to(environment).options


def current_run(environment: Environment) -> LoadRun:
    """Return this process's part of the run, which must have begun."""
    run = attached_to(environment).run
    assert run is not None
    return run
