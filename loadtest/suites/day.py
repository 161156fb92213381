"""What Locust is given for the profile of a day: the users of `locustfile`, and a shape.

`locust -f loadtest/suites/day.py --profile-day spike --day-seconds 600 --peak 80 --headless`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from locust import LoadTestShape

from loadtest.suites.day_profile import users_at
from loadtest.suites.locustfile import *  # noqa: F403


class DayProfile(LoadTestShape):
    """负载曲线 The shape of --profile-day over --day-seconds, with --peak users at most."""

    def tick(self) -> tuple[int, float] | None:
        """Give users and how fast they come; None at the end."""
        assert self.runner is not None
        options: Any = self.runner.environment.parsed_options
        run_time_s: float = self.get_run_time()  # type: ignore[no-untyped-call]
        part = run_time_s / int(options.day_seconds)
        if part >= 1.0:
            return None
        users = users_at(str(options.profile_day), part, int(options.peak))
        return users, float(max(1, int(options.peak)))
