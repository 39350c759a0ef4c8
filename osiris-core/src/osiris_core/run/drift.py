"""Before a row is read: are the tables still what the manifest was compiled against?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from osiris_core.catalog.changes import Change, compare
from osiris_core.catalog.model import Catalog, Scope, Table
from osiris_core.errors import DriftError, OsirisError
from osiris_core.run.faults import StepFault, explain

if TYPE_CHECKING:
    from osiris_core.connections import Connection
    from osiris_core.run.plan import RunStep
    from osiris_core.run.state import RunState

Schemas = Mapping[str, Mapping[str, Table | None]]


def refuse_drift(run: RunState, schemas: Schemas) -> None:
    """Compare a fresh discovery of just the tables in ``schemas`` with what was compiled against.

    New columns are a warning where every write that they could reach has ``on_drift`` other than ``fail``.
    Raises DriftError naming every change, ConnectError when a system cannot be asked.
    """
    refused: list[tuple[RunStep, Change]] = []
    for step, change in _changes(run, schemas):
        if change.kind == "column_added" and _is_tolerated(run, step):
            run.reports[step.id].warn("OSI-R002", f"{change.table}: {change.message} since the compile")
        else:
            refused.append((step, change))
    if refused:
        told = "; ".join(
            f"{step.id}: {change.table}: {change.message}{f' ({change.hint})' if change.hint else ''}"
            for step, change in refused
        )
        raise DriftError(
            f"the schema is not the one compiled with: {told}",
            hint="look at the change, then compile again (osiris run FILE does both)",
        )


def _changes(run: RunState, schemas: Schemas) -> Iterator[tuple[RunStep, Change]]:
    """Every change, step by step; each system is asked once for all its tables."""
    for steps in _by_system(run, schemas).values():
        names = {name for step in steps for name, table in schemas[step.id].items() if table is not None}
        found = _discover(run, steps[0], names)
        for step in steps:
            for name, table in schemas[step.id].items():
                # What did not exist is made by the writer, or was by an earlier run: the writer looks for itself.
                if table is not None:
                    _expect(run, step, found.table(name))
                    yield from ((step, change) for change in compare(table, found.table(name)))


def _expect(run: RunState, step: RunStep, table: Table | None) -> None:
    """Keep the system's estimate of a whole table's rows, for the time left."""
    narrowed = {"where", "where_sql", "limit", "incremental"} & set(step.config)
    if step.mode == "read" and not narrowed and table is not None and table.approximate_rows is not None:
        run.expected_rows[step.id] = table.approximate_rows


def _by_system(run: RunState, schemas: Schemas) -> Mapping[tuple[str, str], list[RunStep]]:
    systems: dict[tuple[str, str], list[RunStep]] = defaultdict(list)
    for step in run.plan.steps.values():
        if any(table is not None for table in schemas.get(step.id, {}).values()):
            systems[(step.component, _identity(run.connection(step)))].append(step)
    return systems


def _identity(connection: Connection) -> str:
    return repr((connection.alias, sorted(connection.fields.items(), key=lambda item: item[0])))


def _discover(run: RunState, step: RunStep, names: Iterable[str]) -> Catalog:
    driver, connection = run.driver(step), run.connection(step)
    try:
        return run.registry.plugins.discover(step.component, connection, Scope(tuple(sorted(names))))
    except Exception as error:
        # What a hook's implementation raised arrives wrapped in the error that names its plugin.
        own = error.__cause__ if isinstance(error, OsirisError) and error.__cause__ is not None else error
        raise explain(StepFault(step.id, driver, own), run.redactor, moved=False) from error


def _is_tolerated(run: RunState, step: RunStep) -> bool:
    sinks = [sink.step for sink in run.plan.sinks if step.id in sink.chain]
    return bool(sinks) and all(sink.config.get("on_drift", "fail") != "fail" for sink in sinks)
