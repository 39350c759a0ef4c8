"""The bulk decoder and the plain cursor agree byte for byte, whatever the rows look like."""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymysql.connections import Connection as PyMySQL
from pymysql.connections import MysqlPacket
from pymysql.constants import COMMAND

from osiris_core import DriftError, RunError
from osiris_core.testing import Connector
from osiris_core.testing.servers import MySQLDatabase
from osiris_mysql.columns import ReadColumn
from osiris_mysql.dates import InvalidDates
from osiris_mysql.decode import Decoder
from osiris_mysql.packets import BUFFERED, HEADER, SLACK, Rows, supported
from osiris_mysql.prepared import start
from osiris_mysql.reader import discard, open_reader
from osiris_mysql.typemap import Wire, parse

Make = Callable[[random.Random], Any]


def _text(longest: int) -> Make:
    def make(rng: random.Random) -> str:
        length = rng.choice([0, 1, 10, 249, 250, 251, 252, 255, 256, 300, longest])
        return "".join(rng.choice("aé日🦦'\\\0\n ") for _ in range(min(length, longest)))

    return make


def _integer(low: int, high: int) -> Make:
    return lambda rng: rng.choice([low, high, 0, rng.randint(low, high)])


def _decimal(digits: int, scale: int) -> Make:
    def make(rng: random.Random) -> str:
        number = rng.choice([10**digits - 1, 0, 1, rng.randrange(10**digits)])
        text = str(number).rjust(scale + 1, "0")
        return rng.choice(["", "-"]) + (f"{text[:-scale]}.{text[-scale:]}" if scale else text)

    return make


def _time(fraction: int) -> Make:
    def make(rng: random.Random) -> str:
        hours = rng.choice([0, 9, 10, 99, 100, 838])
        text = f"{rng.choice(['', '-'])}{hours:02}:{rng.randrange(60):02}:{rng.randrange(59):02}"
        return text + (f".{rng.randrange(10**fraction):0{fraction}}" if fraction else "")

    return make


def _datetime(first: int, last: int, fraction: int) -> Make:
    def make(rng: random.Random) -> str:
        text = f"{rng.randint(first, last):04}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02} "
        text += f"{rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}"
        return text + (f".{rng.randrange(10**fraction):0{fraction}}" if fraction else "")

    return make


def _bytes(longest: int) -> Make:
    return lambda rng: rng.randbytes(rng.choice([0, 1, 250, 251, longest]))


TYPES: dict[str, Make] = {
    "TINYINT": _integer(-128, 127),
    "SMALLINT UNSIGNED": _integer(0, 65535),
    "INT": _integer(-(2**31), 2**31 - 1),
    "BIGINT": _integer(-(2**63), 2**63 - 1),
    "BIGINT UNSIGNED ZEROFILL": _integer(0, 2**64 - 1),
    "FLOAT": lambda rng: rng.choice([0.0, 0.1, 16777216.0, rng.uniform(-1e30, 1e30)]),
    "DOUBLE": lambda rng: rng.choice([0.0, 0.1, -1e300, rng.uniform(-1e9, 1e9)]),
    "DECIMAL(9,0)": _decimal(9, 0),
    "DECIMAL(15,4)": _decimal(15, 4),
    "DECIMAL(16,4)": _decimal(16, 4),
    "DECIMAL(38,10)": _decimal(38, 10),
    "DECIMAL(65,30)": _decimal(65, 30),
    "DATE": lambda rng: f"{rng.randint(1, 9999):04}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}",
    "TIME": _time(0),
    "TIME(3)": _time(3),
    "TIME(6)": _time(6),
    "DATETIME": _datetime(1, 9999, 0),
    "DATETIME(6)": _datetime(1, 9999, 6),
    "TIMESTAMP(2) NULL": _datetime(1971, 2037, 2),
    "YEAR": lambda rng: rng.choice([1901, 1970, 2155]),
    "BIT(1)": lambda rng: rng.randrange(2),
    "BIT(13)": lambda rng: rng.randrange(2**13),
    "BIT(64)": lambda rng: rng.randrange(2**64),
    "VARCHAR(300)": _text(300),
    "LONGTEXT": _text(70_000),
    "ENUM('a','b')": lambda rng: rng.choice("ab"),
    "SET('a','b')": lambda rng: rng.choice(["", "a", "a,b"]),
    "VARBINARY(300)": _bytes(300),
    "LONGBLOB": _bytes(BUFFERED + 10),
}


