"""verify: checksum at the source: a value that a read alters is found and its row named, and nothing else is."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from osiris_core import Partition, ReconciliationError
from osiris_core.data.edge_values import edge_table
from osiris_core.testing import Connector, people
from osiris_core.testing.servers import PostgresDatabase
from osiris_postgres.decode import Decoder

ROWS = 3000
CREATE = """
CREATE DOMAIN price AS numeric(8,3); CREATE TYPE mood AS ENUM ('happy', 'it''s "so"');
CREATE TABLE t (
    id int8, kind char(4), PRIMARY KEY (id, kind), price price, small numeric(20,12), free numeric, rate float8,
    share float4, note text, at timestamptz, local timestamp, day date, clock time, span interval, raw bytea,
    flags bit(5), feeling mood, places int4[], document jsonb, token uuid, "percent % {x}" int2, wanted bool)
"""
FILL = f"""
INSERT INTO t SELECT n, CASE WHEN n % 2 = 0 THEN 'a' ELSE 'A ' END, n / 7.0, n % 3 * 1e-9, n / 3.0 - 7, n / 3.0::float8,
    CASE WHEN n % 5 = 0 THEN 'NaN' WHEN n % 5 = 1 THEN '-0' ELSE n / 9.0::float4 END,
    CASE WHEN n % 3 = 0 THEN NULL WHEN n % 3 = 1 THEN '' ELSE 'é ' || n END, '2024-02-29 01:02:03.456Z',
    '0044-03-15 01:02:03 BC', '1582-10-10', '23:59:59.999999', '1 month -2 days 838:59:59', sha256(n::text::bytea),
    (n % 32)::bit(5), 'it''s "so"', ARRAY[n, NULL], '{{"b": 1.10, "a": null}}', md5(n::text)::uuid, n % 9, n % 2 = 0
