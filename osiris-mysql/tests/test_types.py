"""Each row of the table of types that other tools alter: what MySQL holds is what Arrow gets, to the last digit."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from osiris_core import RunError
from osiris_core.data import osiris_type, source_type
from osiris_core.testing import Connector
from osiris_core.testing.servers import MySQLDatabase
from osiris_mysql.reader import open_reader

LENIENT = "SET sql_mode = '', time_zone = '+09:00'; "


def read(connector: Connector, *, bulk: bool = True, **config: Any) -> pa.Table:
    """A whole read by the bulk decoder, or by the plain cursor."""
    stream = open_reader(connector.connection, {"table": "t", **config}, connector.context(), bulk=bulk)
    return pa.Table.from_batches(list(stream), stream.schema)


def make(database: MySQLDatabase, columns: str, *rows: str) -> None:
    """Table ``t`` with those columns and rows, as a careless client with another time zone would fill it."""
    values = "; ".join(f"INSERT INTO t VALUES ({row})" for row in rows)
    database.execute(f"{LENIENT}CREATE TABLE t ({columns}); {values}")


@pytest.fixture(params=["bulk", "plain"])
def bulk(request: pytest.FixtureRequest) -> bool:
    """Each case goes both ways."""
    return bool(request.param == "bulk")


@pytest.mark.parametrize(
    ("columns", "row", "arrow", "value"),
    [
        ("a TINYINT(1)", "4", pa.int8(), 4),
        ("a TINYINT(1)", "-1", pa.int8(), -1),
        ("a TINYINT UNSIGNED", "255", pa.uint8(), 255),
        ("a SMALLINT", "-32768", pa.int16(), -32768),
        ("a MEDIUMINT", "-8388608", pa.int32(), -8388608),
        ("a INT UNSIGNED", "4294967295", pa.uint32(), 4294967295),
        ("a INT(8) ZEROFILL", "42", pa.uint32(), 42),
        ("a BIGINT UNSIGNED", "18446744073709551615", pa.uint64(), 18446744073709551615),
        ("a BIGINT", "9007199254740993", pa.int64(), 9007199254740993),
        ("a FLOAT", "16777216", pa.float32(), 16777216.0),
        ("a FLOAT", "0.1", pa.float32(), 0.10000000149011612),
        ("a FLOAT", "-1.17549e-38", pa.float32(), -1.1754900067970481e-38),
        ("a DOUBLE", "1.7976931348623157e308", pa.float64(), 1.7976931348623157e308),
        ("a DOUBLE", "0.1", pa.float64(), 0.1),
        ("a DECIMAL(65,30)", f"'{'9' * 35}.{'9' * 30}'", pa.decimal256(65, 30), Decimal(f"{'9' * 35}.{'9' * 30}")),
        ("a DECIMAL(38,10)", f"'-{'9' * 28}.{'9' * 10}'", pa.decimal128(38, 10), Decimal(f"-{'9' * 28}.{'9' * 10}")),
        ("a DECIMAL(15,2)", "-9999999999999.99", pa.decimal128(15, 2), Decimal("-9999999999999.99")),
        ("a DECIMAL(15,15)", "0.999999999999999", pa.decimal128(15, 15), Decimal("0.999999999999999")),
        ("a DECIMAL(10,0) UNSIGNED", "9999999999", pa.decimal128(10, 0), Decimal(9999999999)),
        ("a DATE", "'9999-12-31'", pa.date32(), date(9999, 12, 31)),
        ("a DATE", "'0001-01-01'", pa.date32(), date(1, 1, 1)),
        ("a DATETIME", "'2026-03-29 02:30:00'", pa.timestamp("us"), datetime(2026, 3, 29, 2, 30)),
        ("a DATETIME(6)", "'9999-12-31 23:59:59.999999'", pa.timestamp("us"), datetime.max),
        ("a DATETIME(3)", "'1000-01-01 00:00:00.001'", pa.timestamp("us"), datetime(1000, 1, 1, 0, 0, 0, 1000)),
        ("a TIMESTAMP NULL", "'2026-01-01 09:00:00'", pa.timestamp("us", "UTC"), datetime(2026, 1, 1, tzinfo=UTC)),
        (
            "a TIMESTAMP(6) NULL",
            "'1970-01-01 09:00:01.000001'",
            pa.timestamp("us", "UTC"),
            datetime(1970, 1, 1, 0, 0, 1, 1, UTC),
        ),
        ("a TIME", "'838:59:59'", pa.duration("us"), timedelta(hours=838, minutes=59, seconds=59)),
        ("a TIME", "'-01:30:00'", pa.duration("us"), -timedelta(hours=1, minutes=30)),
        ("a TIME", "'-00:00:01'", pa.duration("us"), -timedelta(seconds=1)),
        ("a TIME(6)", "'-838:59:58.999999'", pa.duration("us"), -timedelta(hours=838, minutes=59, seconds=58.999999)),
        ("a TIME(2)", "'01:02:03.45'", pa.duration("us"), timedelta(hours=1, minutes=2, seconds=3.45)),
        ("a YEAR", "2155", pa.int16(), 2155),
        ("a YEAR", "0", pa.int16(), 0),
        ("a BIT(1)", "b'1'", pa.bool_(), True),
        ("a BIT(1)", "b'0'", pa.bool_(), False),
        ("a BIT(12)", "b'101'", pa.string(), "000000000101"),
        ("a BIT(64)", "18446744073709551615", pa.string(), "1" * 64),
        ("a ENUM('x','it''s')", "'it''s'", pa.string(), "it's"),
        ("a SET('a','b','c')", "'a,c'", pa.string(), "a,c"),
        ("a SET('a','b')", "''", pa.string(), ""),
        ("a CHAR(4)", "'ab'", pa.string(), "ab"),
        ("a VARCHAR(8)", "'ab  '", pa.string(), "ab  "),
        ("a VARCHAR(8) CHARACTER SET latin1", "'größer'", pa.string(), "größer"),
        ("a LONGTEXT", "'🦦 žluť'", pa.string(), "🦦 žluť"),
        ("a TEXT", "CONCAT('a', CHAR(0), 'b')", pa.string(), "a\0b"),
        ("a BINARY(4)", "'ab'", pa.binary(), b"ab\0\0"),
        ("a VARBINARY(8)", "X'00ff'", pa.binary(), b"\0\xff"),
        ("a BLOB", "''", pa.binary(), b""),
        ("a JSON", '\'{"b":1.10,"a":12345678901234567890}\'', pa.string(), None),
        ("a POINT", "ST_GeomFromText('POINT(1 2)')", pa.binary(), None),
    ],
)
def test_a_value_arrives_exactly(
    mysql_database: MySQLDatabase, connector: Connector, bulk: bool, columns: str, row: str, arrow: Any, value: Any
) -> None:
    """TRAPS types: TIME, tinyint(1), BIGINT UNSIGNED, 2^53+1, FLOAT, DECIMAL(65,30), zones, SET, BIT, BLOB."""
    make(mysql_database, columns, row, "NULL")
    data = read(connector, bulk=bulk)
    assert data.schema.field("a").type == arrow
    got = data.column("a").to_pylist()
    assert got[1] is None
    if value is not None:
        assert got[0] == value


def test_nan_free_negative_zero_and_every_magnitude(
    mysql_database: MySQLDatabase, connector: Connector, bulk: bool
) -> None:
    """TRAPS types: the text protocol prints doubles so that they come back bit for bit."""
    values = [0.1 + 0.2, -0.0, 1e22, 1e23, 5e-324, 2.2250738585072014e-308, 123456789.12345679, 1 / 3]
    mysql_database.execute("CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, a DOUBLE)")
    for value in values:
        mysql_database.execute("INSERT INTO t (a) VALUES (CAST(%s AS DOUBLE))", [repr(value)])
    stored = [row[0] for row in mysql_database.query("SELECT a FROM t ORDER BY id")]
    assert [value.hex() for value in read(connector, bulk=bulk).column("a").to_pylist()] == [
        value.hex() for value in stored
    ]


def test_json_text_is_passed_through(mysql_database: MySQLDatabase, connector: Connector, bulk: bool) -> None:
    """TRAPS types: JSON is not re-serialised by us; what the server holds is what arrives."""
    make(mysql_database, "a JSON", '\'{"b": 1.10, "a": 12345678901234567890.123456789012345678}\'')
    data = read(connector, bulk=bulk)
    assert osiris_type(data.schema.field("a")) == "json"
    assert data.column("a").to_pylist() == [row[0] for row in mysql_database.query("SELECT CAST(a AS CHAR) FROM t")]


def test_geometry_is_wkb_and_says_so(mysql_database: MySQLDatabase, connector: Connector, bulk: bool) -> None:
    """TRAPS types: GEOMETRY as well-known binary, the dropped SRID announced."""
    make(mysql_database, "a POINT", "ST_GeomFromText('POINT(1 2)')")
    data = read(connector, bulk=bulk)
    assert osiris_type(data.schema.field("a")) == "wkb"
    expected = bytes.fromhex("0101000000000000000000f03f0000000000000040")
    assert data.column("a").to_pylist() == [expected]
    assert [code for code, _ in connector.warnings] == ["OSI-R110"]


def test_what_arrow_cannot_say_travels_as_metadata(mysql_database: MySQLDatabase, connector: Connector) -> None:
    make(mysql_database, "a TIME, b BIT(3), c ENUM('x'), d SET('x'), e DECIMAL(4,1), f FLOAT")
    schema = read(connector).schema
    assert [osiris_type(field) for field in schema] == ["time", "bit", "enum", "set", "", ""]
    assert source_type(schema.field("e")) == "mysql:decimal(4,1)"
    assert source_type(schema.field("c")) == "mysql:enum('x')"


@pytest.mark.parametrize("name", ["Order", "has space", 'q"uote', "back`tick", "percent%s %", "ř", "select"])
def test_names_are_preserved(mysql_database: MySQLDatabase, connector: Connector, bulk: bool, name: str) -> None:
    """TRAPS types: names are always quoted and never changed."""
    quoted = "`" + name.replace("`", "``") + "`"
    mysql_database.execute(f"CREATE TABLE {quoted} ({quoted} INT PRIMARY KEY); INSERT INTO {quoted} VALUES (7)")
    where = [{"column": name, "op": "=", "value": 7}]
    data = read(connector, bulk=bulk, table=name, where=where, order_by=[{"column": name}])
    assert data.to_pylist() == [{name: 7}]


# -- dates that do not exist ------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("kind", "bad"),
    [
        ("DATE", "0000-00-00"),
        ("DATE", "2024-02-00"),
        ("DATE", "2024-00-00"),
        ("DATE", "0000-05-01"),
        ("DATETIME", "0000-00-00 00:00:00"),
        ("DATETIME(6)", "2024-00-10 01:02:03.5"),
        ("TIMESTAMP", "0000-00-00 00:00:00"),
    ],
)
def test_dates_that_do_not_exist(
    mysql_database: MySQLDatabase, connector: Connector, bulk: bool, kind: str, bad: str
) -> None:
    """TRAPS types: zero and partial dates: an error with column, key and count; NULL and counted when asked."""
    good = "2024-02-29" if kind == "DATE" else "2024-02-29 09:00:01"
    rows = [f"{number}, '{bad if number % 3 == 0 else good}'" for number in range(1, 11)]
    make(mysql_database, f"id INT PRIMARY KEY, d {kind} NOT NULL", *rows)
    with pytest.raises(RunError, match="3 in d; first at column d, id = 3") as caught:
        read(connector, bulk=bulk)
    assert caught.value.code == "OSI-R106"
    stream = open_reader(connector.connection, {"table": "t", "on_invalid_date": None}, connector.context(), bulk=bulk)
    data = pa.Table.from_batches(list(stream), stream.schema)
    assert data.column("d").null_count == 3
    assert data.schema.field("d").nullable
    assert data.column("d").to_pylist()[0] is not None
    assert stream.coerced() == {"on_invalid_date": 3}


def test_allowed_invalid_dates_are_found(mysql_database: MySQLDatabase, connector: Connector, bulk: bool) -> None:
    """TRAPS types: ALLOW_INVALID_DATES stores 2024-02-30."""
    mysql_database.execute(
        "SET sql_mode = 'ALLOW_INVALID_DATES'; CREATE TABLE t (id INT PRIMARY KEY, d DATE); "
        "INSERT INTO t VALUES (1, '2024-02-28'), (2, '2024-02-30')"
    )
    with pytest.raises(RunError, match="1 in d; first at column d, id = 2"):
        read(connector, bulk=bulk)


def test_counting_goes_on_over_all_batches(mysql_database: MySQLDatabase, connector: Connector, bulk: bool) -> None:
    """TRAPS types: the count is of the whole read, not of the batch that was hit first."""
    mysql_database.execute(
        "SET sql_mode = ''; CREATE TABLE t (id INT PRIMARY KEY, d DATE, filler CHAR(200)); "
        "INSERT INTO t SELECT a.n + 100 * b.n, IF(b.n % 10 = 9, '0000-00-00', '2024-01-01'), REPEAT('x', 200) FROM "
        "(WITH RECURSIVE s AS (SELECT 0 AS n UNION ALL SELECT n + 1 FROM s WHERE n < 99) SELECT n FROM s) AS a, "
        "(WITH RECURSIVE s AS (SELECT 0 AS n UNION ALL SELECT n + 1 FROM s WHERE n < 99) SELECT n FROM s) AS b"
    )
    stream = open_reader(connector.connection, {"table": "t"}, connector.context(batch_bytes=100_000), bulk=bulk)
    with pytest.raises(RunError, match="1000 in d; first at column d, id = 900"):
        list(stream)
