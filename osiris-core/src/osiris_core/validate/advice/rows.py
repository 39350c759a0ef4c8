"""Mends for tables, columns, keys and types, from what the catalogue knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from osiris_core.catalog.model import Column, Table
from osiris_core.oml.editor import yaml_flow
from osiris_core.problems import Problem
from osiris_core.validate.advice.words import (
    choose,
    condition_column,
    entry,
    listed,
    nearest,
    sample_for,
    table_names,
    table_of,
    tables_read,
)
from osiris_core.validate.contracts import contract
from osiris_core.validate.draft import Draft, DraftStep
from osiris_core.validate.naming import target_name
from osiris_core.validate.relations import Relation
from osiris_core.validate.settings import setting
from osiris_core.validate.types import Family, family_of, fits

#: What DuckDB calls a type of each family, where the Arrow type does not say it better.
_SQL_TYPES: dict[Family, str] = {
    "number": "DOUBLE", "boolean": "BOOLEAN", "text": "VARCHAR", "date": "DATE", "timestamp": "TIMESTAMP",
    "time": "TIME", "binary": "BLOB", "json": "JSON",
}  # fmt: skip
_USABLE = {
    "cursor": frozenset({"number", "date", "timestamp", "text", ""}),
    "partition": frozenset({"number", "date", "timestamp", ""}),
}


# -- what there is -----------------------------------------------------------------------------------------
def merge_keys_of(step: DraftStep) -> list[str]:
    """The columns of the target's best unique key: never NULL, and among the rows where these are known."""
    table = table_of(step)
    rows = _rows_of(step)
    for key in (table.primary_key, *table.unique_keys) if table is not None else ():
        columns = [table.column(name) for name in key] if table is not None else []
        whole = all(c is not None and not c.generated and (not c.nullable or c.name in key) for c in columns)
        if key and whole and (not rows.complete or all(rows.field(name) for name in key)):
            return list(key)
    return list(table.primary_key) if table is not None else []


def column_names(step: DraftStep, key: str, draft: Draft) -> list[str]:
    """Columns that ``key`` of the step's config may name."""
    if step.mode == "write":
        return _rows_of(step).names()
    table = table_of(step)
    if table is None:
        return []
    chosen = step.config.get("columns")
    columns = [c for c in table.columns if key != "cursor" or not isinstance(chosen, list) or c.name in chosen]
    if key in _USABLE:
        columns = [c for c in columns if family_of(c) in _USABLE[key]]
    return [column.name for column in columns if column.arrow]


def _rows_of(step: DraftStep) -> Relation:
    from osiris_core.validate.relations import UNKNOWN

    return step.inputs.get(step.needs[0], UNKNOWN) if len(step.needs) == 1 else UNKNOWN


def _source_of(step: DraftStep, draft: Draft) -> DraftStep | None:
    return draft.by_id().get(step.needs[0]) if len(step.needs) == 1 else None


# -- what is read for a target -----------------------------------------------------------------------------
def wanted_columns(step: DraftStep, source: DraftStep, target: Table | None) -> list[str]:
    """The columns that the reader ``source`` should read for the writer ``step``; empty when nobody can say.

    Those it reads now that the target takes, then those the target, or the merge, cannot do without.
    """
    table = table_of(source)
    if table is None or source.mode != "read" or "query" in source.config:
        return []
    drifts = setting(step, "on_drift") in ("add_columns", "ignore_new")
    listed_now = source.config.get("columns")
    now = listed_now if isinstance(listed_now, list) else [column.name for column in table.columns]
    keys = step.config.get("merge_keys")
    needed = [str(key) for key in keys] if isinstance(keys, list) else []
    needed += [c.name for c in target.columns if _required(c)] if target is not None else []
    sources = {target_name(step, column.name): column.name for column in table.columns}
    wanted = dict.fromkeys([*map(str, now), *(sources.get(name, name) for name in needed)])
    return [
        column.name
        for column in map(table.column, wanted)
        if column is not None and column.arrow and _taken(column, target, target_name(step, column.name), drifts=drifts)
    ]


def _required(column: Column) -> bool:
    return not (column.nullable or column.has_default or column.generated)


def _taken(column: Column, target: Table | None, name: str, *, drifts: bool) -> bool:
    if target is None or target.kind == "file":
        return True
    place = target.column(name)
    return drifts if place is None else not place.generated and fits(column, place)


def _read_instead(problem: Problem, step: DraftStep, draft: Draft, what: str, verb: str, name: str = "") -> Problem:
    """``what`` to do where the rows come from: in the columns of a reader, or in the SELECT of a query."""
    source = _source_of(step, draft)
    if source is None:
        return problem
    if source.mode != "read" or "query" in source.config:
        return replace(problem, hint=f'{what} the SELECT of the step "{source.name}"')
    columns = wanted_columns(step, source, table_of(step))
    if not columns or (verb == "add" and name not in {target_name(step, column) for column in columns}):
        return problem
    hint = f'in the config of the step "{source.name}", write {entry("columns", columns)}'
    return replace(problem, hint=hint, example=entry("columns", columns))