FROM generate_series(1, {ROWS}) n
"""


@pytest.fixture
def filled(postgres_database: PostgresDatabase) -> PostgresDatabase:
    """A table with every way that a value travels, and what tends to be lost on it."""
    postgres_database.execute(CREATE + ";" + FILL)
    return postgres_database


def read(
    connector: Connector, part: Partition | None = None, *, table: str = "t", state: Any = None, **config: Any
) -> int:
    """The rows of a read that is compared with its source."""
    context = connector.context(checksum=True, batch_bytes=20_000, state=state)
    checked = connector.compiled("read", connector.read_config(table, **config))
    stream = connector.driver.open_reader(connector.connection, checked, context, part)
    try:
        return sum(batch.num_rows for batch in stream)
    finally:
        stream.close()


def with_column(batch: pa.RecordBatch, name: str, values: pa.Array) -> pa.RecordBatch:
    """The batch with other values in one column."""
    at = batch.schema.get_field_index(name)
    return batch.set_column(at, batch.schema.field(at), values.cast(batch.schema.field(at).type))


@pytest.fixture
def altered(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int, Any], None]:
    """Reads that alter one column of the rows with this id, as a fault of the decoder would."""
    original = Decoder.decode

    def alter(column: str, number: int, value: Any) -> None:
        def faulty(decoder: Decoder, rows: Sequence[bytes]) -> pa.RecordBatch:
            batch = original(decoder, rows)
            values = batch.column(column)
            wrong = pa.scalar(value, values.type)
            return with_column(batch, column, pc.if_else(pc.equal(batch.column("id"), number), wrong, values))

        monkeypatch.setattr(Decoder, "decode", faulty)

    return alter


# -- no false alarm ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "config",
    [
        {},
        {"columns": ["kind", "note"]},
        {"columns": ["percent % {x}"]},
        {"where": [{"column": "kind", "op": "=", "value": "a"}, {"column": "percent % {x}", "op": "!=", "value": 3}]},
        {"where": [{"column": "note", "op": "like", "value": "é 1%"}]},
        {"where_sql": "id % 7 = 1 AND note LIKE 'é%' -- those"},
        {"order_by": [{"column": "id", "descending": True}]},
        {"incremental": {"cursor": "id"}, "state": {"cursor": "2000"}},
        {"incremental": {"cursor": "at", "lag": "PT1H"}, "state": {"cursor": "2024-02-29 02:00:00Z"}},
    ],
    ids=str,
)
def test_what_is_read_faithfully_is_no_alarm(connector: Connector, filled: PostgresDatabase, config: Any) -> None:
    assert read(connector, **config) > 140
    assert connector.warnings == []


def test_each_range_is_compared_in_its_own_snapshot(connector: Connector, filled: PostgresDatabase) -> None:
    ranges: dict[str, Any] = {"partition": {"column": "id", "count": 3}}
    config = connector.read_config("t", **ranges)
    parts = connector.driver.plan_partitions(connector.connection, config, connector.context())
    assert len(parts) == 3
    assert sum(read(connector, part, **ranges) for part in parts) == ROWS


def test_rows_that_come_while_it_is_read_are_nobodys(connector: Connector, filled: PostgresDatabase) -> None:
    context = connector.context(checksum=True, batch_bytes=20_000)
    stream = connector.driver.open_reader(connector.connection, connector.read_config("t"), context)
    batches = iter(stream)
    rows = next(batches).num_rows
    filled.execute("DELETE FROM t WHERE id % 2 = 0; UPDATE t SET note = 'later'")
    assert rows + sum(batch.num_rows for batch in batches) == ROWS
    stream.close()


@pytest.mark.parametrize(
    ("create", "rows"),
    [
        ("CREATE TABLE t (a int4 PRIMARY KEY)", 0),
        ("CREATE TABLE t (a int4, b text); INSERT INTO t VALUES (1, 'x'), (1, 'x'), (NULL, ''), (NULL, NULL)", 4),
        ("CREATE TABLE t (hash int8, rows text, _osiris_0 text); INSERT INTO t VALUES (1, 'a', 'b')", 1),
        ("CREATE TABLE p (id int4, k int4) PARTITION BY LIST (k); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);"
         "INSERT INTO p VALUES (5, 1); CREATE MATERIALIZED VIEW t AS SELECT * FROM p", 1),
    ],
    ids=["empty", "without a key", "names of ours", "a materialized view"],
)  # fmt: skip
def test_tables_of_all_kinds(connector: Connector, postgres_database: PostgresDatabase, create: str, rows: int) -> None:
    postgres_database.execute(create)
    assert read(connector) == rows


def test_the_edge_values(connector: Connector) -> None:
    name = connector.seed(edge_table(), keys=["id"])
    assert read(connector, table=name) == edge_table().num_rows


def test_names_may_hold_anything(connector: Connector) -> None:
    name = connector.seed(people(range(10)).rename_columns(["i%(d)s", 'q"uo{te}', "ř %s"]), name='ta%b "le" %(x)s')
    assert read(connector, table=name) == 10


def test_functions_and_operators_of_others_are_not_taken_for_the_servers(
    connector: Connector, filled: PostgresDatabase
) -> None:
    """Where the path names pg_catalog last, what stands before it goes first."""
    filled.execute(
        "CREATE FUNCTION sha256(bytea) RETURNS bytea LANGUAGE sql AS $$ SELECT '\\x00'::bytea $$;"
        "CREATE FUNCTION record_send(record) RETURNS bytea LANGUAGE plpgsql AS $$ BEGIN RETURN '\\x00'; END $$;"
        "CREATE FUNCTION encode(bytea, text) RETURNS text LANGUAGE sql AS $$ SELECT '00' $$;"
        "CREATE FUNCTION zero(int8, int4) RETURNS int8 LANGUAGE sql AS 'SELECT 0::int8';"
        "CREATE OPERATOR & (FUNCTION = zero, LEFTARG = int8, RIGHTARG = int4);"
        "CREATE DOMAIN bpchar AS text CHECK (false);"
        f'ALTER DATABASE "{filled.database}" SET search_path = public, pg_catalog'
    )
    assert read(connector) == ROWS


# -- random values of every type ---------------------------------------------------------------------------
def _float(width: Literal[32, 64]) -> st.SearchStrategy[str]:
    return st.floats(width=width).map(repr)


def _integer(bits: int) -> st.SearchStrategy[str]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1).map(str)


def _decimal(digits: int, scale: int) -> st.SearchStrategy[str]:
    most = 10**digits - 1
    return st.integers(-most, most).map(lambda number: f"{number}e-{scale}")


def _span(microseconds: int) -> str:
    """Hours, minutes and seconds, which every version reads however many they are."""
    seconds, fraction = divmod(abs(microseconds), 1_000_000)
    return f"{'-' if microseconds < 0 else ''}{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}.{fraction:06}"


_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
_MOMENT = st.one_of(
    st.datetimes().map(str),
    st.sampled_from(["4713-01-01 00:00:00 BC", "0001-12-31 23:59:59.999999 BC", "294246-12-31 23:59:59.999999"]),
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="ascii", exclude_characters="\0")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("cab"), inner, max_size=3),
    max_leaves=5,
).map(lambda value: json.dumps(value, indent=1))
#: What values of a type may look like, as texts that the type reads.
VALUES: dict[str, st.SearchStrategy[str]] = {
    "boolean": st.sampled_from(["t", "f"]),
    "smallint": _integer(16),
    "integer": _integer(32),
    "bigint": _integer(64),
    "real": _float(32),
    "double precision": _float(64),
    "numeric": st.one_of(st.decimals(allow_nan=False, allow_infinity=False).map(str), st.just("NaN"), st.just("1.10")),
    "numeric(10,4)": _decimal(10, 4),
    "numeric(20,18)": _decimal(20, 18),
    "numeric(70,30)": _decimal(70, 30),
    "price": _decimal(8, 3),
    "date": st.one_of(st.dates().map(str), st.sampled_from(["4713-01-01 BC", "5874897-12-31"])),
    "time": st.times().map(str),
    "timetz": st.times().map(lambda time: f"{time}+05:30"),
    "timestamp": _MOMENT,
    "timestamp(3)": st.datetimes().map(str),
    "timestamptz": _MOMENT.map(lambda text: text if text.endswith("BC") else f"{text}Z"),
    "interval": st.tuples(*[st.integers(-(2**20), 2**20)] * 2, st.integers(-(2**53), 2**53)).map(
        lambda parts: f"{parts[0]} months {parts[1]} days {_span(parts[2])}"
    ),
    "bytea": st.binary().map(lambda value: "\\x" + value.hex()),
    "text": _TEXT,
    "varchar(40)": st.text(st.sampled_from("ab é\U0001f9a6\\'\"\n"), max_size=40),
    "character(6)": st.text(st.sampled_from("ab é\U0001f9a6"), max_size=6),
    "citext": _TEXT,
    "short": st.text(st.sampled_from("xé "), max_size=3),
    "mood": st.sampled_from(["happy", 'it\'s "so"']),
    "json": _JSON,
    "jsonb": _JSON,
    "uuid": st.uuids().map(str),
    "bit(9)": st.text(st.sampled_from("01"), min_size=9, max_size=9),
    "bit varying": st.text(st.sampled_from("01")),
    "integer[]": st.lists(st.integers(-9, 9) | st.none(), max_size=4).map(
        lambda items: "{" + ",".join("NULL" if item is None else str(item) for item in items) + "}"
    ),
    "double precision[]": st.lists(_float(64), max_size=3).map(lambda items: "{" + ",".join(items) + "}"),
    "int4range": st.tuples(st.integers(-9, 0), st.integers(1, 9)).map(lambda ends: f"[{ends[0]},{ends[1]})"),
    "inet": st.ip_addresses().map(str),
    "money": _decimal(12, 2).map(lambda text: f"{Decimal(text):.2f}"),
    "point": st.tuples(_float(64), _float(64)).map(lambda xy: f"({xy[0]},{xy[1]})"),
    "pair": st.integers(0, 9).map(lambda number: f'({number},"a ""b"", {number}")'),
}
ROW = st.tuples(*(st.none() | values for values in VALUES.values()))


@pytest.fixture
def any_types(postgres_database: PostgresDatabase) -> Iterator[psycopg.Connection[Any]]:
    """A session over the empty table ``t`` with a column of every type."""
    columns = ", ".join(f"c{number} {kind}" for number, kind in enumerate(VALUES))
    with postgres_database.connect() as session:
        session.execute(
            "CREATE EXTENSION citext; CREATE DOMAIN price AS numeric(8,3); CREATE DOMAIN short AS char(3);"
            "CREATE TYPE mood AS ENUM ('happy', 'it''s \"so\"'); CREATE TYPE pair AS (a int4, b text);"
            f"CREATE TABLE t (id int4 PRIMARY KEY, {columns})"
        )
        yield session


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROW, min_size=1, max_size=5))
def test_no_value_of_any_type_is_an_alarm(
    connector: Connector, any_types: psycopg.Connection[Any], rows: list[tuple[str | None, ...]]
) -> None:
    places = ", ".join(["%s"] * (len(VALUES) + 1))
    any_types.execute("TRUNCATE t")
    any_types.cursor().executemany(
        f"INSERT INTO t VALUES ({places})", [(number, *row) for number, row in enumerate(rows)]
    )
    assert read(connector) == len(rows)
    assert read(connector, columns=[f"c{number}" for number in range(len(VALUES))]) == len(rows)


# -- what is found -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("price", Decimal("176.430")),
        ("small", Decimal("0.000000000001")),
        ("free", "404.666666666666667"),
        ("rate", math.nextafter(1235 / 3, 0)),
        ("share", 0.0),
        ("note", None),
        ("note", "\u0301"),
        ("at", datetime(2024, 2, 29, 1, 2, 3, 457, UTC)),
        ("local", None),
        ("day", None),
        ("clock", None),
        ("span", pa.MonthDayNano([1, -2, 0])),
        ("raw", b""),
        ("flags", "00000"),
        ("feeling", "happy"),
        ("places", "{1235,null}"),
        ("document", '{"a": null, "b": 1.1}'),
        ("token", None),
        ("percent % {x}", None),
        ("wanted", True),
    ],
)
def test_an_altered_value_is_found_and_its_row_named(
    connector: Connector, filled: PostgresDatabase, altered: Any, column: str, value: Any
) -> None:
    altered(column, 1235, value)
    with pytest.raises(ReconciliationError) as refused:
        read(connector)
    assert str(refused.value).startswith(
        "t: rows that were read are not what the server has, 1 of them, first id=1235, kind='A   '; nothing was written"
    )


def test_a_sign_of_zero_and_a_nan_are_values(connector: Connector, filled: PostgresDatabase, altered: Any) -> None:
    """1236 holds -0.0 and 1235 NaN."""
    for number in (1235, 1236):
        altered("share", number, 0.0)
        with pytest.raises(ReconciliationError, match=f"1 of them, first id={number}, "):
            read(connector)


def test_rows_without_a_key_are_found_and_not_named(
    connector: Connector, filled: PostgresDatabase, altered: Any
) -> None:
    altered("note", 1235, "other")
    filled.execute("CREATE TABLE v AS SELECT * FROM t")
    for config in ({"columns": ["id", "note"]}, {"table": "v"}):
        with pytest.raises(ReconciliationError, match="not what the server has; nothing was written"):
            read(connector, **config)


def test_a_key_that_python_has_no_date_for_is_named(
    connector: Connector, postgres_database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres_database.execute(
        "CREATE TABLE t (day date PRIMARY KEY, a int4); INSERT INTO t VALUES ('0044-03-15 BC', 1)"
    )
    original = Decoder.decode
    monkeypatch.setattr(
        Decoder, "decode", lambda decoder, rows: with_column(original(decoder, rows), "a", pa.array([2]))
    )
    with pytest.raises(ReconciliationError, match="1 of them, first day=-0043-03-15; nothing"):
        read(connector)


def test_many_rows_are_counted_and_three_named(
    connector: Connector, filled: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Decoder.decode

    def without_notes(decoder: Decoder, rows: Sequence[bytes]) -> pa.RecordBatch:
        batch = original(decoder, rows)
        return with_column(batch, "note", pa.nulls(batch.num_rows))

    monkeypatch.setattr(Decoder, "decode", without_notes)
    with pytest.raises(ReconciliationError) as refused:
        read(connector)
    first = "id=1, kind='A   '; id=10, kind='a   '; id=100, kind='a   '"
    assert f"has, {ROWS - ROWS // 3} of them, first {first}; nothing" in str(refused.value)


def test_a_lost_row_is_found(connector: Connector, filled: PostgresDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Decoder.decode
    monkeypatch.setattr(Decoder, "decode", lambda decoder, rows: original(decoder, rows).slice(1))
    with pytest.raises(ReconciliationError, match="not what the server has"):
        read(connector)


def test_rows_without_columns_are_lost_and_found(connector: Connector, postgres_database: PostgresDatabase) -> None:
    """Arrow has no such rows."""
    postgres_database.execute("CREATE TABLE t ()")
    assert read(connector) == 0
    postgres_database.execute("INSERT INTO t DEFAULT VALUES")
    with pytest.raises(ReconciliationError, match="not what the server has; nothing was written"):
        read(connector)


def test_a_row_that_comes_twice_is_found(
    connector: Connector, postgres_database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector.seed(people([1, 2]), name="t", keys=["id"])
    original = Decoder.decode
    monkeypatch.setattr(Decoder, "decode", lambda decoder, rows: original(decoder, [*rows, rows[0]]))
    with pytest.raises(ReconciliationError, match="not what the server has; nothing was written"):
        read(connector)


def test_a_condition_that_never_chooses_alike_is_explained(connector: Connector, filled: PostgresDatabase) -> None:
    with pytest.raises(ReconciliationError, match="not what the server has") as refused:
        read(connector, where_sql="random() < 0.5")
    assert "random()" in refused.value.hint


# -- what is not compared, and what ends it ----------------------------------------------------------------
@pytest.mark.parametrize(
    "config", [{"table": "t", "limit": 10}, {"query": "SELECT id FROM t"}, {"table": "seen"}], ids=str
)
def test_what_cannot_be_asked_twice_is_said(connector: Connector, filled: PostgresDatabase, config: Any) -> None:
    filled.execute("CREATE VIEW seen AS SELECT note, avg(rate) FROM t GROUP BY note LIMIT 10")
    stream = connector.driver.open_reader(connector.connection, config, connector.context(checksum=True))
    assert sum(batch.num_rows for batch in stream) in (10, ROWS)
    stream.close()
    assert [code for code, _ in connector.warnings] == ["OSI-R115"]


def test_nothing_is_compared_unasked(connector: Connector, filled: PostgresDatabase, altered: Any) -> None:
    altered("note", 1235, "other")
    assert connector.read("t").num_rows == ROWS


def test_the_sums_end_when_the_run_is_asked_to_stop(connector: Connector, postgres_database: PostgresDatabase) -> None:
    postgres_database.execute("CREATE TABLE t AS SELECT n AS id, 'abcde' AS note FROM generate_series(1, 200) n")
    interrupts: list[Callable[[], None]] = []
    context = connector.context(checksum=True, batch_bytes=1, on_cancel=interrupts.append)
    config = connector.read_config("t", where_sql="md5(repeat(note, 400000)) <> ''")  # some milliseconds a row
    stream = connector.driver.open_reader(connector.connection, config, context)
    batches = iter(stream)
    assert sum(next(batches).num_rows for _ in range(200)) == 200
    stop = threading.Timer(0.1, interrupts[0])
    stop.start()
    with pytest.raises(psycopg.errors.QueryCanceled):
        next(batches)
    stop.join()
    stream.close()


def test_the_pooler_in_transaction_mode(pooled: Connector) -> None:
    name = pooled.seed(people(range(100)), keys=["id"])
    assert read(pooled, table=name) == 100
