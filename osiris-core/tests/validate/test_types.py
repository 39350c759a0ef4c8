"""Coarse types: what can be compared and kept."""

from __future__ import annotations

from typing import Any

import pytest

from osiris_core.catalog.model import Column
from osiris_core.validate.types import comparison_fault, family_of, fits


def column(arrow: str, osiris_type: str = "") -> Column:
    return Column("c", arrow, arrow, osiris_type=osiris_type)


@pytest.mark.parametrize(
    ("arrow", "family"),
    [
        ("int64", "number"), ("uint8", "number"), ("double", "number"), ("decimal128(10, 2)", "number"),
        ("bool", "boolean"),
        ("string", "text"), ("large_string", "text"), ("binary", "binary"), ("date32[day]", "date"),
        ("time64[us]", "time"), ("timestamp[us, tz=UTC]", "timestamp"), ("list<item: int64>", "nested"), ("", ""),
    ],
)  # fmt: skip
def test_families(arrow: str, family: str) -> None:
    assert family_of(column(arrow)) == family


def test_metadata_says_what_arrow_cannot() -> None:
    assert family_of(column("string", "json")) == "json"


@pytest.mark.parametrize(
    ("arrow", "value", "operator", "fine"),
    [
        ("int64", 1, "=", True), ("int64", "1", "=", False), ("int64", True, "=", False), ("int64", 1.5, ">", True),
        ("decimal128(10, 2)", "10.25", ">", True), ("decimal128(10, 2)", "ten", ">", False),
        ("string", "x", "=", True), ("string", 1, "=", False),
        ("string", "a%", "like", True), ("int64", "1%", "like", False),
        ("bool", True, "=", True), ("bool", 1, "=", False), ("bool", "true", "=", False),
        ("date32[day]", "2026-01-31", ">", True), ("date32[day]", "soon", ">", False),
        ("date32[day]", 20260131, ">", False),
        ("timestamp[us, tz=UTC]", "2026-01-31", ">", True),
        ("timestamp[us, tz=UTC]", "2026-01-31T10:00:00+02:00", ">", True),
        ("timestamp[us]", "31.1.2026", ">", False), ("time64[us]", "12:00", ">", True), ("", 5, "=", True),
        ("binary", "x", "=", True),
    ],
)  # fmt: skip
def test_comparisons(arrow: str, value: Any, operator: str, fine: bool) -> None:
    assert (comparison_fault(value, column(arrow), operator) == "") is fine


@pytest.mark.parametrize(
    ("source", "target", "fine"),
    [
        ("int64", "int32", True), ("int64", "decimal128(20, 0)", True), ("string", "int64", False),
        ("int64", "string", False),
        ("bool", "int8", True), ("int8", "bool", False), ("date32[day]", "timestamp[us]", True),
        ("timestamp[us]", "date32[day]", False), ("string", "binary", False), ("", "int64", True), ("string", "", True),
    ],
)  # fmt: skip
def test_what_can_be_kept(source: str, target: str, fine: bool) -> None:
    assert fits(column(source), column(target)) is fine


def test_a_decimal_that_travels_as_text_is_a_number() -> None:
    exact = column("string", "decimal")
    assert family_of(exact) == "number"
    assert fits(exact, column("int64"))
    assert fits(exact, column("decimal128(38, 9)"))
    assert fits(exact, column("string")), "its digits may be kept as text"
    assert not fits(column("string"), exact)
    assert comparison_fault("12.5", exact, ">") == ""
    assert comparison_fault("twelve", exact, ">") == "a number"


def test_text_and_json_go_into_each_other() -> None:
    assert fits(column("string"), column("string", "json"))
    assert fits(column("string", "json"), column("string"))
