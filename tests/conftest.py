"""Fixtures that the tests of the packages together share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from osiris_core.session import Session

TABLES = """
CREATE TABLE IF NOT EXISTS Orders (id BIGINT, customer_id BIGINT, total DECIMAL(10,2));
CREATE TABLE IF NOT EXISTS customers (id BIGINT, name VARCHAR)
"""
PIPELINE = """\
oml_version: "0.0.1"
name: totals
steps:
  - id: totals
    component: duckdb.table
    mode: read
    connection: "@db"
    config:
      SOURCE
  - id: load
    component: duckdb.table
    mode: write
    connection: "@db"
    needs: [totals]
    config: {table: totals, write_mode: replace, create: if_missing}
"""


@pytest.fixture
def make_totals(tmp_path: Path) -> Callable[[str], Session]:
    """Given what to read (``query: …``, ``table: …``): a project in the test's directory, with ``totals.yaml``."""

    def make(source: str) -> Session:
        with duckdb.connect(str(tmp_path / "shop.duckdb")) as connection:
            connection.execute(TABLES)
        (tmp_path / "osiris_connections.yaml").write_text(
            "connections:\n  db: {component: duckdb, path: shop.duckdb}\n"
        )
        (tmp_path / "osiris.yaml").write_text("validation: strict\n")
        (tmp_path / "totals.yaml").write_text(PIPELINE.replace("SOURCE", source))
        return Session.open(tmp_path, plugins=["duckdb"])

    return make
