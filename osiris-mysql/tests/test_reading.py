"""Reads: one snapshot, one SELECT, values bound; and what happens when the connection goes away."""

from __future__ import annotations

import time
from typing import Any

import pyarrow as pa
import pytest

from osiris_core import ConnectError, DriftError, InvalidInputError, OsirisError, RunError
from osiris_core.testing import Connector, people
from osiris_core.testing.servers import MySQLDatabase, MySQLServer
from osiris_mysql.columns import ReadColumn
from osiris_mysql.connect import open_session
from osiris_mysql.dates import InvalidDates
from osiris_mysql.reader import discard, open_reader, run_select
from osiris_mysql.typemap import parse

MANY = (
    "INSERT INTO t WITH RECURSIVE s AS (SELECT 0 AS n UNION ALL SELECT n + 1 FROM s WHERE n < 999) "
    "SELECT 1000 * x.n + y.n, REPEAT('x', 300) FROM s AS x, s AS y WHERE x.n < 60"
)


@pytest.fixture
def big(mysql_database: MySQLDatabase) -> MySQLDatabase:
    """60,000 rows of 300 bytes: more than all buffers between server and client."""
    mysql_database.execute(f"CREATE TABLE t (id INT PRIMARY KEY, a TEXT); {MANY}")
    return mysql_database


def stream_of(connector: Connector, config: dict[str, Any], **context: Any) -> Any:
    return open_reader(connector.connection, config, connector.context(**context))


def ids(connector: Connector, config: dict[str, Any], **context: Any) -> list[int]:
    return [row["id"] for batch in stream_of(connector, config, **context) for row in batch.to_pylist()]


# -- what is read ----------------------------------------------------------------------------------------
def test_a_read_is_one_snapshot(big: MySQLDatabase, connector: Connector) -> None:
    """TRAPS reading: rows that others commit while we read do not come."""
    stream = stream_of(connector, {"table": "t"}, batch_bytes=100_000)
    batches = iter(stream)
    rows = next(batches).num_rows
    big.execute("DELETE FROM t WHERE id % 2 = 0; INSERT INTO t VALUES (999999, 'late')")
    assert rows + sum(batch.num_rows for batch in batches) == 60_000


def test_a_read_cannot_write(mysql_database: MySQLDatabase, connector: Connector) -> None:
    """TRAPS reading: READ ONLY; even a function that writes is refused by the server."""
    mysql_database.execute("CREATE TABLE t (id INT); SET GLOBAL log_bin_trust_function_creators = 1")
    mysql_database.execute(
        "CREATE FUNCTION sneak() RETURNS INT NOT DETERMINISTIC MODIFIES SQL DATA "
        "BEGIN INSERT INTO t VALUES (1); RETURN 1; END"
    )
    with pytest.raises(RunError, match="READ ONLY") as caught:
        list(stream_of(connector, {"query": "SELECT sneak() AS id"}))
    assert caught.value.code == "OSI-R023"
    assert mysql_database.query("SELECT COUNT(*) FROM t") == [(0,)]


def test_query_binds_its_parameters_as_values(mysql_database: MySQLDatabase, connector: Connector) -> None:
    mysql_database.execute("CREATE TABLE t (id INT, name VARCHAR(99))")
    mysql_database.insert("t", [(1, 'it\'s 100% \\ "x"'), (2, "b"), (3, "' OR 1=1 -- ")])
    for wanted, name in ((1, 'it\'s 100% \\ "x"'), (3, "' OR 1=1 -- ")):
        config = {
            "query": "SELECT id FROM t WHERE name = ${params.p0} AND name LIKE '%' AND 7 % 4 = 3;",
            "sql_params": {"p0": name},
        }
        assert ids(connector, config) == [wanted]
        wrapped = config | {"where": [{"column": "id", "op": ">", "value": 0}], "order_by": [{"column": "id"}]}
        assert ids(connector, wrapped) == [wanted]
    config = {"table": "t", "where_sql": "name = ${params.p0} OR id % 2 = 0", "sql_params": {"p0": "b"}}
    assert ids(connector, config | {"where": [{"column": "id", "op": "<", "value": 3}]}) == [2]


