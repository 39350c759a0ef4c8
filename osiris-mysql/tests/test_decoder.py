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

from osiris_core import RunError
from osiris_core.testing import Connector
from osiris_core.testing.servers import MySQLDatabase
from osiris_mysql.columns import ReadColumn
from osiris_mysql.dates import InvalidDates
from osiris_mysql.decode import Decoder
from osiris_mysql.packets import BUFFERED, HEADER, Rows, supported
from osiris_mysql.reader import open_reader
from osiris_mysql.typemap import parse

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


KINDS = [
    "bigint(20)",
    "double",
    "decimal(9,2)",
    "date",
    "time(6)",
    "datetime(6)",
    "bit(13)",
    "tinyint(1)",
    "text",
    "blob",
]


@settings(max_examples=400, deadline=None)
@given(
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=3),
    values=st.lists(st.sampled_from([b"\x010", b"\xfb", b"\x05abcde", b"\x0a2024-02-29"]), min_size=1, max_size=12),
    lie=st.tuples(
        st.integers(0, 11), st.sampled_from([b"", b"\xfa", b"\xfc", b"\xfd", b"\xfe"]), st.binary(max_size=9)
    ),
    old=st.binary(max_size=40),
)
def test_lengths_that_lie_lead_nowhere(
    kinds: list[str], values: list[bytes], lie: tuple[int, bytes, bytes], old: bytes
) -> None:
    """No text or bytes are taken from outside of their row, whatever the server says; ``old`` lies behind the last."""
    place, lead, tail = lie
    values[place % len(values)] = lead + tail
    payloads = [b"".join(values[first : first + len(kinds)]) for first in range(0, len(values), len(kinds))]
    ends = np.cumsum([HEADER + len(payload) for payload in payloads]).astype(np.int32)
    starts = np.concatenate([[0], ends[:-1]]).astype(np.int32) + np.int32(HEADER)
    memory = np.frombuffer(b"".join(bytes(HEADER) + payload for payload in payloads) + old, np.uint8)
    columns = [ReadColumn(f"c{index}", parse(kind)) for index, kind in enumerate(kinds)]
    try:
        batch = Decoder(columns, InvalidDates("t", (), to_null=True)).decode(Rows(memory, starts, ends))
    except RunError as error:
        assert error.code == "OSI-R113"
        return
    for column in batch.columns:
        for payload, value in zip(payloads, column.to_pylist(), strict=True):
            assert not isinstance(value, bytes) or value in payload


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


@pytest.mark.parametrize("sql", ["SELECT 1", "SELECT NULL LIMIT 0"])
def test_the_internals_that_the_bulk_path_reads_are_there(mysql_database: MySQLDatabase, sql: str) -> None:
    """PyMySQL's private attributes: an upgrade that moves them turns this red before it slows anybody down."""
    session = mysql_database.connect()
    session.query(sql, unbuffered=True)
    assert supported(session)
    session._result._finish_unbuffered_query()
    assert not supported(session)
    session.close()
