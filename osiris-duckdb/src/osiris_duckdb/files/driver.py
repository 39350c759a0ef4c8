"""The driver of ``file.table``. DuckDB and pyarrow are imported by the modules that do the work."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from osiris_core import ConnectError, Driver, Finding, Problem, did_you_mean

if TYPE_CHECKING:
    from osiris_core import (
        ArrowStream,
        Catalog,
        Connection,
        Fault,
        LedgerEntry,
        Partition,
        Scope,
        Spec,
        StepContext,
        StepView,
        Writer,
    )


class FileTable(Driver):
    """CSV, Parquet and JSON Lines files below one directory."""

    def discover(self, connection: Connection, scope: Scope) -> Catalog:
        """Files below the root with their columns. Raises ConnectError when there is no such directory."""
        from osiris_duckdb.files.catalog import discover

        return discover(connection, scope)

    def probe(self, connection: Connection, scope: Scope) -> str:
        """A token over names, sizes and times; no file is opened."""
        from osiris_duckdb.files.catalog import probe
        from osiris_duckdb.files.paths import root_of

        return probe(root_of(connection), scope)

    def check(self, connection: Connection) -> list[Finding]:
        """Whether the root is a directory that can be read and written."""
        from osiris_duckdb.files.paths import root_of

        try:
            root = root_of(connection)
        except ConnectError as error:
            return [Finding("path", "failed", error.message, error.hint)]
        if not os.access(root, os.R_OK | os.X_OK):
            return [Finding("permission", "failed", f"{root} cannot be read", "check its permissions")]
        if not os.access(root, os.W_OK):
            return [Finding("permission", "warning", f"{root} cannot be written", "reading works")]
        return [Finding("path", "ok", f"{root} can be read and written")]

    def validate_step(self, step: StepView, spec: Spec, catalog: Catalog | None) -> Iterable[Problem]:
        """Paths that leave the root, formats that nothing tells, globs that cannot be written."""
        from osiris_duckdb.files.paths import FORMATS, fault_of, is_glob

        name = step.config.get("table")
        if not isinstance(name, str) or "${" in name:
            return
        if fault := fault_of(name):
            yield Problem("OSI-V302", f'"{name}" is not a file of this connection: {fault}', ("config", "table"))
        elif step.mode == "write" and is_glob(name):
            yield Problem("OSI-V302", f'"{name}" stands for several files and cannot be written', ("config", "table"))
        if "format" not in step.config and not name.lower().endswith(tuple(FORMATS)):
            yield Problem(
                "OSI-V101",
                f'the format of "{name}" is not known by its extension',
                ("config",),
                hint=f"add format: csv, or use one of {', '.join(FORMATS)}",
            )
        yield from _type_problems(step, catalog)

    def compile_step(self, step: StepView, spec: Spec, catalog: Catalog | None) -> Mapping[str, Any] | None:
        """Pin the inferred types: a value of another kind that comes later is an error, not another type."""
        table = catalog.table(step.config["table"]) if catalog is not None else None
        if step.mode != "read" or table is None or _format(step.config) == "parquet":
            return None
        return {**step.config, "types": {column.name: column.type for column in table.columns}}

    def map_error(self, error: BaseException) -> Fault | None:
        """DuckDB's exceptions; see ``osiris_duckdb.errors``."""
        from osiris_duckdb.errors import fault

        return fault(error)

    def ledger_entries(self, connection: Connection, limit: int | None = None) -> list[LedgerEntry]:
        """The newest commits of all files below the root, from their markers."""
        from osiris_duckdb.files.ledger import entries

        return entries(connection, limit)

    def prune_ledger(self, connection: Connection, older_than_days: float, *, dry_run: bool = False) -> int:
        """Remove old entries from the markers of all files below the root."""
        from osiris_duckdb.files.ledger import prune

        return prune(connection, older_than_days, dry_run=dry_run)

    def open_reader(
        self,
        connection: Connection,
        config: Mapping[str, Any],
        context: StepContext,
        partition: Partition | None = None,
    ) -> ArrowStream:
        """A lazy stream of one file, or of files of one shape; see ``osiris_duckdb.files.reader``."""
        from osiris_duckdb.files.reader import open_files

        return open_files(connection, config, context)

    def open_writer(self, connection: Connection, config: Mapping[str, Any], context: StepContext) -> Writer:
        """A writer that puts a whole new file in place; see ``osiris_duckdb.files.writer``."""
        from osiris_duckdb.files.writer import FileWriter

        return FileWriter(connection, config, context)


def _type_problems(step: StepView, catalog: Catalog | None) -> Iterable[Problem]:
    """Columns in the step's ``types`` that the file does not have."""
    table = catalog.table(step.config["table"]) if catalog is not None else None
    types = step.config.get("types")
    if table is None or not isinstance(types, Mapping):
        return
    names = [column.name for column in table.columns]
    for name in types:
        if name not in names:
            hint = did_you_mean(name, names)
            message = f'"{table.name}" has no column "{name}"'
            yield Problem("OSI-V202", message, ("config", "types", name), on_key=True, hint=hint)


def _format(config: Mapping[str, Any]) -> str:
    from osiris_duckdb.files.paths import format_of

    return format_of(config["table"], config.get("format"))
