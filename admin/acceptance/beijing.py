"""Days and hours of Beijing (UTC+8, without summer time) of times in leaves and journals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

BEIJING = timezone(timedelta(hours=8))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def beijing_day(at: str) -> str:
    """Return the date of a leaf's time, `2026-11-21`."""
    # Leaves of one hour share their answer: 8,760 a year.
    return _day_of_hour(at[:13])


def beijing_hour(at_ms: int) -> str:
    """Return date and hour of a Unix time in ms, `2026-11-21T17`."""
    return _hour(at_ms // 3_600_000)


def weekday_and_hour(at_ms: int) -> tuple[int, int]:
    """Return the day of the week, Monday 0, and the hour."""
    local = (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(BEIJING)
    return local.weekday(), local.hour


def time_ms(at: str) -> int:
    """Return a time text such as `2026-11-21T09:00:00.123Z` as Unix milliseconds."""
    return (datetime.fromisoformat(at) - _EPOCH) // timedelta(milliseconds=1)


@lru_cache(maxsize=100_000)
def _day_of_hour(hour: str) -> str:
    at = datetime.fromisoformat(hour + ":00:00+00:00").astimezone(BEIJING)
    return at.date().isoformat()


@lru_cache(maxsize=100_000)
def _hour(hours: int) -> str:
    local = (_EPOCH + timedelta(hours=hours)).astimezone(BEIJING)
    return local.strftime("%Y-%m-%dT%H")
