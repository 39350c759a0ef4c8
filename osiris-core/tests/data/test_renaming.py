"""A stream under the names of its target: the schema is another, the values are the same memory."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from osiris_core.data import (
    BatchStream,
    as_reader,
    field,
    osiris_type,
    source_comment,
    source_primary_key,
    with_source_table,
    with_target_names,
)
from osiris_core.errors import EXIT_RUN, RunError

SNAKE = {"table": "t", "write_mode": "append", "naming": "snake"}
SCHEMA = with_source_table(
    pa.schema([field("Order ID", pa.int64(), nullable=False), field("Attributes", pa.string(), osiris="json")]),
    primary_key=["Order ID"],
    comment="all orders",
    comments={"Attributes": "what else"},
)


def stream(schema: pa.Schema = SCHEMA, **options: Any) -> BatchStream:
    batches = [pa.record_batch([[number], ["{}"]][: len(schema)], schema=schema) for number in (1, 2)]
    return BatchStream(schema, batches, **options)


def test_only_names_change() -> None:
    closed: list[int] = []
    origin = stream(on_close=lambda: closed.append(1), coerced=lambda: {"on_nul": 1}, state=lambda: {"cursor": 2})
    renamed = with_target_names(origin, SNAKE)
    schema = renamed.schema
    assert schema.names == ["order_id", "attributes"]
    assert (schema.field(0).nullable, schema.field(1).nullable) == (False, True)
    assert (osiris_type(schema.field(1)), source_comment(schema.field(1))) == ("json", "what else")
    assert (source_primary_key(schema), source_comment(schema)) == (("order_id",), "all orders")
    assert as_reader(renamed).read_all().to_pylist() == [
        {"order_id": 1, "attributes": "{}"},
        {"order_id": 2, "attributes": "{}"},
    ]
    assert (renamed.coerced(), renamed.state(), renamed.origin) == ({"on_nul": 1}, {"cursor": 2}, origin)
    renamed.close()
    assert closed == [1]


def test_no_value_is_copied() -> None:
    batch = pa.record_batch([[1, 2], ["a", "b"]], schema=SCHEMA)
    [renamed] = with_target_names(BatchStream(SCHEMA, [batch]), SNAKE)
    for before, after in zip(batch.columns, renamed.columns, strict=True):
        addresses = [[part and part.address for part in array.buffers()] for array in (before, after)]
        assert addresses[0] == addresses[1]


def test_where_nothing_changes_the_stream_is_the_same() -> None:
    origin = stream()
    assert with_target_names(origin, {**SNAKE, "naming": "preserve"}) is origin
    assert with_target_names(origin, {}) is origin
    plain = stream(pa.schema([("id", pa.int64()), ("name", pa.string())]))
    assert with_target_names(plain, SNAKE) is plain


def test_a_key_that_is_not_read_whole_is_no_key_of_another_column() -> None:
    """The source's key is ``order_id``, which is not read; ``Order ID`` takes its name and is not unique."""
    schema = with_source_table(pa.schema([("Order ID", pa.int64())]), primary_key=["order_id"])
    renamed = with_target_names(stream(schema), SNAKE)
    assert renamed.schema.names == ["order_id"]
    assert source_primary_key(renamed.schema) == ()


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["Order ID", "order_id"], 'the columns "Order ID" and "order_id" would all be "order_id"'),
        (["🐎", "id"], 'the column "🐎" has no letter and no digit'),
        (["x" * 64, "id"], "longer than 63 bytes"),
    ],
)
def test_what_cannot_be_named_is_refused_before_a_row_is_pulled(names: list[str], words: str) -> None:
    schema = pa.schema([(name, pa.int64()) for name in names])
    batches = iter([pa.record_batch([[1], [2]], schema=schema)])
    with pytest.raises(RunError) as caught:
        with_target_names(BatchStream(schema, batches), SNAKE)
    assert next(batches).num_rows == 1
    assert words in caught.value.message
    assert (caught.value.code, caught.value.exit_code) == ("OSI-R114", EXIT_RUN)


def test_keys_are_named_as_in_the_target() -> None:
    with pytest.raises(RunError, match='"Order ID" "order_id" in the target') as caught:
        with_target_names(stream(), {**SNAKE, "write_mode": "merge", "merge_keys": ["Order ID"]})
    assert caught.value.hint.startswith("write order_id")
    assert with_target_names(stream(), {**SNAKE, "write_mode": "merge", "merge_keys": ["order_id"]}).schema.names


class Foreign:
    """A batch of another Arrow library: only the interface."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self._batch = batch
        self.num_rows, self.nbytes = batch.num_rows, batch.nbytes

    def __arrow_c_array__(self, requested_schema: object = None) -> Any:
        return self._batch.__arrow_c_array__(requested_schema)


def test_batches_of_other_libraries_are_renamed_too() -> None:
    origin = BatchStream(SCHEMA, [Foreign(pa.record_batch([[1], ["x"]], schema=SCHEMA))])
    assert as_reader(with_target_names(origin, SNAKE)).read_all().to_pylist() == [{"order_id": 1, "attributes": "x"}]