def read(connector: Connector, table: str, *, bulk: bool, **context: Any) -> pa.Table:
    stream = open_reader(connector.connection, {"table": table}, connector.context(**context), bulk=bulk)
    return pa.Table.from_batches(list(stream), stream.schema)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), rows=st.integers(0, 400), batch_bytes=st.sampled_from([1, 100_000, 2_000_000]))
def test_random_tables_are_read_alike(
    mysql_database: MySQLDatabase, connector: Connector, seed: int, rows: int, batch_bytes: int
) -> None:
    rng = random.Random(seed)
    types = rng.choices(list(TYPES), k=rng.randint(1, 12))
    table = f"t_{secrets.token_hex(4)}"
    columns = ", ".join(f"c{index} {kind}" for index, kind in enumerate(types))
    mysql_database.execute(f"CREATE TABLE {table} ({columns})")
    values = [tuple(None if rng.random() < 0.2 else TYPES[kind](rng) for kind in types) for _ in range(rows)]
    mysql_database.insert(table, values)
    plain = read(connector, table, bulk=False)
    bulk = read(connector, table, bulk=True, batch_bytes=batch_bytes, checksum=True)
    bulk.validate(full=True)
    assert bulk.num_rows == rows
    assert bulk.equals(plain, check_metadata=True)


@pytest.mark.parametrize("config", [{"table": "v"}, {"query": "SELECT * FROM t UNION ALL SELECT * FROM t"}])
def test_views_and_queries_are_read_alike(
    mysql_database: MySQLDatabase, connector: Connector, config: dict[str, Any]
) -> None:
    """What a server says of a view's columns, or of a union's, is not always how it sends them."""
    rng = random.Random(4)
    mysql_database.execute(
        f"CREATE TABLE t ({', '.join(f'c{index} {kind}' for index, kind in enumerate(TYPES))});"
        "CREATE VIEW v AS SELECT * FROM t"
    )
    mysql_database.insert("t", [[make(rng) for make in TYPES.values()] for _ in range(20)] + [[None] * len(TYPES)])
    # The view goes on saying what the column was.
    mysql_database.execute("ALTER TABLE t MODIFY c0 INT, MODIFY c1 BIGINT")

    def rows(*, bulk: bool) -> list[dict[str, Any]]:
        stream = open_reader(connector.connection, config, connector.context(), bulk=bulk)
        return sorted(pa.Table.from_batches(list(stream), stream.schema).to_pylist(), key=str)

    assert rows(bulk=True) == rows(bulk=False)


#: What the protocol sends of each type, and a value of it.
SENT = {
    "bigint(20)": (Wire("number", "<i8"), b"\x01" + bytes(7)),
    "smallint(5) unsigned": (Wire("number", "<u2"), b"\x01\x02"),
    "double": (Wire("number", "<f8"), bytes(8)),
    "decimal(9,2)": (Wire("bytes"), b"\x041.25"),
    "decimal(30,2)": (Wire("bytes"), b"\x05-1.25"),
    "date": (Wire("moment"), b"\x04\xe8\x07\x02\x1d"),
    "datetime(6)": (Wire("moment"), b"\x0b\xe8\x07\x02\x1d\x17\x3b\x3b\x3f\x42\x0f\x00"),
    "time(6)": (Wire("span"), b"\x08\x01\x22\x00\x00\x00\x16\x3b\x3b"),
    "bit(13)": (Wire("number", "<u8"), b"\xff\x1f" + bytes(6)),
    "bit(1)": (Wire("number", "<u8"), b"\x01" + bytes(7)),
    "text": (Wire("bytes"), b"\x05abcde"),
    "blob": (Wire("bytes"), b"\x00"),
}


