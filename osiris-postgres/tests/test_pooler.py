"""Through a pooler in transaction mode (TRAPS: PostgreSQL / Supabase writing): nothing leaks, everything excludes."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from osiris_core.testing import Connector, people, stream_of
from osiris_core.testing.servers import PostgresDatabase, PostgresServer, pgbouncer


def test_many_clients_share_few_sessions(pooled: Connector) -> None:
    """psycopg's default prepared statements fail for 4 of 6 clients; ours prepare nothing."""
    name = pooled.seed(people([]), keys=["id"])
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(6):
                first = number * 1000 + turn * 10
                pooled.write(name, people(range(first, first + 10)), "merge", merge_keys=["id"])
                pooled.rows(name, where=[{"column": "id", "op": "=", "value": first}])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(pooled.rows(name)) == 360


def test_the_lock_excludes_others_and_goes_with_the_transaction(
    pooled: Connector, postgres_database: PostgresDatabase
) -> None:
    """Session advisory locks exclude nobody behind a pooler; transaction locks do."""
    name = pooled.seed(people([]))
    config = pooled.write_config(name, "append")
    first = pooled.driver.open_writer(pooled.connection, config, pooled.context())
    first.begin()
    locks = (
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    assert postgres_database.query(locks) == [(1,)]
    began: list[Any] = []

    def second() -> None:
        other = pooled.driver.open_writer(pooled.connection, config, pooled.context())
        other.begin()
        began.append(postgres_database.query(f'SELECT count(*) FROM "{name}"'))
        other.close()

    waiting = threading.Thread(target=second)
    waiting.start()
    waiting.join(0.5)
    assert waiting.is_alive()
    first.stage(stream_of(people([1])))
    first.commit()
    waiting.join(10)
    assert began == [[(1,)]]
    first.close()
    for _ in range(100):
        if postgres_database.query(locks) == [(0,)]:
            break
    assert postgres_database.query(locks) == [(0,)]


def test_nothing_of_ours_stays_in_the_session(pooled: Connector, pgbouncer_database: PostgresDatabase) -> None:
    """SET and temporary tables leak to other clients of a transaction pooler."""
    settings = (
        "SELECT current_setting(name)"
        " FROM unnest(ARRAY['statement_timeout', 'search_path', 'TimeZone', 'DateStyle']) name"
    )
    before = pgbouncer_database.query(settings)
    tuned = Connector(pooled.component, {**pooled.fields, "statement_timeout": 33}, pooled.work_dir)
    name = tuned.seed(people([1]), keys=["id"])
    tuned.write(name, people([2]), "merge", merge_keys=["id"], verify="checksum")
    tuned.rows(name)
    for _ in range(12):  # more than the sessions that the pooler keeps
        assert pgbouncer_database.query(settings) == before
    assert pgbouncer_database.query("SELECT count(*) FROM pg_class WHERE relname LIKE '\\_osiris\\_stage%'") == [(0,)]


def test_statement_timeout_is_that_of_the_connection_and_none_by_default(
    pooled: Connector, postgres_database: PostgresDatabase
) -> None:
    """TRAPS: statement_timeout is short for API roles: SET LOCAL."""
    postgres_database.execute(f'ALTER DATABASE "{postgres_database.database}" SET statement_timeout = 200')
    assert pooled.read(None, query="SELECT 1 AS a FROM pg_sleep(0.4)").num_rows == 1
    short = Connector(pooled.component, {**pooled.fields, "statement_timeout": 0.1}, pooled.work_dir)
    with pytest.raises(Exception, match="statement timeout") as caught:
        short.read(None, query="SELECT 1 AS a FROM pg_sleep(5)")
    fault = short.driver.map_error(caught.value)
    assert fault is not None
    assert fault.code == "OSI-R024"


def test_a_pooler_in_session_mode(
    postgres_server: PostgresServer, postgres_database: PostgresDatabase, tmp_path: Path
) -> None:
    with pgbouncer(postgres_server, pool_mode="session") as port:
        fields = {**postgres_database.fields, "host": "127.0.0.1", "port": port}
        through = Connector("postgres.table", fields, tmp_path)
        name = through.seed(people([1]), keys=["id"])
        through.write(name, people([1, 2], label="new"), "merge", merge_keys=["id"])
        through.write(name, people([3]), "append")
        assert [row["name"] for row in through.rows(name)] == ["new1", "new2", "n3"]


def test_doctor_says_that_a_pooler_is_fine(pooled: Connector, connector: Connector) -> None:
    for one, words in ((pooled, "behind a pooler"), (connector, "a direct connection")):
        found = [finding for finding in one.driver.check(one.connection) if finding.category == "pooler"]
        assert [finding.status for finding in found] == ["ok"]
        assert words in found[0].message
