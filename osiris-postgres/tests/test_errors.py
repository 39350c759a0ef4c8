"""Errors in Osiris's terms: provoked on a real server, and the table behind them."""

from __future__ import annotations

import psycopg
import pytest

from osiris_core import ConnectError
from osiris_core.problem_codes import CODES
from osiris_core.testing import Connector
from osiris_core.testing.servers import PostgresDatabase
from osiris_postgres.errors import CONNECT_FAILURES, SQLSTATES, connect_category, map_error

SET_UP = (
    "CREATE TABLE parent (id int PRIMARY KEY);"
    "CREATE TABLE t (id int PRIMARY KEY, v varchar(3), n int2 NOT NULL CHECK (n < 100), p int REFERENCES parent,"
    " b bit(3), d date, j jsonb)"
)
PROVOKED = [
    ("INSERT INTO t (id, n, v) VALUES (1, 1, 'long')", "OSI-R102", "too long"),
    ("INSERT INTO t (id, n) VALUES (1, 40000)", "OSI-R102", "out of range"),
    ("INSERT INTO t (id, n, d) VALUES (1, 1, '2024-02-30')", "OSI-R102", "date or time"),
    ("INSERT INTO t (id, n, b) VALUES (1, 1, B'10')", "OSI-R102", "bit string"),
    ("INSERT INTO t (id) VALUES (1)", "OSI-R103", 'in column "n"'),
    ("INSERT INTO t (id, n) VALUES (1, 1), (1, 1)", "OSI-R104", "Key (id)=(1)"),
    ("INSERT INTO t (id, n, p) VALUES (1, 1, 5)", "OSI-R107", "Key (p)=(5)"),
    ("INSERT INTO t (id, n) VALUES (1, 100)", "OSI-R121", "check"),
    ("INSERT INTO t (id, n, j) VALUES (1, 1, '\"\\u0000\"')", "OSI-R120", "character"),
    ("SELECT * FROM nowhere", "OSI-R002", "nowhere"),
    ("SELECT nothing FROM t", "OSI-R002", "nothing"),
    ("SELEC 1", "OSI-R026", "syntax"),
    ("SET LOCAL ROLE pg_monitor; TRUNCATE t", "OSI-C044", "permission denied"),
    ("SET TRANSACTION READ ONLY; DELETE FROM t", "OSI-R023", "read-only"),
    ("SET LOCAL statement_timeout = 10; SELECT pg_sleep(1)", "OSI-R024", "stopped"),
    ("SELECT 1/0", "OSI-R102", "division"),
    ("EXECUTE nothing", "OSI-C048", "prepared"),
]


@pytest.mark.parametrize(("statement", "code", "words"), PROVOKED, ids=[code for _, code, _ in PROVOKED])
def test_what_the_server_refuses(postgres_database: PostgresDatabase, statement: str, code: str, words: str) -> None:
    with postgres_database.connect() as connection:
        connection.execute(SET_UP)
        connection.autocommit = False
        with pytest.raises(psycopg.Error) as caught:
            connection.execute(statement)
        fault = map_error(caught.value)
        connection.rollback()
    assert fault is not None
    assert (fault.code, words in fault.message) == (code, True), fault.message
    assert fault.hint


def test_a_row_is_never_quoted(postgres_database: PostgresDatabase) -> None:
    """A failing check's detail holds the whole row; a duplicate key's only the key."""
    with postgres_database.connect() as connection:
        connection.execute("CREATE TABLE t (id int CHECK (id > 0), secret text)")
        with pytest.raises(psycopg.Error) as caught:
            connection.execute("INSERT INTO t VALUES (-1, 'hunter2')")
    fault = map_error(caught.value)
    assert fault is not None
    assert "hunter2" not in fault.message + fault.hint


def test_every_code_is_registered() -> None:
    used = {row.code for row in SQLSTATES.values()} | {row.code for _, _, row in CONNECT_FAILURES}
    assert used <= set(CODES)


def test_other_peoples_errors_are_theirs() -> None:
    assert map_error(ValueError("x")) is None


def test_an_unknown_state_is_said_plainly() -> None:
    fault = map_error(psycopg.errors.RaiseException("custom"))
    assert fault is not None
    assert (fault.code, fault.message) == ("OSI-R001", "PostgreSQL says custom (P0001)")


@pytest.mark.parametrize(
    ("fields", "code", "category"),
    [
        ({"password": "wrong"}, "OSI-C043", "authentication"),
        ({"user": "nobody"}, "OSI-C043", "authentication"),
        ({"database": "nowhere"}, "OSI-C046", "permission"),
        ({"port": 1}, "OSI-C041", "network"),
        ({"host": "no.such.host.invalid"}, "OSI-C040", "name_resolution"),
        ({"sslmode": "require"}, "OSI-C042", "tls"),
    ],
)
def test_a_connection_that_cannot_be_had(
    connector: Connector, fields: dict[str, object], code: str, category: str
) -> None:
    wrong = Connector(connector.component, {**connector.fields, "connect_timeout": 2, **fields}, connector.work_dir)
    with pytest.raises(ConnectError) as caught:
        wrong.discover()
    assert (caught.value.code, caught.value.exit_code) == (code, 5)
    assert connect_category(str(caught.value.__cause__)) == category
    assert str(fields.get("password", "?")) not in caught.value.message
    failed = [finding for finding in wrong.driver.check(wrong.connection) if finding.status == "failed"]
    assert [finding.category for finding in failed] == [category]
    assert failed[0].hint


@pytest.mark.parametrize(
    ("words", "category"),
    [
        ("server closed the connection: sorry, too many clients already", "network"),
        ("FATAL:  the database system is starting up", "network"),
        ("connection to server failed: Network is unreachable", "ipv6_only"),
        ('server certificate for "a" does not match host name "b"', "tls"),
        ("FATAL:  Tenant or user not found", "authentication"),
        ("connection timeout expired", "network"),
    ],
)
def test_the_words_of_a_failed_connection(words: str, category: str) -> None:
    assert connect_category(words) == category
