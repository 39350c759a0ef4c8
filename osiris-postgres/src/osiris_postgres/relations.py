"""What is in a schema: relations, columns and keys, in three queries however many tables there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from osiris_core import DriftError, did_you_mean
from osiris_core.data import LEDGER_TABLE

if TYPE_CHECKING:
    import psycopg


@dataclass(frozen=True, slots=True)
class PgColumn:
    """One column.

    Attributes:
        type: as PostgreSQL writes it, schema-qualified where it is not a built-in type.
        base: name of the type below any domain, for example ``numeric``; arrays begin with ``_``.
        base_type: ``type`` below any domain, which a value can be cast to.
        typmod: of the base type; -1 when there is none.
        kind: ``pg_type.typtype`` of the base: b, e (enum), c, r, m.
        identity: ``a`` (always), ``d`` (by default) or ``""``.
        case_insensitive: citext, or a collation that does not tell all different strings apart.
        equality: whether the base type has an equality operator that indexes can use.
        collation: qualified and quoted, when it is not the type's own; else ``""``.
    """

    name: str
    type: str
    base: str
    base_type: str
    typmod: int
    kind: str
    nullable: bool
    generated: bool
    identity: str
    has_default: bool
    case_insensitive: bool
    equality: bool
    collation: str
    comment: str


@dataclass(frozen=True, slots=True)
class PgKey:
    """One unique index over plain columns. ``immediate``: ON CONFLICT can use it (it is not deferrable)."""

    columns: tuple[str, ...]
    primary: bool
    immediate: bool


@dataclass(frozen=True, slots=True)
class PgForeignKey:
    """A foreign key of this relation (``incoming`` false) or one of another table that refers to it."""

    columns: tuple[str, ...]
    ref_table: str
    ref_columns: tuple[str, ...]
    incoming: bool
    on_delete: str


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, view or the like.

    Attributes:
        kind: ``pg_class.relkind``.
        rows: the server's estimate.
        row_security: policies apply to this user.
        plain: a table without triggers and rules of its user, so that what a statement counts is what it did.
    """

    name: str
    kind: str
    rows: int | None
    comment: str
    row_security: bool
    plain: bool
    columns: tuple[PgColumn, ...]
    keys: tuple[PgKey, ...] = ()
    foreign_keys: tuple[PgForeignKey, ...] = field(default=())

    @property
    def primary_key(self) -> tuple[str, ...]:
        """Columns of the primary key, or nothing."""
        return next((key.columns for key in self.keys if key.primary), ())

    def chosen(self, names: Sequence[str] | None) -> list[PgColumn]:
        """The columns of these names, or all. Raises DriftError for one that is not there."""
        if names is None:
            return list(self.columns)
        by_name = {column.name: column for column in self.columns}
        missing = [name for name in names if name not in by_name]
        if missing:
            raise DriftError(
                f'table "{self.name}" has no column {", ".join(map(repr, missing))}',
                hint=did_you_mean(missing[0], by_name),
            )
        return [by_name[name] for name in names]

    def column(self, name: str) -> PgColumn | None:
        """The column called ``name``, or None."""
        return next((column for column in self.columns if column.name == name), None)

    def arbiter(self, columns: Sequence[str]) -> bool:
        """Whether ``ON CONFLICT`` over exactly these columns finds a unique index."""
        return any(key.immediate and set(key.columns) == set(columns) for key in self.keys)


_RELATIONS = """
SELECT c.oid::int8, c.relname, c.relkind::text, c.reltuples::float8, coalesce(obj_description(c.oid, 'pg_class'), ''),
       row_security_active(c.oid),
       c.relkind = 'r' AND NOT c.relhasrules
       AND NOT EXISTS (SELECT 1 FROM pg_trigger g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal)
FROM pg_class c
WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = %(schema)s)
  AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND (%(names)s::text[] IS NULL OR c.relname = ANY (%(names)s))
  AND (has_table_privilege(c.oid, 'DELETE') OR has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE'))
ORDER BY c.relname
"""

