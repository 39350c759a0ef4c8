"""Writing steps against the catalogue: keys, generated columns, missing columns, types."""

from __future__ import annotations

from collections.abc import Iterator

from osiris_core.catalog.model import Table
from osiris_core.problems import Path, Problem
from osiris_core.validate.draft import Draft, DraftStep
from osiris_core.validate.relations import UNKNOWN, Relation
from osiris_core.validate.settings import setting
from osiris_core.validate.types import fits


def check_write(step: DraftStep, table: Table | None, draft: Draft) -> None:
    """Report what is wrong between the rows that come and the table they go to."""
    rows = step.inputs.get(step.needs[0], UNKNOWN) if len(step.needs) == 1 else UNKNOWN
    draft.report_step(step, _source_keys(step, rows))
    draft.report_step(step, _dedupe_columns(step, rows))
    if table is None or not step.sound("config", "table"):
        return
    if table.kind == "view":
        draft.report_step(step, [Problem("OSI-V216", f'"{table.name}" is a view', ("config", "table"))])
        return
    draft.report_step(step, _target_keys(step, table, rows))
    if table.kind != "file":  # a file has no types and no constraints to keep
        draft.report_step(step, _column_problems(step, table, rows))


# -- keys --------------------------------------------------------------------------------------------------
def _merge_keys(step: DraftStep) -> list[tuple[Path, str]]:
    keys = step.config.get("merge_keys")
    named = [(("config", "merge_keys", at), key) for at, key in enumerate(keys if isinstance(keys, list) else ())]
    return [(path, key) for path, key in named if isinstance(key, str) and step.sound(*path)]


def _source_keys(step: DraftStep, rows: Relation) -> Iterator[Problem]:
    for path, key in _merge_keys(step):
        if rows.complete and rows.field(key) is None:
            message = f'the rows of "{step.needs[0]}" have no column "{key}", so they cannot be merged by it'
            near = step.suggest.certain(key, rows.names())
            yield Problem("OSI-V203", message, path, hint=step.suggest.hint(key, rows.names()), suggestion=near)


def _target_keys(step: DraftStep, table: Table, rows: Relation) -> Iterator[Problem]:
    keys = _merge_keys(step)
    usable = True
    for path, key in keys:
        column = table.column(key)
        if column is None:
            names = [item.name for item in table.columns]
            message = f'the table "{table.name}" has no column "{key}" to merge by'
            yield Problem(
                "OSI-V202",
                message,
                path,
                hint=step.suggest.hint(key, names),
                suggestion=step.suggest.certain(key, names),
            )
            usable = False
        elif column.generated:
            yield Problem("OSI-V206", f'"{key}" is a generated column and cannot be a merge key', path)
        elif column.nullable and key not in table.primary_key:
            yield Problem("OSI-V205", f'the merge key "{key}" may be NULL in "{table.name}"', path)
        elif column.case_insensitive or _ignores_case(rows, key):
            yield Problem("OSI-V211", f'the merge key "{key}" is compared without regard to case', path)
    if keys and usable and table.kind == "table" and not _unique(table, {key for _, key in keys}):
        known = [table.primary_key, *table.unique_keys] if table.primary_key else list(table.unique_keys)
        hint = "unique keys: " + "; ".join(f"[{', '.join(key)}]" for key in known) if known else "it has no unique key"
        shown = ", ".join(key for _, key in keys)
        yield Problem(
            "OSI-V204", f'[{shown}] is not a unique key of "{table.name}"', ("config", "merge_keys"), hint=hint
        )


def _ignores_case(rows: Relation, key: str) -> bool:
    field = rows.field(key)
    return field is not None and field.column is not None and field.column.case_insensitive


def _unique(table: Table, keys: set[str]) -> bool:
    return any(set(key) == keys for key in (table.primary_key, *table.unique_keys) if key)


def _dedupe_columns(step: DraftStep, rows: Relation) -> Iterator[Problem]:
    dedupe = step.config.get("dedupe")
    order = dedupe.get("order_by") if isinstance(dedupe, dict) else None
    for index, item in enumerate(order if isinstance(order, list) else ()):
        name = item.get("column") if isinstance(item, dict) else None
        path: Path = ("config", "dedupe", "order_by", index, "column")
        if isinstance(name, str) and rows.complete and rows.field(name) is None and step.sound(*path):
            message = f'the rows of "{step.needs[0]}" have no column "{name}"'
            near = step.suggest.certain(name, rows.names())
            yield Problem("OSI-V202", message, path, hint=step.suggest.hint(name, rows.names()), suggestion=near)


# -- columns -----------------------------------------------------------------------------------------------
def _column_problems(step: DraftStep, table: Table, rows: Relation) -> Iterator[Problem]:
    at: Path = ("config", "table")
    new: list[str] = []
    for field in rows.fields:
        column = table.column(field.name)
        if column is None:
            new.append(field.name)
        elif column.generated:
            message = f'"{table.name}" computes the column "{field.name}" itself, so it cannot be written'
            yield Problem("OSI-V206", message, at, hint=f'leave "{field.name}" out of the columns that are read')
        elif field.column is not None and not fits(field.column, column):
            message = (
                f'the column "{field.name}" comes as {field.column.type} and cannot be kept as {column.type}'
                f' in "{table.name}"'
            )
            yield Problem("OSI-V210", message, at, hint="convert it in a query or a transform")
    if new and setting(step, "on_drift") not in ("add_columns", "ignore_new"):
        yield _new_columns(new, table, at, step)
    if rows.complete:
        keys = step.config.get("merge_keys")
        yield from _unfed_columns(table, rows, at, set(map(str, keys if isinstance(keys, list) else ())))


def _new_columns(new: list[str], table: Table, at: Path, step: DraftStep) -> Problem:
    shown = ", ".join(f'"{name}"' for name in new[:8]) + (" …" if len(new) > 8 else "")
    near = step.suggest.hint(new[0], [column.name for column in table.columns]) if len(new) == 1 else ""
    hint = f"{near} " if near.startswith("did") else ""
    hint += "leave them out of what is read, or set on_drift: add_columns or ignore_new"
    return Problem("OSI-V209", f'the table "{table.name}" has no column {shown}, which the rows bring', at, hint=hint)


def _unfed_columns(table: Table, rows: Relation, at: Path, keys: set[str]) -> Iterator[Problem]:
    for column in table.columns:
        optional = column.nullable or column.has_default or column.generated
        if not optional and rows.field(column.name) is None and column.name not in keys:
            message = f'"{table.name}" needs a value for "{column.name}", and the rows bring none'
            yield Problem("OSI-V215", message, at, hint="read or compute it, or give it a default")
