"""SQL against what is known of the tables it reads: a source's catalogue, or the steps a transform needs."""

from __future__ import annotations

from collections.abc import Iterator

from osiris_core.catalog.model import Catalog, Table
from osiris_core.problems import Path, Problem
from osiris_core.sql import Select
from osiris_core.validate.draft import Draft, DraftStep
from osiris_core.validate.relations import UNKNOWN, Relation, relation_of_table
from osiris_core.validate.sql_places import fix_in, span_in
from osiris_core.validate.sql_relations import Resolver


def check_transform(step: DraftStep, draft: Draft) -> Relation:
    """Report columns of a transform's SQL that its inputs do not have; what its rows look like."""
    found = UNKNOWN
    inputs = {name.lower(): relation for name, relation in step.inputs.items()}
    for path, select in step.selects.items():
        resolver = Resolver(lambda name, schema: None if schema else inputs.get(name.lower()), select.dialect)
        resolved = resolver.resolve(select.tree)
        found = UNKNOWN if resolver.missing else resolved
        draft.report_step(step, _missing_columns(step, path, select, resolver, draft))
    return found if len(step.selects) == 1 else UNKNOWN


def check_selects(step: DraftStep, catalog: Catalog, table: Table | None, draft: Draft) -> Relation:
    """Report tables and columns of a reader's SQL that do not exist; what its query's rows look like."""
    found = UNKNOWN
    for path, select in step.selects.items():
        own = table if path[-1:] != ("query",) else None
        names = _Names(catalog, own, select.dialect)
        resolver = Resolver(names.relation, select.dialect)
        relation = resolver.resolve(select.tree)
        if own is None:
            found = UNKNOWN if resolver.missing else relation
        draft.report_step(step, _missing_tables(step, path, select, names, draft))
        draft.report_step(step, _missing_columns(step, path, select, resolver, draft))
    return found


class _Names:
    """Tables by the name SQL gives them: exactly, or without regard to case where the system does so."""

    def __init__(self, catalog: Catalog, own: Table | None, dialect: str) -> None:
        self.catalog = catalog
        self.own = own
        self.tables = {table.name: table for table in catalog.tables}
        if dialect != "mysql":  # MySQL's tables are files: their case counts on most systems
            self.tables = {name.lower(): table for name, table in self.tables.items()} | self.tables

    def find(self, name: str) -> Table | None:
        return self.tables.get(name) or self.tables.get(name.lower())

    def relation(self, name: str, schema: str) -> Relation | None:
        if self.own is not None and name == "osiris_rows":
            return relation_of_table(self.own)
        table = None if schema else self.find(name)
        return relation_of_table(table) if table is not None else None


def _missing_tables(step: DraftStep, path: Path, select: Select, names: _Names, draft: Draft) -> Iterator[Problem]:
    for table in select.tables():
        if table.schema or names.find(table.name) is not None or table.name == "osiris_rows" or names.catalog.partial:
            continue
        known = [item.name for item in names.catalog.tables]
        span = span_in(draft.document, (*step.path, "config", *path), select.text, *select.place(table))
        message = f'there is no table "{table.name}" behind {step.connection}'
        fix = fix_in(draft.document, span, table.name, step.suggest.certain(table.name, known))
        hint = step.suggest.hint(table.name, known)
        yield Problem("OSI-V212", message, ("config", *path), hint=hint, span=span, fix=fix)


def _missing_columns(
    step: DraftStep, path: Path, select: Select, resolver: Resolver, draft: Draft
) -> Iterator[Problem]:
    for column, known in resolver.missing:
        where: Path = ("config", *path)
        span = span_in(draft.document, (*step.path, *where), select.text, *select.place(column))
        of = f' of "{column.table}"' if column.table else ""
        message = f'there is no column "{column.name}"{of} in what the SQL reads'
        fix = fix_in(draft.document, span, column.name, step.suggest.certain(column.name, known))
        yield Problem("OSI-V213", message, where, hint=step.suggest.hint(column.name, known), span=span, fix=fix)