@settings(max_examples=600, deadline=None)
@given(
    kinds=st.lists(st.sampled_from(list(SENT)), min_size=1, max_size=4),
    null=st.lists(st.integers(0, 15), min_size=1, max_size=5),
    lie=st.tuples(
        st.integers(0, 19), st.sampled_from([b"", *SENT, b"\xfa", b"\xfb", b"\xfc", b"\xfd", b"\xfe", b"\xff"])
    )
    .map(lambda pair: (pair[0], pair[1] if isinstance(pair[1], bytes) else SENT[pair[1]][1]))
    .flatmap(lambda pair: st.tuples(st.just(pair[0]), st.binary(max_size=9).map(lambda tail: pair[1] + tail))),
    old=st.binary(max_size=40),
)
def test_rows_that_lie_lead_nowhere(kinds: list[str], null: list[int], lie: tuple[int, bytes], old: bytes) -> None:
    """No text or bytes are taken from outside of their row, whatever the server says; ``old`` lies behind the last."""
    place, liar = lie
    payloads = []
    for row, wanted in enumerate(null):
        bits = wanted & (2 ** len(kinds) - 1)
        cells = [b"" if bits >> index & 1 else SENT[kind][1] for index, kind in enumerate(kinds)]
        if row == place // len(kinds):
            cells[place % len(kinds)] = liar
        payloads.append(bytes([0, bits << 2]) + b"".join(cells))
    ends = np.cumsum([HEADER + len(payload) for payload in payloads]).astype(np.int32)
    starts = np.concatenate([[0], ends[:-1]]).astype(np.int32) + np.int32(HEADER)
    memory = b"".join(bytes(HEADER) + payload for payload in payloads) + old + bytes(SLACK)
    columns = [ReadColumn(f"c{index}", parse(kind)) for index, kind in enumerate(kinds)]
    decoder = Decoder(columns, [SENT[kind][0] for kind in kinds], InvalidDates("t", (), to_null=True))
    try:
        batch = decoder.decode(Rows(np.frombuffer(memory, np.uint8), starts, ends))
    except RunError as error:
        assert error.code == "OSI-R113"
        return
    batch.validate(full=True)
    for column, kind in zip(batch.columns, kinds, strict=True):
        for payload, value in zip(payloads, column.to_pylist(), strict=True):
            assert kind not in ("text", "blob") or value is None or pa.scalar(value).cast("binary").as_py() in payload


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("date", b"\x05\xe8\x07\x02\x1d\x00"),
        ("date", b"\x04\xe8\x07\x0d\x01"),
        ("datetime", b"\x07\xe8\x07\x02\x1d\x18\x00\x00"),
        ("datetime(6)", b"\x0b\xe8\x07\x02\x1d\x17\x3b\x3b\x40\x42\x0f\x00"),
        ("time", b"\x08\x02\x00\x00\x00\x00\x00\x00\x00"),
        ("time", b"\x08\x00\x23\x00\x00\x00\x00\x00\x00"),
        ("decimal(9,2)", b"\x03nan"),
        ("decimal(9,2)", b"\x0812345678"),
        ("decimal(9,2)", b"\x011\x01"),
        ("decimal(9,2)", b"\x051.255"),
        ("decimal(9,0)", b"\x031.5"),
        ("decimal(9,0)", b"\x0a1234567890"),
        ("decimal(9,0)", b"\x051e308"),
        ("decimal(30,2)", b"\x03nan"),
        ("decimal(30,2)", b"\x44" + 65 * b"9" + b".99"),
        ("decimal(38,0)", b"\x27" + 39 * b"9"),
        ("bit(13)", b"\xff\x2f" + bytes(6)),
        ("text", b"\x01\xff"),
    ],
)
def test_bytes_that_are_none_of_the_type_are_an_error(kind: str, value: bytes) -> None:
    forms = {"date": Wire("moment"), "datetime": Wire("moment"), "time": Wire("span"), "bit": Wire("number", "<u8")}
    wire = forms.get(parse(kind).kind, Wire("bytes"))
    payload = b"\0\0" + value
    rows = Rows(
        np.frombuffer(payload + bytes(SLACK), np.uint8), *(np.array([at], np.int32) for at in (0, len(payload)))
    )
    with pytest.raises(RunError) as caught:
        Decoder([ReadColumn("a", parse(kind))], [wire], InvalidDates("t", (), to_null=True)).decode(rows)
    assert caught.value.code == "OSI-R113"


