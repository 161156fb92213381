"""When something was broken, and so what may be late (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field

from loadtest.soak.fault_schedule import Fault

# I5: once all is calm, both sides have the same within a minute.
CALM_S = 60.0
_FOREVER = 1 << 62


@dataclass(slots=True)
class Trouble:
    """A fault as it happened, in Unix ms; `ended_ms`: when everything ran again."""

    fault: Fault
    began_ms: int
    ended_ms: int = _FOREVER

    @property
    def is_over(self) -> bool:
        """Say whether everything runs again."""
        return self.ended_ms != _FOREVER


@dataclass(slots=True)
class Troubles:
    """All faults so far, in order; `began_ms`: when the load began, which is a trouble itself."""

    began_ms: int
    each: list[Trouble] = field(default_factory=list)

    def calm_s(self, at_ms: int) -> float:
        """Return for how long nothing had been broken at a moment, 0 while something was."""
        last_ms = self.began_ms
        for trouble in self.each:
            if trouble.began_ms <= at_ms:
                last_ms = max(last_ms, trouble.ended_ms)
        return max(0.0, (at_ms - last_ms) / 1_000)

    def is_calm(self, at_ms: int) -> bool:
        """Say whether it was long enough ago that everything was broken last."""
        return self.calm_s(at_ms) >= CALM_S

    def was_calm_between(self, first_ms: int, last_ms: int) -> bool:
        """Say whether nothing was broken in a stretch of time, nor shortly before it."""
        overlapping = [
            trouble
            for trouble in self.each
            if trouble.began_ms <= last_ms and trouble.ended_ms >= first_ms - _AFTERMATH_MS
        ]
        return not overlapping and first_ms >= self.began_ms

    def killed(self, *targets: str) -> list[int]:
        """Return when processes whose names begin so were killed, in Unix ms."""
        return [
            trouble.began_ms
            for trouble in self.each
            if trouble.fault.kind == "kill" and trouble.fault.target.startswith(targets)
        ]


# Connections are opened anew, caches and peers catch up.
_AFTERMATH_MS = 10_000
