"""Discovery: what exists, in a constant number of queries, and a probe that sees every alteration."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import psycopg
import pytest

from osiris_core import Catalog, Scope
from osiris_core.testing import Connector, people
from osiris_core.testing.servers import PostgresDatabase


@pytest.fixture
def count_queries(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many statements went out since the last call."""
    executed: list[str] = []
    execute = psycopg.Connection.execute

    def counted(self: psycopg.Connection, query: str, *arguments: object, **keywords: object) -> object:
        executed.append(query)
        return execute(self, query, *arguments, **keywords)  # type: ignore[call-overload]

    monkeypatch.setattr(psycopg.Connection, "execute", counted)

    def taken() -> int:
        number = len(executed)
        executed.clear()
        return number

    return taken


def test_a_thousand_tables_take_as_many_queries_as_one(
    connector: Connector, postgres_database: PostgresDatabase, count_queries: Callable[[], int]
) -> None:
    postgres_database.execute("CREATE TABLE a (id int8 PRIMARY KEY, b text)")
    connector.discover()
    one = count_queries()
    postgres_database.execute(
        "DO $$BEGIN FOR i IN 1..1000 LOOP"
        " EXECUTE format('CREATE TABLE t%s (id int8 PRIMARY KEY, a text, b int UNIQUE)', i); END LOOP; END$$"
    )
    count_queries()
    started = time.monotonic()
    catalog = connector.discover()
    seconds = time.monotonic() - started
    assert count_queries() == one
    assert len(catalog.tables) == 1001
    assert seconds < 10
    print(f"1,001 tables in {seconds:.2f} s and {one} queries")


def test_what_discovery_says(connector: Connector, postgres_database: PostgresDatabase) -> None:
    postgres_database.execute(
        "CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('a'); CREATE DOMAIN money2 AS numeric(9,2) NOT NULL;"
        "CREATE TABLE parent (id int8 PRIMARY KEY);"
        "CREATE TABLE t (id int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY, c citext UNIQUE, m mood, d money2,"
        " g int4 GENERATED ALWAYS AS (id + 1) STORED, w text DEFAULT 'x', p int8 REFERENCES parent, j jsonb NOT NULL,"
        " UNIQUE (m, w));"
        "CREATE UNIQUE INDEX ON t (lower(w)); CREATE UNIQUE INDEX ON t (p) WHERE p > 0;"
        "CREATE UNIQUE INDEX ON t (w) INCLUDE (m); COMMENT ON TABLE t IS 'the table'"
    )
    postgres_database.execute("INSERT INTO parent SELECT generate_series(1, 500); ANALYZE parent")
    t = connector.table("t")
    assert t.primary_key == ("id",)
    assert set(t.unique_keys) == {("c",), ("m", "w"), ("w",)}
    assert [(key.columns, key.ref_table, key.ref_columns) for key in t.foreign_keys] == [(("p",), "parent", ("id",))]
    assert t.comment == "the table"
    assert {c.name: c.type for c in t.columns} == {
        "id": "integer",
        "c": "public.citext",
        "m": "public.mood",
        "d": "public.money2",
        "g": "integer",
        "w": "text",
        "p": "bigint",
        "j": "jsonb",
    }
    assert [c.name for c in t.columns if c.generated] == ["g"]
    assert [c.name for c in t.columns if c.has_default] == ["id", "w"]
    assert [c.name for c in t.columns if c.case_insensitive] == ["c"]
    assert [c.name for c in t.columns if not c.nullable] == ["id", "j"]
    assert connector.table("parent").approximate_rows == 500
    assert connector.discover("t").partial


def test_scopes(connector: Connector) -> None:
    for name in ("orders", "orders_old", "Zákazníci"):
        connector.seed(people([]), name=name)
    names = {
        scope: [table.name for table in connector.discover(*scope).tables]
        for scope in [(), ("orders",), ("orders*",), ("Zák?zníci", "orders"), ("nothing",)]
    }
    assert names[()] == ["Zákazníci", "orders", "orders_old"]
    assert names[("orders",)] == ["orders"]
    assert names[("orders*",)] == ["orders", "orders_old"]
    assert names[("Zák?zníci", "orders")] == ["Zákazníci", "orders"]
    assert names[("nothing",)] == []


