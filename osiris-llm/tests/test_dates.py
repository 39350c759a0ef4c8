"""Date expressions: half-open intervals in UTC, by a stated clock, for every month of a year."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osiris_llm.dates import Interval, is_point, resolve, spelled

NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "start", "end"),
    [
        ("today", "2026-11-23", "2026-11-24"),
        ("yesterday", "2026-11-22", "2026-11-23"),
        ("this_week", "2026-11-23", "2026-11-30"),
        ("last_week", "2026-11-16", "2026-11-23"),
        ("last_month", "2026-10-01", "2026-11-01"),
        ("THIS_MONTH", "2026-11-01", "2026-12-01"),
        ("last_quarter", "2026-07-01", "2026-10-01"),
        ("this_quarter", "2026-10-01", "2027-01-01"),
        ("last_year", "2025-01-01", "2026-01-01"),
        ("2026", "2026-01-01", "2027-01-01"),
        ("2026-02", "2026-02-01", "2026-03-01"),
        ("2024-02-29", "2024-02-29", "2024-03-01"),
        ("2026-Q4", "2026-10-01", "2027-01-01"),
        ("2026-01..2026-03", "2026-01-01", "2026-04-01"),
        ("2026-01-15..2026-02-02", "2026-01-15", "2026-02-03"),
    ],
)
def test_an_expression_is_one_half_open_interval(expression: str, start: str, end: str) -> None:
    assert resolve(expression, NOW) == Interval(day(start), day(end))


def test_since_and_before_are_open_on_one_side() -> None:
    assert resolve("since:2026-03", NOW) == Interval(day("2026-03-01"), None)
    assert resolve("before:2026-Q2", NOW) == Interval(None, day("2026-04-01"))


def test_the_last_n_end_now() -> None:
    assert resolve("last_7_days", NOW) == Interval(NOW - timedelta(days=7), NOW)
    assert resolve("last_36_hours", NOW) == Interval(NOW - timedelta(hours=36), NOW)


@pytest.mark.parametrize("text", ["", "paid", "2026-13", "2026-02-30", "since:soon", "a..b", "last_week_or_so", "0000"])
def test_what_is_no_date_is_none(text: str) -> None:
    assert resolve(text, NOW) is None


def test_an_instant_is_converted_to_utc_and_is_a_point() -> None:
    assert resolve("2026-03-01T02:00:00+02:00", NOW) == Interval(day("2026-03-01"), day("2026-03-01"))
    assert is_point("2026-03-01")
    assert not is_point("last_month")


def test_moments_are_spelled_as_dates_or_instants() -> None:
    assert spelled(day("2026-03-01"), as_date=True) == "2026-03-01"
    assert spelled(day("2026-03-01"), as_date=False) == "2026-03-01 00:00:00+00:00"


@given(st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)))
def test_this_and_last_meet_and_hold_what_they_say_at_any_time(moment: datetime) -> None:
    now = moment.replace(tzinfo=UTC)
    for unit in ("week", "month", "quarter", "year"):
        this, last = resolve(f"this_{unit}", now), resolve(f"last_{unit}", now)
        assert this is not None and last is not None and this.start and this.end
        assert last.end == this.start <= now < this.end
