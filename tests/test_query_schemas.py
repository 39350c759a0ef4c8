"""The tables a query reads are pinned by the compile like those a config names."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from osiris_core.compile import Compiled, compile_pipeline
from osiris_core.session import Session
from osiris_core.validate import validate

PIPELINE = """\
oml_version: "0.0.1"
name: totals
steps:
  - id: totals
    component: duckdb.table
    mode: read
    connection: "@db"
    config:
      {source}
  - id: load
    component: duckdb.table
    mode: write
    connection: "@db"
    needs: [totals]
    config: {{table: totals, write_mode: replace, create: if_missing}}
"""


def compiled(root: Path, source: str) -> Compiled:
    with duckdb.connect(str(root / "shop.duckdb")) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS Orders (id BIGINT, customer_id BIGINT, total DECIMAL(10,2))")
        connection.execute("CREATE TABLE IF NOT EXISTS customers (id BIGINT, name VARCHAR)")
    (root / "osiris_connections.yaml").write_text("connections:\n  db: {component: duckdb, path: shop.duckdb}\n")
    (root / "osiris.yaml").write_text("validation: strict\n")
    (root / "totals.yaml").write_text(PIPELINE.format(source=source))
    session = Session.open(root, plugins=["duckdb"])
    return compile_pipeline(validate(root / "totals.yaml", session), session)


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
def test_every_table_that_is_read_is_pinned(tmp_path: Path, source: str, tables: list[str]) -> None:
    found = compiled(tmp_path, source)
    assert list(found.schemas["totals"]) == tables
    assert all(found.schemas["totals"].values())
    assert found.schemas["load"] == {"totals": None}


def test_a_change_of_a_queried_table_changes_the_fingerprint(tmp_path: Path) -> None:
    query = "query: SELECT id FROM customers"
    before = compiled(tmp_path, query).manifest["fingerprints"]["schemas"]["totals"]
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as connection:
        connection.execute("ALTER TABLE customers ADD COLUMN email VARCHAR")
    after = compiled(tmp_path, query).manifest["fingerprints"]["schemas"]["totals"]
    assert before.keys() == after.keys() == {"customers"}
    assert before != after
