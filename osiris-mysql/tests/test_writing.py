"""Writes: nothing is altered in silence, one atomic change, and what the table's own rules do to it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from osiris_core import DriftError, OsirisError, RunError
from osiris_core.data import field
from osiris_core.testing import Connector, edge_table, people, rows_of, stream_of
from osiris_core.testing.servers import MySQLDatabase, MySQLServer
from osiris_mysql.connect import open_session


def one(kind: pa.DataType, *values: Any, osiris: str = "", source: str = "", nullable: bool = True) -> pa.Table:
    """A table of a key and one column ``a``."""
    schema = pa.schema(
        [pa.field("id", pa.int64(), nullable=False), field("a", kind, nullable, osiris=osiris, source=source)]
    )
    return pa.Table.from_arrays([pa.array(range(len(values)), pa.int64()), pa.array(values, kind)], schema=schema)


def make(database: MySQLDatabase, column: str, *, more: str = "") -> None:
    database.execute(f"CREATE TABLE t (id BIGINT PRIMARY KEY, a {column}{more})")


def refused(connector: Connector, data: pa.Table, write_mode: str = "append", **config: Any) -> OsirisError:
    with pytest.raises(OsirisError) as caught:
        connector.write("t", data, write_mode, **config)
    return caught.value


@pytest.fixture(params=["load", "insert"])
def way(mysql_server: MySQLServer, request: pytest.FixtureRequest) -> Iterator[str]:
    """Rows go by LOAD DATA LOCAL where the server allows it, else by INSERT."""
    (before,) = mysql_server.query("SELECT @@GLOBAL.local_infile")
    mysql_server.execute(f"SET GLOBAL local_infile = {'ON' if request.param == 'load' else 'OFF'}")
    yield request.param
    mysql_server.execute(f"SET GLOBAL local_infile = {before[0]}")


# -- values ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("column", "data"),
    [
        ("DECIMAL(10,2)", one(pa.decimal128(12, 4), Decimal("1.2350"))),
        ("DECIMAL(10,2)", one(pa.string(), "1.235", osiris="decimal")),
        ("INT", one(pa.decimal128(12, 4), Decimal("1.5000"))),
        ("INT", one(pa.string(), "7")),
        ("INT", one(pa.float64(), 1.5)),
        ("DECIMAL(10,2)", one(pa.float64(), 1.5)),
        ("FLOAT", one(pa.float64(), 0.1)),
        ("FLOAT", one(pa.int64(), 16777217)),
        ("DOUBLE", one(pa.int64(), 2**53 + 1)),
        ("DOUBLE", one(pa.float64(), float("nan"))),
        ("DOUBLE", one(pa.float64(), float("inf"))),
        ("DATETIME(3)", one(pa.timestamp("us"), datetime(2024, 1, 1, 0, 0, 0, 1))),
        ("TIME", one(pa.time64("us"), time(0, 0, 0, 500_000))),
        ("TIME(2)", one(pa.duration("us"), timedelta(microseconds=1), osiris="time")),
        ("DATE", one(pa.timestamp("us"), datetime(2024, 1, 1))),
        ("CHAR(5)", one(pa.string(), "ab ")),
        ("VARCHAR(2)", one(pa.string(), "ab ")),
        ("VARCHAR(2)", one(pa.string(), "abc")),
        ("TINYTEXT", one(pa.string(), "é" * 127 + "  ")),
        ("BINARY(4)", one(pa.binary(), b"ab")),
        ("BIT(8)", one(pa.string(), "0101", osiris="bit")),
        ("YEAR", one(pa.int16(), 5)),
        ("TINYINT", one(pa.int64(), 128)),
        ("INT UNSIGNED", one(pa.int64(), -1)),
        ("DATETIME", one(pa.timestamp("ns"), 1)),
        ("TIMESTAMP(6) NULL", one(pa.timestamp("us", "UTC"), datetime(2120, 1, 1))),
        ("TIME", one(pa.duration("us"), timedelta(hours=839), osiris="time")),
        ("ENUM('x')", one(pa.string(), "y")),
        ("ENUM('x','y')", one(pa.string(), "2")),
        ("SET('x','y')", one(pa.string(), "3")),
        ("VARCHAR(9) CHARACTER SET latin1", one(pa.string(), "日本")),
        ("JSON", one(pa.string(), "{not json", osiris="json")),
        ("VARBINARY(2)", one(pa.binary(), b"abc")),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value.field("a").type),
)
def test_what_mysql_would_alter_is_refused(
    mysql_database: MySQLDatabase, connector: Connector, way: str, column: str, data: pa.Table
) -> None:
    """MySQL rounds, cuts, pads and reads YEAR 5 as 2005, partly even in strict mode."""
    make(mysql_database, column)
    error = refused(connector, data)
    assert error.exit_code == 4
    assert error.code in ("OSI-R102", "OSI-R121")
    assert mysql_database.query("SELECT COUNT(*) FROM t") == [(0,)]


@pytest.mark.parametrize(
    ("column", "data", "stored"),
    [
        ("DECIMAL(10,2)", one(pa.decimal128(12, 4), Decimal("1.2300")), Decimal("1.23")),
        ("DECIMAL(10,2)", one(pa.string(), "1.230", osiris="decimal"), Decimal("1.23")),
        ("DECIMAL(65,30)", one(pa.decimal256(65, 30), Decimal("1E-30")), Decimal("1E-30")),
        ("BIGINT", one(pa.decimal128(12, 2), Decimal("7.00")), 7),
        ("DECIMAL(20,0)", one(pa.uint64(), 2**64 - 1), Decimal(2**64 - 1)),
        ("DOUBLE", one(pa.int64(), 2**53), float(2**53)),
        ("FLOAT", one(pa.float64(), 0.5), 0.5),
        ("TINYINT(1)", one(pa.bool_(), True), 1),
        ("BIT(1)", one(pa.bool_(), True), b"\x01"),
        ("VARCHAR(30)", one(pa.int64(), -5), "-5"),
        ("VARCHAR(30)", one(pa.date32(), 0), "1970-01-01"),
        ("DATETIME", one(pa.date32(), 0), datetime(1970, 1, 1)),
        ("DATETIME(3)", one(pa.timestamp("ms"), 1), datetime(1970, 1, 1, 0, 0, 0, 1000)),
        ("DATETIME(6)", one(pa.timestamp("us", "Asia/Tokyo"), 0), datetime(1970, 1, 1)),
        ("TIME(6)", one(pa.time64("ns"), 1000), timedelta(microseconds=1)),
        ("VARCHAR(9)", one(pa.string(), "a\0'\\\"\n\x1a%"), "a\0'\\\"\n\x1a%"),
        ("VARBINARY(9)", one(pa.binary(), b"\0'\\\xff"), b"\0'\\\xff"),
        ("BINARY(2)", one(pa.binary(2), b"\0\xff"), b"\0\xff"),
        ("BIT(4)", one(pa.string(), "0101", osiris="bit"), b"\x05"),
        ("INT", one(pa.null(), None), None),
        ("YEAR", one(pa.int16(), 0), 0),
        ("ENUM('x','y')", one(pa.string(), "y"), "y"),
        ("ENUM('2','1')", one(pa.string(), "1"), "1"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_fits_is_stored_exactly(
    mysql_database: MySQLDatabase, connector: Connector, way: str, column: str, data: pa.Table, stored: Any
) -> None:
    make(mysql_database, column)
    connector.write("t", data)
    assert mysql_database.query("SELECT a FROM t") == [(stored,)]


def test_edge_values_come_back_exact_either_way(connector: Connector, way: str) -> None:
    data = edge_table(without={"decimal_text", "ř🦦"})
    plain = data.drop_columns(["bool", "binary"])  # columns that LOAD DATA cannot take are inserted
    for part in (data, plain):
        name = connector.seed(part)
        assert connector.rows(name) == rows_of(part)


def test_a_server_that_asks_for_a_file_gets_none(connector: Connector, tmp_path: Path) -> None:
    """A hostile server may answer any statement with a request for a file of the client's."""
    asked, told = threading.Event(), []

    def serve(listener: socket.socket) -> None:
        client, _ = listener.accept()
        greeting = b"\x0a8.0.36\0" + b"\x01\0\0\0" + b"12345678\0" + b"\xff\xf7\x2d\x02\0\xff\xdf\x15" + bytes(10)
        greeting += b"123456789012\0mysql_native_password\0"
        ok = b"\x07\0\0%c\0\0\0\x02\0\0\0"
        client.sendall(len(greeting).to_bytes(3, "little") + b"\0" + greeting)
        client.recv(1 << 16)
        client.sendall(ok % 2)
        for _ in range(8):
            statement = client.recv(1 << 16)
            if b"SELECT" in statement or not statement:
                break
            client.sendall(ok % 1)
        request = b"\xfb/etc/passwd"
        client.sendall(len(request).to_bytes(3, "little") + b"\x01" + request)
        asked.set()
        told.append(client.recv(1 << 16))
        client.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener,))
        server.start()
        place = {"host": "127.0.0.1", "port": listener.getsockname()[1], "ssl_mode": "disabled"}
        with pytest.raises(Exception, match="LOAD_LOCAL"):
            open_session(connector.connection_with(**place), writing=True)
        server.join(10)
    assert asked.is_set()
    assert b"root:" not in b"".join(told)


