"""Tables and columns that a write makes: faithful types, keys and comments, inside the write's own transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from osiris_core import RunError
from osiris_core.data import (
    OSIRIS_TYPES,
    created_primary_key,
    osiris_type,
    refuse_unknown_types,
    source_comment,
    source_type,
)
from osiris_postgres.names import column_list, qualified, quote
from osiris_postgres.types import created_type

LONGEST_NAME = 63

if TYPE_CHECKING:
    import psycopg

    from osiris_core import StepContext


def create_table(
    connection: psycopg.Connection[Any],
    schema_name: str,
    schema: pa.Schema,
    config: Mapping[str, Any],
    context: StepContext,
) -> None:
    """Create ``config["table"]`` for a source's schema. Raises RunError (OSI-R101, OSI-R105)."""
    table = config["table"]
    target = qualified(schema_name, table)
    keys = created_primary_key(schema, config, context, unfit=_without_order(schema, config))
    refuse_unknown_types(schema, OSIRIS_TYPES, "postgres.table")
    check_name(table, "the table's name")
    columns = [_definition(f, config, required=f.name in keys or not f.nullable) for f in schema]
    if keys:
        columns.append(f"PRIMARY KEY ({column_list(keys)})")
    connection.execute(f"CREATE TABLE {target} ({', '.join(columns)})")
    _comment(connection, "TABLE", target, source_comment(schema), context)
    comment_columns(connection, target, schema, context)
    warn_geometry(schema, context)


def add_columns(
    connection: psycopg.Connection[Any],
    target: str,
    fields: Sequence[pa.Field],
    config: Mapping[str, Any],
    context: StepContext,
) -> None:
    """Add columns the source has and the table lacks; they allow NULL, since rows are there already."""
    parts = ", ".join(f"ADD COLUMN {_definition(f, config, required=False)}" for f in fields)
    connection.execute(f"ALTER TABLE {target} {parts}")
    comment_columns(connection, target, fields, context)


def _without_order(schema: pa.Schema, config: Mapping[str, Any]) -> list[str]:
    """Columns whose type no index takes."""
    return [f.name for f in schema if created_type(f, config.get("json_type", "json")) == "json"]


def _definition(arrow: pa.Field, config: Mapping[str, Any], *, required: bool) -> str:
    type_text = created_type(arrow, config.get("json_type", "json"))
    if type_text is None:
        raise RunError(
            f'column "{arrow.name}": PostgreSQL has no type for {osiris_type(arrow) or arrow.type}',
            code="OSI-R101",
            hint="leave it out with columns, or cast it in a transform",
        )
    check_name(arrow.name, "a column's name")
    return f"{quote(arrow.name)} {type_text}{' NOT NULL' if required else ''}"


def check_name(name: str, what: str) -> None:
    """Raise RunError for a name that PostgreSQL would cut off in silence."""
    if len(name.encode()) > LONGEST_NAME:
        raise RunError(
            f"{what} is longer than the {LONGEST_NAME} bytes PostgreSQL keeps: {name}",
            code="OSI-R105",
            hint="give it a shorter name in a transform",
        )


def comment_columns(
    connection: psycopg.Connection[Any], target: str, fields: Sequence[pa.Field], context: StepContext
) -> None:
    """Carry the source's column comments over."""
    for arrow in fields:
        _comment(connection, "COLUMN", f"{target}.{quote(arrow.name)}", source_comment(arrow), context)


def _comment(connection: psycopg.Connection[Any], kind: str, name: str, comment: str, context: StepContext) -> None:
    if "\0" in comment:
        context.warn("OSI-R128", f"the comment of {name} is left out: PostgreSQL cannot hold the character U+0000")
    elif comment:
        from psycopg import sql

        # COMMENT takes no parameters, so the text is quoted by the client library.
        statement = sql.SQL("COMMENT ON {} {} IS {}").format(sql.SQL(kind), sql.SQL(name), sql.Literal(comment))
        connection.execute(statement)


def warn_geometry(schema: pa.Schema, context: StepContext) -> None:
    """Say what a geometry becomes: bytes without its reference system."""
    names = [f.name for f in schema if osiris_type(f) == "wkb"]
    if names:
        of = ", ".join(f'"{name}"' for name in names)
        source = source_type(schema.field(names[0]))
        context.warn("OSI-R110", f"{of} ({source or 'geometry'}) is stored as well-known binary in bytea, without SRID")
