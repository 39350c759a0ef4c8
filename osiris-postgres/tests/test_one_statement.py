"""SQL that the parser takes for one statement and the server for several: nothing of it leaves the snapshot."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import psycopg
import pytest

from osiris_core.testing import Connector
from osiris_core.testing.servers import PostgresDatabase

#: A text that goes on in the next line keeps its first part's escapes; the parser begins a new text without them.
CONTINUED = "INTERVAL E'1 day'\n'\\' , '"
THEN_DROP = "COMMIT; DROP TABLE victim; COMMIT; BEGIN"

QUERIES = {
    "in the description": f"SELECT {CONTINUED} AS x) AS q LIMIT 0; {THEN_DROP}; SELECT * FROM (SELECT 1 AS y --'",
    "plainly": f"SELECT 1) AS q; {THEN_DROP}; SELECT * FROM (SELECT 1",
}
CONDITIONS = {
    "in the copy": f"({CONTINUED} > INTERVAL $$0$$))) TO STDOUT; {THEN_DROP}; COPY (SELECT 1 WHERE (true --') = (1, 2)",
    "plainly": f"true)) TO STDOUT; {THEN_DROP}; COPY (SELECT 1 WHERE (true",
    "in the proof": f"true)) AS q LIMIT 0; {THEN_DROP}; SELECT * FROM (SELECT 1 WHERE (true",
}


@pytest.fixture
def victim(postgres_database: PostgresDatabase) -> PostgresDatabase:
    """A database with a table to drop, and ``people`` to read."""
    postgres_database.execute("CREATE TABLE victim (a int); CREATE TABLE people (id int, name text)")
    postgres_database.execute("INSERT INTO people VALUES (1, 'n1'), (2, 'n2')")
    return postgres_database


def read(connector: Connector, config: dict[str, Any]) -> list[dict[str, Any]]:
    with closing(connector.driver.open_reader(connector.connection, config, connector.context())) as stream:
        return [row for batch in stream for row in batch.to_pylist()]


def exists(database: PostgresDatabase) -> bool:
    return bool(database.query("SELECT to_regclass('victim') IS NOT NULL")[0][0])


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_is_one_statement(connector: Connector, victim: PostgresDatabase, name: str) -> None:
    with pytest.raises(psycopg.Error, match=r"syntax error|multiple commands|must have an alias"):
        read(connector, {"query": QUERIES[name]})
    assert exists(victim)


@pytest.mark.parametrize("value", [{}, {"where": [{"column": "id", "op": ">", "value": 0}]}], ids=["bare", "bound"])
@pytest.mark.parametrize("name", CONDITIONS)
def test_a_condition_is_one_expression(
    connector: Connector, victim: PostgresDatabase, name: str, value: dict[str, Any]
) -> None:
    with pytest.raises(psycopg.Error, match=r"syntax error|multiple commands|must have an alias"):
        read(connector, {"table": "people", "where_sql": CONDITIONS[name], **value})
    assert exists(victim)


def test_what_is_harmless_is_read_as_before(connector: Connector, victim: PostgresDatabase) -> None:
    query = "SELECT id, '100%' AS share FROM people WHERE id % 2 = 1 AND id < ${params.n} -- the odd ones"
    assert read(connector, {"query": query, "sql_params": {"n": 9}}) == [{"id": 1, "share": "100%"}]
    bare = {"table": "people", "where_sql": "name LIKE '%2'"}
    assert [row["id"] for row in read(connector, bare)] == [2]


def test_texts_mean_the_same_on_a_server_of_old_ways(connector: Connector, victim: PostgresDatabase) -> None:
    """With standard_conforming_strings off, a backslash would end a text elsewhere than the parser saw it end."""
    victim.execute(f'ALTER DATABASE "{victim.fields["database"]}" SET standard_conforming_strings = off')
    assert read(connector, {"query": "SELECT 'a\\' AS c"}) == [{"c": "a\\"}]
