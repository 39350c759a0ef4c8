"""What a run would do, step by step, without touching a row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from osiris_core.catalog.changes import compare
from osiris_core.catalog.model import Catalog
from osiris_core.compile.model import Compiled
from osiris_core.compile.tables import tables_of
from osiris_core.drivers import StepView

if TYPE_CHECKING:
    from osiris_core.drivers import Driver
    from osiris_core.session import Session
    from osiris_core.spec import Spec

#: The catalog of a step's connection, or None where it must not or cannot be asked.
Ask = Callable[[StepView], Catalog | None]


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One step of a plan.

    Attributes:
        tables: what it reads or writes, by name; empty for a query and for a transform.
        write_mode, keys: for a writing step.
        delivery: what the target guarantees for a writing step.
        approximate_rows: the system's own estimate for a read of one whole table; None when unknown.
        notes: what a run would do that the config does not say.
        warnings: what has changed since the compile, and what is less than it seems.
    """

    id: str
    component: str
    mode: str
    connection: str | None
    needs: tuple[str, ...]
    tables: tuple[str, ...]
    write_mode: str | None
    keys: tuple[str, ...]
    delivery: str | None
    approximate_rows: int | None
    notes: tuple[str, ...]
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """As ``osiris plan --json`` prints it."""
        return asdict(self)


def plan(compiled: Compiled, session: Session, ask: Ask) -> list[PlannedStep]:
    """The steps in the order they would run. Raises what ``ask`` raises."""
    steps = []
    for entry in compiled.manifest["steps"]:
        step = StepView(
            id=entry["id"],
            component=entry["component"],
            mode=entry["mode"],
            connection=entry["connection"],
            needs=tuple(entry["needs"]),
            config=compiled.configs[entry["id"]],
        )
        steps.append(_planned(step, compiled, session, ask(step)))
    return steps


def _planned(step: StepView, compiled: Compiled, session: Session, catalog: Catalog | None) -> PlannedStep:
    spec = session.registry.spec(step.component)
    config = step.config
    tables = tables_of(step, spec) or tuple(compiled.schemas.get(step.id, ()))
    writes = step.mode == "write"
    return PlannedStep(
        id=step.id,
        component=step.component,
        mode=step.mode,
        connection=step.connection,
        needs=step.needs,
        tables=tables,
        write_mode=config.get("write_mode") if writes else None,
        keys=tuple(config.get("merge_keys", ())),
        delivery=delivery(spec, config) if writes else None,
        approximate_rows=_rows(catalog, tables, config) if step.mode == "read" else None,
        notes=(*_new_tables(step, compiled, catalog), *_driver(session, step).plan_step(step, spec, catalog)),
        warnings=tuple(_warnings(step, compiled, catalog)),
    )


def delivery(spec: Spec, config: Mapping[str, Any]) -> str | None:
    """What a write with ``config`` guarantees: that of its channel, or the weakest the spec names."""
    known = spec.delivery
    chosen = known.get(str(config.get("channel", "default")))
    if chosen is not None:
        return chosen
    return "at_least_once" if "at_least_once" in known.values() else next(iter(known.values()), None)


def _rows(catalog: Catalog | None, tables: tuple[str, ...], config: Mapping[str, Any]) -> int | None:
    table = catalog.table(tables[0]) if catalog and len(tables) == 1 else None
    if table is None or table.approximate_rows is None:
        return None
    limit = config.get("limit")
    return min(table.approximate_rows, limit) if isinstance(limit, int) else table.approximate_rows


def _driver(session: Session, step: StepView) -> Driver:
    return session.registry.driver(step.component)


def _new_tables(step: StepView, compiled: Compiled, catalog: Catalog | None) -> Iterator[str]:
    for name, table in compiled.schemas.get(step.id, {}).items():
        if table is None and catalog is not None and catalog.table(name) is None:
            yield f'table "{name}" does not exist yet and is made'


def _warnings(step: StepView, compiled: Compiled, catalog: Catalog | None) -> Iterator[str]:
    """Drift since the compile, in the words that a run would refuse with."""
    if catalog is None:
        return
    known = {name: table for name, table in compiled.schemas.get(step.id, {}).items() if table is not None}
    for name, table in known.items():
        for change in compare(table, catalog.table(name)):
            yield f"{change.message} since the compile" + (f" ({change.hint})" if change.hint else "")
