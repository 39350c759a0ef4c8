"""The table that the benchmarks move: 13 mixed columns, about 340 bytes of text a row, the same on every machine.

``fill`` makes it inside MySQL or MariaDB with one INSERT .. SELECT per slice, so that a million rows take
seconds. Values follow from the row's number alone: NULLs, negative amounts, microseconds, Unicode and JSON.
"""

from __future__ import annotations

from typing import Any

TABLE = "wide"
COLUMNS = (
    "id", "customer_id", "status", "quantity", "flag", "amount", "rate",
    "ordered_at", "updated_at", "due", "email", "note", "attributes",
)  # fmt: skip
SLICE = 100_000

_CREATE = """
CREATE TABLE {table} (
  id BIGINT NOT NULL PRIMARY KEY,
  customer_id INT NOT NULL,
  status VARCHAR(16) NOT NULL,
  quantity SMALLINT NOT NULL,
  flag TINYINT(1),
  amount DECIMAL(12,2) NOT NULL,
  rate DOUBLE,
  ordered_at DATETIME(6) NOT NULL,
  updated_at TIMESTAMP(3) NULL,
  due DATE,
  email VARCHAR(120) NOT NULL,
  note TEXT,
  attributes JSON NOT NULL
) CHARACTER SET utf8mb4"""

_DIGITS = " UNION ALL ".join(f"SELECT {digit} AS d" for digit in range(10))
_NUMBERS = "SELECT a.d + 10*b.d + 100*c.d + 1000*e.d + 10000*f.d AS i FROM " + ", ".join(
    f"({_DIGITS}) AS {name}" for name in "abcef"
)
_FILL = f"""
INSERT INTO {{table}}
SELECT n, 1 + n * 7919 % 50000,
  ELT(1 + n % 5, 'new', 'paid', 'shipped', 'returned', 'cancelled'),
  1 + n % 40,
  IF(n % 11 = 0, NULL, n % 2),
  CAST((n * 104729 % 2000000 - 300000) / 100 AS DECIMAL(12,2)),
  IF(n % 13 = 0, NULL, n * 0.7071067811865476 / (1 + n % 97)),
  TIMESTAMP('2020-01-01') + INTERVAL n * 61 SECOND + INTERVAL n * 7919 % 1000000 MICROSECOND,
  IF(n % 17 = 0, NULL,
    TIMESTAMP('2021-06-01') + INTERVAL n * 37 SECOND + INTERVAL n % 1000 * 1000 MICROSECOND),
  IF(n % 19 = 0, NULL, DATE('2020-01-15') + INTERVAL n % 3000 DAY),
  CONCAT('customer.', n * 7919 % 50000, '@', LEFT(SHA2(n, 256), 8), '.example.com'),
  IF(n % 7 = 0, NULL,
    CONCAT('Bestellung № ', n, ' – ', LEFT(SHA2(n + 1, 512), 98), ELT(1 + n % 3, ' ok', ' größer', ' 発送済み'))),
  CONCAT('{{{{"channel":"', ELT(1 + n % 4, 'web', 'shop', 'phone', 'app'), '","items":', 1 + n % 9,
    ',"weight":', n % 5000 / 100, ',"gift":', IF(n % 3 = 0, 'true', 'false'),
    ',"coupon":"', LEFT(SHA2(n + 4, 256), 32), '"}}}}')
FROM (SELECT {{first}} + i AS n FROM ({_NUMBERS}) AS numbers) AS source WHERE n <= {{last}}"""


def create(connection: Any, table: str = TABLE) -> None:
    """Make the empty table; it must not exist."""
    with connection.cursor() as cursor:
        cursor.execute(_CREATE.format(table=table))


def fill(connection: Any, rows: int, table: str = TABLE, first: int = 1) -> None:
    """Insert rows ``first .. first + rows - 1``, each slice in a transaction of its own; then ANALYZE."""
    last = first + rows - 1
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION time_zone = '+00:00'")
        for start in range(first, last + 1, SLICE):
            cursor.execute(_FILL.format(table=table, first=start, last=min(start + SLICE - 1, last)))
            connection.commit()
        cursor.execute(f"ANALYZE TABLE {table}")
        cursor.fetchall()