def test_null_where_the_table_says_not_null(mysql_database: MySQLDatabase, connector: Connector) -> None:
    """NULL in a NOT NULL TIMESTAMP would become the current time on servers of the old default."""
    make(mysql_database, "TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP")
    error = refused(connector, one(pa.timestamp("us", "UTC"), None))
    assert (error.code, "column a" in error.message) == ("OSI-R103", True)


def test_zero_stays_zero_in_an_auto_increment_column(mysql_database: MySQLDatabase, connector: Connector) -> None:
    mysql_database.execute("CREATE TABLE t (id BIGINT AUTO_INCREMENT PRIMARY KEY, a INT)")
    connector.write("t", one(pa.int32(), 7))
    assert mysql_database.query("SELECT id, a FROM t") == [(0, 7)]


def test_types_that_have_no_place_are_refused_by_name(mysql_database: MySQLDatabase, connector: Connector) -> None:
    for kind in (pa.list_(pa.int32()), pa.struct([("x", pa.int32())]), pa.month_day_nano_interval()):
        data = one(pa.int32(), 1).append_column("odd", pa.nulls(1, kind))
        assert "odd" in refused(connector, data, create="if_missing").message


def test_created_tables_have_faithful_types(mysql_database: MySQLDatabase, connector: Connector) -> None:
    schema = pa.schema(
        [
            field("k", pa.string(), nullable=False),
            field("u", pa.uint32()),
            field("d", pa.decimal128(20, 12), source="mysql:decimal(20,12)"),
            field("e", pa.string(), osiris="enum", source="mysql:enum('a','it''s')"),
            field("s", pa.string(), source="mysql:varchar(40)"),
            field("b", pa.string(), osiris="bit", source="postgres:bit(7)"),
            field("j", pa.string(), osiris="json"),
            field("w", pa.string(), source="mysql:int) , evil INT, x (y"),
            field("ts", pa.timestamp("us", "UTC"), nullable=False),
        ]
    )
    connector.write("t", schema.empty_table(), "merge", merge_keys=["k"])
    found = {column.name: column for column in connector.table("t").columns}
    assert connector.table("t").primary_key == ("k",)
    assert not found["k"].case_insensitive
    assert {name: column.arrow for name, column in found.items()} == {
        "k": "string", "u": "uint32", "d": "decimal128(20, 12)", "e": "string", "s": "string", "b": "string",
        "j": "string", "w": "string", "ts": "timestamp[us, tz=UTC]",
    }  # fmt: skip
    assert found["e"].type == "enum('a','it''s')"
    assert found["s"].type == "varchar(40)"
    assert found["b"].type == "bit(7)"
    assert (found["j"].osiris_type, found["w"].type) == ("json", "longtext")


