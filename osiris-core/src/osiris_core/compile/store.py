"""Compiled pipelines on disk: written whole or not at all, and read back only when every fingerprint holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from osiris_core import atomic
from osiris_core.canonical import fingerprint, from_json, parse, pretty_json, to_json
from osiris_core.catalog.model import Table
from osiris_core.compile.build import config_files
from osiris_core.compile.model import (
    MANIFEST_FILE,
    MANIFEST_VERSION,
    SCHEMAS_FILE,
    Compiled,
    manifest_fingerprint,
    schema_fingerprints,
)
from osiris_core.compile.yaml_text import yaml_text
from osiris_core.errors import CompileError, ConfigurationError, InvalidInputError

META_FILE = "meta.json"
_HEADER = "# Made by osiris compile. An edit here or beside it is refused: change the pipeline and compile again.\n"


def compiled_files(compiled: Compiled) -> dict[str, str]:
    """Text of every file by its path in the directory; equal for equal inputs, to the byte."""
    files = {step["config"]: pretty_json(compiled.configs[step["id"]]) for step in compiled.manifest["steps"]}
    files[SCHEMAS_FILE] = pretty_json(_schemas_json(compiled.schemas))
    files[MANIFEST_FILE] = _HEADER + yaml_text(to_json(compiled.manifest))
    return files


def write_compiled(compiled: Compiled, out: Path, *, meta: Mapping[str, Any] | None = None) -> Path:
    """Write ``cfg/`` (and ``meta.json`` with what varies) into ``out``; returns ``out``.

    ``cfg/`` is replaced as a whole, nothing else in ``out`` is touched. Raises InvalidInputError when the ``cfg/``
    that is there was not made by compiling, ConfigurationError when the disk refuses.
    """
    folder = out / "cfg"
    if folder.exists() and not (out / MANIFEST_FILE).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidInputError(
            f"{folder} exists and was not made by osiris compile", code="OSI-M003", hint="choose another --out"
        )
    try:
        with atomic.new_directory(folder) as new:
            for name, text in compiled_files(compiled).items():
                (new / Path(name).name).write_bytes(text.encode())
        if meta is not None:
            atomic.write_text(out / META_FILE, pretty_json(meta))
    except OSError as error:
        raise ConfigurationError(f"{out} cannot be written: {error.strerror or error}", code="OSI-C001") from error
    return out


def load_compiled(directory: Path) -> Compiled:
    """Read a compiled pipeline and verify every fingerprint in it.

    Raises InvalidInputError when ``directory`` holds none, CompileError when a file is missing, edited, damaged or
    of another manifest version.
    """
    manifest = _read_manifest(directory)
    if manifest_fingerprint(manifest) != manifest["fingerprints"]["manifest"]:
        raise _changed(MANIFEST_FILE)
    expected = config_files(step["id"] for step in manifest["steps"])
    configs = {}
    for step in manifest["steps"]:
        if step["config"] != expected[step["id"]]:
            raise _changed(MANIFEST_FILE)
        config = _read_json(directory, step["config"])
        if fingerprint({"config": config}) != manifest["fingerprints"]["steps"].get(step["id"]):
            raise _changed(step["config"])
        configs[step["id"]] = config
    return Compiled(manifest, configs, _read_schemas(directory, manifest))


def _read_manifest(directory: Path) -> dict[str, Any]:
    from osiris_core.oml import load

    path = directory / MANIFEST_FILE
    if not path.is_file():
        raise InvalidInputError(
            f"{directory} holds no compiled pipeline ({MANIFEST_FILE} is missing)",
            code="OSI-M004",
            hint="osiris compile FILE --out DIR makes one",
        )
    document = load(_read_text(path, MANIFEST_FILE), file=str(path))
    if document.problems:
        raise _changed(MANIFEST_FILE, document.problems[0].message)
    _check_version(document.value)
    error = next(iter(_validator().iter_errors(document.value)), None)
    if error is not None:
        where = "/".join(str(part) for part in error.instance_path) or "the top level"
        raise _changed(MANIFEST_FILE, f"it does not follow manifest.schema.json at {where}")
    try:
        return dict(from_json(document.value))
    except ValueError as error:
        raise _changed(MANIFEST_FILE) from error


def _check_version(manifest: Any) -> None:
    version = manifest.get("manifest_version") if isinstance(manifest, dict) else None
    if isinstance(version, int) and version != MANIFEST_VERSION:
        raise CompileError(
            f"{MANIFEST_FILE} is of manifest version {version}; this Osiris reads {MANIFEST_VERSION}",
            code="OSI-M007",
            hint="compile again",
        )


@cache
def _validator() -> Any:
    import jsonschema_rs

    return jsonschema_rs.Draft202012Validator(manifest_schema())


def manifest_schema() -> dict[str, Any]:
    """The published JSON Schema of ``cfg/manifest.yaml``."""
    path = Path(__file__).parent / "manifest.schema.json"
    return dict(json.loads(path.read_text(encoding="utf-8")))


def _read_schemas(directory: Path, manifest: Mapping[str, Any]) -> dict[str, dict[str, Table | None]]:
    try:
        schemas = {
            step: {name: Table.from_json(table) if table else None for name, table in tables.items()}
            for step, tables in _read_json(directory, SCHEMAS_FILE).items()
        }
    except (TypeError, KeyError, AttributeError) as error:
        raise _changed(SCHEMAS_FILE) from error
    if schema_fingerprints(schemas) != manifest["fingerprints"]["schemas"]:
        raise _changed(SCHEMAS_FILE)
    return schemas


def _schemas_json(schemas: Mapping[str, Mapping[str, Table | None]]) -> dict[str, Any]:
    return {
        step: {name: table.to_json() if table else None for name, table in tables.items()}
        for step, tables in schemas.items()
    }


def _read_json(directory: Path, name: str) -> Any:
    try:
        return parse(_read_text(directory / name, name))
    except (ValueError, RecursionError) as error:
        raise _changed(name) from error


def _read_text(path: Path, name: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise _changed(name, str(reason)) from error


def _changed(name: str, reason: str = "") -> CompileError:
    return CompileError(
        f"{name} is not what was compiled" + (f": {reason}" if reason else ""),
        code="OSI-M005",
        hint="compile again; a compiled pipeline is never edited by hand",
    )
