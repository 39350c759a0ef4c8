"""JSON Schema failures in our words: one problem per fault, with a place, and never a value unless asked to.

A schema may say it better: ``errorMessage`` beside the failing keyword is a sentence, or one sentence per keyword.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from osiris_core.problems import Path, Problem, closest, did_you_mean

_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "a mapping",
    "array": "a list",
    "null": "null",
}
#: One value with more problems than this is not looked at further; input can be made to hold any number.
MAX_PROBLEMS = 200
MAX_UNKNOWN = 50
_NAME = re.compile(r"[A-Za-z_$][\w.$-]{0,60}")


@dataclass(frozen=True, slots=True)
class Codes:
    """Problem codes for the three kinds of fault; ``by_keyword`` tells faulty values apart further."""

    unknown: str
    missing: str
    value: str
    by_keyword: Mapping[str, str] = field(default_factory=dict)

    def of(self, keyword: str) -> str:
        """Code of a value that fails ``keyword``."""
        return self.by_keyword.get(keyword, self.value)


class SchemaChecker:
    """Checks values against one self-contained schema.

    ``show_values`` is False for files that may hold secrets: then messages name fields and what is wanted only.
    ``name_missing``: the path of a missing field ends with its name, not with the mapping that lacks it.
    Raises ValueError when the schema itself is not valid.
    """

    def __init__(
        self, schema: Mapping[str, Any], codes: Codes, *, show_values: bool = True, name_missing: bool = False
    ) -> None:
        import jsonschema_rs

        self._schema = schema
        self._codes = codes
        self._show = show_values
        self._name_missing = name_missing
        self._validator = jsonschema_rs.Draft202012Validator(dict(schema))

    def problems(self, value: Any) -> list[Problem]:
        """Everything wrong with ``value`` (up to a bound), in the order of the document; empty when it is valid."""
        found: dict[tuple[Path, str], Problem] = {}
        for error in self._validator.iter_errors(value):
            for problem in self._explain(error):
                found.setdefault((problem.path, problem.message), problem)
            if len(found) >= MAX_PROBLEMS:
                break
        return sorted(found.values(), key=lambda problem: [str(part) for part in problem.path])

    def _explain(self, error: Any) -> Iterator[Problem]:
        path: Path = tuple(error.instance_path)
        keyword = error.kind.name
        own = self._own_message(tuple(error.schema_path))
        if keyword in ("additionalProperties", "unevaluatedProperties") and own is None:
            yield from self._unknown(error, path)
            return
        if keyword == "required":
            missing = error.kind.property
            place = (*path, missing) if self._name_missing else path
            yield Problem(self._codes.missing, own or f'"{missing}" is missing', place)
            return
        if keyword == "falseSchema":
            yield Problem(self._codes.of(keyword), own or f'"{_last(path)}" is not allowed here', path, on_key=True)
            return
        message, suggestion, hint = self._value_message(error)
        text = own or f"{_subject(path)} {message}"
        yield Problem(self._codes.of(keyword), text, path, hint=hint, suggestion=suggestion)

    def _unknown(self, error: Any, path: Path) -> Iterator[Problem]:
        known = list(self._properties(tuple(error.schema_path)))
        for name in error.kind.unexpected[:MAX_UNKNOWN]:
            if not self._show and not _NAME.fullmatch(name):
                yield Problem(self._codes.unknown, "a field name here is not a name", path)
                continue
            message = f'unknown field "{_short(name)}"'
            hint, near = did_you_mean(name[:100], known), closest(name[:100], known)
            yield Problem(self._codes.unknown, message, (*path, name), on_key=True, hint=hint, suggestion=near)

    def _value_message(self, error: Any) -> tuple[str, str | None, str]:
        """What is wrong, the one certain replacement, and a hint."""
        kind = error.kind
        if kind.name == "type":
            return f"must be {_kinds(kind.types)}, not {_kind_of(error.instance)}", None, ""
        if kind.name == "enum":
            options = list(kind.options if isinstance(kind.options, list) else ())
            text = error.instance[:100] if isinstance(error.instance, str) else None
            shown = f', not "{_short(error.instance)}"' if self._show and text is not None else ""
            near = closest(text, options) if text is not None else None
            hint = f'did you mean "{near}"?' if near is not None and self._show else ""
            return f"must be one of {_listed(options)}{shown}", near, hint
        if kind.name == "const":
            return f"must be {_shown(kind.expected_value)}", None, ""
        if kind.name in ("oneOf", "anyOf") and hasattr(kind, "context"):
            return self._alternatives(error), None, ""
        limit = _LIMITS.get(kind.name)
        return limit(kind) if limit else "is not valid", None, ""

    def _alternatives(self, error: Any) -> str:
        wanted: list[str] = []
        for branch in error.kind.context:
            for inner in branch[:1]:
                if inner.kind.name == "type" and list(inner.instance_path) == list(error.instance_path):
                    wanted.append(_kinds(inner.kind.types))
                elif inner.kind.name == "const":
                    wanted.append(_shown(inner.kind.expected_value))
                elif inner.kind.name == "required":
                    wanted.append(f'hold "{inner.kind.property}"')
                else:
                    wanted.append("another form")
        if not wanted:
            return "fits more than one of the allowed forms"
        verb = "must" if wanted[0].startswith("hold") else "must be"
        return f"{verb} {' or '.join(dict.fromkeys(wanted))}"

    def _own_message(self, path: Sequence[str | int]) -> str | None:
        """The ``errorMessage`` that stands beside the failing keyword, or beside ``properties`` above it."""
        for depth in (1, 2):
            if len(path) < depth or (depth == 2 and path[-2] != "properties"):
                continue
            message = self._at(path[:-depth], "errorMessage")
            if isinstance(message, Mapping):
                message = message.get(str(path[-depth]))
            if isinstance(message, str):
                return message
        return None

    def _properties(self, path: Sequence[str | int]) -> Mapping[str, Any]:
        properties = self._at(path[:-1], "properties")
        return properties if isinstance(properties, Mapping) else {}

    def _at(self, path: Sequence[str | int], key: str) -> Any:
        node: Any = self._schema
        for part in path:
            try:
                node = node[part]
            except (KeyError, IndexError, TypeError):
                return None
        return node.get(key) if isinstance(node, Mapping) else None


_LIMITS: dict[str, Callable[[Any], str]] = {
    "minimum": lambda kind: f"must be at least {kind.limit}",
    "maximum": lambda kind: f"must be at most {kind.limit}",
    "exclusiveMinimum": lambda kind: f"must be more than {kind.limit}",
    "exclusiveMaximum": lambda kind: f"must be less than {kind.limit}",
    "minLength": lambda kind: "must not be empty" if kind.limit == 1 else f"must have at least {kind.limit} characters",
    "maxLength": lambda kind: f"must have at most {kind.limit} characters",
    "minItems": lambda kind: "must not be empty" if kind.limit == 1 else f"must have at least {kind.limit} entries",
    "maxItems": lambda kind: f"must have at most {kind.limit} entries",
    "minProperties": lambda kind: "must not be empty" if kind.limit == 1 else f"must have {kind.limit} fields or more",
    "uniqueItems": lambda kind: "must not hold the same value twice",
    "pattern": lambda kind: f"must match the pattern {kind.pattern}",
    "format": lambda kind: f"must be a valid {kind.format}",
    "propertyNames": lambda kind: "has a field name that is not allowed",
    "contains": lambda kind: "lacks an entry that must be there",
}


def _short(text: str) -> str:
    return text if len(text) <= 100 else text[:100] + "…"


def _last(path: Path) -> str:
    return _short(str(path[-1])) if path else "this"


def _subject(path: Path) -> str:
    """The failing value's name: its key, or its place in a list."""
    if not path:
        return "the value"
    if isinstance(path[-1], int):
        return f"entry {path[-1] + 1} of {_last(path[:-1])}"
    return f'"{_last(path)}"'


def _kinds(types: Sequence[str]) -> str:
    return " or ".join(_TYPES.get(name, name) for name in types)


def _kind_of(value: Any) -> str:
    if value is None:
        return "null"
    for kinds, name in ((bool, "true or false"), (str, "text"), (int | float, "a number"), (dict, "a mapping")):
        if isinstance(value, kinds):
            return name
    return "a list"


def _shown(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def _listed(options: Sequence[Any]) -> str:
    return ", ".join(str(option) for option in options)
