"""Which rows are read: every condition must be in the request, its value, its direction and its time."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from osiris_core import Column
from osiris_core.context import Condition, Move
from osiris_llm import dates, words
from osiris_llm.grounding.reading import AskError, Reading
from osiris_llm.mentions import said

_EMPTY_OPERATORS = ("is_null", "is_not_null")
_TRUTH = ("true", "false")


def ground_filters(move: Move, reading: Reading) -> Move:
    """The move with the conditions the request states. Raises AskError for one it does not."""
    where: list[Condition] = []
    for condition in move.where:
        column = reading.table(move.source).table.column(condition.column)
        if column is not None:
            where.extend(_grounded(condition, column, move, reading))
    empty = {condition.column for condition in where if condition.op == "is_null"}
    if any(condition.column in empty and condition.op != "is_null" for condition in where):
        raise AskError(f"Should {', '.join(sorted(empty))} be empty or not?")
    return replace(move, where=tuple(dict.fromkeys(where)))


def _grounded(condition: Condition, column: Column, move: Move, reading: Reading) -> Iterable[Condition]:
    value = condition.value.strip()
    if condition.op in _EMPTY_OPERATORS:
        return _emptiness(condition, reading)
    if not value or _is_a_name(value, move, reading):
        reading.note(f"dropped the condition on {column.name}: it compares with nothing")
        return []
    if column.arrow.startswith(("date", "timestamp")) and (interval := dates.resolve(value, reading.now)):
        if move.incremental and not _names_a_time(reading):
            reading.note(f"dropped the condition on {column.name}: an incremental read knows where it goes on")
            return []
        span = _months_said(interval, reading)
        if span is not None:
            reading.note(f"{column.name} within {span}, as the request says")
            condition, interval = replace(condition, op="=", value=span), dates.resolve(span, reading.now) or interval
        _time_is_asked_for(condition, reading)
        interval = _both_sides(condition, interval, reading)
        return _bounds(condition, interval, reading, as_date=column.arrow.startswith("date"))
    if column.arrow == "bool":
        return [_truth(condition, reading)]
    condition = _operator(condition, column, reading)
    for part in value.split(",") if condition.op in ("in", "not_in") else [value]:
        _value_is_asked_for(condition, part.strip(), reading)
    return [condition]


def _is_a_name(value: str, move: Move, reading: Reading) -> bool:
    """Whether the value is only the name of a column, table or connection, which the request did not quote."""
    names = {column.name for column in reading.table(move.source).table.columns}
    names |= {reading.table(move.source).table.name, move.table, *(source.alias for source in reading.view.sources)}
    return value in names and value not in reading.mentions.quoted


def _operator(condition: Condition, column: Column, reading: Reading) -> Condition:
    """The operator in the direction the request's words give; a text is compared for equality."""
    folded, op = reading.mentions.folded, condition.op
    denied = words.says(folded, words.NEGATION)
    if column.arrow in ("string", "large_string") and op not in ("=", "!=", "in", "not_in", "like"):
        op = "="
    if op in ("in", "not_in") and "," not in condition.value:
        op = "=" if op == "in" else "!="
    if op == "like" and "%" not in condition.value and "_" not in condition.value:
        op = "="
    directed = [direction for direction, entries in words.COMPARISONS.items() if words.says(folded, entries)]
    if re.fullmatch(r"-?\d+([.,]\d+)?", condition.value.strip()) and len(directed) == 1:
        op = directed[0]
    elif op in ("<", "<=", ">", ">=") and not directed:
        op = "="
    if op in ("!=", "not_in") and not denied:
        raise AskError(f'Should {column.name} differ from "{condition.value}"? The request does not say so.')
    if op != condition.op:
        reading.note(f"{column.name} {op} {condition.value}, as the request says")
    return replace(condition, op=op)


def _truth(condition: Condition, reading: Reading) -> Condition:
    """A boolean must be named, and be false exactly where the request denies."""
    if condition.value.strip().lower() not in _TRUTH:
        raise AskError(f"Should {condition.column} be true or false?")
    value = condition.value.strip().lower() == "true"
    value = value if condition.op != "!=" else not value
    if not reading.mentions.names(condition.column):
        raise AskError(f"Should {condition.column} be {str(value).lower()}? The request does not say so.")
    denied = words.says(reading.mentions.folded, words.NEGATION)
    if value == denied:
        raise AskError(f"Should {condition.column} be true or false?")
    return Condition(condition.column, "=", str(value).lower())


