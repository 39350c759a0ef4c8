"""The one rule for the key of a table that a write makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from osiris_core import RunError, StepContext
from osiris_core.data import created_primary_key, with_source_table

COLUMNS = pa.schema([("b", pa.int64()), ("A", pa.int64()), ("c", pa.string())])


def key_of(
    config: dict[str, Any], key: list[str] | None = None, **options: Any
) -> tuple[tuple[str, ...], list[tuple[str, str]]]:
    """The key, and what was warned of."""
    warnings: list[tuple[str, str]] = []
    here = Path()
    context = StepContext("r", "k", "p", "load", here, here, warn=lambda code, text: warnings.append((code, text)))
    return created_primary_key(with_source_table(COLUMNS, primary_key=key or []), config, context, **options), warnings


@pytest.mark.parametrize(
    ("config", "own", "expected"),
    [
        ({}, [], ()),
        ({}, ["A", "b"], ("A", "b")),
        ({}, ["A", "gone"], ()),
        ({"merge_keys": ["c"]}, ["A", "b"], ("c",)),
        ({"merge_keys": ["c"], "primary_key": ["c", "b"]}, ["A"], ("c", "b")),
    ],
)
def test_what_is_asked_for_comes_before_the_sources_own_which_comes_whole(
    config: dict[str, Any], own: list[str], expected: tuple[str, ...]
) -> None:
    assert key_of(config, own) == (expected, [])


def test_names_are_spelt_as_in_the_stream_where_case_does_not_count() -> None:
    assert key_of({"merge_keys": ["a", "B"]}, ignore_case=True) == (("A", "b"), [])
    with pytest.raises(RunError, match='merge_keys: the source has no column "a"') as caught:
        key_of({"merge_keys": ["a"]})
    assert caught.value.code == "OSI-R105"


def test_a_key_that_the_target_cannot_have_is_left_out_aloud_unless_it_is_asked_for() -> None:
    key, warnings = key_of({}, ["A", "b"], unfit=["b", "c"])
    assert (key, [code for code, _ in warnings]) == ((), ["OSI-R128"])
    assert "(A, b): the type of b cannot" in warnings[0][1]
    assert key_of({}, ["A"], unfit=["b"]) == (("A",), [])
    assert key_of({"primary_key": ["b"]}, ["A"], unfit=["b"]) == (("b",), [])
