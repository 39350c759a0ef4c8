"""The shop of the demo: a DuckDB file, a CSV file and a Parquet file, the same on every machine."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent

CONNECTIONS = """\
connections:
  shop: {component: duckdb, path: shop.duckdb, read_only: true}
  files: {component: file, root: files}
  warehouse: {component: duckdb, path: warehouse.duckdb}
"""
PROJECT = """\
# The root of an Osiris project. Relative paths in pipelines start here.
validation: strict
"""
_RATES = """\
currency,eur,name
EUR,1.000000,Euro
CZK,0.039840,"Koruna, česká"
USD,0.921500,US dollar
JPY,0.006105,円
"""
_SHIPMENTS = """
    COPY (
        SELECT id AS order_id, placed_at + to_hours(CAST(6 + id % 90 AS INTEGER)) AS shipped_at,
               ['DHL', 'Zásilkovna', 'ヤマト運輸'][1 + id % 3] AS carrier,
               CAST(200 + (id * 31) % 9000 AS INTEGER) AS grams
        FROM orders WHERE status IN ('sent', 'returned') ORDER BY id
    ) TO '{}' (FORMAT parquet)
"""


def make_shop(directory: Path) -> None:
    """Fill the empty ``directory`` with the project and its data. Raises OSError, duckdb.Error."""
    import duckdb

    files = directory / "files"
    files.mkdir(parents=True)
    (directory / "osiris.yaml").write_text(PROJECT, encoding="utf-8")
    (directory / "osiris_connections.yaml").write_text(CONNECTIONS, encoding="utf-8")
    (directory / "order_facts.yaml").write_text(pipeline(), encoding="utf-8")
    (files / "rates.csv").write_text(_RATES, encoding="utf-8")
    shipments = str(files / "shipments.parquet").replace("'", "''")
    with duckdb.connect(str(directory / "shop.duckdb"), config={"threads": 1}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute((_HERE / "shop.sql").read_text(encoding="utf-8"))
        connection.execute(_SHIPMENTS.format(shipments))


def pipeline() -> str:
    """The pipeline that the demo runs, as text."""
    return (_HERE / "order_facts.yaml").read_text(encoding="utf-8")
