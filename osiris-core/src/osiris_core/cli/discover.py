"""``osiris discover``: what exists behind a connection."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from osiris_core.cli.options import add_catalog_options, add_session_options, open_session
from osiris_core.cli.output import emit_json, print_note, print_text
from osiris_core.cli.text import alias_name, aligned, rows_text, shown
from osiris_core.errors import InvalidInputError
from osiris_core.problems import did_you_mean

if TYPE_CHECKING:
    from osiris_core.catalog.model import Catalog, Column, Table
    from osiris_core.session import Session


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("alias", metavar="@ALIAS", help="a connection of osiris_connections.yaml")
    parser.add_argument("--table", action="append", default=[], metavar="GLOB", help="show only these tables")
    add_session_options(parser)
    add_catalog_options(parser)


def run(args: Namespace) -> int:
    """Print the catalog of one connection: columns, types, keys, approximate rows; never a row."""
    from osiris_core.catalog.model import Scope

    session = open_session(args)
    alias = alias_name(args.alias)
    wanted = Scope(tuple(args.table))
    catalogs = [session.catalogs.get(alias, component) for component in discoverable(session, alias)]
    for text in session.catalogs.notes:
        print_note(f"note: {text}")
    chosen = [(catalog, [table for table in catalog.tables if wanted.matches(table.name)]) for catalog in catalogs]
    if args.table and not any(tables for _, tables in chosen):
        _refuse_unknown(alias, args.table, catalogs)
    if args.json:
        notes = session.catalogs.notes
        emit_json({"alias": alias, "notes": notes, "catalogs": [_json(*found) for found in chosen]})
    else:
        for catalog, tables in chosen:
            print_text("\n".join(_lines(alias, catalog, tables)))
    return 0


def discoverable(session: Session, alias: str) -> list[str]:
    """Components of the alias's family that can say what exists. Raises ConfigurationError, InvalidInputError."""
    family = session.connections.family(alias)
    names = session.registry.families().get(family, [])
    found = [name for name in names if session.registry.spec(name).support("discover") == "full"]
    if not found:
        session.connections.identity(alias)  # raises when the connection itself is what is wrong
        raise InvalidInputError(f"no component of {family} can discover what exists behind @{alias}", code="OSI-V122")
    return found


def _refuse_unknown(alias: str, globs: list[str], catalogs: list[Catalog]) -> None:
    known = [table.name for catalog in catalogs for table in catalog.tables]
    hints = [did_you_mean(glob, known) for glob in globs]
    names = ", ".join(f'"{glob}"' for glob in globs)
    raise InvalidInputError(
        f"@{alias} has no table called {names}", code="OSI-V201", hint="; ".join(dict.fromkeys(filter(None, hints)))
    )


def _json(catalog: Catalog, tables: list[Table]) -> dict[str, Any]:
    return {
        "component": catalog.component,
        "server_version": catalog.server_version,
        "fingerprint": catalog.fingerprint,
        "tables": [{**asdict(table), "fingerprint": table.fingerprint} for table in tables],
    }


def _lines(alias: str, catalog: Catalog, tables: list[Table]) -> Iterator[str]:
    count = f"{len(tables):,} {'table' if len(tables) == 1 else 'tables'}"
    if len(tables) != len(catalog.tables):
        count = f"{len(tables):,} of {len(catalog.tables):,} tables"
    yield shown("  ".join(filter(None, [f"@{alias}", catalog.component, catalog.server_version, count])))
    for table in tables:
        yield ""
        kind = "" if table.kind == "table" else f"  ({table.kind})"
        yield shown(f"{table.name}{kind}  {rows_text(table.approximate_rows)}".rstrip())
        yield from aligned([_cells(column, table) for column in table.columns], "  ")
        for key in table.unique_keys:
            yield shown(f"  unique ({', '.join(key)})")
        for foreign in table.foreign_keys:
            columns, others = ", ".join(foreign.columns), ", ".join(foreign.ref_columns)
            yield shown(f"  foreign key ({columns}) → {foreign.ref_table} ({others})")


def _cells(column: Column, table: Table) -> list[str]:
    facts = [
        "key" if column.name in table.primary_key else "",
        "" if column.nullable else "not null",
        "generated" if column.generated else "",
        "has default" if column.has_default else "",
        "ignores case" if column.case_insensitive else "",
    ]
    arrow = column.arrow or "(no Arrow type: cannot be read)"
    if column.osiris_type:
        arrow = f"{arrow} ({column.osiris_type})"
    return [column.name, column.type, arrow, ", ".join(filter(None, facts))]
