"""Parameters: ``${params.NAME}`` in a step's config, replaced when the pipeline is compiled.

A value that is nothing but a reference takes the parameter's type; within a longer text it becomes text. SQL keeps
its references: there they are collected and reach the database as bound values.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from math import isfinite
from typing import Any

from osiris_core.problems import Path

#: ``${...}``, or ``$${...}`` for the text ``${...}`` itself.
REFERENCE = re.compile(r"(?P<escape>\$)?\$\{(?P<inside>[^{}\n]{0,200})\}")
_NAME = re.compile(r"params\.(?P<name>[A-Za-z_][A-Za-z0-9_]{0,62})")
PARAM_TYPES = ("string", "integer", "number", "boolean", "date", "timestamp")
_WANTED = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "date": "a date such as 2026-01-31",
    "timestamp": "a timestamp such as 2026-01-31T12:00:00Z",
}


@dataclass(frozen=True, slots=True)
class Param:
    """One declared parameter. ``default`` means something only when ``has_default``."""

    name: str
    type: str
    default: Any = None
    has_default: bool = False


class ParamError(ValueError):
    """A value that is not of a parameter's type; the text says what was wanted."""


def convert(param: Param, value: Any) -> Any:
    """``value`` (text from a command line, or a plain value) as ``param``'s type, a JSON value.

    Raises ParamError, whose text never repeats the value.
    """
    try:
        return _CONVERTERS[param.type](value)
    except (ValueError, TypeError, KeyError, OverflowError):
        wanted = _WANTED.get(param.type, param.type)
        raise ParamError(f'parameter "{param.name}" must be {wanted}') from None


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError
    if isinstance(value, str) and not re.fullmatch(r"[-+]?[0-9]{1,400}", value):
        raise ValueError
    return int(value)


def _number(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError
    if isinstance(value, str) and re.fullmatch(r"[-+]?[0-9]{1,400}", value):
        return int(value)
    number = value if isinstance(value, int) else float(value)
    if isinstance(number, float) and not isfinite(number):
        raise ValueError
    return number


def _boolean(value: Any) -> bool:
    if isinstance(value, str):
        return {"true": True, "false": False}[value.lower()]
    if not isinstance(value, bool):
        raise TypeError
    return value


def _date(value: Any) -> str:
    text = _string(value)
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        raise ValueError
    return date.fromisoformat(text).isoformat()


def _timestamp(value: Any) -> str:
    text = _string(value)
    if not re.match(r"\d{4}-\d{2}-\d{2}", text):
        raise ValueError
    datetime.fromisoformat(text)
    return text


_CONVERTERS = {
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "date": _date,
    "timestamp": _timestamp,
}


@dataclass
class Bound:
    """A config with its references replaced.

    Attributes:
        config: the new config; ``sql_params`` is added when SQL names parameters.
        used: names of all parameters that are referred to.
        unknown: path and text of each reference that names no declared parameter, or is no reference at all.
        open: paths of values that could not be bound, because of ``unknown`` or a parameter without value.
    """

    config: dict[str, Any] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    unknown: list[tuple[Path, str]] = field(default_factory=list)
    open: set[Path] = field(default_factory=set)
    sql_params: dict[str, Any] = field(default_factory=dict)


def bind(
    config: Mapping[str, Any], declared: Collection[str], values: Mapping[str, Any], sql_paths: Collection[Path] = ()
) -> Bound:
    """Replace every reference in ``config``; texts at ``sql_paths`` keep theirs."""
    binder = _Binder(frozenset(declared), values, frozenset(sql_paths))
    binder.bound.config = {key: binder.value(item, (key,)) for key, item in config.items()}
    if binder.bound.sql_params:
        binder.bound.config["sql_params"] = dict(sorted(binder.bound.sql_params.items()))
    return binder.bound


def references(text: str) -> Iterator[tuple[str, str | None]]:
    """``(whole text, parameter name or None)`` of every reference in ``text``, escaped ones left out."""
    for match in REFERENCE.finditer(text):
        if not match["escape"]:
            named = _NAME.fullmatch(match["inside"])
            yield match[0], named["name"] if named else None


class _Binder:
    def __init__(self, declared: frozenset[str], values: Mapping[str, Any], sql_paths: frozenset[Path]) -> None:
        self.declared = declared
        self.values = values
        self.sql_paths = sql_paths
        self.bound = Bound()

    def value(self, value: Any, path: Path) -> Any:
        """``value`` with its references replaced; nesting is bounded by the loader."""
        if isinstance(value, str):
            return self._text(value, path) if "${" in value else value
        if isinstance(value, dict):
            return {key: self.value(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.value(item, (*path, index)) for index, item in enumerate(value)]
        return value

    def _text(self, text: str, path: Path) -> Any:
        known = True
        for whole, name in references(text):
            if name is None or name not in self.declared:
                self.bound.unknown.append((path, whole))
                known = False
            else:
                self.bound.used.add(name)
                known = known and name in self.values
        if not known:
            self.bound.open.add(path)
            return text
        if path in self.sql_paths:
            names = [name for _, name in references(text) if name is not None]
            self.bound.sql_params.update({name: self.values[name] for name in names})
            return text
        whole_match = REFERENCE.fullmatch(text)
        if whole_match and not whole_match["escape"]:
            return self.values[whole_match["inside"].removeprefix("params.")]
        return REFERENCE.sub(self._replacement, text)

    def _replacement(self, match: re.Match[str]) -> str:
        if match["escape"]:
            return match[0][1:]
        value = self.values[match["inside"].removeprefix("params.")]
        return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
