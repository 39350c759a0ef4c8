"""MySQL to PostgreSQL and Supabase for real: 100,000 rows appended, then merged, compared value by value."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from osiris_core.testing.cli import Osiris
from osiris_core.testing.servers import MySQLDatabase, PostgresDatabase

ROWS = 100_000
_DIGITS = "(" + " UNION ALL ".join(f"SELECT {digit} AS d" for digit in range(10)) + ")"
_NUMBERS = "SELECT 1 + a.d + 10*b.d + 100*c.d + 1000*e.d + 10000*f.d AS n FROM " + ", ".join(
    f"{_DIGITS} {name}" for name in "abcef"
)
COLUMNS = "id, amount, ratio, small, born, at, stamp, span, name, note, kind, attributes, raw, flag"
CREATE = """
CREATE TABLE orders (
  id BIGINT UNSIGNED PRIMARY KEY,
  amount DECIMAL(38,9) NOT NULL,
  ratio DOUBLE,
  small SMALLINT UNSIGNED,
  born DATE,
  at DATETIME(6),
  stamp TIMESTAMP(3) NULL,
  span TIME(6),
  name VARCHAR(80) NOT NULL,
  note TEXT,
  kind ENUM('new', 'paid', 'sent'),
  attributes JSON,
  raw VARBINARY(40),
  flag BIT(1) NOT NULL
) CHARACTER SET utf8mb4
"""
FILL = f"""
INSERT INTO orders ({COLUMNS})
SELECT 18446744073709451615 + n,
  CAST(n * 7919 % 1000003 AS DECIMAL(38,9)) / 997 - 400,
  IF(n % 13 = 0, NULL, n / 97),
  n % 65536,
  IF(n % 19 = 0, NULL, DATE('1900-01-01') + INTERVAL n DAY),
  TIMESTAMP('2020-01-01') + INTERVAL n * 61 SECOND + INTERVAL n * 7919 % 1000000 MICROSECOND,
  IF(n % 17 = 0, NULL, TIMESTAMP('2021-06-01') + INTERVAL n * 37 SECOND + INTERVAL n % 1000 * 1000 MICROSECOND),
  IF(n % 11 = 0, NULL, SEC_TO_TIME(n * 60 - 3000000)),
  CONCAT('Zákazník № ', n, ELT(1 + n % 4, '', ' 🐎', ' "q"', ' back\\\\slash')),
  IF(n % 7 = 0, NULL, ELT(1 + n % 3, '', '\\\\N', CONCAT('line\\n', n, '\\ttab'))),
  ELT(1 + n % 4, 'new', 'paid', 'sent', NULL),
  CONCAT('{{"b": ', n, ', "a": [1.10, null], "big": ', n, '0000000000000000001}}'),
  IF(n % 5 = 0, NULL, UNHEX(LEFT(SHA2(n, 256), 32))),
  n % 2 = 0
FROM ({_NUMBERS}) numbers
"""
#: Of the rows that are there, every tenth changes; 500 come in addition; nothing is deleted.
CHANGE = f"""
UPDATE orders SET amount = amount + 0.000000001, note = 'changed' WHERE small % 10 = 3;
INSERT INTO orders ({COLUMNS})
SELECT n, 1, 1, n, NULL, NULL, NULL, '838:59:59', 'new one', NULL, NULL, NULL, '', b'1'
FROM ({_NUMBERS}) numbers WHERE n <= 500
"""
PIPELINE = """
oml_version: "0.0.1"
name: orders-to-warehouse
steps:
  - id: orders
    component: mysql.table
    mode: read
    connection: "@shop"
    config: {table: orders}
  - id: load
    component: COMPONENT
    mode: write
    connection: "@warehouse"
    needs: [orders]
    config: CONFIG
"""


@pytest.fixture
def project(tmp_path: Path, mysql_database: MySQLDatabase, postgres_database: PostgresDatabase) -> Path:
    connections = {
        "shop": {**mysql_database.fields, "component": "mysql", "password": "${SHOP_PASSWORD}"},
        "warehouse": {**postgres_database.fields, "component": "postgres", "password": "${WAREHOUSE_PASSWORD}"},
    }
    # Supabase's own servers all speak TLS, so its connections require it unless told otherwise.
    connections["supabase"] = {**connections["warehouse"], "component": "supabase", "sslmode": "prefer"}
    (tmp_path / "osiris_connections.yaml").write_text(json.dumps({"connections": connections}))
    (tmp_path / ".env").write_text(
        f'SHOP_PASSWORD="{mysql_database.password}"\nWAREHOUSE_PASSWORD="{postgres_database.password}"\n'
    )
    return tmp_path


def run(osiris: Osiris, project: Path, component: str, config: dict[str, Any]) -> dict[str, Any]:
    """Run the pipeline and return what the writing step did."""
    text = PIPELINE.replace("COMPONENT", component).replace("CONFIG", json.dumps(config))
    if component == "supabase.table":
        text = text.replace("@warehouse", "@supabase")
    path = project / "orders.yaml"
    path.write_text(text)
    done = osiris("run", path, "--secrets-file", project / ".env", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    result = result.get("result", result)
    step: dict[str, Any] = result["steps"]["load"]
    return step


def source_rows(database: MySQLDatabase) -> Iterator[tuple[Any, ...]]:
    """What MySQL holds, in the values that psycopg reads a faithful copy as."""
    for row in database.query(f"SELECT {COLUMNS} FROM orders ORDER BY id"):
        *values, flag = row
        yield (*values, flag == b"\x01")


def target_rows(database: PostgresDatabase) -> Iterator[tuple[Any, ...]]:
    """What PostgreSQL holds; times with a zone as MySQL's client shows them, in UTC and without a zone."""
    columns = COLUMNS.replace("stamp", "stamp AT TIME ZONE 'UTC'").replace("attributes", "attributes::text")
    yield from database.query(f"SELECT {columns} FROM orders ORDER BY id")


def assert_equal(mysql: MySQLDatabase, postgres: PostgresDatabase, expected_rows: int) -> None:
    count = 0
    for there, here in zip(source_rows(mysql), target_rows(postgres), strict=True):
        assert here == there
        count += 1
    assert count == expected_rows


@pytest.mark.parametrize("component", ["postgres.table", "supabase.table"])
def test_append_then_merge(
    component: str, project: Path, osiris: Osiris, mysql_database: MySQLDatabase, postgres_database: PostgresDatabase
) -> None:
    mysql_database.execute("SET time_zone = '+00:00'; " + CREATE)
    mysql_database.execute("SET time_zone = '+00:00'; " + FILL)
    appended = run(osiris, project, component, {"table": "orders", "write_mode": "append", "create": "if_missing"})
    assert appended["written"] == ROWS
    assert_equal(mysql_database, postgres_database, ROWS)

    changed = mysql_database.query("SELECT count(*) FROM orders WHERE small % 10 = 3")[0][0]
    mysql_database.execute(CHANGE)
    config = {"table": "orders", "write_mode": "merge", "merge_keys": ["id"]}
    merged = run(osiris, project, component, config)
    assert merged["written"] == ROWS + 500
    assert merged["unchanged"] == ROWS - changed
    assert_equal(mysql_database, postgres_database, ROWS + 500)

    before = postgres_database.query("SELECT id, xmin FROM orders ORDER BY id")
    again = run(osiris, project, component, config)
    assert again["unchanged"] == ROWS + 500
    assert postgres_database.query("SELECT id, xmin FROM orders ORDER BY id") == before, "a merge touched equal rows"