def test_text_keys_of_created_tables_are_exact(mysql_database: MySQLDatabase, connector: Connector) -> None:
    """TRAPS types: 'ABC ' and 'abc' stay two keys in a table that we make."""
    data = pa.table({"k": ["ABC", "abc", "abc ", "äbc"], "n": pa.array([1, 2, 3, 4], pa.int8())})
    connector.write("t", data, "merge", merge_keys=["k"])
    connector.write("t", data.set_column(1, "n", pa.array([5, 6, 7, 8], pa.int8())), "merge", merge_keys=["k"])
    assert {(row["k"], row["n"]) for row in connector.rows("t")} == {("ABC", 5), ("abc", 6), ("abc ", 7), ("äbc", 8)}


# -- the table's own rules --------------------------------------------------------------------------------
def test_generated_columns_are_left_out(mysql_database: MySQLDatabase, connector: Connector) -> None:
    """TRAPS types: the writer leaves generated columns out; as a merge key they are an error."""
    make(mysql_database, "INT", more=", g BIGINT AS (a * 2) STORED UNIQUE")
    data = one(pa.int32(), 1, 2).append_column("g", pa.array([99, 98], pa.int64()))
    connector.write("t", data)
    connector.write("t", data.set_column(1, "a", pa.array([5, 6], pa.int32())), "merge", merge_keys=["id"])
    assert mysql_database.query("SELECT id, a, g FROM t") == [(0, 5, 10), (1, 6, 12)]
    assert "g is generated" in refused(connector, data, "merge", merge_keys=["g"]).message


