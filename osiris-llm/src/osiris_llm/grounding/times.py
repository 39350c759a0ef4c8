"""Conditions on a time: the request must name the time, and its words say which sides the interval has."""

from __future__ import annotations

import re
from dataclasses import replace

from osiris_core.context import Condition
from osiris_llm import dates, words
from osiris_llm.grounding.reading import AskError, Reading


def names_a_time(reading: Reading) -> bool:
    """Whether the request says a number, a month or a word such as "yesterday"."""
    folded = reading.mentions.folded
    named = any(words.says(folded, entries) for entries in words.DATES.values())
    return bool(reading.mentions.numbers) or named or bool(months_said(folded))


def months_said(folded: str) -> list[int]:
    """The numbers of the months that a folded request names, in the calendar's order."""
    return [number for number, names in enumerate(words.MONTHS, 1) if words.says(folded, names)]


def ground_time(condition: Condition, interval: dates.Interval, reading: Reading, *, as_date: bool) -> list[Condition]:
    """The half-open interval that the request means, as conditions. Raises AskError for a time it does not say."""
    span = span_of_months(interval, reading)
    if span is not None:
        reading.note(f"{condition.column} within {span}, as the request says")
        condition, interval = replace(condition, op="=", value=span), dates.resolve(span, reading.now) or interval
    check_time_is_said(condition, reading)
    return bounds(condition, with_both_sides(condition, interval, reading), reading, as_date=as_date)


def span_of_months(interval: dates.Interval, reading: Reading) -> str | None:
    """The span of two named months, "from January to March 2026", of which the form took only one end.

    Only within one year: the months rise as they are named, and at most one year is.
    """
    folded, start = reading.mentions.folded, interval.start
    months = months_said(folded)
    years = {number for number in reading.mentions.numbers if re.fullmatch(r"(19|20)\d\d", number)}
    both_sides = words.says(folded, words.SINCE) and words.says(folded, words.BEFORE)
    if interval.end is not None or start is None or len(months) != 2 or len(years) > 1 or not both_sides:
        return None
    if start.month not in months or not said_in_order(months, folded):
        return None
    first, last = months
    return f"{start.year:04}-{first:02}..{start.year:04}-{last:02}"


def said_in_order(months: list[int], folded: str) -> bool:
    """Whether the first words of the months stand in the text one behind the other."""
    names = [words.MONTHS[month - 1] for month in months]
    places = [min(folded.find(entry) for entry in entries if entry in folded) for entries in names]
    return places == sorted(places)


def check_time_is_said(condition: Condition, reading: Reading) -> None:
    """The expression's words, or every number of it, must be in the request; a month may be named."""
    folded, value = reading.mentions.folded, condition.value.strip().lower()
    entries = words.DATES.get(value)
    if entries is not None and words.says(folded, entries):
        return
    numbers = {number.lstrip("0") for number in re.findall(r"\d+", value)}
    months = {str(month) for month in months_said(folded)}
    spoken = {number.lstrip("0") for number in re.findall(r"\d+", folded)} | months
    spoken |= {str(reading.now.year), str(reading.now.year - 1)} if months else set()
    edges = {"1", "28", "29", "30", "31"}  # a month may be spelled by its first and last day
    if entries is None and numbers and numbers <= spoken | edges and months <= numbers:
        return
    raise AskError(f'Which time is meant for {condition.column}? "{condition.value}" is not in the request.')


def with_both_sides(condition: Condition, interval: dates.Interval, reading: Reading) -> dates.Interval:
    """The interval with both ends unless the request's words leave one open: "in February" ends with February."""
    folded, start = reading.mentions.folded, interval.start
    if interval.end is not None or start is None or words.says(folded, words.SINCE):
        return interval
    if any(words.says(folded, entries) for direction, entries in words.COMPARISONS.items() if ">" in direction):
        return interval
    if months_said(folded) == [start.month] and (start.day, start.hour, start.minute) == (1, 0, 0):
        whole = dates.resolve(f"{start.year:04}-{start.month:02}", reading.now)
        if whole is not None:
            reading.note(f"{condition.column} within {start.year}-{start.month:02}, as the request names no open end")
            return whole
    raise AskError(f'Until when should {condition.column} reach? The request does not say "since".')


def bounds(condition: Condition, interval: dates.Interval, reading: Reading, *, as_date: bool) -> list[Condition]:
    """The half-open interval as conditions. One side only where the request's words say before or after."""
    start = dates.spelled(interval.start, as_date=as_date) if interval.start else None
    end = dates.spelled(interval.end, as_date=as_date) if interval.end else None
    before = words.says(reading.mentions.folded, words.BEFORE)
    after = words.says(reading.mentions.folded, words.SINCE)
    if before and not after and start and end and condition.op in ("<", "<="):
        start, end = None, (end if condition.op == "<=" else start)
    elif after and not before and start and end and condition.op in (">", ">="):
        start, end = (end if condition.op == ">" else start), None
    elif condition.op not in ("=", "in") and start and end:
        reading.note(f"{condition.column} within {condition.value}")
    lower = [Condition(condition.column, ">=", start)] if start else []
    return lower + ([Condition(condition.column, "<", end)] if end else [])
