"""The tables a query reads are pinned by the compile like those a config names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from osiris_core.compile import Compiled, compile_pipeline
from osiris_core.session import Session
from osiris_core.validate import validate

Compile = Callable[[str], Compiled]


@pytest.fixture
def compiled(tmp_path: Path, make_totals: Callable[[str], Session]) -> Compile:
    """What compiling a pipeline with this source gives."""

    def compile_source(source: str) -> Compiled:
        session = make_totals(source)
        return compile_pipeline(validate(tmp_path / "totals.yaml", session), session)

    return compile_source


@pytest.mark.parametrize(
    ("source", "tables"),
    [
        ("query: SELECT c.name, sum(o.total) AS t FROM orders o JOIN customers c ON c.id = o.customer_id GROUP BY 1",
         ["Orders", "customers"]),
        ("query: WITH o AS (SELECT * FROM orders) SELECT id FROM o", ["Orders"]),
        ("table: Orders\n      where_sql: customer_id IN (SELECT id FROM customers)", ["Orders", "customers"]),
        ("table: Orders", ["Orders"]),
    ],
)  # fmt: skip
def test_every_table_that_is_read_is_pinned(compiled: Compile, source: str, tables: list[str]) -> None:
    found = compiled(source)
    assert list(found.schemas["totals"]) == tables
    assert all(found.schemas["totals"].values())
    assert found.schemas["load"] == {"totals": None}


def test_a_change_of_a_queried_table_changes_the_fingerprint(tmp_path: Path, compiled: Compile) -> None:
    query = "query: SELECT id FROM customers"
    before = compiled(query).manifest["fingerprints"]["schemas"]["totals"]
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as connection:
        connection.execute("ALTER TABLE customers ADD COLUMN email VARCHAR")
    after = compiled(query).manifest["fingerprints"]["schemas"]["totals"]
    assert before.keys() == after.keys() == {"customers"}
    assert before != after
