"""Schemas for editors and programs: valid, self-contained, and saying the same as the spec."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest

from osiris_core import InvalidInputError, Plugins, Registry, Spec
from osiris_core.spec.check import METASCHEMA
from osiris_core.spec.pipeline_schema import pipeline_schema, with_parameters
from osiris_core.spec.schemas import Definitions, component_schema


@pytest.fixture(scope="module")
def specs() -> dict[str, Spec]:
    """Every installed component's."""
    found = Registry(Plugins.load()).specs()
    assert found
    return found


def errors(schema: dict[str, Any], value: object) -> list[str]:
    return [error.message for error in jsonschema_rs.Draft202012Validator(schema).iter_errors(value)]


def pipeline(**step: Any) -> dict[str, Any]:
    return {"oml_version": "0.0.1", "name": "p", "steps": [{"id": "s", **step}]}


def test_every_component_has_a_valid_schema_per_mode_and_as_a_whole(specs: dict[str, Spec]) -> None:
    for spec in specs.values():
        whole = component_schema(spec)
        assert errors({"$ref": METASCHEMA}, whole) == []
        assert {f"config.{mode}" for mode in spec.modes} <= set(whole["$defs"])
        assert ("connection" in whole["$defs"]) == (spec.connection_schema is not None)
        for example in spec.examples:
            schema = component_schema(spec, example["mode"])
            assert errors({"$ref": METASCHEMA}, schema) == []
            assert errors(schema, example["config"]) == errors(whole, example["config"]) == []
            assert errors(schema, {**example["config"], "no_such_field": 1})


def test_fields_that_a_step_may_override_are_in_its_schema() -> None:
    spec = Spec(
        name="a.b", version="1.0.0", title="t", modes=("read",), capabilities={}, secrets=(), driver="m:a", delivery={},
        config_schema={"read": {"type": "object", "properties": {"table": {}}, "additionalProperties": False}},
        connection_schema={
            "properties": {"database": {"$ref": "#/$defs/db", "x-override": "allowed"}, "host": {}},
            "$defs": {"db": {"type": "string"}},
        },
    )  # fmt: skip
    schema = component_schema(spec, "read")
    assert errors(schema, {"table": "t", "database": "other"}) == []
    assert errors(schema, {"database": 1})
    assert errors(schema, {"host": "x"})
    with pytest.raises(InvalidInputError, match=r'a\.b has no mode "write"'):
        component_schema(spec, "write")


def test_definitions_of_one_name_and_two_meanings_are_kept_apart() -> None:
    definitions = Definitions()
    definitions.add("one", {"$ref": "#/$defs/x", "$defs": {"x": {"type": "string"}}})
    definitions.add("same", {"$ref": "#/$defs/x", "$defs": {"x": {"type": "string"}}})
    definitions.add("two", {"items": [{"$ref": "#/$defs/x/properties/y"}], "$defs": {"x": {"properties": {"y": {}}}}})
    assert definitions.schemas == {
        "x": {"type": "string"},
        "one": {"$ref": "#/$defs/x"},
        "same": {"$ref": "#/$defs/x"},
        "two.x": {"properties": {"y": {}}},
        "two": {"items": [{"$ref": "#/$defs/two.x/properties/y"}]},
    }


def test_the_schema_of_pipelines_is_valid_and_takes_every_example(specs: dict[str, Spec]) -> None:
    schema = pipeline_schema(specs.values())
    assert errors({"$ref": METASCHEMA}, schema) == []
    for name, spec in specs.items():
        for example in spec.examples:
            step = pipeline(component=name, mode=example["mode"], connection="@a", config=example["config"])
            assert errors(schema, step) == [], name


def test_the_schema_of_pipelines_tells_components_and_modes_apart(specs: dict[str, Spec]) -> None:
    schema = pipeline_schema(specs.values())
    step = {"component": "duckdb.table", "mode": "read", "connection": "@a", "config": {"table": "orders"}}
    assert errors(schema, pipeline(**step)) == []
    assert errors(schema, pipeline(**{**step, "component": "duckdb.tabel"}))
    assert errors(schema, pipeline(**{**step, "mode": "transform"}))
    assert errors(schema, pipeline(**{**step, "mode": "write"}))  # write_mode is missing
    assert errors(schema, pipeline(**{**step, "config": {"tabel": "orders"}}))
    assert errors(schema, pipeline(**{key: value for key, value in step.items() if key != "connection"}))
    assert errors(schema, pipeline(component="duckdb.sql", mode="transform", config={"sql": "SELECT 1"})) == []
    assert errors(schema, {**pipeline(**step), "stepz": []})


def test_parameters_may_stand_for_values_of_any_type(specs: dict[str, Spec]) -> None:
    schema = pipeline_schema(specs.values())
    step = {"component": "duckdb.table", "mode": "read", "connection": "@a"}
    assert errors(schema, pipeline(**step, config={"table": "t", "limit": "${params.most}"})) == []
    assert errors(schema, pipeline(**step, config={"table": "t", "limit": "most"}))


def test_conditions_of_a_schema_keep_their_meaning_with_parameters() -> None:
    schema = {
        "properties": {"mode": {"enum": ["a", "b"]}, "n": {"type": "integer"}, "s": {"type": "string"}},
        "if": {"properties": {"mode": {"const": "a"}}, "required": ["mode"]},
        "then": {"required": ["n"]},
    }
    loose = with_parameters(schema)
    assert loose["if"] == schema["if"]
    assert loose["properties"]["s"] == {"type": "string"}
    assert errors(loose, {"mode": "a", "n": "${params.n}"}) == []
    assert errors(loose, {"mode": "a"})
    assert errors(loose, {"mode": "${params.m}"}) == []
