"""What only this component knows about a step: which columns can be cursors and partition columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from osiris_core import Catalog, Column, Problem, StepView, Table
from osiris_mysql.incremental import NUMERIC, parse_duration
from osiris_mysql.typemap import TEMPORAL, parse


def validate_step(step: StepView, catalog: Catalog | None) -> Iterable[Problem]:
    """Problems of a read step; what the generic checks find (missing tables and columns) is left to them."""
    if step.mode != "read":
        return
    table = None if catalog is None or "table" not in step.config else catalog.table(step.config["table"])
    yield from _incremental(step.config, table)
    yield from _partition(step.config, table)
    yield from _unreadable(step.config, table)


def compile_step(step: StepView, catalog: Catalog | None) -> Mapping[str, Any] | None:
    """The config with its columns pinned, so that a column added later does not change the manifest's meaning."""
    if step.mode != "read" or catalog is None or "columns" in step.config or "table" not in step.config:
        return None
    table = catalog.table(step.config["table"])
    if table is None:
        return None
    return {**step.config, "columns": [column.name for column in table.columns if column.arrow]}


def _incremental(config: Mapping[str, Any], table: Table | None) -> Iterator[Problem]:
    given = config.get("incremental")
    if given is None:
        return
    name = given["cursor"]
    if "columns" in config and name not in config["columns"]:
        yield Problem(
            "OSI-V130", f"the cursor {name} is not among the columns", ("config", "incremental", "cursor"),
            hint=f"add {name} to columns",
        )  # fmt: skip
    column = None if table is None else table.column(name)
    if column is None:
        return
    kind = parse(column.type).kind
    if kind not in NUMERIC | TEMPORAL:
        yield Problem(
            "OSI-V130", f"{name} ({column.type}) cannot be a cursor", ("config", "incremental", "cursor"),
            hint="use a numeric, date or time stamp column that only grows",
        )  # fmt: skip
    lag = given.get("lag")
    if lag is not None and (kind in TEMPORAL) != (isinstance(lag, str) and parse_duration(lag) is not None):
        yield Problem(
            "OSI-V131", f"lag {lag} does not fit the cursor {name} ({column.type})", ("config", "incremental", "lag"),
            hint="write a duration such as PT1H or P1D" if kind in TEMPORAL else "write a number",
        )  # fmt: skip


def _partition(config: Mapping[str, Any], table: Table | None) -> Iterator[Problem]:
    given = config.get("partition")
    column = None if given is None or table is None else table.column(given["column"])
    if column is not None and parse(column.type).kind not in NUMERIC | TEMPORAL:
        yield Problem(
            "OSI-V132", f"a read cannot be divided by {column.name} ({column.type})", ("config", "partition", "column"),
            hint="use a numeric or date column",
        )  # fmt: skip


def _unreadable(config: Mapping[str, Any], table: Table | None) -> Iterator[Problem]:
    if table is None:
        return
    for index, name in enumerate(config.get("columns", ())):
        column: Column | None = table.column(name)
        if column is not None and not column.arrow:
            yield Problem(
                "OSI-V133", f"{name} ({column.type}) has no faithful Arrow type", ("config", "columns", index),
                hint="leave it out, or cast it in query",
            )  # fmt: skip
