"""One step against the catalogue: what PostgreSQL in particular cannot do, pins, and says in a plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from osiris_core import Catalog, Column, Problem, StepView, Table

_ORDERED = ("int", "uint", "decimal", "date", "timestamp")


def validate_step(step: StepView, catalog: Catalog | None) -> Iterator[Problem]:
    """Problems beyond the generic checks: a cursor without one common order, the key of a replace."""
    table = _table(step, catalog)
    wanted = step.config.get("incremental")
    if step.mode == "read" and table is not None and isinstance(wanted, Mapping):
        column = table.column(str(wanted.get("cursor")))
        if column is not None and not _has_order(column):
            message = f'the column "{column.name}" ({column.type}) cannot be a cursor'
            hint = "it must be a number, a date or a timestamp: texts have collations, floats are rounded"
            yield Problem("OSI-V217", message, ("config", "incremental", "cursor"), hint=hint)


def pin_columns(step: StepView, catalog: Catalog | None) -> Mapping[str, Any] | None:
    """A read of a whole table reads the columns it has now: what is added later is drift, not data."""
    table = _table(step, catalog)
    if step.mode != "read" or table is None or "columns" in step.config or not table.columns:
        return None
    return {**step.config, "columns": [column.name for column in table.columns]}


def plan_notes(step: StepView, catalog: Catalog | None) -> list[str]:
    """How rows get into the table."""
    if step.mode != "write":
        return []
    table = _table(step, catalog)
    mode = step.config.get("write_mode")
    if table is None:
        return [] if catalog is None else ["makes the table in the same transaction as its rows"]
    if mode == "replace":
        return [_replace_note(table, catalog)]
    if mode == "merge":
        unique = any(
            set(key) == set(step.config.get("merge_keys", ())) for key in (table.primary_key, *table.unique_keys)
        )
        how = "INSERT … ON CONFLICT by the unique key" if unique else "UPDATE and INSERT, since no unique key fits"
        return [f"merges by {how}, leaving unchanged rows alone"]
    return ["copies straight into the table"]


def _replace_note(table: Table, catalog: Catalog | None) -> str:
    keeps = "views, grants and indexes stay"
    others = (
        sorted({t.name for t in catalog.tables for key in t.foreign_keys if key.ref_table == table.name} - {table.name})
        if catalog
        else []
    )
    if others:
        return f"replaces row by row by its key, since {', '.join(others)} refer to it; {keeps}"
    unsure = ", or row by row by its key if other tables refer to it" if catalog is not None and catalog.partial else ""
    return f"deletes all rows and copies the new ones in one transaction{unsure}; {keeps}"


def _table(step: StepView, catalog: Catalog | None) -> Table | None:
    name = step.config.get("table")
    return catalog.table(name) if catalog is not None and isinstance(name, str) else None


def _has_order(column: Column) -> bool:
    return column.arrow.startswith(_ORDERED) or column.osiris_type == "decimal"