# A domain's base type comes with the domain's own modifier. The loop ends at the first type that is no domain.
_COLUMNS = """
WITH RECURSIVE types AS (
    SELECT t.oid AS asked, t.oid, t.typtype, t.typbasetype, t.typtypmod FROM pg_type t
    UNION ALL
    SELECT d.asked, t.oid, t.typtype, t.typbasetype, CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE d.typtypmod END
    FROM types d JOIN pg_type t ON t.oid = d.typbasetype WHERE d.typtype = 'd'
)
SELECT a.attrelid::int8, a.attname, format_type(a.atttypid, a.atttypmod),
       CASE WHEN b.typnamespace = 'pg_catalog'::regnamespace OR b.typname = 'citext' THEN b.typname::text ELSE '' END,
       format_type(b.oid, m.typmod), m.typmod, b.typtype::text,
       NOT a.attnotnull, a.attgenerated <> '', a.attidentity::text,
       a.atthasdef AND a.attgenerated = '' OR a.attidentity <> '' OR (t.typtype = 'd' AND t.typdefault IS NOT NULL),
       b.typname = 'citext' OR NOT coalesce(k.collisdeterministic, true),
       EXISTS (SELECT 1 FROM pg_opclass o JOIN pg_am am ON am.oid = o.opcmethod AND am.amname = 'btree'
               WHERE o.opcdefault AND (o.opcintype = b.oid OR o.opcintype = 'anyarray'::regtype AND b.typelem <> 0
                     AND b.typlen = -1 OR o.opcintype = 'anyenum'::regtype AND b.typtype = 'e'
                     OR b.typname IN ('varchar', 'bpchar'))),
       CASE WHEN a.attcollation <> b.typcollation THEN quote_ident(kn.nspname) || '.' || quote_ident(k.collname)
            ELSE '' END,
       coalesce(col_description(a.attrelid, a.attnum), '')
FROM pg_attribute a
JOIN pg_type t ON t.oid = a.atttypid
JOIN types d ON d.asked = t.oid AND d.typtype <> 'd'
JOIN pg_type b ON b.oid = d.oid
CROSS JOIN LATERAL (SELECT CASE WHEN t.typtype = 'd' THEN d.typtypmod ELSE a.atttypmod END AS typmod) m
LEFT JOIN pg_collation k ON k.oid = a.attcollation
LEFT JOIN pg_namespace kn ON kn.oid = k.collnamespace
WHERE a.attrelid = ANY (%(oids)s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
"""

_KEYS = """
SELECT i.indrelid::int8, 'key', i.indisprimary, i.indimmediate,
       ARRAY (SELECT a.attname::text FROM unnest(i.indkey[0:i.indnkeyatts - 1]) WITH ORDINALITY AS k (attnum, position)
              JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum ORDER BY k.position),
       NULL, NULL, NULL
FROM pg_index i
WHERE i.indrelid = ANY (%(oids)s::oid[]) AND i.indisunique AND i.indisvalid
  AND i.indpred IS NULL AND i.indexprs IS NULL
UNION ALL
SELECT own.oid::int8, CASE WHEN own.oid = f.conrelid THEN 'out' ELSE 'in' END, false, false,
       ARRAY (SELECT a.attname::text FROM unnest(f.conkey) WITH ORDINALITY AS k (attnum, position)
              JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.attnum ORDER BY k.position),
       CASE WHEN own.oid = f.conrelid THEN r.relname ELSE s.relname END::text,
       ARRAY (SELECT a.attname::text FROM unnest(f.confkey) WITH ORDINALITY AS k (attnum, position)
              JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.attnum ORDER BY k.position),
       f.confdeltype::text
FROM pg_constraint f
JOIN pg_class s ON s.oid = f.conrelid
JOIN pg_class r ON r.oid = f.confrelid
CROSS JOIN LATERAL (SELECT f.conrelid AS oid UNION ALL SELECT f.confrelid) own
WHERE f.contype = 'f' AND f.conparentid = 0 AND own.oid = ANY (%(oids)s::oid[])
"""


