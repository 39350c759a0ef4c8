"""Discovery over REST: the OpenAPI description that PostgREST gives of one schema."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from osiris_core import Catalog, ConnectError, Scope
from osiris_core.data import LEDGER_TABLE
from osiris_postgres.catalog import to_table
from osiris_postgres.relations import PgColumn, PgForeignKey, PgKey, Relation
from osiris_supabase.limits import REST_SERVER
from osiris_supabase.rest.client import client, close
from osiris_supabase.rest.errors import raise_for
from osiris_supabase.settings import RestPlace

_FOREIGN_KEY = re.compile(r"<fk table='([^']*)' column='([^']*)'/>")
_PRIMARY_KEY = "<pk/>"
#: PostgreSQL's long type names to the names of ``pg_type``.
_BASES = {
    "boolean": "bool",
    "smallint": "int2",
    "integer": "int4",
    "bigint": "int8",
    "real": "float4",
    "double precision": "float8",
    "numeric": "numeric",
    "text": "text",
    "character varying": "varchar",
    "character": "bpchar",
    "citext": "citext",
    "public.citext": "citext",
    "extensions.citext": "citext",
    "bytea": "bytea",
    "date": "date",
    "time without time zone": "time",
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamptz",
    "json": "json",
    "jsonb": "jsonb",
    "uuid": "uuid",
    "bit": "bit",
    "bit varying": "varbit",
}


def discover(place: RestPlace, component: str, scope: Scope) -> Catalog:
    """The catalog that the API exposes. One request. Raises ConnectError."""
    description = describe(place)
    relations = [r for r in relations_of(description) if scope.matches(r.name)]
    version = str(description.get("info", {}).get("version", ""))
    return Catalog(
        component=component,
        tables=tuple(sorted((to_table(relation) for relation in relations), key=lambda table: table.name)),
        server_version=f"{REST_SERVER} {version}".strip(),
        probe=_token(description),
        partial=bool(scope.tables),
    )


def probe(place: RestPlace, scope: Scope) -> str:
    """A token of the API's description. One request; after DDL it changes once the schema cache is read again."""
    return _token(describe(place))


def find(place: RestPlace, table: str) -> Relation | None:
    """The relation called ``table`` as the API exposes it, or None."""
    return next((r for r in relations_of(describe(place)) if r.name == table), None)


def describe(place: RestPlace) -> Mapping[str, Any]:
    """The OpenAPI description of the schema. Raises ConnectError when there is none to be had."""
    opened = client(place)
    try:
        with raise_for("discovery"):
            response = opened.postgrest.session.get(
                f"{place.url}/rest/v1/",
                headers={**dict(opened.postgrest.headers), "Accept": "application/openapi+json"},
            )
    finally:
        close(opened)
    if response.status_code in (401, 403):
        raise ConnectError(
            "the API refuses the key, or lets it see no description",
            code="OSI-C043",
            hint="check key; the description is for the secret key only",
        )
    try:
        description = response.json()
    except ValueError:
        description = None
    if response.status_code != 200 or not isinstance(description, dict) or "definitions" not in description:
        raise ConnectError(
            f"{place.url}/rest/v1/ gives no OpenAPI description (HTTP {response.status_code})",
            code="OSI-C041",
            hint="check url; the schema must be one that the API exposes",
        )
    return description


def relations_of(description: Mapping[str, Any]) -> list[Relation]:
    """The relations a description defines, by name."""
    definitions = description["definitions"]
    written = _written(description)
    return [_relation(name, definitions[name], name in written) for name in sorted(definitions) if name != LEDGER_TABLE]


def _written(description: Mapping[str, Any]) -> set[str]:
    """Names of what can be inserted into; a view that takes no rows has no ``post``."""
    paths = description.get("paths", {})
    return {path.removeprefix("/") for path, methods in paths.items() if "post" in methods}


def _relation(name: str, definition: Mapping[str, Any], writable: bool) -> Relation:
    properties: Mapping[str, Any] = definition.get("properties", {})
    required = set(definition.get("required", ()))
    columns = tuple(_column(column, item, column in required) for column, item in properties.items())
    primary = tuple(column for column, item in properties.items() if _PRIMARY_KEY in item.get("description", ""))
    foreign = tuple(
        PgForeignKey((column,), found[1], (found[2],), incoming=False, on_delete="")
        for column, item in properties.items()
        for found in _FOREIGN_KEY.finditer(item.get("description", ""))
    )
    return Relation(
        name=name,
        kind="r" if writable else "v",
        rows=None,
        comment=str(definition.get("description", "")),
        row_security=False,
        plain=False,
        columns=columns,
        keys=(PgKey(primary, primary=True, immediate=True),) if primary else (),
        foreign_keys=foreign,
    )


def _column(name: str, item: Mapping[str, Any], required: bool) -> PgColumn:
    shown = str(item.get("format", "text"))
    base = _BASES.get(shown, "")
    # PostgREST calls a column required when it is NOT NULL and says nothing of GENERATED ALWAYS AS IDENTITY, so that
    # a whole number in the primary key may be one.
    may_count = base in ("int2", "int4", "int8") and _PRIMARY_KEY in item.get("description", "")
    return PgColumn(
        name=name,
        type=f"{shown}({item['maxLength']})" if "maxLength" in item else shown,
        base=base or ("" if "enum" in item else shown),
        base_type=shown,
        typmod=-1,
        kind="e" if "enum" in item else "b",
        nullable=not required,
        generated=False,
        identity="",
        has_default="default" in item or may_count,
        case_insensitive=base == "citext",
        equality=True,
        collation="",
        comment=_comment(str(item.get("description", ""))),
    )


def _comment(description: str) -> str:
    """A column's own comment, without the notes that PostgREST adds."""
    return description.split("Note:\nThis is a", 1)[0].strip()


def _token(description: Mapping[str, Any]) -> str:
    text = json.dumps([description["definitions"], sorted(_written(description))], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
