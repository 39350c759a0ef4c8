"""Parameters: declared, converted, bound; in SQL never as text."""

from __future__ import annotations

from typing import Any

import pytest

from osiris_core.drivers import StepView
from osiris_core.errors import InvalidInputError
from osiris_core.oml.model import Pipeline, topological_order
from osiris_core.oml.params import Param, ParamError, bind, convert


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        ("string", "x", "x"),
        ("integer", "12", 12),
        ("integer", 12, 12),
        ("integer", "99999999999999999999", 99999999999999999999),
        ("number", "1.5", 1.5),
        ("number", "3", 3),
        ("boolean", "TRUE", True),
        ("boolean", False, False),
        ("date", "2026-01-31", "2026-01-31"),
        ("timestamp", "2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
        ("timestamp", "2026-01-31", "2026-01-31"),
    ],
)
def test_values_become_their_type(kind: str, given: Any, value: Any) -> None:
    converted = convert(Param("p", kind), given)
    assert converted == value
    assert type(converted) is type(value)


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("string", 1),
        ("integer", "1.5"),
        ("integer", True),
        ("integer", "canary"),
        ("number", "inf"),
        ("number", "nan"),
        ("number", True),
        ("boolean", "yes"),
        ("boolean", 1),
        ("date", "2026-02-30"),
        ("date", "20260131"),
        ("timestamp", "noon"),
    ],
)
def test_values_of_another_type_are_refused_without_being_repeated(kind: str, given: Any) -> None:
    with pytest.raises(ParamError) as caught:
        convert(Param("p", kind), given)
    assert str(given) not in str(caught.value)


def test_a_whole_value_is_typed_and_a_part_of_text_is_text() -> None:
    config = {"limit": "${params.n}", "note": "at ${params.n} or ${params.b}", "deep": [{"x": "${params.d}"}]}
    bound = bind(config, {"n", "b", "d"}, {"n": 5, "b": True, "d": "2026-01-01"})
    assert bound.config == {"limit": 5, "note": "at 5 or true", "deep": [{"x": "2026-01-01"}]}
    assert bound.used == {"n", "b", "d"}


def test_sql_keeps_its_references_and_collects_their_values() -> None:
    config = {"query": "SELECT ${params.n} FROM t WHERE d > ${params.d}", "where_sql": "x", "table": "${params.d}"}
    bound = bind(config, {"n", "d"}, {"n": 1, "d": "y"}, [("query",), ("where_sql",)])
    assert bound.config == {**config, "table": "y", "sql_params": {"d": "y", "n": 1}}


def test_a_doubled_dollar_is_text() -> None:
    bound = bind({"a": "$${params.x} and $${HOME}"}, set(), {})
    assert bound.config == {"a": "${params.x} and ${HOME}"}
    assert bound.unknown == []


def test_values_are_not_looked_into_for_references() -> None:
    bound = bind({"a": "${params.x}", "b": "-${params.x}-"}, {"x", "y"}, {"x": "${params.y}", "y": "secret"})
    assert bound.config == {"a": "${params.y}", "b": "-${params.y}-"}


def test_references_to_nothing_are_reported_with_their_place_and_left_alone() -> None:
    bound = bind({"a": ["${params.no}"], "b": "${HOME}", "c": "${params.open}"}, {"open"}, {})
    assert bound.unknown == [(("a", 0), "${params.no}"), (("b",), "${HOME}")]
    assert bound.open == {("a", 0), ("b",), ("c",)}
    assert bound.config["c"] == "${params.open}"


def pipeline(**params: Param) -> Pipeline:
    step = StepView("a", "x.table", "read", None, (), {"limit": "${params.n}", "query": "SELECT ${params.n}"})
    return Pipeline("p", "0.0.1", params, (step,), ("a",), sql_paths={"a": frozenset({("query",)})})


def test_a_pipeline_binds_given_values_over_defaults() -> None:
    made = pipeline(n=Param("n", "integer", 5, has_default=True))
    assert made.bind().step("a").config == {"limit": 5, "query": "SELECT ${params.n}", "sql_params": {"n": 5}}
    assert made.bind({"n": "7"}).values == {"n": 7}
    assert made.bind({"n": "7"}).bind().values == {"n": 7}, "what was given stays given"
    with pytest.raises(KeyError):
        made.step("b")


def test_a_pipeline_names_every_value_that_is_missing_wrong_or_unknown() -> None:
    made = pipeline(n=Param("n", "integer"), d=Param("d", "date"))
    with pytest.raises(InvalidInputError) as caught:
        made.bind({"d": "soon", "m": "1"})
    assert sorted(problem.code for problem in caught.value.problems) == ["OSI-V131", "OSI-V132", "OSI-V135"]


def test_steps_are_ordered_by_need_and_then_as_written() -> None:
    needs = {"c": ["a", "b"], "b": [], "d": ["c"], "a": ["b"], "e": ["unknown"]}
    assert topological_order(needs) == (["b", "a", "c", "d", "e"], [])


def test_a_cycle_is_shown_from_end_to_end() -> None:
    order, cycle = topological_order({"a": [], "b": ["d"], "c": ["b"], "d": ["c", "a"]})
    assert order == ["a"]
    assert cycle[0] == cycle[-1]
    assert set(cycle) == {"b", "c", "d"}


def test_ten_thousand_steps_are_ordered_at_once() -> None:
    chain = {f"s{i}": [f"s{i - 1}"] if i else [] for i in range(10_000)}
    assert topological_order(chain)[0] == list(chain)
    ring = {f"s{i}": [f"s{(i - 1) % 10_000}"] for i in range(10_000)}
    assert len(topological_order(ring)[1]) == 10_001