def test_a_conflict_on_another_unique_key_is_an_error(
    mysql_database: MySQLDatabase, connector: Connector, way: str
) -> None:
    """ON DUPLICATE KEY UPDATE would overwrite whichever row conflicts, on any key."""
    make(mysql_database, "INT UNIQUE")
    mysql_database.insert("t", [(1, 10), (2, 20)])
    data = pa.table({"id": pa.array([3], pa.int64()), "a": pa.array([20], pa.int32())})
    error = refused(connector, data, "merge", merge_keys=["id"])
    assert error.code == "OSI-R104"
    assert mysql_database.query("SELECT id, a FROM t") == [(1, 10), (2, 20)]


def test_a_key_that_exists_is_an_error_for_append(
    mysql_database: MySQLDatabase, connector: Connector, way: str
) -> None:
    make(mysql_database, "INT")
    mysql_database.insert("t", [(1, 10)])
    assert refused(connector, one(pa.int32(), 5, 6)).code == "OSI-R104"
    assert mysql_database.query("SELECT id, a FROM t") == [(1, 10)]


def test_merge_skips_what_is_unchanged(mysql_database: MySQLDatabase, connector: Connector) -> None:
    """Rows whose bytes would not change are not written, and ON UPDATE CURRENT_TIMESTAMP does not fire."""
    make(
        mysql_database,
        "VARCHAR(9) COLLATE utf8mb4_general_ci",
        more=", j JSON, seen DATETIME DEFAULT '2000-01-01' ON UPDATE CURRENT_TIMESTAMP",
    )
    schema = pa.schema([("id", pa.int64()), ("a", pa.string()), field("j", pa.string(), osiris="json")])
    rows = [(1, "same", '{"x": 1}'), (2, "case", None), (3, None, None), (4, "old", None)]
    mysql_database.execute(
        "INSERT INTO t (id, a, j) VALUES (%s,%s,%s), (%s,%s,%s), (%s,%s,%s), (%s,%s,%s)", sum(rows, ())
    )
    incoming = pa.Table.from_pylist(
        [
            dict(zip(("id", "a", "j"), row, strict=True))
            for row in [rows[0], (2, "CASE", None), rows[2], (5, "new", None)]
        ],
        schema=schema,
    )
    result = connector.write("t", incoming, "merge", merge_keys=["id"])
    assert (result.written, result.unchanged) == (4, 2)
    found = {row[0]: row for row in mysql_database.query("SELECT id, a, seen > '2000-01-01' FROM t")}
    assert found == {1: (1, "same", 0), 2: (2, "CASE", 1), 3: (3, None, 0), 4: (4, "old", 0), 5: (5, "new", 0)}


def test_merge_keys_without_a_unique_key_must_still_hit_one_row(
    mysql_database: MySQLDatabase, connector: Connector
) -> None:
    mysql_database.execute("CREATE TABLE t (id BIGINT, a INT); INSERT INTO t VALUES (0, 1), (5, 5)")
    connector.write("t", one(pa.int32(), 7, 8), "merge", merge_keys=["id"])
    assert sorted(mysql_database.query("SELECT id, a FROM t")) == [(0, 7), (1, 8), (5, 5)]
    mysql_database.execute("INSERT INTO t VALUES (0, 9)")
    error = refused(connector, one(pa.int32(), 3), "merge", merge_keys=["id"])
    assert error.code == "OSI-R003"
    assert sorted(mysql_database.query("SELECT id, a FROM t")) == [(0, 7), (0, 9), (1, 8), (5, 5)]


