"""Making schemas self-contained: shared definitions are copied in, so that nobody needs to resolve a URN."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

COMMON_FILE = Path(__file__).with_name("common.schema.json")
COMMON_URN = "urn:osiris:schema:common:v1"
_SHARED = f"{COMMON_URN}#/$defs/"
_LOCAL = "#/$defs/"


class BundleError(ValueError):
    """A reference that cannot be bundled. ``path`` leads to it within the schema."""

    def __init__(self, message: str, path: tuple[str | int, ...]) -> None:
        super().__init__(message)
        self.path = path


@cache
def common_definitions() -> dict[str, Any]:
    """The definitions all specs share, by name."""
    definitions: dict[str, Any] = json.loads(COMMON_FILE.read_text(encoding="utf-8"))["$defs"]
    return definitions


def bundle(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of ``schema`` whose shared references point into its own ``$defs``. Raises BundleError."""
    own = schema.get("$defs", {})
    needed: dict[str, Any] = {}
    bundled: dict[str, Any] = _copy(schema, needed, ())
    for name in needed:
        if name in own and own[name] != common_definitions()[name]:
            raise BundleError(
                f'"{name}" in $defs is the name of a shared definition; call yours differently', ("$defs", name)
            )
    if needed:
        bundled["$defs"] = {**bundled.get("$defs", {}), **needed}
    return bundled


def _copy(node: Any, needed: dict[str, Any], path: tuple[str | int, ...]) -> Any:
    if isinstance(node, Mapping):
        copied = {key: _copy(value, needed, (*path, key)) for key, value in node.items()}
        reference = node.get("$ref")
        if isinstance(reference, str):
            copied["$ref"] = _local(reference, needed, (*path, "$ref"))
        return copied
    if isinstance(node, list | tuple):
        return [_copy(item, needed, (*path, index)) for index, item in enumerate(node)]
    return node


def _local(reference: str, needed: dict[str, Any], path: tuple[str | int, ...]) -> str:
    if reference.startswith("#"):
        return reference
    if not reference.startswith(_SHARED):
        raise BundleError(f'"{reference}" is neither local (#/$defs/…) nor shared ({_SHARED}…)', path)
    name = reference.removeprefix(_SHARED)
    _need(name, needed, path)
    return _LOCAL + name


def _need(name: str, needed: dict[str, Any], path: tuple[str | int, ...]) -> None:
    """Put shared definition ``name``, and what it refers to itself, into ``needed``."""
    from osiris_core.problems import did_you_mean

    if name in needed:
        return
    definition = common_definitions().get(name)
    if definition is None:
        raise BundleError(f'there is no shared definition "{name}"; {did_you_mean(name, common_definitions())}', path)
    needed[name] = definition
    for reference in _references(definition):
        _need(reference.removeprefix(_LOCAL), needed, path)


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for item in node:
            yield from _references(item)