@contextmanager
def _qualified_types(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Inside, types that are not built in are written with their schema; afterwards the search path is as before."""
    sql = "SELECT current_setting('search_path'), set_config('search_path', 'pg_catalog', true)"
    row = connection.execute(sql).fetchone()
    yield
    connection.execute("SELECT set_config('search_path', %s, true)", (row[0] if row else "",))


def load_relations(
    connection: psycopg.Connection[Any], schema: str, names: Sequence[str] | None = None
) -> list[Relation]:
    """The relations of ``schema`` (only ``names``, when given) that the user may read or write, by name.

    Runs inside the caller's transaction.
    """
    wanted = None if names is None else list(names)
    with _qualified_types(connection):
        rows = connection.execute(_RELATIONS, {"schema": schema, "names": wanted}).fetchall()
        oids = {"oids": [row[0] for row in rows]}
        column_rows = connection.execute(_COLUMNS, oids).fetchall()
        key_rows = connection.execute(_KEYS, oids).fetchall()
    columns: dict[int, list[PgColumn]] = {row[0]: [] for row in rows}
    for relation, *values in column_rows:
        columns[relation].append(PgColumn(*values))
    keys: dict[int, list[PgKey]] = {row[0]: [] for row in rows}
    foreign: dict[int, list[PgForeignKey]] = {row[0]: [] for row in rows}
    for relation, what, primary, immediate, own, other, other_columns, on_delete in key_rows:
        if what == "key":
            keys[relation].append(PgKey(tuple(own), primary, immediate))
        else:
            key = PgForeignKey(tuple(own), other, tuple(other_columns), what == "in", on_delete)
            foreign[relation].append(key)
    return [
        Relation(
            name=name,
            kind=kind,
            rows=None if tuples < 0 else int(tuples),
            comment=comment,
            row_security=row_security,
            plain=plain,
            columns=tuple(columns[oid]),
            keys=tuple(sorted(keys[oid], key=lambda key: (not key.primary, key.columns))),
            foreign_keys=tuple(sorted(foreign[oid], key=lambda key: (key.incoming, key.ref_table, key.columns))),
        )
        for oid, name, kind, tuples, comment, row_security, plain in rows
        if name != LEDGER_TABLE
    ]


# Everything a fingerprint is made of, and who may do what; nothing that ANALYZE, VACUUM or an INSERT changes.
_PROBE = """
WITH r AS (
    SELECT c.* FROM pg_class c
    WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = %(schema)s)
      AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND (%(names)s::text[] IS NULL OR c.relname = ANY (%(names)s))
)
SELECT md5(coalesce(string_agg(part, E'\\n' ORDER BY part), '')) FROM (
    SELECT concat_ws('|', 'r', oid, relname, relkind, relrowsecurity, relforcerowsecurity, relacl) AS part FROM r
    UNION ALL
    SELECT concat_ws('|', 'a', attrelid, attnum, attname, atttypid, atttypmod, attnotnull, attgenerated, attidentity,
                     atthasdef, attcollation, attacl)
    FROM pg_attribute WHERE attrelid IN (SELECT oid FROM r) AND attnum > 0
    UNION ALL
    SELECT concat_ws('|', 'i', indrelid, indkey, indnkeyatts, indisprimary, indimmediate, indisvalid)
    FROM pg_index WHERE indrelid IN (SELECT oid FROM r) AND indisunique AND indpred IS NULL AND indexprs IS NULL
    UNION ALL
    SELECT concat_ws('|', 'f', conrelid, confrelid, conkey, confkey, confdeltype)
    FROM pg_constraint WHERE contype = 'f' AND (conrelid IN (SELECT oid FROM r) OR confrelid IN (SELECT oid FROM r))
) parts
"""


def probe(connection: psycopg.Connection[Any], schema: str, names: Sequence[str] | None = None) -> str:
    """A token that changes whenever a table, column, type or key in ``schema`` (of ``names``) does. One query."""
    wanted = None if names is None else list(names)
    row = connection.execute(_PROBE, {"schema": schema, "names": wanted}).fetchone()
    return str(row[0]) if row else ""


_RESULT_TYPES = """
SELECT w.position, format_type(b.oid, w.typmod),
       CASE WHEN b.typnamespace = 'pg_catalog'::regnamespace OR b.typname = 'citext' THEN b.typname::text ELSE '' END,
       b.typtype::text
FROM unnest(%(oids)s::oid[], %(typmods)s::int4[]) WITH ORDINALITY AS w (oid, typmod, position)
JOIN pg_type b ON b.oid = w.oid
ORDER BY w.position
"""


def result_columns(connection: psycopg.Connection[Any], source: str, values: dict[str, Any]) -> list[PgColumn]:
    """The columns that ``SELECT * FROM source`` would give, without running it; domains come as their base types."""
    with connection.cursor() as cursor:
        # Asking for a binary result makes this the extended protocol, where a server takes one statement only.
        cursor.execute(f"SELECT * FROM {source} LIMIT 0", values, binary=True)
        result = cursor.pgresult
        assert result is not None
        names = [column.name for column in cursor.description or ()]
        oids = [result.ftype(index) for index in range(result.nfields)]
        typmods = [result.fmod(index) for index in range(result.nfields)]
    with _qualified_types(connection):
        rows = connection.execute(_RESULT_TYPES, {"oids": oids, "typmods": typmods}).fetchall()
    return [
        PgColumn(name, shown, base, shown, typmod, kind, True, False, "", False, False, True, "", "")
        for name, typmod, (_, shown, base, kind) in zip(names, typmods, rows, strict=True)
    ]