def test_merge_by_several_keys_and_by_all_columns(mysql_database: MySQLDatabase, connector: Connector) -> None:
    mysql_database.execute("CREATE TABLE t (a INT, b VARCHAR(9), c INT, PRIMARY KEY (a, b))")
    data = pa.table({"a": pa.array([1, 1, 2], pa.int32()), "b": ["x", "y", "x"], "c": pa.array([1, 2, 3], pa.int32())})
    connector.write("t", data, "merge", merge_keys=["b", "a"])
    connector.write("t", data.select(["a", "b"]), "merge", merge_keys=["a", "b"])
    assert sorted(mysql_database.query("SELECT * FROM t")) == [(1, "x", 1), (1, "y", 2), (2, "x", 3)]


def test_a_merge_key_that_differs_only_in_case_comes_twice(mysql_database: MySQLDatabase, connector: Connector) -> None:
    """TRAPS types: under general_ci the server takes 'ABC' and 'abc' for one key, so neither is lost in silence."""
    mysql_database.execute("CREATE TABLE t (k VARCHAR(9) COLLATE utf8mb4_general_ci PRIMARY KEY, a INT)")
    data = pa.table({"k": ["abc", "ABC"], "a": pa.array([1, 2], pa.int32())})
    assert refused(connector, data, "merge", merge_keys=["k"]).code == "OSI-R109"


def test_a_referenced_table_is_replaced_row_by_row(mysql_database: MySQLDatabase, connector: Connector) -> None:
    """Replace keeps what foreign keys refer to: rows are deleted only if the source no longer has them."""
    make(mysql_database, "INT")
    mysql_database.execute(
        "CREATE TABLE child (pid BIGINT, FOREIGN KEY (pid) REFERENCES t (id) ON DELETE CASCADE); "
        "INSERT INTO t VALUES (0, 1), (1, 1), (9, 1); INSERT INTO child VALUES (0), (1)"
    )
    result = connector.write("t", one(pa.int32(), 5, 6), "replace")
    assert (result.written, result.deleted) == (2, 1)
    assert mysql_database.query("SELECT id, a FROM t") == [(0, 5), (1, 6)]
    assert mysql_database.query("SELECT COUNT(*) FROM child") == [(2,)]
    no_key = one(pa.int32(), 5).select(["a"])
    mysql_database.execute("ALTER TABLE t ALTER id SET DEFAULT 0")
    assert refused(connector, no_key, "replace").code == "OSI-R123"


def test_a_missing_parent_is_an_error(mysql_database: MySQLDatabase, connector: Connector, way: str) -> None:
    mysql_database.execute("CREATE TABLE p (x INT PRIMARY KEY)")
    make(mysql_database, "INT", more=", FOREIGN KEY (a) REFERENCES p (x)")
    assert refused(connector, one(pa.int32(), 1)).code == "OSI-R107"


def test_a_check_constraint_refuses(mysql_database: MySQLDatabase, connector: Connector, way: str) -> None:
    make(mysql_database, "INT CHECK (a > 0)")
    assert refused(connector, one(pa.int32(), -1)).code == "OSI-R121"


def test_tables_that_cannot_roll_back_are_refused(mysql_database: MySQLDatabase, connector: Connector) -> None:
    mysql_database.execute("CREATE TABLE t (id BIGINT PRIMARY KEY, a INT) ENGINE=MyISAM")
    error = refused(connector, one(pa.int32(), 1))
    assert (error.code, "MyISAM" in error.message) == ("OSI-R028", True)
    connector.write("t", one(pa.int32(), 1), require="at_least_once")
    assert mysql_database.query("SELECT a FROM t") == [(1,)]


def test_views_are_not_written(mysql_database: MySQLDatabase, connector: Connector) -> None:
    mysql_database.execute("CREATE TABLE base (id BIGINT, a INT); CREATE VIEW t AS SELECT * FROM base")
    assert refused(connector, one(pa.int32(), 1)).code == "OSI-R122"


