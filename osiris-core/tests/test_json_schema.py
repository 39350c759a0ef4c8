"""Schema failures in our words: one problem per fault, at its place, with a mend where one is near."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from osiris_core.json_schema import Codes, SchemaChecker

CODES = Codes(unknown="U", missing="M", value="V", by_keyword={"type": "T"})


def check(schema: dict[str, Any], value: object, **options: Any) -> list[tuple[str, str]]:
    return [(problem.code, problem.message) for problem in SchemaChecker(schema, CODES, **options).problems(value)]


@pytest.mark.parametrize(
    ("schema", "value", "problem"),
    [
        ({"type": "integer"}, "x", ("T", '"f" must be a whole number, not text')),
        ({"type": ["integer", "null"]}, [], ("T", '"f" must be null or a whole number, not a list')),
        ({"enum": ["append", "merge"]}, "merg", ("V", '"f" must be one of append, merge, not "merg"')),
        ({"const": 1}, 2, ("V", '"f" must be 1')),
        ({"minimum": 1}, 0, ("V", '"f" must be at least 1')),
        ({"maxLength": 3}, "long", ("V", '"f" must have at most 3 characters')),
        ({"minLength": 1}, "", ("V", '"f" must not be empty')),
        ({"minItems": 1}, [], ("V", '"f" must not be empty')),
        ({"uniqueItems": True}, [1, 1], ("V", '"f" must not hold the same value twice')),
        ({"pattern": "^a"}, "b", ("V", '"f" must match the pattern ^a')),
        ({"items": {"type": "string"}}, ["a", 1], ("T", 'entry 2 of f must be text, not a number')),
        ({"required": ["x"]}, {}, ("M", '"x" is missing')),
        ({"properties": {"table": {}}, "additionalProperties": False}, {"tabel": 1}, ("U", 'unknown field "tabel"')),
        ({"properties": {"x": False}}, {"x": 1}, ("V", '"x" is not allowed here')),
        ({"oneOf": [{"type": "integer"}, {"const": "auto"}]}, "x", ("V", '"f" must be a whole number or "auto"')),
        ({"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}, {}, ("V", '"f" must hold "a" or hold "b"')),
        ({"oneOf": [{}, {}]}, 1, ("V", '"f" fits more than one of the allowed forms')),
        ({"minimum": 1, "errorMessage": "too small"}, 0, ("V", "too small")),
        ({"minimum": 1, "errorMessage": {"minimum": "too small"}}, 0, ("V", "too small")),
        ({"required": ["x"], "errorMessage": {"required": "say x"}}, {}, ("M", "say x")),
        ({"then": {"properties": {"x": False}, "errorMessage": "no x"}, "if": {}}, {"x": 1}, ("V", "no x")),
    ],
)  # fmt: skip
def test_each_keyword_has_its_sentence(schema: dict[str, Any], value: object, problem: tuple[str, str]) -> None:
    assert check({"properties": {"f": schema}}, {"f": value}) == [problem]


def test_near_names_are_suggested_and_point_at_the_key() -> None:
    schema = {"properties": {"table": {}, "columns": {}}, "additionalProperties": False}
    (problem,) = SchemaChecker(schema, CODES).problems({"tabel": 1})
    assert (problem.path, problem.on_key, problem.suggestion) == (("tabel",), True, "table")
    assert problem.hint == 'did you mean "table"?'


def test_everything_is_found_at_once() -> None:
    schema = {"required": ["a", "b"], "properties": {"c": {"type": "string"}}, "additionalProperties": False}
    assert len(check(schema, {"c": 1, "d": 2, "e": 3})) == 5


def test_a_schema_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        SchemaChecker({"type": "nonsense"}, CODES)


SCHEMA = {
    "required": ["z"],
    "additionalProperties": False,
    "properties": {
        "a": {"type": "integer", "minimum": 5},
        "b": {"enum": ["x", "y"]},
        "c": {"oneOf": [{"type": "integer"}, {"pattern": "^q"}]},
        "d": {"items": {"const": 3}, "uniqueItems": True},
        "e": {"not": {}},
        "f": {"type": "object", "propertyNames": {"maxLength": 2}, "additionalProperties": {"format": "date"}},
    },
}
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.just("hunter2-canary")
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner))


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)  # a busy machine is no fault
@given(st.dictionaries(st.sampled_from("abcdefg"), values))
def test_values_are_never_shown_when_they_must_not_be(value: dict[str, Any]) -> None:
    for problem in SchemaChecker(SCHEMA, CODES, show_values=False).problems(value):
        assert "hunter2" not in f"{problem.message}{problem.hint}{problem.suggestion}"
