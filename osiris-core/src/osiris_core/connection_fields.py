"""The fields of a connection: what a family's schema says of them, references to variables, and secrets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from osiris_core.connection_file import REFERENCE, VARIABLE
from osiris_core.problems import Path
from osiris_core.secrets import Secret

if TYPE_CHECKING:
    from osiris_core.spec import Spec


@dataclass(frozen=True, slots=True)
class FamilySchema:
    """What the components of one family say about their connection.

    Attributes:
        schema: self-contained JSON Schema of the fields.
        secrets: JSON Pointers into them.
    """

    schema: Mapping[str, Any]
    secrets: frozenset[str]

    @classmethod
    def of(cls, specs: Iterable[Spec]) -> FamilySchema | None:
        """The family's schema: that of its first component that takes a connection; secrets are everybody's."""
        specs = [spec for spec in specs if spec.connection_schema is not None]
        if not specs or specs[0].connection_schema is None:
            return None
        return cls(specs[0].connection_schema, frozenset(pointer for spec in specs for pointer in spec.secrets))

    def property(self, name: str) -> Mapping[str, Any]:
        """The schema of field ``name``, or an empty one."""
        found = self.schema.get("properties", {}).get(name, {})
        return found if isinstance(found, Mapping) else {}

    def may_override(self, name: str) -> bool:
        """Whether a step's config may set field ``name``."""
        return bool(self.property(name).get("x-override") == "allowed")

    def defaults(self) -> dict[str, Any]:
        """Default values of the fields that have one."""
        properties = self.schema.get("properties", {})
        return {name: item["default"] for name, item in properties.items() if "default" in item}


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value that is no mapping or list, with its path."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))
    else:
        yield path, value


def references(fields: Any) -> list[str]:
    """Names of the variables that occur anywhere in ``fields``."""
    return [
        match["name"]
        for _, value in leaves(fields)
        if isinstance(value, str)
        for match in REFERENCE.finditer(value)
        if match["name"] and VARIABLE.fullmatch(match["name"])
    ]


def has_reference(value: Any) -> bool:
    """Whether ``value`` is text that holds a reference, well written or not."""
    return isinstance(value, str) and any(match["name"] is not None for match in REFERENCE.finditer(value))


def whole_reference(value: Any) -> str | None:
    """The name when ``value`` is nothing but one valid reference."""
    match = REFERENCE.fullmatch(value) if isinstance(value, str) else None
    return match["name"] if match and match["name"] and VARIABLE.fullmatch(match["name"]) else None


def pointer_to(path: Path) -> str:
    """``path`` as a JSON Pointer."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def without(value: Any, pointers: frozenset[str], path: Path = ()) -> Any:
    """``value`` with what the pointers lead to left out."""
    if not isinstance(value, Mapping):
        return value
    return {
        key: without(item, pointers, (*path, key))
        for key, item in value.items()
        if pointer_to((*path, key)) not in pointers
    }


def with_secrets(value: Any, names: Mapping[str, str], pointers: frozenset[str], path: Path = ()) -> Any:
    """The same fields with every secret wrapped."""
    pointer = pointer_to(path)
    if pointer in pointers and value not in (None, ""):
        return Secret(str(value), names.get(pointer, ""))
    if isinstance(value, Mapping):
        return {key: with_secrets(item, names, pointers, (*path, key)) for key, item in value.items()}
    return value


def as_type(text: str, wanted: Any) -> Any:
    """``text`` as the JSON type a schema wants. Raises ValueError whose message does not hold the text."""
    kinds = [wanted] if isinstance(wanted, str) else list(wanted or ["string"])
    if "string" in kinds:
        return text
    if "boolean" in kinds and text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind, parse in (("integer", int), ("number", float)):
        if kind in kinds:
            try:
                return parse(text)
            except ValueError:
                continue
    words = {"integer": "a whole number", "number": "a number", "boolean": "true or false"}
    raise ValueError("must be " + " or ".join(words.get(kind, kind) for kind in kinds))
