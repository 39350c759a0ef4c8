"""Reading steps against the catalogue: tables, columns, conditions, cursors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from osiris_core.catalog.model import Catalog, Column, Table
from osiris_core.problems import Path, Problem
from osiris_core.validate.contracts import contract
from osiris_core.validate.draft import Draft, DraftStep
from osiris_core.validate.relations import UNKNOWN, Field, Relation, relation_of_table
from osiris_core.validate.types import comparison_fault, family_of

_GROWING = frozenset({"number", "date", "timestamp", "text", ""})
_RANGES = frozenset({"number", "date", "timestamp", ""})


def check_read(step: DraftStep, catalog: Catalog, table: Table | None, draft: Draft) -> Relation:
    """Report what is wrong with a reading step; what its rows look like."""
    if step.selects:
        from osiris_core.validate.transforming import check_selects

        relation = check_selects(step, catalog, table, draft)
        if "table" not in step.config:
            draft.report_step(step, _column_problems(step, relation, "the query"))
            return relation
    if table is None or not step.sound("config", "table"):
        return UNKNOWN
    rows = relation_of_table(table)
    draft.report_step(step, _column_problems(step, rows, f'table "{table.name}"'))
    draft.report_step(step, _condition_problems(step, table))
    draft.report_step(step, _use_problems(step, table))
    return _selected(step, table, draft)


def _column_problems(step: DraftStep, rows: Relation, where: str) -> Iterator[Problem]:
    """Every value that names a column names one of ``rows``."""
    if not rows.complete:
        return
    for path, role, value in step.roles:
        if role == "column" and isinstance(value, str) and rows.field(value) is None and step.sound("config", *path):
            yield _missing_column(value, ("config", *path), rows.names(), where, step)


def _missing_column(name: str, path: Path, known: list[str], where: str, step: DraftStep) -> Problem:
    """A column that is not there, with the nearest that is."""
    hint = step.suggest.hint(name, known) or "osiris discover lists its columns"
    shown = name if len(name) <= 100 else name[:100] + "…"
    near = step.suggest.certain(name, known)
    return Problem("OSI-V202", f'{where} has no column "{shown}"', path, hint=hint, suggestion=near)


def _condition_problems(step: DraftStep, table: Table) -> Iterator[Problem]:
    """Each condition's value can be compared with its column."""
    conditions = step.config.get("where")
    for index, condition in enumerate(conditions if isinstance(conditions, list) else ()):
        path: Path = ("config", "where", index)
        if not isinstance(condition, Mapping) or not step.sound(*path):
            continue
        column = table.column(str(condition.get("column")))
        operator = condition.get("op")
        if column is None or "value" not in condition or not isinstance(operator, str):
            continue
        yield from _value_problems(condition["value"], column, operator, (*path, "value"))


def _value_problems(value: Any, column: Column, operator: str, path: Path) -> Iterator[Problem]:
    values = list(enumerate(value)) if isinstance(value, list) else [(None, value)]
    for index, item in values:
        wanted = comparison_fault(item, column, operator)
        if wanted:
            message = f'the column "{column.name}" ({column.type}) cannot be compared with {_kind(item)}'
            where = path if index is None else (*path, index)
            yield Problem("OSI-V208", message, where, hint=f"it wants {wanted}")


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    return "text" if isinstance(value, str) else "a number" if isinstance(value, int | float) else "this value"


def _use_problems(step: DraftStep, table: Table) -> Iterator[Problem]:
    """A cursor grows, a partition has ranges."""
    for key, name, families, wanted in (
        ("incremental", "cursor", _GROWING, "a number, date, timestamp or text"),
        ("partition", "column", _RANGES, "a number, date or timestamp"),
    ):
        settings = step.config.get(key)
        column = table.column(str(settings.get(name))) if isinstance(settings, Mapping) else None
        if column is not None and family_of(column) not in families:
            message = f'the column "{column.name}" ({column.type}) cannot be used for {key}'
            yield Problem("OSI-V217", message, ("config", key, name), hint=f"it must be {wanted}")


def _selected(step: DraftStep, table: Table, draft: Draft) -> Relation:
    """The rows the step hands on; a column no Arrow type can carry is refused when asked for, else left out."""
    if _unsettled(step):
        return UNKNOWN
    wanted = step.config.get("columns")
    if isinstance(wanted, list) and wanted:
        chosen = [(index, table.column(str(name))) for index, name in enumerate(wanted)]
        for index, column in chosen:
            if column is not None and not column.arrow:
                message = f'the column "{column.name}" has the type {column.type}, which cannot be carried faithfully'
                draft.report_step(step, [Problem("OSI-V207", message, ("config", "columns", index))])
        fields = tuple(_field(str(name), table, step) for name in wanted)
        # A column that is not there was reported; what was meant is not known, so nothing is said of what follows.
        return Relation(fields, complete=all(field.column is not None for field in fields))
    lost = [column.name for column in table.columns if not column.arrow]
    if lost:
        message = f"these columns have types that cannot be carried and are left out: {', '.join(lost)}"
        draft.report_step(step, [Problem("OSI-V218", message, ("config", "table"), hint="name the columns to read")])
    return relation_of_table(table, [column.name for column in table.columns if column.arrow])


def _unsettled(step: DraftStep) -> bool:
    """Whether a key is unknown or repeated: what the step was meant to read is not known then."""
    fields = contract(step.spec, step.mode).fields if step.spec is not None and step.mode is not None else frozenset()
    return any(path == ("config",) or (path[:1] == ("config",) and path[1] not in fields) for path in step.faulty)


def _field(name: str, table: Table, step: DraftStep) -> Field:
    """The column called ``name``, or the one it must mean: a slip is reported once, not wherever the column is used."""
    column = table.column(name)
    meant = None if column is not None else step.suggest.certain(name, [item.name for item in table.columns])
    return Field(meant, table.column(meant)) if meant is not None else Field(name, column)
