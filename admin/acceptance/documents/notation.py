"""Write numbers, times and digests the way people read them; nothing is rounded in our favour.

Invariants: counts and seconds are exact; times are Beijing time and say so once a paper; a figure
that does not exist is a word, never a zero.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

from admin.acceptance.documents.language import Say
from admin.acceptance.documents.svg import printable

BEIJING = timezone(timedelta(hours=8))
_TEN_THOUSAND = Decimal(10_000)


def count(number: int) -> str:
    """Write a count with thousands marks."""
    return f"{number:,}".replace("-", "−")


def minus(number: int) -> str:
    """Write a deduction."""
    return f"−{number:,}" if number else "0"


def seconds(milliseconds: int, say: Say) -> str:
    """Write a lag, exact to the millisecond; -1 is none."""
    if milliseconds < 0:
        return say("无", "none")
    return f"{plain_seconds(milliseconds)} {say('秒', 's')}"


def plain_seconds(milliseconds: int) -> str:
    """Write milliseconds as seconds without their unit."""
    return _plain(Decimal(milliseconds) / 1000)


def ten_thousands(number: int) -> str:
    """Write a count in 万, exact."""
    return _plain(Decimal(number) / _TEN_THOUSAND)


def _plain(number: Decimal) -> str:
    text = f"{number:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def share(percent: str) -> str:
    """Write a share of the report, decimal text in percent; "" stays ""."""
    return f"{percent}%" if percent else ""


def moment(time: str) -> str:
    """Write a UTC time of the report as Beijing time to the second; what is no time stays."""
    try:
        return f"{moment_of(time):%Y-%m-%d %H:%M:%S}"
    except ValueError:
        return printable(time)


def beijing(time: str, say: Say) -> str:
    """Write a time with the words Beijing time; "" is none."""
    if not time:
        return say("无", "none")
    return f"{moment(time)} {say('北京时间', 'Beijing time')}"


def moment_of(time: str) -> datetime:
    """Return a UTC time of the report as Beijing time without a zone; raises ValueError."""
    parsed = datetime.strptime(time, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    return parsed.astimezone(BEIJING).replace(tzinfo=None, microsecond=0)


def hour(key: str) -> str:
    """Write the key of an hour, `2026-11-21T17`, as a table shows it."""
    return f"{printable(key).replace('T', ' ')}:00"


def short_date(day: str) -> str:
    """Write a date `2026-11-08` for an axis: 11-08."""
    return printable(day[5:]) if len(day) == 10 else printable(day)


def short_digest(digest: str) -> str:
    """Write the two ends of a digest."""
    return f"{digest[:6]}…{digest[-4:]}" if len(digest) > 16 else printable(digest)


def or_none(text: str, say: Say) -> str:
    """Return a text of the project file, or the word for none."""
    return printable(text).strip() or say("未填写", "not given")
