"""One JSON Schema for whole pipelines, for editors: each step's config checked by its component and mode.

It is looser than ``osiris validate``: where a parameter may stand, ``${params.NAME}`` is allowed for any type.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from osiris_core.spec.model import Spec
from osiris_core.spec.schemas import DRAFT, Definitions, step_schema

OML_SCHEMA_FILE = Path(__file__).parents[1] / "oml" / "oml.schema.json"
_PARAMETER = {"type": "string", "pattern": r"\$\{params\.[A-Za-z_][A-Za-z0-9_]*\}"}
#: Beneath these a schema asks a question instead of demanding something.
_QUESTIONS = ("if", "not", "contains")
_MAPS = ("properties", "patternProperties", "$defs", "dependentSchemas")


def pipeline_schema(specs: Iterable[Spec]) -> dict[str, Any]:
    """The schema of a pipeline that uses these components."""
    specs = sorted(specs, key=lambda spec: spec.name)
    schema: dict[str, Any] = json.loads(OML_SCHEMA_FILE.read_text(encoding="utf-8"))
    definitions = Definitions()
    for name, definition in schema["$defs"].items():
        definitions.add(f"oml.{name}", _renamed_definitions(definition))
    for spec in specs:
        for mode in spec.config_schema:
            definitions.add(f"{spec.name}.{mode}", with_parameters(step_schema(spec, mode)))
    step = definitions.schemas["oml.step"]
    component = step["properties"]["component"]
    step["properties"]["component"] = {"description": component["description"], "enum": [spec.name for spec in specs]}
    step["allOf"] = [rule for spec in specs for rule in _rules(spec)]
    outline = _renamed_definitions(schema)
    return {**outline, "$schema": DRAFT, "$id": "urn:osiris:schema:pipeline:v1", "$defs": definitions.schemas}


def _rules(spec: Spec) -> list[dict[str, Any]]:
    """What holds for a step of this component: its modes, its connection, and its config by mode."""
    is_component = {"component": {"const": spec.name}}
    rule: dict[str, Any] = {"properties": {"mode": {"enum": list(spec.modes)}}}
    if (spec.connection_schema or {}).get("required"):
        rule["required"] = ["connection"]
    rules = [{"if": {"properties": is_component, "required": ["component"]}, "then": rule}]
    for mode in spec.config_schema:
        condition = {"properties": {**is_component, "mode": {"const": mode}}, "required": ["component", "mode"]}
        rules.append({"if": condition, "then": {"properties": {"config": {"$ref": f"#/$defs/{spec.name}.{mode}"}}}})
    return rules


def _renamed_definitions(node: Any) -> Any:
    """The outline's references, following its definitions to their place beside those of components."""
    if isinstance(node, Mapping):
        renamed = {key: _renamed_definitions(value) for key, value in node.items() if key != "$defs"}
        if isinstance(node.get("$ref"), str):
            renamed["$ref"] = node["$ref"].replace("#/$defs/", "#/$defs/oml.")
        return renamed
    return [_renamed_definitions(item) for item in node] if isinstance(node, list) else node


def with_parameters(schema: Any) -> Any:
    """``schema`` with ``${params.NAME}`` allowed wherever a single value that is no free text is asked for."""
    if not isinstance(schema, Mapping):
        return schema
    changed: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _QUESTIONS:
            changed[key] = value
        elif key in _MAPS:
            changed[key] = {name: with_parameters(item) for name, item in value.items()}
        elif isinstance(value, Mapping):
            changed[key] = with_parameters(value)
        elif isinstance(value, list):
            changed[key] = [with_parameters(item) for item in value]
        else:
            changed[key] = value
    return {"anyOf": [changed, _PARAMETER]} if _is_single_value(schema) else changed


def _is_single_value(schema: Mapping[str, Any]) -> bool:
    types = schema.get("type", ())
    types = {types} if isinstance(types, str) else set(types)
    if types & {"object", "array"} or ("string" in types and "pattern" not in schema):
        return False
    return bool(types) or "enum" in schema
