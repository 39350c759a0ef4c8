"""What connectors share: streams, spools, batches, SELECTs, types, coercions, the ledger's record, edge values."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from osiris_core.data import (
    OSIRIS_TYPES,
    BatchStream,
    Coercions,
    Spool,
    as_reader,
    as_stream,
    build_select,
    column_arrow,
    field,
    osiris_type,
    rebatch,
    refuse_unknown_types,
    result_from_json,
    result_to_json,
    source_type,
)
from osiris_core.data.edge_values import EDGE_COLUMNS, HARD_COLUMNS, edge_table, meaning
from osiris_core.drivers import CommitResult
from osiris_core.errors import RunError

SCHEMA = pa.schema([("id", pa.int64()), ("name", pa.string())])


def batches(*counts: int) -> list[pa.RecordBatch]:
    return [
        pa.record_batch([pa.array(range(count), pa.int64()), pa.array(["x"] * count)], schema=SCHEMA)
        for count in counts
    ]


# -- streams -----------------------------------------------------------------------------------------------------
def test_a_stream_is_closed_once_at_its_end() -> None:
    closed: list[int] = []
    stream = BatchStream(SCHEMA, batches(1, 2), on_close=lambda: closed.append(1))
    assert [batch.num_rows for batch in stream] == [1, 2]
    stream.close()
    assert closed == [1]


def test_a_stream_left_early_is_closed() -> None:
    closed: list[int] = []
    stream = BatchStream(SCHEMA, batches(1, 2), on_close=lambda: closed.append(1))
    for _ in stream:
        break
    stream.close()
    assert closed == [1]


def test_streams_speak_the_capsule_interface_both_ways() -> None:
    stream = BatchStream(SCHEMA, batches(2, 3))
    assert pa.table(stream).num_rows == 5
    foreign = pa.RecordBatchReader.from_batches(SCHEMA, batches(4))
    ours = as_stream(foreign)
    assert (ours.schema, ours.coerced(), ours.state()) == (SCHEMA, {}, None)
    assert as_reader(ours).read_all().num_rows == 4
    assert as_stream(ours) is ours


class ForeignBatch:
    """A batch of another Arrow library: only the interface."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self._batch = batch
        self.num_rows, self.nbytes = batch.num_rows, batch.nbytes

    def __arrow_c_array__(self, requested_schema: object = None) -> Any:
        return self._batch.__arrow_c_array__(requested_schema)


class ForeignSchema:
    def __arrow_c_schema__(self) -> Any:
        return SCHEMA.__arrow_c_schema__()


def test_batches_of_other_libraries_are_read() -> None:
    stream = BatchStream(ForeignSchema(), map(ForeignBatch, batches(2, 1)))
    assert as_reader(stream).read_all().column("id").to_pylist() == [0, 1, 0]


def test_a_spool_gives_the_same_rows_again_and_again(tmp_path: Path) -> None:
    stream = BatchStream(SCHEMA, batches(2, 0, 3), coerced=lambda: {"on_nul": 2}, state=lambda: 7)
    spool = Spool(stream, tmp_path / "s.arrows")
    for _ in range(2):
        opened = spool.open()
        assert [batch.num_rows for batch in opened] == [2, 0, 3]
        assert (opened.coerced(), opened.state()) == ({"on_nul": 2}, 7)
    spool.close()
    assert list(tmp_path.iterdir()) == []


def test_a_spool_of_nothing_has_a_schema(tmp_path: Path) -> None:
    spool = Spool(BatchStream(SCHEMA, []), tmp_path / "s.arrows")
    assert as_reader(spool.open()).schema == SCHEMA