def test_a_required_column_without_a_source_is_drift(mysql_database: MySQLDatabase, connector: Connector) -> None:
    make(mysql_database, "INT", more=", b INT NOT NULL, c INT NOT NULL DEFAULT 3")
    error = refused(connector, one(pa.int32(), 1))
    assert isinstance(error, DriftError)
    assert "a value for b," in error.message


def test_column_names_ignore_case_like_the_server(mysql_database: MySQLDatabase, connector: Connector) -> None:
    make(mysql_database, "INT")
    connector.write("t", one(pa.int32(), 4).rename_columns(["ID", "A"]), "merge", merge_keys=["ID"])
    assert mysql_database.query("SELECT id, a FROM t") == [(0, 4)]
    twins = one(pa.int32(), 1).append_column("A", pa.array([2], pa.int32()))
    assert refused(connector, twins).code == "OSI-R105"


def test_rows_larger_than_a_statement_go_alone(mysql_database: MySQLDatabase, connector: Connector) -> None:
    make(mysql_database, "LONGBLOB")
    blob = bytes(range(256)) * 20_000
    connector.write("t", one(pa.binary(), blob, b"", blob[:100], blob))
    assert mysql_database.query("SELECT a FROM t ORDER BY id") == [(blob,), (b"",), (blob[:100],), (blob,)]


def test_a_row_beyond_max_allowed_packet_says_so(
    mysql_server: MySQLServer, mysql_database: MySQLDatabase, connector: Connector
) -> None:
    make(mysql_database, "LONGBLOB")
    mysql_server.execute("SET GLOBAL max_allowed_packet = 1048576")
    try:
        error = refused(connector, one(pa.binary(), b"x" * 2_000_000))
    finally:
        mysql_server.execute("SET GLOBAL max_allowed_packet = 67108864")
    assert (error.code, "max_allowed_packet" in error.hint) == ("OSI-R025", True)


# -- rights ---------------------------------------------------------------------------------------------
@pytest.fixture
def limited(mysql_server: MySQLServer, mysql_database: MySQLDatabase, connector: Connector) -> Any:
    """A function that makes the connector log in as an account with those rights only."""
    user = mysql_database.database[-30:]

    def login(*rights: str) -> Connector:
        mysql_server.execute(f"CREATE USER '{user}'@'%' IDENTIFIED BY 'pw'")
        for right in rights:
            mysql_server.execute(f"GRANT {right.format(db=mysql_database.database)} TO '{user}'@'%'")
        connector.fields = {**mysql_database.fields, "user": user, "password": "pw"}
        return connector

    yield login
    mysql_server.execute(f"DROP USER IF EXISTS '{user}'@'%'")


def test_without_the_right_to_create_the_ledger_the_ddl_is_given(mysql_database: MySQLDatabase, limited: Any) -> None:
    make(mysql_database, "INT")
    connector = limited("SELECT, INSERT, CREATE TEMPORARY TABLES ON `{db}`.*")
    error = refused(connector, one(pa.int32(), 1))
    assert error.code == "OSI-R027"
    statement = error.hint.partition("run: ")[2]
    mysql_database.execute(statement)
    assert connector.write("t", one(pa.int32(), 1)).written == 1


def test_without_the_right_to_write_the_ledger_nothing_is_begun(mysql_database: MySQLDatabase, limited: Any) -> None:
    make(mysql_database, "INT")
    connector = limited("SELECT, INSERT ON `{db}`.t")
    connector.fields, few = mysql_database.fields, connector.fields
    assert connector.write("other", one(pa.int32(), 1)).written == 1, "makes the ledger"
    connector.fields = few
    error = refused(connector, one(pa.int32(), 2))
    assert (error.code, error.exit_code) == ("OSI-R027", 4)
    mysql_database.execute(error.hint.partition("run: ")[2])
    assert connector.write("t", one(pa.int32(), 2)).written == 1


def test_a_missing_privilege_is_named(mysql_database: MySQLDatabase, limited: Any) -> None:
    make(mysql_database, "INT")
    connector = limited("SELECT ON `{db}`.*", "INSERT, CREATE, SELECT ON `{db}`._osiris_commits")
    error = refused(connector, one(pa.int32(), 1))
    assert (error.code, "INSERT command denied" in error.message) == ("OSI-C044", True)


