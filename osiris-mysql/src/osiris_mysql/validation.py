"""What only this component knows about a step; the generic checks of names and types are core's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from osiris_core import Catalog, Problem, StepView, Table
from osiris_mysql.incremental import NUMERIC, parse_duration
from osiris_mysql.typemap import TEMPORAL, parse


def validate_step(step: StepView, catalog: Catalog | None) -> Iterable[Problem]:
    """Problems of an incremental read: its cursor must be read, must grow, and must go with its lag."""
    given = step.config.get("incremental")
    if step.mode != "read" or not isinstance(given, Mapping) or not isinstance(given.get("cursor"), str):
        return
    name, columns = given["cursor"], step.config.get("columns")
    if isinstance(columns, list) and name not in columns:
        yield Problem(
            "OSI-V217",
            f'the cursor "{name}" is not among the columns that are read',
            ("config", "incremental", "cursor"),
            hint=f'add "{name}" to columns',
        )
    table = None if catalog is None or "table" not in step.config else catalog.table(step.config["table"])
    if table is not None:
        yield from _cursor_problems(name, given.get("lag"), table)


def compile_step(step: StepView, catalog: Catalog | None) -> Mapping[str, Any] | None:
    """The config with its columns pinned, so that a column added later does not change the manifest's meaning."""
    if step.mode != "read" or catalog is None or "columns" in step.config or "table" not in step.config:
        return None
    table = catalog.table(step.config["table"])
    if table is None:
        return None
    return {**step.config, "columns": [column.name for column in table.columns if column.arrow]}


def _cursor_problems(name: str, lag: Any, table: Table) -> Iterator[Problem]:
    column = table.column(name)
    if column is None:
        return
    kind = parse(column.type).kind
    if kind == "text":
        yield Problem(
            "OSI-V217",
            f'the column "{name}" ({column.type}) cannot be a cursor: the order of text depends on its collation',
            ("config", "incremental", "cursor"),
            hint="use a number, date or time stamp that only grows",
        )
    elif kind in NUMERIC | TEMPORAL and lag is not None and not _goes_with(lag, kind):
        yield Problem(
            "OSI-V217",
            f'the lag {lag} does not go with the cursor "{name}" ({column.type})',
            ("config", "incremental", "lag"),
            hint="write a duration such as PT1H or P1D" if kind in TEMPORAL else "write a number",
        )


def _goes_with(lag: Any, kind: str) -> bool:
    if kind in TEMPORAL:
        return isinstance(lag, str) and parse_duration(lag) is not None
    return isinstance(lag, int)
