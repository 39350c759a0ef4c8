"""Discovery of files: their columns and types, and a probe over names, sizes and times."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import duckdb

from osiris_core import Catalog, Column, OsirisError, Scope, Table
from osiris_duckdb.files.paths import existing, fault_of, file_name, format_of, inside, is_glob, tables
from osiris_duckdb.files.reader import describe_files
from osiris_duckdb.files.relation import Options
from osiris_duckdb.instances import locked_down
from osiris_duckdb.reading_types import read_type


def discover(root: Path, scope: Scope) -> Catalog:
    """Every file in scope that can be read; a glob in the scope that matches files of one shape is a table too."""
    found: dict[str, tuple[Path, ...]] = {}
    left_out = False
    for path in tables(root):
        name = file_name(root, path)
        if scope.matches(name):
            found[name] = (path,)
        else:
            left_out = True
    for wanted in scope.tables:
        if wanted not in found and (paths := _named(root, wanted)):
            found[wanted] = paths
    described = [_table(name, paths) for name, paths in sorted(found.items())]
    listed = tuple(table for table in described if table is not None)
    return Catalog("file.table", listed, f"DuckDB {duckdb.__version__}", probe(root, scope), partial=left_out)


def probe(root: Path, scope: Scope) -> str:
    """A token that changes when a file comes, goes or is written."""
    lines = []
    for path in tables(root):
        status = path.stat()
        lines.append(f"{file_name(root, path)}|{status.st_size}|{status.st_mtime_ns}")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _named(root: Path, wanted: str) -> tuple[Path, ...]:
    """Files that a scope names without being listed: a glob, or an extension that says nothing."""
    if fault_of(wanted):
        return ()
    if is_glob(wanted):
        try:
            return existing(root, wanted)
        except OsirisError:
            return ()
    try:
        path = inside(root, wanted)
    except OsirisError:
        return ()
    return (path,) if path.is_file() else ()


def _table(name: str, paths: Sequence[Path]) -> Table | None:
    """None for what cannot be read as a table: empty, malformed, files of several shapes."""
    duck = locked_down(None, readable=tuple(paths))
    try:
        options = Options.of({"table": name}, format_of(paths[0].name))
        columns, rows = describe_files(duck, paths, options)
    except (OsirisError, duckdb.Error):
        return None
    finally:
        duck.close()
    return Table(
        name,
        tuple(
            Column(c.name, c.type, read.arrow, nullable=c.nullable, osiris_type=read.osiris)
            for c in columns
            for read in (read_type(c.type),)
        ),
        kind="file",
        approximate_rows=rows,
    )
