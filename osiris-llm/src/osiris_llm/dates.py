"""Date expressions: the model names one, code resolves it against a stated clock.

Grammar of a value (case-insensitive)::

    today yesterday this_week last_week this_month last_month this_quarter last_quarter this_year last_year
    last_<n>_days   last_<n>_hours
    2026   2026-03   2026-03-15   2026-Q1
    since:<point>   before:<point>   <point>..<point>      (the second point is included)

Every expression is a half-open interval ``[start, end)`` in UTC; weeks start on Monday (ISO 8601).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

_NAMED = re.compile(r"(this|last)_(week|month|quarter|year)\Z")
_LAST = re.compile(r"last_(\d{1,4})_(days|hours)\Z")
_YEAR = re.compile(r"(\d{4})\Z")
_MONTH = re.compile(r"(\d{4})-(\d{2})\Z")
_QUARTER = re.compile(r"(\d{4})-?q([1-4])\Z")


@dataclass(frozen=True, slots=True)
class Interval:
    """``[start, end)`` in UTC; None is unbounded."""

    start: datetime | None
    end: datetime | None


def resolve(expression: str, now: datetime) -> Interval | None:
    """The interval ``expression`` names at ``now`` (aware, UTC), or None when it is no date expression."""
    text = expression.strip().lower()
    if text.startswith("since:"):
        point = _point(text[6:], now)
        return Interval(point.start, None) if point else None
    if text.startswith("before:"):
        point = _point(text[7:], now)
        return Interval(None, point.start) if point else None
    if ".." in text:
        first, last = (_point(part, now) for part in text.split("..", 1))
        return Interval(first.start, last.end) if first and last else None
    return _point(text, now)


def is_point(expression: str) -> bool:
    """Whether ``expression`` is one plain date or instant, which a comparison takes as it is."""
    return _instant(expression.strip().lower()) is not None


def spelled(moment: datetime, *, as_date: bool) -> str:
    """``moment`` as OML writes it: a date, or an RFC 3339 instant in UTC."""
    return moment.date().isoformat() if as_date else moment.strftime("%Y-%m-%d %H:%M:%S+00:00")


def _point(text: str, now: datetime) -> Interval | None:
    text = text.strip()
    today = datetime(now.year, now.month, now.day, tzinfo=UTC)
    if text in ("today", "yesterday"):
        start = today - timedelta(days=text == "yesterday")
        return Interval(start, start + timedelta(days=1))
    if match := _NAMED.match(text):
        return _period(match[2], today, back=match[1] == "last")
    if match := _LAST.match(text):
        count = int(match[1])
        return Interval(now - timedelta(**{match[2]: count}), now)
    return _calendar(text)


def _period(unit: str, today: datetime, *, back: bool) -> Interval:
    if unit == "week":
        start = today - timedelta(days=today.weekday() + (7 if back else 0))
        return Interval(start, start + timedelta(days=7))
    months = {"month": 1, "quarter": 3, "year": 12}[unit]
    first = today.year * 12 + (today.month - 1) // months * months
    first -= months if back else 0
    return Interval(_month(first), _month(first + months))


def _calendar(text: str) -> Interval | None:
    try:
        if match := _YEAR.match(text):
            return Interval(_month(int(match[1]) * 12), _month(int(match[1]) * 12 + 12))
        if match := _QUARTER.match(text):
            first = int(match[1]) * 12 + (int(match[2]) - 1) * 3
            return Interval(_month(first), _month(first + 3))
        if match := _MONTH.match(text):
            first = int(match[1]) * 12 + int(match[2]) - 1
            return Interval(_month(first), _month(first + 1)) if 1 <= int(match[2]) <= 12 else None
    except ValueError:
        return None
    return _instant(text)


def _instant(text: str) -> Interval | None:
    try:
        day = datetime.combine(date.fromisoformat(text), datetime.min.time(), tzinfo=UTC)
        return Interval(day, day + timedelta(days=1))
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return Interval(moment, moment)


def _month(months: int) -> datetime:
    """The first instant of month number ``months`` (year * 12 + month - 1)."""
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)
