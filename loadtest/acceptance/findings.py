"""What a step of the run looked at, whether it held, and the figures beside it.

`zh` and `en` are the statement; `figures` are JSON values; `said` are lines that name what is
wrong.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked."""

    zh: str
    en: str
    is_fine: bool
    figures: Mapping[str, object] = field(default_factory=dict)
    said: Sequence[str] = ()

    def __str__(self) -> str:
        """Return lines for people: mark, statement, figures, and what is wrong."""
        mark = "通过 ok    " if self.is_fine else "失败 FAILED"
        figures = ", ".join(f"{name} {_short(value)}" for name, value in self.figures.items())
        lines = [f"{mark}  {self.zh} {self.en}  {figures}".rstrip()]
        lines += [f"             {line}" for line in self.said]
        return "\n".join(lines)

    def to_object(self) -> dict[str, object]:
        """Return what report.json holds of it."""
        return {
            "zh": self.zh,
            "en": self.en,
            "ok": self.is_fine,
            "figures": dict(self.figures),
            "said": list(self.said),
        }


def _short(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
