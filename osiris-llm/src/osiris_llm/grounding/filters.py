"""Which rows are read: every condition must be in the request, with its value and its direction."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from osiris_core import Column
from osiris_core.context import Condition, Move
from osiris_llm import dates, words
from osiris_llm.grounding.reading import AskError, Reading
from osiris_llm.grounding.times import ground_time, names_a_time
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
        if move.incremental and not names_a_time(reading):
            reading.note(f"dropped the condition on {column.name}: an incremental read knows where it goes on")
            return []
        return ground_time(condition, interval, reading, as_date=column.arrow.startswith("date"))
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