def test_an_unset_parameter_is_refused(mysql_database: MySQLDatabase, connector: Connector) -> None:
    with pytest.raises(InvalidInputError, match="nope"):
        stream_of(connector, {"query": "SELECT ${params.nope} AS id"})


def test_query_takes_its_types_from_the_result(mysql_database: MySQLDatabase, connector: Connector) -> None:
    mysql_database.execute(
        "CREATE TABLE t (a INT UNSIGNED, d DECIMAL(10,3) UNSIGNED, f FLOAT, e ENUM('x'), b BIT(5), t TIME(2), "
        "j JSON, blob_ BLOB, y YEAR, ts TIMESTAMP(3) NULL, n CHAR(3))"
    )
    mysql_database.execute(
        "INSERT INTO t VALUES (1, 2.5, 0.1, 'x', b'101', '-01:02:03.40', '{}', 'q', 2024, '2024-01-01 00:00:00.5', 'é')"
    )
    stream = stream_of(connector, {"query": "SELECT *, SUM(a) OVER () AS total, NULL AS nothing, 1/3 AS third FROM t"})
    (batch,) = list(stream)
    types = {field.name: str(field.type) for field in stream.schema}
    assert types["a"] == "uint32"
    assert types["d"] == "decimal128(10, 3)"
    assert types["f"] == "float"
    assert types["b"] == "string"
    assert types["t"] == "duration[us]"
    assert types["ts"] == "timestamp[us, tz=UTC]"
    assert types["total"].startswith("decimal128(")
    row = batch.to_pylist()[0]
    assert row["f"] == pytest.approx(0.10000000149011612, abs=0)
    assert (row["b"], row["e"], row["n"], row["nothing"], row["blob_"]) == ("00101", "x", "é", None, b"q")


def test_the_order_of_a_query_is_kept(mysql_database: MySQLDatabase, connector: Connector) -> None:
    mysql_database.execute("CREATE TABLE t (id INT, f FLOAT)")
    mysql_database.insert("t", [(number, 100 - number) for number in range(100)])
    assert ids(connector, {"query": "SELECT id FROM t ORDER BY f"}) == list(range(99, -1, -1))
    assert connector.warnings == []
    stream_of(connector, {"query": "SELECT id, f FROM t ORDER BY f"}).close()
    assert [code for code, _ in connector.warnings] == ["OSI-R112"]
    # A condition is wrapped around the query too; what the warning says to do keeps the order.
    connector.warnings.clear()
    where = [{"column": "id", "op": "<", "value": 50}]
    stream_of(connector, {"query": "SELECT id FROM t ORDER BY f", "where": where}).close()
    assert [code for code, _ in connector.warnings] == ["OSI-R112"]
    connector.warnings.clear()
    windowed = "SELECT f, ROW_NUMBER() OVER (ORDER BY (id)) AS n, ') ORDER BY' AS a FROM t"
    stream_of(connector, {"query": windowed}).close()
    assert connector.warnings == []
    ordered = {"query": "SELECT id, f FROM t", "where": where, "order_by": [{"column": "f"}]}
    assert ids(connector, ordered) == list(range(49, -1, -1))
    assert connector.warnings == []


def test_a_query_with_two_columns_of_one_name_is_refused(mysql_database: MySQLDatabase, connector: Connector) -> None:
    with pytest.raises(RunError, match="Duplicate column name") as caught:
        stream_of(connector, {"query": "SELECT 1 AS a, 2 AS a"})
    assert caught.value.code == "OSI-R026"


def test_a_column_that_is_gone_is_drift(mysql_database: MySQLDatabase, connector: Connector) -> None:
    mysql_database.execute("CREATE TABLE t (total INT)")
    with pytest.raises(DriftError, match="no column totl") as caught:
        stream_of(connector, {"table": "t", "columns": ["totl"]})
    assert caught.value.hint == 'did you mean "total"?'
    with pytest.raises(DriftError, match="no table gone"):
        stream_of(connector, {"table": "gone"})


def test_a_result_that_changed_since_it_was_described_is_drift(
    mysql_database: MySQLDatabase, connector: Connector
) -> None:
    mysql_database.execute("CREATE TABLE t (a INT, b INT)")
    columns = [ReadColumn("a", parse("int"))]
    session = open_session(connector.connection)
    with pytest.raises(DriftError, match="a, b"):
        run_select(session, b"SELECT * FROM t", columns, InvalidDates("t", (), to_null=False), 100_000)
    discard(session)


