"""Discovery of files: their columns and types, and a probe over names, sizes and times."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import duckdb

from osiris_core import Catalog, Column, Connection, OsirisError, Scope, Table
from osiris_duckdb import streams
from osiris_duckdb.files.paths import existing, fault_of, file_name, inside, is_glob, root_of, tables
from osiris_duckdb.files.reader import relation
from osiris_duckdb.files.relation import Options
from osiris_duckdb.instances import locked_down
from osiris_duckdb.reading_types import read_type


def discover(connection: Connection, scope: Scope) -> Catalog:
    """Every file in scope that can be read; a glob in the scope that matches files of one shape is a table too.

    Raises ConnectError.
    """
    root = root_of(connection)
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
    described = [_table(connection, name, paths) for name, paths in sorted(found.items())]
    listed = tuple(table for table in described if table is not None)
    return Catalog("file.table", listed, f"DuckDB {duckdb.__version__}", probe(root, scope), partial=left_out)


def probe(root: Path, scope: Scope) -> str:
    """A token that changes when a file in scope comes, goes or is written: what is in a file decides its types."""
    paths = {path for path in tables(root) if scope.matches(file_name(root, path))}
    paths.update(path for wanted in scope.tables for path in _named(root, wanted))
    lines = []
    for path in sorted(paths):
        status = path.stat()
        lines.append(f"{path}|{status.st_size}|{status.st_mtime_ns}|{status.st_ino}")
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


def _table(connection: Connection, name: str, paths: Sequence[Path]) -> Table | None:
    """None for what cannot be read as a table: empty, malformed, files of several shapes."""
    duck = locked_down(None, readable=tuple(paths))
    try:
        rows = relation(duck, paths, Options.of(connection, name))
    except (OsirisError, duckdb.Error):
        return None
    finally:
        duck.close()
    return Table(name, tuple(_column(c) for c in rows.columns), kind="file", approximate_rows=rows.rows)


def _column(column: streams.Column) -> Column:
    read = read_type(column.type)
    return Column(column.name, column.type, read.arrow, nullable=column.nullable, osiris_type=read.osiris)