def _value_is_asked_for(condition: Condition, value: str, reading: Reading) -> None:
    mentions = reading.mentions
    number = value.replace(",", ".")
    numeric = re.fullmatch(r"-?\d+([.,]\d+)?", value) is not None
    if number in {n.replace(",", ".") for n in mentions.numbers} or (not numeric and said(value, mentions.folded)):
        return
    if len(value) > 2 and not numeric and words.fold(value).strip("% ") in mentions.folded:
        return
    raise AskError(f'Should {condition.column} be {condition.op} "{value}"? The request does not say so.')


def _names_a_time(reading: Reading) -> bool:
    entries = (*words.DATES.values(), *words.MONTHS)
    return bool(reading.mentions.numbers) or any(words.says(reading.mentions.folded, names) for names in entries)


def _time_is_asked_for(condition: Condition, reading: Reading) -> None:
    """The expression's words, or every number of it, must be in the request; a month may be named."""
    folded, value = reading.mentions.folded, condition.value.strip().lower()
    entries = words.DATES.get(value)
    if entries is not None and words.says(folded, entries):
        return
    numbers = {number.lstrip("0") for number in re.findall(r"\d+", value)}
    months = {str(i) for i, names in enumerate(words.MONTHS, 1) if words.says(folded, names)}
    spoken = {number.lstrip("0") for number in re.findall(r"\d+", folded)} | months
    spoken |= {str(reading.now.year), str(reading.now.year - 1)} if months else set()
    edges = {"1", "28", "29", "30", "31"}  # a month may be spelled by its first and last day
    if entries is None and numbers and numbers <= spoken | edges and months <= numbers:
        return
    raise AskError(f'Which time is meant for {condition.column}? "{condition.value}" is not in the request.')


def _months_said(interval: dates.Interval, reading: Reading) -> str | None:
    """The span of two named months, "from January to March 2026", of which the form took only one end.

    Only within one year: the months rise as they are named, and at most one year is.
    """
    folded, start = reading.mentions.folded, interval.start
    named = [names for names in words.MONTHS if words.says(folded, names)]
    years = {number for number in reading.mentions.numbers if re.fullmatch(r"(19|20)\d\d", number)}
    both_sides = words.says(folded, words.SINCE) and words.says(folded, words.BEFORE)
    if interval.end is not None or start is None or len(named) != 2 or len(years) > 1 or not both_sides:
        return None
    first, last = (words.MONTHS.index(names) + 1 for names in named)
    if start.month not in (first, last) or not _in_order(named, folded):
        return None
    return f"{start.year:04}-{first:02}..{start.year:04}-{last:02}"


def _in_order(groups: Iterable[tuple[str, ...]], folded: str) -> bool:
    """Whether the first words of the groups stand in the text one behind the other."""
    places = [min(folded.find(entry) for entry in entries if entry in folded) for entries in groups]
    return places == sorted(places)


def _both_sides(condition: Condition, interval: dates.Interval, reading: Reading) -> dates.Interval:
    """The interval with both ends unless the request's words leave one open: "in February" ends with February."""
    folded = reading.mentions.folded
    if interval.end is not None or interval.start is None or words.says(folded, words.SINCE):
        return interval
    if any(words.says(folded, entries) for direction, entries in words.COMPARISONS.items() if ">" in direction):
        return interval
    named = [number for number, names in enumerate(words.MONTHS, 1) if words.says(folded, names)]
    start = interval.start
    if named == [start.month] and (start.day, start.hour, start.minute) == (1, 0, 0):
        whole = dates.resolve(f"{start.year:04}-{start.month:02}", reading.now)
        if whole is not None:
            reading.note(f"{condition.column} within {start.year}-{start.month:02}, as the request names no open end")
            return whole
    raise AskError(f'Until when should {condition.column} reach? The request does not say "since".')


def _bounds(condition: Condition, interval: dates.Interval, reading: Reading, *, as_date: bool) -> Iterable[Condition]:
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


def _emptiness(condition: Condition, reading: Reading) -> Iterable[Condition]:
    """``is_null`` and ``is_not_null`` need their column, and a word for empty, in the request."""
    mentions = reading.mentions
    if not mentions.names(condition.column):
        reading.note(f"dropped the condition on {condition.column}: the request does not name it")
        return []
    entries = words.EMPTINESS if condition.op == "is_null" else words.PRESENCE
    if condition.value.strip() or not words.says(mentions.folded, entries):
        raise AskError(f"Should {condition.column} be empty or not? The request does not say so.")
    return [replace(condition, value="")]