# -- the lock ------------------------------------------------------------------------------------------
def test_one_run_at_a_time_writes_a_table(
    mysql_database: MySQLDatabase, connector: Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("osiris_mysql.ledger.LOCK_SECONDS", 1)
    name = connector.seed(people([1]))
    config = connector.write_config(name, "append")
    first = connector.driver.open_writer(connector.connection, config, connector.context())
    first.begin()
    first.stage(stream_of(people([2])))
    with pytest.raises(RunError) as caught:
        connector.write(name, people([3]))
    assert (caught.value.code, caught.value.retryable) == ("OSI-R029", True)
    other = connector.seed(people([7]))
    assert connector.write(other, people([8])).written == 1, "another table is not locked"
    first.commit()
    first.close()
    connector.write(name, people([3]))
    assert [row["id"] for row in connector.rows(name)] == [1, 2, 3]


# -- verify ----------------------------------------------------------------------------------------------
TRIGGERS = (
    "CREATE TRIGGER ti BEFORE INSERT ON t FOR EACH ROW SET NEW.a = IF(NEW.id = 1, 'Changed', NEW.a)",
    "CREATE TRIGGER tu BEFORE UPDATE ON t FOR EACH ROW SET NEW.a = IF(NEW.id = 1, 'Changed', NEW.a)",
)


@pytest.mark.parametrize("write_mode", ["append", "merge", "replace"])
def test_a_checksum_sees_what_a_count_does_not(
    mysql_server: MySQLServer, mysql_database: MySQLDatabase, connector: Connector, write_mode: str
) -> None:
    """verify: checksum compares what the table holds with what was sent, value by value."""
    mysql_server.execute("SET GLOBAL log_bin_trust_function_creators = 1")
    make(mysql_database, "VARCHAR(9) COLLATE utf8mb4_general_ci")
    keys: dict[str, Any] = {"merge_keys": ["id"]} if write_mode == "merge" else {}
    data = one(pa.string(), "x", "changed", None)
    connector.write("t", data, write_mode, verify="checksum", **keys)
    mysql_database.execute("DELETE FROM t WHERE id < 2" if write_mode == "merge" else "DELETE FROM t")
    before = mysql_database.query("SELECT * FROM t")
    for trigger in TRIGGERS:
        mysql_database.execute(trigger)
    error = refused(connector, data, write_mode, verify="checksum", **keys)
    assert error.code == "OSI-R003"
    assert ("first (1)" in error.message) is (write_mode == "merge")
    assert mysql_database.query("SELECT * FROM t") == before
    assert connector.write("t", data, write_mode, verify="count", **keys).written == 3


@pytest.mark.parametrize("write_mode", ["append", "merge"])
def test_checksums_agree_on_every_edge_value(connector: Connector, way: str, write_mode: str) -> None:
    data = edge_table(without={"decimal_text", "ř🦦"})
    keys: dict[str, Any] = {"merge_keys": ["id"]} if write_mode == "merge" else {}
    name = connector.new_name()
    assert connector.write(name, data, write_mode, verify="checksum", **keys).written == data.num_rows
    assert connector.rows(name) == rows_of(data)


def test_checksums_agree_when_types_differ(mysql_database: MySQLDatabase, connector: Connector) -> None:
    mysql_database.execute(
        "CREATE TABLE t (a DECIMAL(20,0), b TINYINT(1), c TIME(6), d DATETIME(6), e VARCHAR(9), f DECIMAL(9,3), "
        "g BIT(1), h TIMESTAMP(6) NULL, i JSON)"
    )
    schema = pa.schema(
        [
            ("a", pa.uint64()), ("b", pa.bool_()), ("c", pa.time32("ms")), ("d", pa.date32()), ("e", pa.int32()),
            field("f", pa.string(), osiris="decimal"), field("g", pa.string(), osiris="bit"), ("h", pa.timestamp("ms")),
            field("i", pa.string(), osiris="json"),
        ]
    )  # fmt: skip
    row = [2**64 - 1, True, time(1, 2, 3), 1, -5, "1.50", "1", 1000, '{"b": 1.10, "a": [1e2]}']
    arrays = [pa.array([value, None], kind) for value, kind in zip(row, schema.types, strict=True)]
    data = pa.Table.from_arrays(arrays, schema=schema)
    mysql_database.execute("INSERT INTO t (e) VALUES ('old')")
    assert connector.write("t", data, verify="checksum").written == 2
