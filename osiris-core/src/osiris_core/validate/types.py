"""Coarse families of types: what may be compared with what, and what a column can hold.

Only what can never work is refused here; whether each value fits is the driver's to see when rows move.
"""

from __future__ import annotations

import re
from typing import Any, Literal

from osiris_core.catalog.model import Column

Family = Literal["boolean", "number", "text", "binary", "date", "time", "timestamp", "duration", "json", "nested", ""]

_PREFIXES: tuple[tuple[str, Family], ...] = (
    ("bool", "boolean"),
    ("int", "number"),
    ("uint", "number"),
    ("float", "number"),
    ("double", "number"),
    ("half", "number"),
    ("decimal", "number"),
    ("timestamp", "timestamp"),
    ("date", "date"),
    ("time", "time"),
    ("duration", "duration"),
    ("string", "text"),
    ("large_string", "text"),
    ("utf8", "text"),
    ("large_utf8", "text"),
    ("binary", "binary"),
    ("large_binary", "binary"),
    ("fixed_size_binary", "binary"),
    ("list", "nested"),
    ("large_list", "nested"),
    ("fixed_size_list", "nested"),
    ("struct", "nested"),
    ("map", "nested"),
)
#: ``decimal`` is a number that travels as text, because no Arrow type is wide enough to keep it exact.
_OSIRIS: dict[str, Family] = {
    "json": "json", "jsonb": "json", "time": "duration", "interval": "duration", "decimal": "number",
}  # fmt: skip
#: What may be written into a column of each family, beside its own; a family that is not known goes anywhere.
_TAKES: dict[Family, frozenset[Family]] = {
    "number": frozenset({"boolean"}),
    "timestamp": frozenset({"date"}),
    "text": frozenset({"json"}),
    "json": frozenset({"text", "nested", "number", "boolean"}),
    "time": frozenset({"duration"}),
    "duration": frozenset({"time"}),
}
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")
_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}(:\d{2}(:\d{2}(\.\d+)?)?)?\s*(Z|[-+]\d{2}(:?\d{2})?)?)?")
_WANTED: dict[Family, str] = {
    "boolean": "true or false",
    "number": "a number",
    "text": "text",
    "date": "a date such as 2026-01-31",
    "timestamp": "a timestamp such as 2026-01-31T12:00:00Z",
    "time": "a time such as 12:30:00",
    "duration": "text such as 12:30:00",
}


def family_of(column: Column) -> Family:
    """Coarse family of a column's type; ``""`` when it is not known."""
    if column.osiris_type in _OSIRIS:
        return _OSIRIS[column.osiris_type]
    for prefix, family in _PREFIXES:
        if column.arrow.startswith(prefix):
            return family
    return ""


def fits(source: Column, target: Column) -> bool:
    """Whether values of ``source`` can be kept in ``target`` at all."""
    come, hold = family_of(source), family_of(target)
    if not come or not hold or come == hold:
        return True
    if source.osiris_type == "decimal" and hold == "text":  # its digits are text on their way already
        return True
    return come in _TAKES.get(hold, frozenset())


def comparison_fault(value: Any, column: Column, operator: str) -> str:
    """What kind of value a condition on ``column`` wants, or ``""`` when ``value`` will do."""
    family = family_of(column)
    if operator == "like":
        return "" if family in ("text", "json", "") and isinstance(value, str) else _like(family)
    return "" if _comparable(value, family, column) else _WANTED[family]


def _like(family: Family) -> str:
    return "a text column: like compares text" if family not in ("text", "") else "text"


def _comparable(value: Any, family: Family, column: Column) -> bool:
    if family not in _WANTED:
        return True
    if family == "boolean":
        return isinstance(value, bool)
    if family == "number" and not isinstance(value, str):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, str) and _text_comparable(value, family, column)


def _text_comparable(text: str, family: Family, column: Column) -> bool:
    if family == "number":  # text keeps a decimal exact
        exact = column.arrow.startswith("decimal") or column.osiris_type == "decimal"
        return exact and _NUMBER.fullmatch(text) is not None
    return family not in ("date", "timestamp") or _TIMESTAMP.fullmatch(text) is not None
