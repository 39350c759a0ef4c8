"""Comparing two looks at one table: every difference is named, and nothing else is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from osiris_core.catalog import Catalog, Column, ForeignKey, Table
from osiris_core.catalog.changes import compare

ORDERS = Table(
    "orders",
    (
        Column("id", "bigint", "int64", nullable=False),
        Column("total", "decimal(10,2)", "decimal128(10, 2)"),
        Column("note", "text", "string"),
    ),
    primary_key=("id",),
    unique_keys=(("note",),),
)


def with_column(column: str, /, **changes: object) -> Table:
    columns = tuple(replace(c, **changes) if c.name == column else c for c in ORDERS.columns)  # type: ignore[arg-type]
    return replace(ORDERS, columns=columns)


@pytest.mark.parametrize(
    ("new", "kinds", "message"),
    [
        (None, ["table_dropped"], 'table "orders" is gone'),
        (replace(ORDERS, kind="view"), ["kind_changed"], '"orders" is now a view, was a table'),
        (replace(ORDERS, columns=ORDERS.columns[:2]), ["column_dropped"], 'column "note" is gone'),
        (
            with_column("total", type="text", arrow="string"),
            ["column_retyped"],
            'column "total" is now text, was decimal(10,2)',
        ),
        (with_column("total", arrow="string"), ["column_retyped"], 'column "total" is now decimal(10,2), was decim'),
        (with_column("id", nullable=True), ["column_altered"], 'column "id" now allows NULL'),
        (with_column("total", generated=True), ["column_altered"], 'column "total" is now generated'),
        (replace(ORDERS, primary_key=()), ["key_dropped"], "the primary key (id) is gone"),
        (replace(ORDERS, unique_keys=()), ["key_dropped"], "the unique key (note) is gone"),
        (replace(ORDERS, unique_keys=(("note",), ("total",))), ["key_added"], "the unique key (total) is new"),
        (replace(ORDERS, columns=ORDERS.columns[::-1]), ["column_altered"], "the columns are in another order"),
    ],
)
def test_one_change_is_one_finding(new: Table | None, kinds: list[str], message: str) -> None:
    changes = compare(ORDERS, new)
    assert [change.kind for change in changes] == kinds
    assert changes[0].message.startswith(message)
    assert changes[0].table == "orders"


def test_a_renamed_column_is_recognised() -> None:
    dropped, added = compare(ORDERS, with_column("note", name="remark"))[:2]
    assert (dropped.kind, dropped.column, dropped.hint) == ("column_dropped", "note", 'renamed to "remark"?')
    assert (added.kind, added.column) == ("column_added", "remark")


def test_a_table_that_appeared_is_new() -> None:
    assert [change.kind for change in compare(None, ORDERS)] == ["table_created"]
    assert compare(None, None) == []


def test_row_counts_comments_and_foreign_keys_are_no_change() -> None:
    busy = replace(
        with_column("note", comment="free text"),
        approximate_rows=7,
        comment="all orders",
        foreign_keys=(ForeignKey(("id",), "x", ("id",)),),
    )
    assert compare(ORDERS, busy) == []
    assert busy.shape() == ORDERS


def test_equal_fingerprints_mean_no_change_and_every_change_changes_it() -> None:
    mutants = [
        replace(ORDERS, name="other"),
        replace(ORDERS, kind="view"),
        replace(ORDERS, primary_key=()),
        with_column("id", nullable=True),
        with_column("id", has_default=True),
        with_column("note", case_insensitive=True),
        with_column("note", osiris_type="json"),
    ]
    assert len({table.fingerprint for table in [ORDERS, *mutants]}) == len(mutants) + 1
    assert all(compare(ORDERS, mutant) for mutant in mutants[1:])


def test_a_catalog_comes_back_from_json() -> None:
    table = replace(ORDERS, foreign_keys=(ForeignKey(("id",), "x", ("id",)),), approximate_rows=3, comment="é")
    catalog = Catalog("shelf.table", (table,), server_version="1", probe="t", partial=True)
    assert Catalog.from_json(catalog.to_json()) == catalog
    assert "nullable" not in catalog.to_json()["tables"][0]["columns"][1]