def generated(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """The columns without the one that the server computes."""
    name = _quoted(problem.message, 1)
    if step is None or problem.path[-1] != "table":
        keys = merge_keys_of(step) if step is not None else []
        return (
            replace(problem, hint=f"write {entry('merge_keys', keys)}", example=entry("merge_keys", keys))
            if keys
            else problem
        )
    return _read_instead(problem, step, draft, f'leave "{name}" out of', "drop")


def lacking(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """The columns that the target has, or a setting that makes or ignores the others."""
    if step is None or problem.hint.startswith("did"):
        return problem
    mended = _read_instead(problem, step, draft, "leave them out of", "drop")
    settings = "or set on_drift: ignore_new (leaves them out) or on_drift: add_columns (adds them to the table)"
    able = setting(step, "on_drift") is not None
    return replace(mended, hint=f"{mended.hint}; {settings}") if able and mended is not problem else mended


def unfed(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """Where the column can be had."""
    if step is None:
        return problem
    name = _quoted(problem.message, 1)
    mended = _read_instead(problem, step, draft, f'add "{name}" to', "add", name)
    source = _source_of(step, draft)
    table = table_of(source) if source is not None else None
    if mended is problem or table is None or mended.example == "":
        return mended
    return replace(mended, hint=f'"{table.name}" has the column: {mended.hint}')


def reading_more(name: str, step: DraftStep, draft: Draft) -> tuple[str, list[str]]:
    """The one reader among the steps that ``step`` needs whose table has a column it does not read, and its columns."""
    found: list[tuple[str, list[str]]] = []
    steps = draft.by_id()
    for need in dict.fromkeys(step.needs):
        source = steps.get(need)
        table = table_of(source) if source is not None and source.mode == "read" else None
        column = table.column(name) if table is not None else None
        chosen = source.config.get("columns") if source is not None else None
        if column is not None and column.arrow and isinstance(chosen, list) and name not in chosen:
            found.append((need, [*map(str, chosen), name]))
    return found[0] if len(found) == 1 else ("", [])


def key_not_read(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """The key is read too, where its table has it; else another key."""
    if step is None or problem.suggestion is not None:
        return problem
    name = str(draft.document.at(problem.path))
    mended = _read_instead(problem, step, draft, f'add "{name}" to', "add", name)
    if mended is not problem and (mended.example or not _rows_of(step).complete):
        return mended
    keys = merge_keys_of(step)
    if keys and name not in keys:
        return replace(problem, hint=f"write {entry('merge_keys', keys)}", example=entry("merge_keys", keys))
    return mended


def no_unique_key(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """A key that is unique; without one, another way to write."""
    keys = merge_keys_of(step) if step is not None else []
    if keys:
        example = entry("merge_keys", keys)
        return replace(problem, hint=f"write {example}, a unique key of the table", example=example)
    hint = "the table has no unique key: create one in the database, or remove merge_keys and write write_mode: append"
    return replace(problem, hint=hint)


# -- types and values --------------------------------------------------------------------------------------
def types_differ(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """A cast, and the columns that would do without."""
    target = table_of(step) if step is not None else None
    source = _source_of(step, draft) if step is not None else None
    column = target.column(_quoted(problem.message, 0)) if target is not None else None
    if step is None or source is None or column is None:
        return problem
    field = _rows_of(step).field(column.name)
    origin = field.column.name if field is not None and field.column is not None else column.name
    others = _columns_that_fit(source, column)
    instead = f", or take another column: {listed(others)}" if others else ""
    cast = f"CAST({origin} AS {_sql_type(column)}) AS {column.name}"
    if source.mode == "transform":
        return replace(problem, hint=f'in the SQL of the step "{source.name}", write {cast}{instead}')
    if "query" in source.config:
        return replace(problem, hint=f'convert "{origin}" in the query of the step "{source.name}"{instead}')
    leave = wanted_columns(step, source, target)
    if not _required(column) and leave:
        hint = (
            f'in the config of the step "{source.name}", write {entry("columns", leave)}; or convert it in a transform'
        )
        return replace(problem, hint=f"{hint}: {cast}", example=entry("columns", leave))
    return replace(problem, hint=f"put a duckdb.sql step between the two that selects {cast}{instead}")


def _columns_that_fit(source: DraftStep, target: Column) -> list[str]:
    table = table_of(source)
    known = [*table.columns] if table is not None and source.mode == "read" else []
    known += [f.column for relation in source.inputs.values() for f in relation.fields if f.column is not None]
    same = [c.name for c in known if fits(c, target) and family_of(c) == family_of(target)]
    return list(dict.fromkeys(same))


def _sql_type(column: Column) -> str:
    if column.arrow.startswith(("int", "uint")):
        return "BIGINT"
    if column.arrow.startswith("decimal"):
        return "DECIMAL" + column.arrow[column.arrow.find("(") :].replace(" ", "")
    zoned = column.arrow.startswith("timestamp") and "tz=" in column.arrow
    return "TIMESTAMPTZ" if zoned else _SQL_TYPES.get(family_of(column), "VARCHAR")


def no_comparison(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """A value of the column's type."""
    column = condition_column(step, problem.path, draft)
    if column is None or "like" in problem.hint:
        return problem
    value = sample_for(column)
    example = entry("value", value) if problem.path[-1] == "value" else ""
    wanted = problem.hint.removeprefix("it wants ")
    return replace(
        problem, hint=f"write {wanted.partition(' such as ')[0]}, such as {yaml_flow(value)}", example=example
    )


def no_cursor(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """The columns of such a type."""
    key = "cursor" if problem.path[-1] == "cursor" else "partition"
    names = column_names(step, key, draft) if step is not None else []
    return (
        replace(problem, hint=f"{problem.hint}: {choose(names)}", example=_named(problem, names)) if names else problem
    )


def not_carried(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """The columns without it."""
    name = str(draft.document.at(problem.path))
    chosen = step.config.get("columns") if step is not None else None
    left = [str(item) for item in chosen if item != name] if isinstance(chosen, list) else []
    hint = f'remove "{name}" from columns, or convert it in a query'
    return replace(problem, hint=hint, example=entry("columns", left) if left else "")


# -- names -------------------------------------------------------------------------------------------------
def _named(problem: Problem, names: Sequence[str]) -> str:
    key = problem.path[-1]
    return entry(key, names[0]) if isinstance(key, str) and len(names) == 1 else ""


def no_table(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """The tables that exist, when none is near."""
    if step is None:
        return problem
    if problem.suggestion is not None and step.mode == "write" and problem.suggestion in tables_read(step, draft):
        problem = replace(
            problem, suggestion=None, hint=problem.hint.partition("; ")[2]
        )  # rows written to where they are read from
    if problem.hint.startswith("did you mean"):
        return problem
    names = nearest(draft.document.at(problem.path), table_names(step, draft))
    creates = "; create: if_missing makes a new table" if "create: if_missing" in problem.hint else ""
    if not names:
        return problem
    return replace(problem, hint=choose(names) + creates, example=_named(problem, names))


def no_column(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """The columns that exist, when none is near."""
    if step is None or problem.suggestion is not None or problem.hint.startswith("did you mean"):
        return problem
    names = _rows_of(step).names() if step.mode == "write" else column_names(step, "", draft) or _all(step)
    if problem.hint.startswith("known: "):
        names = problem.hint.removeprefix("known: ").split(", ")
    near = nearest(draft.document.at(problem.path), names)
    return replace(problem, hint=choose(near), example=_named(problem, near)) if near else problem


def _all(step: DraftStep) -> list[str]:
    table = table_of(step)
    return [column.name for column in table.columns] if table is not None else []


def view(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """A new table; where the component makes none, a table that takes the rows and that this pipeline does not read."""
    from osiris_core.validate.advice.whole import free_name

    if step is None or step.catalog is None or step.spec is None:
        return problem
    names = [table.name for table in step.catalog.tables]
    name = free_name(str(step.config["table"]), names)
    if "create" in contract(step.spec, "write").fields:
        # Other keys may hold secrets, at any depth, and the line above says what is to change.
        kept: dict[str, object] = {
            key: step.raw[key] for key in ("write_mode", "merge_keys", "on_drift") if key in step.raw
        }
        config = {"table": name, **kept, "create": "if_missing"}
        hint = f"write a new table: {entry('table', name)}, create: if_missing"
        return replace(problem, hint=hint, example=entry("config", config))
    read = tables_read(step, draft)
    rows = _rows_of(step)
    tables = [table for table in step.catalog.tables if table.kind != "view" and table.name not in read]
    fitting = [t.name for t in tables if rows.complete and all(t.column(name) for name in rows.names())]
    return replace(problem, hint=choose(fitting), example=_named(problem, fitting)) if fitting else problem


def _quoted(message: str, which: int) -> str:
    """The ``which``-th name in quotes."""
    parts = message.split('"')[1::2]
    return parts[which] if which < len(parts) else ""


ADVISERS = {
    "OSI-V201": no_table,
    "OSI-V202": no_column,
    "OSI-V203": key_not_read,
    "OSI-V204": no_unique_key,
    "OSI-V205": no_unique_key,
    "OSI-V206": generated,
    "OSI-V207": not_carried,
    "OSI-V208": no_comparison,
    "OSI-V209": lacking,
    "OSI-V210": types_differ,
    "OSI-V215": unfed,
    "OSI-V216": view,
    "OSI-V217": no_cursor,
}
