"""Rows that a source's server has otherwise: counted, and the first of them named."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from osiris_core.data import BucketSums, DifferingRows


def message(keys: list[str], *batches: tuple[pa.RecordBatch, list[int], list[int | None]]) -> str:
    differing = DifferingRows("orders", keys)
    for batch, ours, theirs in batches:
        differing.compare(batch, ours, pa.array(theirs, pa.uint64()))
    error = differing.error("look there")
    assert error.hint == "look there"
    return error.message


def test_the_first_keys_of_all_batches_are_named() -> None:
    batches: list[tuple[pa.RecordBatch, list[int], list[int | None]]] = [
        (pa.record_batch({"k": ["d", "c"], "n": [1, 2]}), [2**64 - 1, 5], [2**64 - 1, 6]),
        (pa.record_batch({"k": ["e", "b", "a"], "n": [3, 4, 5]}), [1, 2, 3], [7, None, 9]),
    ]
    assert message(["k", "n"], *batches) == (
        "orders: rows that were read are not what the server has, 4 of them, first k='a', n=5; k='b', n=4; k='c', n=2;"
        " nothing was written"
    )


def test_no_row_that_differs_any_more() -> None:
    same = (pa.record_batch({"k": [1]}), [5], list[int | None]([5]))
    said = "orders: rows that were read are not what the server has; nothing was written"
    assert message(["k"], same) == message([]) == said


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (pa.array([date(2024, 2, 29)]), "2024-02-29"),
        (pa.array([-735_160], pa.int32()).cast(pa.date32()), "-0043-03-15"),
        (pa.array([0], pa.timestamp("us", "UTC")), "1970-01-01 00:00:00.000000Z"),
        (pa.array([Decimal("1.50")]), "Decimal('1.50')"),
        (pa.array([b"x"]), "b'x'"),
    ],
    ids=str,
)
def test_keys_of_any_type_have_a_text(value: Any, shown: str) -> None:
    assert f"first k={shown}; " in message(["k"], (pa.record_batch({"k": value}), [1], [2]))


def test_buckets_differ_by_a_row_a_sum_or_what_wraps_around() -> None:
    sums = BucketSums(4)
    sums.add(np.array([0, 1, 1, 3]), np.array([5, 2**63, 2**63 + 7, 0], np.uint64))
    theirs = [(0, 1, 5), (1, 2, 2**64 + 7), (3, 1, 0)]
    assert sums.differing(theirs) == []
    assert sums.differing(theirs[:2]) == [3]  # a row lost, of hash 0
    assert sums.differing([(0, 1, 6), *theirs[1:]]) == [0]
    assert sums.differing([*theirs, (2, 1, 9)]) == [2]
