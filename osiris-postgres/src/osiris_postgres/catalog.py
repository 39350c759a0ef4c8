"""Discovery: the schema's relations in Osiris's terms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from osiris_core import Catalog, Column, ForeignKey, Scope, Table
from osiris_postgres.relations import PgColumn, Relation, load_relations, probe

if TYPE_CHECKING:
    import psycopg

_VIEWS = frozenset("vm")
_GLOB = frozenset("*?[")


def discover(connection: psycopg.Connection[Any], component: str, schema: str, scope: Scope) -> Catalog:
    """The catalog of ``schema``, in a constant number of queries inside one read-only snapshot."""
    names = exact_names(scope)
    token = probe(connection, schema, names)
    relations = [r for r in load_relations(connection, schema, names) if scope.matches(r.name)]
    version = connection.execute("SELECT current_setting('server_version')").fetchone()
    return Catalog(
        component=component,
        tables=tuple(sorted((to_table(relation) for relation in relations), key=lambda table: table.name)),
        server_version=f"PostgreSQL {version[0] if version else ''}".strip(),
        probe=token,
        partial=bool(scope.tables),
    )


def exact_names(scope: Scope) -> Sequence[str] | None:
    """The tables of a scope when all are named exactly; None when the whole schema must be looked at."""
    if not scope.tables or any(_GLOB & set(name) for name in scope.tables):
        return None
    return sorted(set(scope.tables))


def to_table(relation: Relation) -> Table:
    """One relation as ``osiris discover`` shows it."""
    return Table(
        name=relation.name,
        columns=tuple(_column(column) for column in relation.columns),
        kind="view" if relation.kind in _VIEWS else "table",
        primary_key=relation.primary_key,
        unique_keys=tuple(key.columns for key in relation.keys if not key.primary),
        foreign_keys=tuple(
            ForeignKey(key.columns, key.ref_table, key.ref_columns) for key in relation.foreign_keys if not key.incoming
        ),
        approximate_rows=relation.rows,
        comment=relation.comment,
    )


def _column(column: PgColumn) -> Column:
    from osiris_core.data import column_arrow
    from osiris_postgres.types import read_column

    arrow, osiris = column_arrow(read_column(column).field)
    return Column(
        name=column.name,
        type=column.type,
        arrow=arrow,
        nullable=column.nullable,
        generated=column.generated,
        has_default=column.has_default,
        case_insensitive=column.case_insensitive,
        osiris_type=osiris,
        comment=column.comment,
    )