def test_batches_are_split_by_bytes_and_never_lose_a_row() -> None:
    (big,) = batches(1000)
    parts = list(rebatch([big], max_bytes=big.nbytes // 7))
    assert 7 <= len(parts) <= 9
    assert pa.Table.from_batches(parts).equals(pa.Table.from_batches([big]))
    assert list(rebatch(batches(3), max_bytes=10**9)) == batches(3)
    assert [part.num_rows for part in rebatch(batches(2), max_bytes=1)] == [1, 1]


# -- SELECT --------------------------------------------------------------------------------------------------------
def quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@pytest.mark.parametrize(
    ("style", "sql", "values"),
    [
        ("qmark", 'SELECT * FROM "t" WHERE "a""b" >= ? AND "c" IN (?, ?) AND "d" IS NULL', [1, "x", "y"]),
        (
            "pyformat",
            'SELECT * FROM "t" WHERE "a""b" >= %(p0)s AND "c" IN (%(p1)s, %(p2)s) AND "d" IS NULL',
            {"p0": 1, "p1": "x", "p2": "y"},
        ),
        (
            "dollar",
            'SELECT * FROM "t" WHERE "a""b" >= $p0 AND "c" IN ($p1, $p2) AND "d" IS NULL',
            {"p0": 1, "p1": "x", "p2": "y"},
        ),
    ],
)
def test_values_are_bound_and_names_quoted(style: Any, sql: str, values: Any) -> None:
    where = [
        {"column": 'a"b', "op": ">=", "value": 1},
        {"column": "c", "op": "in", "value": ["x", "y"]},
        {"column": "d", "op": "is_null"},
    ]
    built = build_select({"where": where}, select_list=["*"], source='"t"', quote=quote, style=style)
    assert built == (sql, values)


def test_order_limit_and_extra_conditions() -> None:
    config = {"order_by": [{"column": "a"}, {"column": "b", "descending": True}], "limit": 5}
    sql, values = build_select(
        config, select_list=['"a"', '"b"'], source='"t"', quote=quote, style="qmark", extra_where=["x OR y"]
    )
    assert sql == 'SELECT "a", "b" FROM "t" WHERE (x OR y) ORDER BY "a", "b" DESC LIMIT 5'
    assert values == []


# -- types -----------------------------------------------------------------------------------------------------------
def test_what_arrow_cannot_say_travels_as_metadata() -> None:
    for kind in OSIRIS_TYPES:
        made = field("c", pa.string(), osiris=kind, source="mysql:x")
        assert (osiris_type(made), source_type(made)) == (kind, "mysql:x")
        assert osiris_type(pa.schema([made]).field(0)) == kind
    assert osiris_type(field("c", pa.int64())) == source_type(field("c", pa.int64())) == ""
    assert column_arrow(field("c", pa.timestamp("us", "UTC"))) == ("timestamp[us, tz=UTC]", "")
    with pytest.raises(ValueError, match="unknown"):
        field("c", pa.string(), osiris="color")


def test_arrows_own_json_and_uuid_count_too() -> None:
    assert osiris_type(pa.field("c", pa.json_())) == "json"
    assert osiris_type(pa.field("c", pa.uuid())) == "uuid"


def test_an_unknown_type_is_refused_by_name() -> None:
    schema = pa.schema([field("ok", pa.string(), osiris="json"), field("bad", pa.string(), osiris="wkb")])
    refuse_unknown_types(schema, {"json", "wkb"}, "here")
    with pytest.raises(RunError, match=r"here cannot hold these columns: bad \(wkb\)"):
        refuse_unknown_types(schema, {"json"}, "here")


# -- counters and the ledger -----------------------------------------------------------------------------------------
def test_coercions_are_counted_by_name() -> None:
    counted = Coercions()
    counted.add("on_nul")
    counted.add("on_nul", 4)
    counted.add("never", 0)
    assert counted.counts() == {"on_nul": 5}


def test_the_ledgers_record_comes_back_marked() -> None:
    result = CommitResult(5, 1, 2, 3, 4, {"on_nul": 6})
    back = result_from_json(result_to_json(result))
    assert back == CommitResult(5, 1, 2, 3, 4, {"on_nul": 6}, already_committed=True)
    assert result_to_json(back) == result_to_json(result)


# -- edge values -----------------------------------------------------------------------------------------------------
def test_the_edge_table_holds_its_promises() -> None:
    data = edge_table()
    assert data.column("id").to_pylist() == list(range(1, data.num_rows + 1))
    assert data.column("uint64").to_pylist()[1] == 2**64 - 1
    assert data.column("decimal_65_30").to_pylist()[1] == data.column("decimal_65_30")[0].as_py().copy_negate()
    assert max(len(text) for text in data.column("text").to_pylist() if text) >= 1024 * 1024
    assert all(data.column(column.name)[-1].as_py() is None for column in EDGE_COLUMNS)
    assert osiris_type(data.schema.field("json")) == "json"
    assert edge_table(without=["json"]).num_columns == data.num_columns - 1
    names = [column.name for column in (*EDGE_COLUMNS, *HARD_COLUMNS)]
    assert len(names) == len(set(names))


def test_meanings_are_compared_not_spellings() -> None:
    text, plain = field("c", pa.string(), osiris="json"), pa.field("c", pa.string())
    assert meaning('{"a":1.0,"b":2}', text) == meaning('{ "b": 2, "a": 1.00 }', text)
    assert meaning("12345678901234567890.1", text) != meaning("12345678901234567890.2", text)
    assert meaning('{"a":1}', plain) == '{"a":1}'
    assert meaning("0.10", field("c", pa.string(), osiris="decimal")) == Decimal("0.1")
    span = pa.MonthDayNano([0, 0, 3_600_000_000_000])
    assert meaning(span, pa.field("c", pa.month_day_nano_interval())) == timedelta(hours=1)
    assert meaning(pa.MonthDayNano([1, 0, 0]), pa.field("c", pa.month_day_nano_interval())) != timedelta(0)
    assert meaning(float("nan"), pa.field("c", pa.float64())) == "NaN"
    assert meaning(None, text) is None


def test_a_schema_carries_the_sources_key_and_comments() -> None:
    from osiris_core.data.types import source_comment, source_primary_key, with_source_table

    schema = with_source_table(SCHEMA, primary_key=["id"], comment="people", comments={"name": "as in the passport"})
    assert source_primary_key(schema) == ("id",)
    assert source_comment(schema) == "people"
    assert [source_comment(column) for column in schema] == ["", "as in the passport"]
    assert (source_primary_key(SCHEMA), source_comment(SCHEMA)) == ((), "")
