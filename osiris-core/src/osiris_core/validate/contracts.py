"""What a spec demands of a config, compiled once per spec and mode and kept for the life of the process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from osiris_core.json_schema import Codes, SchemaChecker
from osiris_core.spec.roles import RoleTree
from osiris_core.validate.schema_problems import BY_KEYWORD

if TYPE_CHECKING:
    from osiris_core.spec import Spec

_CODES = Codes(unknown="OSI-V102", missing="OSI-V101", value="OSI-V106", by_keyword=BY_KEYWORD)
_known: dict[tuple[str, str], Contract] = {}


@dataclass(frozen=True, slots=True)
class Contract:
    """One spec in one mode.

    Attributes:
        checker: of a config, connection overrides left out.
        roles: what the config's values mean.
        fields: names of the config's own fields.
        defaults: what a field left out means, by name.
        overrides: checkers of the connection fields a step may set, by name.
        override_paths: those of ``overrides`` that are paths.
        connection_fields: names of all the connection's fields.
        needs_connection: whether a step cannot do without one.
    """

    checker: SchemaChecker
    roles: RoleTree
    fields: frozenset[str]
    defaults: Mapping[str, Any]
    overrides: Mapping[str, SchemaChecker]
    override_paths: frozenset[str]
    connection_fields: frozenset[str]
    needs_connection: bool


def contract(spec: Spec, mode: str) -> Contract:
    """The contract of ``spec`` in ``mode``. Raises KeyError when it lacks the mode."""
    key = (spec.fingerprint, mode)
    found = _known.get(key)
    if found is None:
        found = _compile(spec, mode)
        if spec.fingerprint:
            _known[key] = found
    return found


def _compile(spec: Spec, mode: str) -> Contract:
    schema = spec.config_schema[mode]
    connection = spec.connection_schema or {}
    properties: Mapping[str, Any] = connection.get("properties", {})
    fields = frozenset(schema.get("properties", {}))
    allowed = {
        name: SchemaChecker({**item, **_definitions(connection)}, _CODES)
        for name, item in properties.items()
        if name not in fields and isinstance(item, Mapping) and item.get("x-override") == "allowed"
    }
    return Contract(
        checker=SchemaChecker(schema, _CODES, name_missing=True),
        roles=RoleTree.of(schema),
        fields=fields,
        defaults=_defaults(schema),
        overrides=allowed,
        override_paths=frozenset(name for name in allowed if properties[name].get("x-role") == "path"),
        connection_fields=frozenset(properties),
        needs_connection=bool(connection.get("required")),
    )


def _defaults(schema: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, item in schema.get("properties", {}).items():
        node = item
        while isinstance(node, Mapping):
            if "default" in node:
                found[name] = node["default"]
                break
            node = schema.get("$defs", {}).get(str(node.get("$ref", "")).removeprefix("#/$defs/"))
    return found


def _definitions(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"$defs": schema["$defs"]} if "$defs" in schema else {}


def connection_overrides(spec: Spec, mode: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The connection's fields that ``config`` sets; a validated config holds allowed ones only."""
    names = contract(spec, mode).overrides
    return {name: value for name, value in config.items() if name in names}