def test_tables_that_the_user_may_not_touch_are_not_shown(
    connector: Connector, postgres_database: PostgresDatabase
) -> None:
    user = f"few_{postgres_database.database}"
    postgres_database.execute(
        f"CREATE TABLE seen (a int); CREATE TABLE hidden (a int); CREATE ROLE \"{user}\" LOGIN PASSWORD 'p';"
        f'GRANT SELECT (a) ON seen TO "{user}"'
    )
    few = Connector(connector.component, {**connector.fields, "user": user, "password": "p"}, connector.work_dir)
    assert [table.name for table in few.discover().tables] == ["seen"]


ALTERATIONS = [
    "ALTER TABLE t RENAME COLUMN name TO called",
    "ALTER TABLE t DROP COLUMN score",
    "ALTER TABLE t ADD COLUMN extra int",
    "ALTER TABLE t ALTER COLUMN score TYPE int8",
    "ALTER TABLE t ALTER COLUMN name TYPE varchar(9)",
    "ALTER TABLE t ALTER COLUMN name SET NOT NULL",
    "ALTER TABLE t ALTER COLUMN name SET DEFAULT 'x'",
    'ALTER TABLE t ALTER COLUMN name TYPE text COLLATE "C"',
    "ALTER TABLE t DROP CONSTRAINT t_pkey",
    "ALTER TABLE t ADD UNIQUE (name)",
    "CREATE UNIQUE INDEX ON t (score)",
    "DROP TABLE t",
    "ALTER TABLE t RENAME TO u",
    "ALTER TABLE t ADD COLUMN g int GENERATED ALWAYS AS (score * 2) STORED",
    "ALTER TABLE t ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY",
    "CREATE TABLE child (ref int8 REFERENCES t)",
]


@pytest.mark.parametrize("scope", [Scope(), Scope(("t",))], ids=["schema", "table"])
@pytest.mark.parametrize("alteration", ALTERATIONS)
def test_the_probe_sees_every_alteration(
    connector: Connector, postgres_database: PostgresDatabase, alteration: str, scope: Scope
) -> None:
    postgres_database.execute("CREATE TABLE t (id int8 PRIMARY KEY, name text, score int4)")
    before = connector.driver.probe(connector.connection, scope)
    assert before == connector.discover(*scope.tables).probe
    postgres_database.execute(alteration)
    assert connector.driver.probe(connector.connection, scope) != before


def test_the_probe_does_not_see_rows_or_statistics(connector: Connector, postgres_database: PostgresDatabase) -> None:
    postgres_database.execute("CREATE TABLE t (id int8 PRIMARY KEY, name text)")
    before = connector.driver.probe(connector.connection, Scope())
    postgres_database.execute("INSERT INTO t SELECT g, g FROM generate_series(1, 1000) g; ANALYZE t")
    postgres_database.execute("VACUUM FULL t")
    assert connector.driver.probe(connector.connection, Scope()) == before


def test_the_probe_is_one_query(connector: Connector, count_queries: Callable[[], int]) -> None:
    connector.seed(people([1]))
    count_queries()
    connector.driver.probe(connector.connection, Scope())
    assert count_queries() == 2  # the settings of the transaction, and the probe


def test_a_changed_probe_and_a_changed_fingerprint_go_together(
    connector: Connector, postgres_database: PostgresDatabase
) -> None:
    """Random alterations: where the catalogue differs, the probe does."""
    postgres_database.execute("CREATE TABLE t (id int8 PRIMARY KEY, a int4, b text)")
    chance = random.Random(11)
    last: Catalog | None = None
    for step in range(40):
        statement = chance.choice(
            [
                f"ALTER TABLE t ADD COLUMN c{step} int4",
                "ALTER TABLE t ALTER COLUMN b SET NOT NULL",
                "ALTER TABLE t ALTER COLUMN b DROP NOT NULL",
                "ALTER TABLE t ALTER COLUMN a TYPE int8",
                "ALTER TABLE t ALTER COLUMN a TYPE int4",
                f"ALTER TABLE t ADD CONSTRAINT u{step} UNIQUE (a)",
                "ANALYZE t",
                "INSERT INTO t (id, b) SELECT coalesce(max(id), 0) + 1, '' FROM t",
            ]
        )
        postgres_database.execute(statement)
        now = connector.discover()
        if last is not None and now.fingerprint != last.fingerprint:
            assert now.probe != last.probe, statement
        last = now
