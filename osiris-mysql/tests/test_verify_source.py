"""verify: checksum at the source: a value that a read alters is found and its row named, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from osiris_core import Partition, ReconciliationError
from osiris_core.testing import Connector
from osiris_core.testing.servers import MySQLDatabase
from osiris_mysql import reader

ROWS = 3000
CREATE = (
    "CREATE TABLE t (id BIGINT ZEROFILL, kind VARCHAR(9) COLLATE utf8mb4_bin, PRIMARY KEY (id, kind),"
    " price DECIMAL(20,12), small DECIMAL(10,9) NOT NULL, note TEXT CHARACTER SET latin1, code CHAR(6), rate DOUBLE,"
    " at DATETIME(3), span TIME, day DATE, raw VARBINARY(9), born YEAR)"
)
#: One row of a thousand, more than the servers' limit on recursion allows at once.
VALUES = (
    "{first} + seq, IF(seq % 2, 'a', 'A'), seq / 7, 1e-9 * (seq % 3), IF(seq % 3, 'NULL', NULL), 'é ', seq / 3,"
    " '2024-02-29 01:02:03.456', IF(seq % 2, '-01:30:00', '838:59:59'), '2024-02-29', CHAR(0, seq % 256), 0"
)
SEQUENCE = "WITH RECURSIVE s AS (SELECT 1 AS seq UNION ALL SELECT seq + 1 FROM s WHERE seq < 1000)"


@pytest.fixture
def filled(mysql_database: MySQLDatabase) -> MySQLDatabase:
    """A table with what text forms differ by: padding, small decimals, NULL beside the word, signs, zones, case."""
    mysql_database.execute(CREATE)
    for first in range(0, ROWS, 1000):
        mysql_database.execute(f"INSERT INTO t {SEQUENCE} SELECT {VALUES.replace('{first}', str(first))} FROM s")
    return mysql_database


def read(connector: Connector, part: Partition | None = None, **config: Any) -> int:
    """The rows of a read that is compared with its source."""
    context = connector.context(checksum=True, batch_bytes=20_000)
    checked = connector.compiled("read", connector.read_config("t", **config))
    stream = connector.driver.open_reader(connector.connection, checked, context, part)
    try:
        return sum(batch.num_rows for batch in stream)
    finally:
        stream.close()


@pytest.fixture
def altered(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Reads that alter one column of the row with this id, as a fault of the decoder would."""
    original = reader.run_select

    def alter(column: str, number: int, value: Any) -> None:
        def faulty(*arguments: Any, **options: Any) -> Iterator[pa.RecordBatch]:
            for batch in original(*arguments, **options):
                at = batch.schema.get_field_index(column)
                values = batch.column(at).to_pylist()
                ids = batch.column("id").to_pylist()
                values = [value if ids[i] == number else one for i, one in enumerate(values)]
                yield batch.set_column(at, batch.schema.field(at), pa.array(values, batch.column(at).type))

        monkeypatch.setattr("osiris_mysql.reader.run_select", faulty)
        monkeypatch.setattr("osiris_mysql.verify_source.run_select", faulty)

    return alter


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"columns": ["kind", "note"]},
        {"columns": ["rate"]},
        {"where": [{"column": "kind", "op": "=", "value": "a"}, {"column": "note", "op": "!=", "value": "100%"}]},
        {"where_sql": "id % 7 = 1 AND note LIKE 'N%'"},
        {"on_invalid_date": "null"},
        {"order_by": [{"column": "id", "descending": True}]},
    ],
    ids=str,
)
def test_what_is_read_faithfully_is_no_alarm(connector: Connector, filled: MySQLDatabase, config: Any) -> None:
    assert read(connector, **config) > 200
    assert connector.warnings == []


def test_each_range_is_compared_in_its_own_snapshot(connector: Connector, filled: MySQLDatabase) -> None:
    config = connector.read_config("t", partition={"column": "id", "count": 3})
    parts = connector.driver.plan_partitions(connector.connection, config, connector.context())
    assert len(parts) == 3
    assert sum(read(connector, part, partition={"column": "id", "count": 3}) for part in parts) == ROWS


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("price", Decimal("0.000000000001")),
        ("note", None),
        ("code", "è"),
        ("kind", "b"),
        ("raw", b"\0"),
        ("born", 1900),
    ],
)
def test_an_altered_value_is_found_and_its_row_named(
    connector: Connector, filled: MySQLDatabase, altered: Any, column: str, value: Any
) -> None:
    altered(column, 1235, value)
    with pytest.raises(ReconciliationError, match=r"not what the server has, 1 of them, first id=1235, kind="):
        read(connector)


