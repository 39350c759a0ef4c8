"""Which values of a config are tables, columns, keys, SQL or paths, by the ``x-role`` of their schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from osiris_core.problems import Path

#: Keywords whose subschemas describe the same value.
_SAME_VALUE = ("allOf", "anyOf", "oneOf")
#: Keywords that say something about roles.
_MEANINGFUL = frozenset({"x-role", "properties", "additionalProperties", "items", "then", "else", *_SAME_VALUE})


@dataclass(slots=True)
class RoleTree:
    """Roles of a value and of everything below it; a compiled schema, which may contain itself."""

    roles: set[str] = field(default_factory=set)
    properties: dict[str, RoleTree] = field(default_factory=dict)
    others: RoleTree | None = None
    items: RoleTree | None = None

    def find(self, value: Any, path: Path = ()) -> Iterator[tuple[Path, str, Any]]:
        """``(path, role, value)`` of every value in ``value`` that has a role, outer ones first."""
        for role in sorted(self.roles):
            yield path, role, value
        if isinstance(value, Mapping):
            for key, item in value.items():
                below = self.properties.get(key, self.others)
                if below is not None:
                    yield from below.find(item, (*path, key))
        elif isinstance(value, list) and self.items is not None:
            for index, item in enumerate(value):
                yield from self.items.find(item, (*path, index))

    @classmethod
    def of(cls, schema: Mapping[str, Any]) -> RoleTree:
        """Compile a self-contained schema."""
        return _Compiler(schema).tree(schema)


class _Compiler:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self.root = root
        self.known: dict[str, RoleTree] = {}

    def tree(self, schema: Any) -> RoleTree:
        """A tree of its own, or that of the definition when ``schema`` is nothing but a reference to it.

        A definition that refers to itself is still being filled here, so it must not be copied.
        """
        if isinstance(schema, Mapping) and _is_local(schema.get("$ref")) and not _MEANINGFUL & schema.keys():
            return self._referred(schema["$ref"])
        tree = RoleTree()
        self._fill(tree, schema)
        return tree

    def _below(self, known: RoleTree | None, schema: Any) -> RoleTree:
        """The tree of a property or an item, put together with what another branch said of it."""
        found = self.tree(schema)
        if known is None:
            return found
        both = RoleTree()
        _merge(both, known)
        _merge(both, found)
        return both

    def _fill(self, tree: RoleTree, schema: Any) -> None:
        if not isinstance(schema, Mapping):
            return
        reference = schema.get("$ref")
        if _is_local(reference):
            _merge(tree, self._referred(str(reference)))
        if isinstance(schema.get("x-role"), str):
            tree.roles.add(schema["x-role"])
        for key, below in _mapping(schema.get("properties")).items():
            if isinstance(below, Mapping):
                tree.properties[key] = self._below(tree.properties.get(key), below)
        if isinstance(schema.get("additionalProperties"), Mapping):
            tree.others = self.tree(schema["additionalProperties"])
        if isinstance(schema.get("items"), Mapping):
            tree.items = self._below(tree.items, schema["items"])
        for keyword in _SAME_VALUE:
            for branch in schema.get(keyword) or ():
                self._fill(tree, branch)
        for keyword in ("then", "else"):
            self._fill(tree, schema.get(keyword))

    def _referred(self, reference: str) -> RoleTree:
        if reference not in self.known:
            self.known[reference] = tree = RoleTree()  # known before it is filled: a definition may refer to itself
            target: Any = self.root
            for part in reference[2:].split("/"):
                target = _mapping(target).get(part.replace("~1", "/").replace("~0", "~"))
            self._fill(tree, target)
        return self.known[reference]


def _is_local(reference: Any) -> bool:
    return isinstance(reference, str) and reference.startswith("#/")


def _merge(tree: RoleTree, other: RoleTree) -> None:
    tree.roles |= other.roles
    for key, below in other.properties.items():
        if key in tree.properties:
            _merge(tree.properties[key], below)
        else:
            tree.properties[key] = below
    tree.items = tree.items or other.items
    tree.others = tree.others or other.others


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