def test_nobody_s_time_zone_matters(
    mysql_database: MySQLDatabase, connector: Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TRAPS types: TIMESTAMP and DATETIME come the same under TZ=Tokyo, on either side."""
    mysql_database.execute(
        "SET time_zone = '+00:00'; CREATE TABLE t (a TIMESTAMP NULL, b DATETIME); "
        "INSERT INTO t VALUES ('2026-03-29 02:30:00', '2026-03-29 02:30:00')"
    )
    here = connector.read("t").to_pylist()
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert connector.read("t").to_pylist() == here
    finally:
        monkeypatch.undo()
        time.tzset()
    assert [str(value) for value in here[0].values()] == ["2026-03-29 02:30:00+00:00", "2026-03-29 02:30:00"]


# -- incremental -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("kind", "values", "lag"),
    [
        ("BIGINT UNSIGNED", ["1", "18446744073709551614", "18446744073709551615"], 1),
        ("DECIMAL(20,5)", ["1.00001", "99999.99998", "99999.99999"], 1),
        ("DATE", ["2024-01-01", "2024-02-28", "2024-02-29"], "P1D"),
        ("DATETIME(6)", ["2024-01-01 00:00:00", "2024-02-29 23:59:59.999998", "2024-02-29 23:59:59.999999"], "PT1S"),
        ("TIMESTAMP(3) NULL", ["2024-01-01 00:00:00", "2024-03-31 01:30:00.001", "2024-03-31 01:30:00.002"], "PT1M"),
    ],
)
def test_incremental_reads_go_on_exactly(
    mysql_database: MySQLDatabase, connector: Connector, kind: str, values: list[str], lag: Any
) -> None:
    mysql_database.execute(f"SET time_zone = '+00:00'; CREATE TABLE t (id INT, c {kind})")
    mysql_database.execute("INSERT INTO t VALUES (0, NULL), (1, %s), (2, %s)", values[:2])
    config = {"table": "t", "incremental": {"cursor": "c"}}
    stream = stream_of(connector, config)
    assert sorted(row["id"] for batch in stream for row in batch.to_pylist()) == [0, 1, 2]
    state = stream.state()
    with mysql_database.connect() as session, session.cursor() as cursor:
        cursor.execute("SET time_zone = '+00:00'")
        cursor.execute("INSERT INTO t VALUES (3, %s)", [values[2]])
    assert ids(connector, config, state=state) == [3]
    lagging = {"table": "t", "incremental": {"cursor": "c", "lag": lag}}
    assert sorted(ids(connector, lagging, state=state)) == [2, 3]
    nothing = stream_of(connector, {"table": "t", "incremental": {"cursor": "c"}, "where_sql": "id < 0"}, state=state)
    assert list(nothing) == []
    assert nothing.state() == state


def test_state_of_another_cursor_is_refused(mysql_database: MySQLDatabase, connector: Connector) -> None:
    mysql_database.execute("CREATE TABLE t (a INT)")
    with pytest.raises(RunError, match="another cursor"):
        stream_of(connector, {"table": "t", "incremental": {"cursor": "a"}}, state={"cursor": "b", "value": "1"})


# -- partitions ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "kind", ["INT", "BIGINT UNSIGNED", "DECIMAL(12,3)", "DOUBLE", "DATE", "DATETIME(6)", "TIMESTAMP NULL"]
)
def test_ranges_of_every_kind_are_the_whole_table(
    mysql_database: MySQLDatabase, connector: Connector, kind: str
) -> None:
    temporal = kind.startswith(("DATE", "TIMESTAMP"))
    value = "DATE_ADD('2024-01-01', INTERVAL n DAY)" if temporal else "n * 3"
    mysql_database.execute(
        f"CREATE TABLE t (id INT, c {kind}); INSERT INTO t WITH RECURSIVE s AS "
        f"(SELECT 0 AS n UNION ALL SELECT n + 1 FROM s WHERE n < 499) SELECT n, IF(n % 50 = 7, NULL, {value}) FROM s"
    )
    config = {"table": "t", "partition": {"column": "c", "count": 4}}
    parts = connector.driver.plan_partitions(connector.connection, config, connector.context())
    found = []
    sizes = []
    for part in parts:
        stream = connector.driver.open_reader(connector.connection, config, connector.context(), part)
        rows = [row["id"] for batch in stream for row in batch.to_pylist()]
        sizes.append(len(rows))
        found += rows
    assert sorted(found) == list(range(500))
    assert len(sizes) == 4
    assert min(sizes) > 90


def test_text_cannot_divide_a_read(mysql_database: MySQLDatabase, connector: Connector) -> None:
    mysql_database.execute("CREATE TABLE t (a VARCHAR(9)); INSERT INTO t VALUES ('x'), ('y')")
    config = {"table": "t", "partition": {"column": "a", "count": 2}}
    with pytest.raises(RunError, match="cannot be divided"):
        connector.driver.plan_partitions(connector.connection, config, connector.context())


# -- when the connection goes away -----------------------------------------------------------------------
def read_until_it_breaks(connector: Connector, break_it: Any, *, bulk: bool) -> tuple[int, OsirisError]:
    stream = open_reader(connector.connection, {"table": "t"}, connector.context(batch_bytes=100_000), bulk=bulk)
    rows = 0
    with pytest.raises(OsirisError) as caught:
        for batch in stream:
            if rows == 0:
                break_it()
            rows += batch.num_rows
    stream.close()
    return rows, caught.value


@pytest.mark.parametrize("bulk", [True, False])
def test_the_true_error_of_a_killed_connection_is_raised(
    big: MySQLDatabase, connector: Connector, *, bulk: bool
) -> None:
    """TRAPS reading: SSCursor.close itself raises after a dropped connection and hides the true error."""

    def kill() -> None:
        victims = big.query("SELECT id FROM information_schema.processlist WHERE info LIKE 'SELECT `id`, `a` FROM `t`'")
        for (victim,) in victims:
            big.execute(f"KILL {victim}")

    rows, error = read_until_it_breaks(connector, kill, bulk=bulk)
    assert 0 < rows < 60_000
    assert isinstance(error, RunError)
    assert error.retryable
    assert error.code in ("OSI-R020", "OSI-R024")
    assert error.message.startswith("reading @under_test.t: ")


def test_a_server_that_is_killed_in_the_middle_is_a_lost_connection(
    own_mysql_server: MySQLServer, connector: Connector
) -> None:
    """MOVEMENT: a server killed mid-stream; nothing is handed on as if it were whole."""
    database = own_mysql_server.create_database()
    try:
        database.execute(f"CREATE TABLE t (id INT PRIMARY KEY, a TEXT); {MANY}")
        connector.fields = database.fields
        rows, error = read_until_it_breaks(connector, own_mysql_server.kill, bulk=True)
        assert 0 < rows < 60_000
        assert (error.code, error.retryable) == ("OSI-R020", True)
    finally:
        own_mysql_server.start()
        own_mysql_server.drop_database(database.database)


def test_a_slow_consumer_is_waited_for(big: MySQLDatabase, connector: Connector) -> None:
    """TRAPS reading: net_write_timeout is raised for the session, so a slow consumer does not lose the read."""
    big.execute("SET GLOBAL net_write_timeout = 1")
    try:
        stream = stream_of(connector, {"table": "t"}, batch_bytes=100_000)
        rows = 0
        for batch in stream:
            if rows == 0:
                time.sleep(3)
            rows += batch.num_rows
        assert rows == 60_000
    finally:
        big.execute("SET GLOBAL net_write_timeout = DEFAULT")


def test_a_silent_server_is_given_up(mysql_database: MySQLDatabase, connector: Connector) -> None:
    """TRAPS reading: read_timeout; a statement that never answers ends the read."""
    connector.fields = {**mysql_database.fields, "read_timeout": 1}
    started = time.monotonic()
    with pytest.raises(RunError) as caught:
        list(stream_of(connector, {"query": "SELECT SLEEP(30) AS id"}))
    assert time.monotonic() - started < 10
    assert (caught.value.code, caught.value.retryable) == ("OSI-R020", True)


def test_closing_early_ends_the_statement(big: MySQLDatabase, connector: Connector) -> None:
    """MOVEMENT: cancel by cutting the connection; SSCursor.close would read all the rows first."""
    stream = stream_of(connector, {"table": "t"}, batch_bytes=100_000)
    next(iter(stream))
    stream.close()
    stream.close()
    deadline = time.monotonic() + 10
    while big.query("SELECT 1 FROM information_schema.processlist WHERE info LIKE 'SELECT `id`, `a` FROM `t`'"):
        assert time.monotonic() < deadline, "the server is still sending"
        time.sleep(0.05)


#: What a careful or careless administrator may have set for everybody.
ODD_SETTINGS = {
    "sql_mode": "'ANSI_QUOTES,PAD_CHAR_TO_FULL_LENGTH,NO_BACKSLASH_ESCAPES'",
    "time_zone": "'+09:00'",
    "net_write_timeout": "1",
    "sql_select_limit": "2",
    "group_concat_max_len": "4",
    "sql_auto_is_null": "1",
    "sql_safe_updates": "1",
}


def test_sessions_are_the_same_everywhere(mysql_database: MySQLDatabase, connector: Connector) -> None:
    """A server's defaults change neither what is read, nor how many rows, nor what a write may do."""
    connector.write("t", people(range(1, 6)), "merge", merge_keys=["id"])
    expected = connector.rows("t")
    query = {"query": "SELECT GROUP_CONCAT(name ORDER BY id) AS names FROM t"}
    levels = [
        row[0]
        for row in mysql_database.query(
            "SHOW GLOBAL VARIABLES WHERE variable_name IN ('tx_isolation', 'transaction_isolation')"
        )
    ]
    try:
        for name, value in ODD_SETTINGS.items():
            mysql_database.execute(f"SET GLOBAL {name} = {value}")
        mysql_database.execute("SET GLOBAL TRANSACTION ISOLATION LEVEL READ COMMITTED")
        assert connector.rows("t") == expected
        assert connector.read(None, **query).to_pylist() == [{"names": "n1,n2,n3,n4,n5"}]
        connector.write("t", people([1, 2, 9]), "merge", merge_keys=["id"], delete_missing=True)
        assert [row["id"] for row in connector.rows("t")] == [1, 2, 9]
        session = open_session(connector.connection)
        with session.cursor() as cursor:
            cursor.execute(f"SELECT @@sql_mode, @@time_zone, @@{levels[0]}")
            assert cursor.fetchone() == ("", "+00:00", "REPEATABLE-READ")
        session.close()
    finally:
        for name in ODD_SETTINGS:
            mysql_database.execute(f"SET GLOBAL {name} = DEFAULT")
        mysql_database.execute("SET GLOBAL TRANSACTION ISOLATION LEVEL REPEATABLE READ")


def test_the_empty_text_is_a_text_for_every_account(mysql_database: MySQLDatabase, connector: Connector) -> None:
    """MariaDB can take it for NULL: then nothing is equal to it."""
    connector.write("t", people([1, 2]).set_column(1, "name", pa.array(["", "x"])))
    mariadb = "MariaDB" in mysql_database.query("SELECT VERSION()")[0][0]
    try:
        mysql_database.execute(f"SET GLOBAL sql_mode = '{'EMPTY_STRING_IS_NULL' if mariadb else 'PIPES_AS_CONCAT'}'")
        found = connector.rows("t", where=[{"column": "name", "op": "=", "value": ""}])
    finally:
        mysql_database.execute("SET GLOBAL sql_mode = DEFAULT")
    assert [row["id"] for row in found] == [1]


def test_a_refused_login_is_a_connect_error(mysql_database: MySQLDatabase, connector: Connector) -> None:
    connector.fields = {**mysql_database.fields, "password": "wrong"}
    with pytest.raises(ConnectError) as caught:
        stream_of(connector, {"table": "t"})
    assert (caught.value.code, caught.value.retryable) == ("OSI-C043", False)
    assert "wrong" not in f"{caught.value} {caught.value.hint}"


def test_a_stream_speaks_the_capsule_interface(connector: Connector) -> None:
    name = connector.seed(people([1, 2]))
    stream = stream_of(connector, {"table": name})
    assert pa.RecordBatchReader.from_stream(stream).read_all().num_rows == 2
