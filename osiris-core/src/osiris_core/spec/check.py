"""Everything that can be wrong with a ``spec.yaml``, found at once, each with its place in the file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from osiris_core.json_schema import Codes, SchemaChecker
from osiris_core.oml import Document, load
from osiris_core.problems import Problem, did_you_mean
from osiris_core.spec.bundle import BundleError, bundle

SPEC_SCHEMA_FILE = Path(__file__).with_name("spec.schema.json")
METASCHEMA = "https://json-schema.org/draft/2020-12/schema"
_CODES = Codes(unknown="OSI-P010", missing="OSI-P010", value="OSI-P010")
_SCHEMA_CODES = Codes(unknown="OSI-P011", missing="OSI-P011", value="OSI-P011")
_EXAMPLE_CODES = Codes(unknown="OSI-P012", missing="OSI-P012", value="OSI-P012")

#: Operations by the mode that they need.
_MODE_OF = {
    "read": "read",
    "read.incremental": "read",
    "read.partitioned": "read",
    "write.append": "write",
    "write.merge": "write",
    "write.replace": "write",
    "transform": "transform",
}


def check_text(content: bytes, file: str) -> tuple[Document, list[Problem]]:
    """Load and check the text of a spec; problems have their spans, in the order of the file."""
    document = load(content.decode("utf-8", errors="replace"), file)
    problems = list(document.problems)
    if not problems:
        problems = [
            replace(problem, file=file, span=document.span(problem.path, _on_key(problem, document.value)))
            for problem in check_value(document.value)
        ]
    return document, sorted(problems, key=lambda problem: problem.span or (0, 0, 0, 0, 0, 0))


def check_value(value: Any) -> list[Problem]:
    """Problems of a spec's document; the checks that need a whole spec come after the schema is satisfied."""
    if not isinstance(value, Mapping):
        return [Problem("OSI-P010", "a spec is a mapping with apiVersion, name, version, …")]
    problems = _spec_checker().problems(value)
    checks = () if problems else (_consistency, _schemas, _examples, _secrets)
    for check in checks:
        problems += check(value)
    return problems


def _on_key(problem: Problem, value: Any) -> bool:
    """Whether the caret belongs under the key: always for a mapping, whose text may be many lines."""
    for part in problem.path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            break
    return problem.on_key or (isinstance(value, Mapping) and bool(problem.path))


def spec_schema() -> dict[str, Any]:
    """The published schema of ``spec.yaml``."""
    schema: dict[str, Any] = json.loads(SPEC_SCHEMA_FILE.read_text(encoding="utf-8"))
    return schema


@cache
def _spec_checker() -> SchemaChecker:
    return SchemaChecker(spec_schema(), _CODES)


@cache
def _metaschema_checker() -> SchemaChecker:
    return SchemaChecker({"$ref": METASCHEMA}, _SCHEMA_CODES)


def _consistency(spec: Mapping[str, Any]) -> Iterator[Problem]:
    """Modes, schemas, capabilities and delivery say the same."""
    modes = spec["modes"]
    full = [operation for operation, support in spec["capabilities"].items() if support == "full"]
    for operation in full:
        mode = _MODE_OF.get(operation)
        if mode is not None and mode not in modes:
            message = f'"{operation}" is full, but "modes" has no {mode}'
            yield Problem("OSI-P013", message, ("capabilities", operation), on_key=True)
    for index, mode in enumerate(modes):
        if not any(_MODE_OF.get(operation) == mode for operation in full):
            yield Problem("OSI-P013", f'no capability is full for the mode "{mode}"', ("modes", index))
    for mode in spec["configSchema"]:
        if mode not in modes:
            message = f'"configSchema" has {mode}, which is not among "modes"'
            yield Problem("OSI-P013", message, ("configSchema", mode), on_key=True)


def _schemas(spec: Mapping[str, Any]) -> Iterator[Problem]:
    """Each schema is valid JSON Schema, and its references lead somewhere."""
    for path, schema in _each_schema(spec):
        problems = [problem.at(*path) for problem in _metaschema_checker().problems(schema)]
        yield from problems
        if problems:
            continue
        try:
            SchemaChecker(bundle(schema), _EXAMPLE_CODES)
        except BundleError as error:
            yield Problem("OSI-P014", str(error), (*path, *error.path))
        except ValueError as error:
            yield Problem("OSI-P011", f"this is not a usable JSON Schema: {str(error).splitlines()[0]}", path)


def _each_schema(spec: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    for mode, schema in spec["configSchema"].items():
        yield ("configSchema", mode), schema
    if "connectionSchema" in spec:
        yield ("connectionSchema",), spec["connectionSchema"]


def _examples(spec: Mapping[str, Any]) -> Iterator[Problem]:
    """Each example validates against the schema of its mode."""
    for index, example in enumerate(spec["examples"]):
        schema = spec["configSchema"].get(example["mode"])
        if schema is None:
            message = f'there is no "configSchema" for the mode {example["mode"]}'
            yield Problem("OSI-P012", message, ("examples", index, "mode"))
            continue
        try:
            checker = SchemaChecker(bundle(schema), _EXAMPLE_CODES)
        except ValueError:
            continue  # reported by _schemas
        for problem in checker.problems(example["config"]):
            yield problem.at("examples", index, "config")


def check_driver(document: Document) -> list[Problem]:
    """A warning when the driver of a valid spec cannot be loaded here; authors often check before installing."""
    from osiris_core.driver_loader import load_driver
    from osiris_core.errors import PluginError

    value = document.value
    try:
        load_driver(value["driver"], f'component "{value["name"]}"')
    except PluginError as error:
        span = document.span(("driver",))
        return [
            Problem(
                "OSI-P004",
                error.message,
                ("driver",),
                hint=error.hint,
                severity="warning",
                span=span,
                file=document.file,
            )
        ]
    return []


def _secrets(spec: Mapping[str, Any]) -> Iterator[Problem]:
    """Each pointer leads to a property of the connection."""
    for index, pointer in enumerate(spec.get("secrets", ())):
        schema: Any = spec["connectionSchema"]
        for part in pointer_parts(pointer):
            properties = schema.get("properties", {}) if isinstance(schema, Mapping) else {}
            if part not in properties:
                message = f'"{pointer}" leads nowhere: "connectionSchema" has no property "{part}"'
                yield Problem("OSI-P015", message, ("secrets", index), hint=did_you_mean(part, properties))
                break
            schema = properties[part]


def pointer_parts(pointer: str) -> list[str]:
    """The keys of a JSON Pointer (RFC 6901)."""
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
