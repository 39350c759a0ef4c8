"""What the values of a config mean to the catalogue: the ``x-role`` of the schema that describes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

#: Roles whose value names one table of the catalogue.
TABLE_ROLES = frozenset({"table", "path"})

Place = tuple[str | int, ...]


def with_role(
    config: Any, schema: Mapping[str, Any], roles: frozenset[str]
) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """``(path, value)`` of everything in ``config`` whose schema carries one of ``roles``, in the config's order."""
    yield from _walk(config, schema, schema, roles, ())


def has_role(schema: Any, role: str) -> bool:
    """Whether any value that ``schema`` describes carries ``x-role: role``."""
    if isinstance(schema, Mapping):
        return schema.get("x-role") == role or any(has_role(item, role) for item in schema.values())
    return isinstance(schema, list) and any(has_role(item, role) for item in schema)


def _walk(
    value: Any, schema: Any, root: Mapping[str, Any], roles: frozenset[str], path: Place
) -> Iterator[tuple[Place, Any]]:
    schema = _resolved(schema, root)
    if schema.get("x-role") in roles:
        yield path, value
    elif isinstance(value, Mapping):
        properties = schema.get("properties", {})
        for key, item in value.items():
            if key in properties:
                yield from _walk(item, properties[key], root, roles, (*path, key))
    elif isinstance(value, list | tuple) and "items" in schema:
        for index, item in enumerate(value):
            yield from _walk(item, schema["items"], root, roles, (*path, index))


def _resolved(schema: Any, root: Mapping[str, Any]) -> Mapping[str, Any]:
    """``schema`` with its local ``$ref`` followed; keywords beside the reference win."""
    if not isinstance(schema, Mapping):
        return {}
    reference = schema.get("$ref")
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return schema
    target: Any = root
    for part in reference[2:].split("/"):
        target = target.get(part.replace("~1", "/").replace("~0", "~"), {})
    return {**_resolved(target, root), **{key: item for key, item in schema.items() if key != "$ref"}}