def test_a_lost_row_is_found(connector: Connector, filled: MySQLDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    original = reader.run_select

    def lossy(*arguments: Any, **options: Any) -> Iterator[pa.RecordBatch]:
        for batch in original(*arguments, **options):
            yield batch.slice(1)

    monkeypatch.setattr("osiris_mysql.reader.run_select", lossy)
    with pytest.raises(ReconciliationError, match="not what the server has"):
        read(connector)


@pytest.mark.parametrize(
    "config", [{"limit": 10}, {"table": None, "query": "SELECT id FROM t"}], ids=["limit", "query"]
)
def test_what_cannot_be_asked_twice_is_said(connector: Connector, filled: MySQLDatabase, config: Any) -> None:
    config = {**connector.read_config("t"), **config}
    config = {name: value for name, value in config.items() if value is not None}
    context = connector.context(checksum=True)
    stream = connector.driver.open_reader(connector.connection, config, context)
    assert sum(batch.num_rows for batch in stream) in (10, ROWS)
    stream.close()
    assert [code for code, _ in connector.warnings] == ["OSI-R115"]


def test_a_table_without_a_key_is_compared_as_a_whole(connector: Connector, mysql_database: MySQLDatabase) -> None:
    mysql_database.execute("CREATE TABLE t (a INT, b VARCHAR(9)); INSERT INTO t VALUES (1, 'x'), (1, 'x'), (NULL, '')")
    assert read(connector) == 3


def test_an_empty_table_is_equal(connector: Connector, mysql_database: MySQLDatabase) -> None:
    mysql_database.execute("CREATE TABLE t (a INT PRIMARY KEY)")
    assert read(connector) == 0


def test_no_text_outgrows_the_packet(connector: Connector, mysql_database: MySQLDatabase) -> None:
    """The hexadecimal digits of these values would, and what does is NULL."""
    [(most,)] = mysql_database.query("SELECT @@max_allowed_packet")
    mysql_database.execute(
        "CREATE TABLE t (id INT PRIMARY KEY, image LONGBLOB, way GEOMETRY);"
        f"INSERT INTO t VALUES (1, REPEAT('x', {most // 2 + 1}), ST_GeomFromText('POINT(1 2)'))"
    )
    assert read(connector) == 1


def test_the_servers_sums_may_take_longer_than_any_row(connector: Connector, mysql_database: MySQLDatabase) -> None:
    """Rows come every few milliseconds, the sums all at once after twice the connection's ``read_timeout``."""
    mysql_database.execute(f"CREATE TABLE u (id INT PRIMARY KEY); INSERT INTO u {SEQUENCE} SELECT seq FROM s")
    mysql_database.execute("CREATE VIEW t AS SELECT id, SLEEP(0.002) AS pause, REPEAT('x', 9999) AS filler FROM u")
    config = connector.compiled("read", connector.read_config("t"))
    connection = connector.connection_with(read_timeout=1)
    stream = connector.driver.open_reader(connection, config, connector.context(checksum=True))
    assert sum(batch.num_rows for batch in stream) == 1000
    stream.close()


def test_a_column_may_have_the_name_of_our_own(
    connector: Connector, mysql_database: MySQLDatabase, altered: Any
) -> None:
    mysql_database.execute(
        "CREATE TABLE t (id INT PRIMARY KEY, _osiris_check INT); INSERT INTO t VALUES (1, 2), (3, 4)"
    )
    altered("id", 3, 5)
    with pytest.raises(ReconciliationError, match="first id=5"):
        read(connector)


def test_a_view_that_never_reads_alike_is_explained(connector: Connector, mysql_database: MySQLDatabase) -> None:
    mysql_database.execute("CREATE VIEW t AS SELECT 1 AS id, RAND() * 1000000 DIV 1 AS dice")
    with pytest.raises(ReconciliationError, match="not what the server has") as refused:
        read(connector)
    assert "RAND()" in refused.value.hint
    assert read(connector, columns=["id"]) == 1
