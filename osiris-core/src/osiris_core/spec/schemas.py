"""JSON Schemas made from specs, for editors and programs: of one component, and of whole pipelines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from osiris_core.errors import InvalidInputError
from osiris_core.problems import did_you_mean
from osiris_core.spec.model import Spec

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def component_schema(spec: Spec, mode: str | None = None) -> dict[str, Any]:
    """A self-contained schema of the config in ``mode``; without one, of every mode and of the connection.

    Raises InvalidInputError when the component lacks the mode.
    """
    head = {"$schema": DRAFT, "$id": f"urn:osiris:component:{spec.name}:{spec.version}"}
    if mode is not None:
        if mode not in spec.config_schema:
            raise InvalidInputError(
                f'{spec.name} has no mode "{mode}"', code="OSI-V121", hint=did_you_mean(mode, spec.modes)
            )
        title = f"{spec.title}: config of a {mode} step"
        return {**head, "$id": f"{head['$id']}:{mode}", "title": title, **step_schema(spec, mode)}
    parts: dict[str, Mapping[str, Any]] = {f"config.{name}": step_schema(spec, name) for name in spec.config_schema}
    if spec.connection_schema is not None:
        parts["connection"] = spec.connection_schema
    definitions = Definitions()
    for name, schema in parts.items():
        definitions.add(name, schema)
    return {
        **head,
        "title": spec.title,
        "description": spec.description or spec.title,
        "anyOf": [{"$ref": f"#/$defs/config.{name}"} for name in spec.config_schema],
        "$defs": definitions.schemas,
    }


def step_schema(spec: Spec, mode: str) -> dict[str, Any]:
    """The schema of a step's config, with the fields of its connection that a step may override."""
    schema = dict(spec.config_schema[mode])
    connection = spec.connection_schema or {}
    own: Mapping[str, Any] = schema.get("properties", {})
    overrides = {
        name: field
        for name, field in connection.get("properties", {}).items()
        if isinstance(field, Mapping) and field.get("x-override") == "allowed" and name not in own
    }
    if not overrides:
        return schema
    definitions = {**connection.get("$defs", {}), **schema.get("$defs", {})}
    schema["properties"] = {**own, **overrides}
    return {**schema, "$defs": definitions} if definitions else schema


class Definitions:
    """Several self-contained schemas side by side under one ``$defs``, equal definitions once."""

    def __init__(self) -> None:
        self.schemas: dict[str, Any] = {}

    def add(self, name: str, schema: Mapping[str, Any]) -> None:
        """Put ``schema`` under ``name`` and its own definitions beside it, renamed where theirs differ."""
        own: Mapping[str, Any] = schema.get("$defs", {})
        names = {key: self._name_for(key, name, definition) for key, definition in own.items()}
        for key, definition in own.items():
            self.schemas[names[key]] = _renamed(definition, names)
        self.schemas[name] = _renamed({key: value for key, value in schema.items() if key != "$defs"}, names)

    def _name_for(self, key: str, owner: str, definition: Any) -> str:
        """``key`` when it is free or already means the same, else a name of its own."""
        taken = self.schemas.get(key)
        same = taken is None or taken == definition
        return key if same else f"{owner}.{key}"


def _renamed(node: Any, names: Mapping[str, str]) -> Any:
    """A copy of ``node`` whose local references follow ``names``."""
    if isinstance(node, Mapping):
        copied = {key: _renamed(value, names) for key, value in node.items()}
        reference = node.get("$ref")
        if isinstance(reference, str) and reference.startswith("#/$defs/"):
            head, _, tail = reference.removeprefix("#/$defs/").partition("/")
            copied["$ref"] = f"#/$defs/{names.get(head, head)}" + (f"/{tail}" if tail else "")
        return copied
    if isinstance(node, list | tuple):
        return [_renamed(item, names) for item in node]
    return node
