"""Which tables of its catalogue a step reads or writes: those its config names, and those its SQL reads."""

from __future__ import annotations

from collections.abc import Iterator

from osiris_core.catalog.model import Catalog, Table
from osiris_core.drivers import StepView
from osiris_core.spec import Spec
from osiris_core.spec.roles import RoleTree

#: Roles whose value names one table of the catalogue.
TABLE_ROLES = frozenset({"table", "path"})
#: Roles whose value is a query, or what stands after WHERE.
SQL_ROLES = frozenset({"sql", "sql_condition"})


def tables_of(step: StepView, spec: Spec) -> tuple[str, ...]:
    """Names of the tables the step's config names, each once, in its order; none for a query."""
    return tuple(dict.fromkeys(name for _, name in _texts(step, spec, TABLE_ROLES)))


def check_sql(step: StepView, spec: Spec) -> None:
    """Raise SqlError unless all SQL in the step's config may run."""
    for role, text in _texts(step, spec, SQL_ROLES):
        from osiris_core.sql import check_condition, parse_select

        (parse_select if role == "sql" else check_condition)(text, spec.family)


def schemas_of(step: StepView, spec: Spec, catalog: Catalog) -> dict[str, Table | None]:
    """The tables the step depends on, as they are now, by name; None for a named one that does not exist yet."""
    found = {name: catalog.table(name) for name in tables_of(step, spec)}
    if step.mode == "read":
        found |= {table.name: table for table in _queried(step, spec, catalog)}
    return {name: table.shape() if table else None for name, table in sorted(found.items())}


def _queried(step: StepView, spec: Spec, catalog: Catalog) -> Iterator[Table]:
    """Every table of ``catalog`` that the step's SQL reads, subqueries of its conditions included."""
    for role, text in _texts(step, spec, SQL_ROLES):
        from osiris_core.sql import check_condition, parse_select

        select = (parse_select if role == "sql" else check_condition)(text, spec.family)
        yield from _known(catalog, {table.name for table in select.tables()})


def _known(catalog: Catalog, names: set[str]) -> Iterator[Table]:
    """Tables by the names SQL gives them: exactly, else without regard to case where that is no guess."""
    for name in sorted(names):
        alike = [table for table in catalog.tables if table.name.lower() == name.lower()]
        exact = catalog.table(name)
        if exact is not None or len(alike) == 1:
            yield exact or alike[0]


def _texts(step: StepView, spec: Spec, roles: frozenset[str]) -> Iterator[tuple[str, str]]:
    """``(role, text)`` of every text in the config that has one of ``roles``."""
    found = RoleTree.of(spec.config_schema[step.mode]).find(step.config)
    return ((role, value) for _, role, value in found if role in roles and isinstance(value, str))