def test_a_column_of_another_type_than_described_is_drift() -> None:
    with pytest.raises(DriftError, match="column a is no int"):
        Decoder([ReadColumn("a", parse("int"))], [Wire("bytes")], InvalidDates("t", (), to_null=True))


def test_a_server_that_prepares_nothing_is_read_in_the_plain_way(
    mysql_database: MySQLDatabase, connector: Connector
) -> None:
    mysql_database.execute("CREATE TABLE t (a INT, b DATETIME(3)); INSERT INTO t VALUES (1, '2024-02-29 12:00:00.125')")
    expected = read(connector, "t", bulk=True).to_pylist()
    with mysql_database.connect() as session, session.cursor() as cursor:
        cursor.execute("SELECT @@GLOBAL.max_prepared_stmt_count")
        usual = cursor.fetchone()[0]
        cursor.execute("SET GLOBAL max_prepared_stmt_count = 0")
        try:
            assert read(connector, "t", bulk=True).to_pylist() == expected
        finally:
            cursor.execute(f"SET GLOBAL max_prepared_stmt_count = {usual}")


def test_a_statement_that_the_server_lost_is_read_in_the_plain_way(
    mysql_database: MySQLDatabase, connector: Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As behind a proxy that hands statements to another server, or when a view must be prepared again and again."""
    mysql_database.execute("CREATE TABLE t (a INT); INSERT INTO t VALUES (1), (2)")
    usual = PyMySQL._execute_command

    def forgetful(session: Any, command: int, sql: Any) -> None:
        if command == COMMAND.COM_STMT_EXECUTE:
            usual(session, COMMAND.COM_STMT_CLOSE, sql[:4])
        usual(session, command, sql)

    monkeypatch.setattr(PyMySQL, "_execute_command", forgetful)
    assert read(connector, "t", bulk=True).to_pylist() == [{"a": 1}, {"a": 2}]


def test_a_stray_mark_of_a_parameter_is_an_error_of_syntax(mysql_database: MySQLDatabase, connector: Connector) -> None:
    mysql_database.execute("CREATE TABLE t (a INT)")
    with pytest.raises(RunError, match="syntax") as caught:
        open_reader(connector.connection, {"table": "t", "where_sql": "a = ?"}, connector.context())
    assert caught.value.code == "OSI-R026"


@pytest.mark.parametrize("answer", [b"\0", b"", b"\xff", b"\xff\x01", b"\xfb"])
def test_an_answer_that_is_none_is_an_error_of_ours(
    mysql_database: MySQLDatabase, connector: Connector, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    mysql_database.execute("CREATE TABLE t (a INT)")
    usual_command, usual_read = PyMySQL._execute_command, PyMySQL._read_packet

    def noting(session: Any, command: int, sql: Any) -> None:
        session.prepares = command == COMMAND.COM_STMT_PREPARE
        usual_command(session, command, sql)

    def broken(session: Any, packet_type: Any = MysqlPacket) -> Any:
        packet = usual_read(session, packet_type)
        if not getattr(session, "prepares", False):
            return packet
        packet = MysqlPacket(answer, "utf8mb4")
        if packet.is_error_packet():
            packet.raise_for_error()
        return packet

    monkeypatch.setattr(PyMySQL, "_execute_command", noting)
    monkeypatch.setattr(PyMySQL, "_read_packet", broken)
    with pytest.raises(RunError, match="not MySQL's protocol") as caught:
        open_reader(connector.connection, {"table": "t"}, connector.context())
    assert caught.value.code == "OSI-R113"


def test_bits_are_numbers_in_expressions_too(mysql_database: MySQLDatabase, connector: Connector) -> None:
    """MariaDB sends of a column of bits its bytes, of an expression with them decimal digits."""
    mysql_database.execute(
        "CREATE TABLE t (id INT, one BIT(1), some BIT(13), many BIT(64)); INSERT INTO t VALUES (1, 0, 42, ~0)"
    )
    query = "SELECT MIN(one) AS a, MAX(some) AS b, IF(MIN(id) < 9, MIN(some), NULL) AS c, MAX(many) AS d FROM t"

    def number(value: Any) -> int:
        return int(value, 2) if isinstance(value, str) else int(value)

    for bulk in (True, False):
        stream = open_reader(connector.connection, {"query": query}, connector.context(), bulk=bulk)
        (row,) = pa.Table.from_batches(list(stream), stream.schema).to_pylist()
        assert [number(value) for value in row.values()] == [0, 42, 42, 2**64 - 1]


@pytest.mark.parametrize("bulk", [True, False])
def test_decimals_of_expressions_come_with_fewer_decimals_than_said(
    mysql_database: MySQLDatabase, connector: Connector, bulk: bool
) -> None:
    mysql_database.execute(
        "CREATE TABLE t (a INT, d DECIMAL(12,3), e DECIMAL(20,6)); INSERT INTO t VALUES (1, 2.5, -1)"
    )
    query = "SELECT IF(a, 1, d) AS a, IF(a, 1, e) AS b, CASE a WHEN 1 THEN 5 ELSE d END AS c, d / 7 AS d FROM t"
    stream = open_reader(connector.connection, {"query": query}, connector.context(), bulk=bulk)
    (row,) = pa.Table.from_batches(list(stream), stream.schema).to_pylist()
    assert [str(value) for value in row.values()] == ["1.000", "1.000000", "5.000", "0.3571429"]


@pytest.mark.parametrize("bulk", [True, False])
def test_a_number_of_more_digits_than_said_is_an_error(
    mysql_database: MySQLDatabase, connector: Connector, bulk: bool
) -> None:
    mysql_database.execute("CREATE TABLE t (d DECIMAL(12,3), a INT); INSERT INTO t VALUES (999999999.999, 1)")
    query = {"query": "SELECT ROUND(d, a) AS r FROM t"}
    stream = open_reader(connector.connection, query, connector.context(), bulk=bulk)
    with pytest.raises(RunError, match=r"column r: the server sent what is no decimal\(12,3\)") as caught:
        list(stream)
    assert caught.value.code == "OSI-R113"


#: Around each change of how a length is written, and where a row no longer fits one packet or the buffer.
LENGTHS = [0, 250, 251, 252, 65_535, 65_536, BUFFERED - 5, BUFFERED, 2**24 - 6, 2**24 - 5, 2**24 - 4, 2**24, 35_000_000]


def test_rows_of_every_length_are_read(mysql_database: MySQLDatabase, connector: Connector) -> None:
    """MOVEMENT: rows of 16 MiB and more come in several packets."""
    mysql_database.execute("CREATE TABLE t (id INT PRIMARY KEY, a LONGBLOB, b INT)")
    for number, length in enumerate(LENGTHS):
        mysql_database.execute("INSERT INTO t VALUES (%s, REPEAT('x', %s), %s)", [number, length, -number])
    stream = open_reader(connector.connection, {"table": "t", "order_by": [{"column": "id"}]}, connector.context())
    found = [
        (row_id.as_py(), len(blob.as_buffer()), other.as_py())
        for batch in stream
        for row_id, blob, other in zip(*batch.columns, strict=True)
    ]
    assert found == [(number, length, -number) for number, length in enumerate(LENGTHS)]


def test_a_row_longer_than_any_server_sends_is_an_error(
    mysql_database: MySQLDatabase, connector: Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    mysql_database.execute("CREATE TABLE t (a LONGBLOB); INSERT INTO t VALUES (REPEAT('x', 35000000))")
    monkeypatch.setattr("osiris_mysql.packets.LONGEST_ROW", 2**24)
    with pytest.raises(RunError, match="more than 1 GiB") as caught:
        read(connector, "t", bulk=True)
    assert caught.value.code == "OSI-R113"


def test_many_short_rows_wrap_the_packet_numbers(mysql_database: MySQLDatabase, connector: Connector) -> None:
    """Packets are numbered modulo 256, over all pieces."""
    mysql_database.execute(
        "CREATE TABLE t (a INT); INSERT INTO t WITH RECURSIVE s AS "
        "(SELECT 0 AS n UNION ALL SELECT n + 1 FROM s WHERE n < 999) SELECT 1000 * x.n + y.n FROM s AS x, s AS y "
        "WHERE x.n < 40"
    )
    data = read(connector, "t", bulk=True, batch_bytes=1)
    assert sorted(data.column("a").to_pylist()) == list(range(40_000))


def test_wide_tables_are_read(mysql_database: MySQLDatabase, connector: Connector) -> None:
    names = [f"c{index}" for index in range(700)]
    mysql_database.execute(f"CREATE TABLE t ({', '.join(f'{name} INT' for name in names)}) ENGINE=InnoDB")
    mysql_database.insert("t", [list(range(700)), [None] * 700])
    data = read(connector, "t", bulk=True)
    assert data.to_pylist() == [
        {name: index for index, name in enumerate(names)},
        dict.fromkeys(names),
    ]


def test_batches_stay_near_the_size_asked_for(mysql_database: MySQLDatabase, connector: Connector) -> None:
    mysql_database.execute("CREATE TABLE t (a INT, b VARCHAR(1000))")
    mysql_database.insert("t", [(number, "y" * 900) for number in range(2000)])
    stream = open_reader(connector.connection, {"table": "t"}, connector.context(batch_bytes=200_000))
    sizes = [batch.nbytes for batch in stream]
    assert len(sizes) > 5
    assert max(sizes) < 220_000


@pytest.mark.parametrize("kind", ["BIGINT", "DECIMAL(30,2)", "BIT(64)", "TEXT"])
def test_nulls_by_the_thousand_make_no_large_batches(
    mysql_database: MySQLDatabase, connector: Connector, kind: str
) -> None:
    """A NULL is a bit of what the server sends and as many bytes in Arrow as any other value."""
    mysql_database.execute(f"CREATE TABLE t ({', '.join(f'c{index} {kind}' for index in range(150))})")
    mysql_database.insert("t", [[None] * 150] * 3000)
    stream = open_reader(connector.connection, {"table": "t"}, connector.context(batch_bytes=200_000))
    batches = list(stream)
    assert sum(batch.num_rows for batch in batches) == 3000
    assert max(batch.nbytes for batch in batches) < 220_000


@pytest.mark.parametrize("sql", [b"SELECT 1", b"SELECT NULL LIMIT 0"])
def test_the_internals_that_the_bulk_path_uses_are_there(mysql_database: MySQLDatabase, sql: bytes) -> None:
    """PyMySQL's private attributes: an upgrade that moves them turns this red before it slows anybody down."""
    session = mysql_database.connect()
    assert supported(session)
    assert start(session, sql)
    assert session._result.unbuffered_active
    discard(session)
    assert not supported(session)
