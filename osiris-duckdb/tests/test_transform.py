"""``duckdb.sql``: what it computes, and what its SQL cannot reach."""

import time
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from osiris_core import InvalidInputError, RunError
from osiris_core.data import BatchStream, field
from osiris_duckdb.sql_guard import scans
from osiris_duckdb.transform import DuckDBSQL

ORDERS = pa.table({"id": [1, 2, 3], "total": pa.array([Decimal("1.10"), Decimal("2.20"), None], pa.decimal128(10, 2))})


def test_inputs_are_views_by_step_id(shop):
    people = pa.table({"order_id": [1, 3], "name": ["Zoë", "美咲"]})
    result = shop.transform(
        'SELECT o.id, p.name FROM "orders" AS o JOIN people AS p ON p.order_id = o.id ORDER BY 1',
        orders=ORDERS,
        people=people,
    )
    assert result.to_pylist() == [{"id": 1, "name": "Zoë"}, {"id": 3, "name": "美咲"}]


def test_sums_are_exact_and_typed(shop):
    result = shop.transform("SELECT sum(id) AS ids, sum(total) AS total, count(*) AS n FROM orders", orders=ORDERS)
    assert result.to_pylist() == [{"ids": Decimal(6), "total": Decimal("3.30"), "n": 3}]
    assert result.schema.field("total").type == pa.decimal128(38, 2)


def test_a_sum_beyond_38_digits_is_an_error_not_a_wrong_number(shop):
    with pytest.raises(Exception, match="DECIMAL\\(38,0\\)"):
        shop.transform("SELECT 170141183460469231731687303715884105727::HUGEINT AS n FROM orders", orders=ORDERS)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a.id, b.id AS other FROM orders AS a JOIN orders AS b USING (id) ORDER BY ALL",
        "WITH x AS (SELECT * FROM orders) SELECT a.id, b.id AS other FROM x AS a JOIN x AS b USING (id) ORDER BY ALL",
        "SELECT id, (SELECT max(id) FROM orders o WHERE o.id = orders.id) AS other FROM orders ORDER BY ALL",
    ],
)
def test_an_input_may_be_used_twice(shop, sql):
    expected = [{"id": number, "other": number} for number in (1, 2, 3)]
    assert shop.transform(sql, orders=ORDERS).to_pylist() == expected


def test_scans_are_counted_through_with(shop):
    import duckdb

    def count(sql):
        with duckdb.connect() as connection:
            return scans(connection, sql)

    assert count("SELECT * FROM a JOIN b USING (x)") == {"a": 1, "b": 1}
    assert count("WITH x AS (SELECT * FROM a) SELECT * FROM x") == {"a": 1}
    assert count("WITH x AS (SELECT * FROM A), y AS (FROM x) SELECT * FROM y, x") == {"a": 2}
    assert count("WITH RECURSIVE r AS (SELECT 1 AS n UNION SELECT n + 1 FROM r, a WHERE n < 3) FROM r")["a"] > 1
    assert count("SELECT (SELECT 1 FROM a), (SELECT 2 FROM a)") == {"a": 2}


def test_a_big_input_that_is_used_twice_is_all_there(shop):
    def rows():
        for start in range(0, 600_000, 30_000):
            yield pa.record_batch({"id": pa.array(range(start, start + 30_000), pa.int64())})

    data = BatchStream(pa.schema([("id", pa.int64())]), rows())
    result = shop.transform(
        "SELECT count(*) AS n, sum(a.id) AS s FROM input AS a JOIN input AS b USING (id)", input=data
    )
    assert result.to_pylist() == [{"n": 600_000, "s": Decimal(600_000 * 599_999 // 2)}]


def test_parameters_are_values(shop):
    evil = "x'; DROP TABLE orders; --"
    result = shop.transform(
        "SELECT id, ${params.text} AS text FROM orders WHERE id >= ${params.least} ORDER BY id",
        {"sql_params": {"least": 2, "text": evil}},
        orders=ORDERS,
    )
    assert result.to_pylist() == [{"id": 2, "text": evil}, {"id": 3, "text": evil}]


def test_a_semicolon_and_a_comment_at_the_end_are_fine(shop):
    assert shop.transform("SELECT id FROM orders -- all of them\n;", orders=ORDERS).num_rows == 3
    assert shop.transform("SELECT id FROM orders -- all of them", orders=ORDERS).num_rows == 3


def test_json_and_hugeint_are_themselves_inside(shop):
    schema = pa.schema(
        [field("doc", pa.string(), osiris="json"), field("n", pa.string(), osiris="decimal", source="duckdb:HUGEINT")]
    )
    data = pa.table(
        [pa.array(['{"a": [1, 2.50]}']), pa.array(["170141183460469231731687303715884105727"])], schema=schema
    )
    result = shop.transform("SELECT typeof(doc) AS t, doc->>'$.a[0]' AS a, n // 10 AS n, doc FROM input", input=data)
    assert result.drop_columns(["n"]).to_pylist() == [{"t": "JSON", "a": "1", "doc": '{"a": [1, 2.50]}'}]
    assert result.column("n").to_pylist() == [Decimal("17014118346046923173168730371588410572")]


#: Every way out of the sandbox that we could think of, and how it must end.
ESCAPES = [
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/etc/passwd')",
    "SELECT * FROM read_parquet('/etc/passwd')",
    "SELECT * FROM read_json('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    'SELECT * FROM "/etc/hostname.csv"',
    "FROM 'https://example.com/x.parquet'",
    "SELECT * FROM glob('/*')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT content FROM orders, read_text('/etc/' || 'passwd')",
    "SELECT (SELECT content FROM read_text('/etc/passwd')) FROM orders",
    "WITH x AS (FROM read_text('/etc/passwd')) SELECT * FROM x",
    "SELECT * FROM query('FROM read_text(''/etc/passwd'')')",
    "SELECT * FROM query_table('orders')",
    "SELECT * FROM parquet_metadata('/etc/passwd')",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM sqlite_master",
    "SELECT * FROM (SHOW ALL TABLES)",
    "SELECT * FROM (DESCRIBE orders)",
    "SELECT getenv('HOME') FROM orders",
    "SELECT current_setting('temp_directory') FROM orders",
    "ATTACH '/tmp/x.duckdb'",
    "COPY orders TO '/tmp/osiris-escape.csv'",
    "COPY (SELECT 1) TO '/tmp/osiris-escape.csv'",
    "EXPORT DATABASE '/tmp/osiris-escape'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "PRAGMA database_list",
    "PRAGMA enable_profiling",
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "RESET enable_external_access",
    "CREATE SECRET s (TYPE s3)",
    "CREATE TABLE t AS SELECT 1",
    "CREATE MACRO f() AS TABLE FROM read_text('/etc/passwd')",
    "DELETE FROM orders",
    "CALL pragma_version()",
    "EXPLAIN SELECT * FROM orders",
    "SELECT 1; SELECT 2",
    "SELECT 1; COPY (SELECT 1) TO '/tmp/osiris-escape.csv'",
    "SELECT * FROM local_secret",
    "SELECT * FROM other_step",
    "SELECT nextval('s') FROM orders",
    "",
    "SELECT",
]


@pytest.mark.parametrize("sql", ESCAPES)
def test_the_sandbox_holds(shop, sql):
    local_secret = pa.table({"secret": ["hunter2"]})  # DuckDB would find it by name in the caller's variables
    with pytest.raises(InvalidInputError):
        shop.transform(sql, orders=ORDERS)
    assert local_secret.num_rows == 1
    assert not Path("/tmp/osiris-escape.csv").exists()


@pytest.mark.parametrize(
    "sql",
    [
        sql
        for sql in ESCAPES
        if "orders, read" in sql
        or sql.startswith("SELECT * FROM read")
        or sql.startswith(("SET", "INSTALL", "ATTACH", "COPY", "EXPORT"))
    ],
)
def test_the_instance_is_locked_even_without_the_guard(shop, sql, monkeypatch):
    from osiris_duckdb import instances

    connection = instances.locked_down(None)
    connection.register("orders", ORDERS)
    with pytest.raises(Exception, match=r"disabled by configuration|locked|external"):
        connection.execute(sql).fetchall()
    connection.close()


def test_names_that_do_not_exist_are_explained(shop):
    with pytest.raises(InvalidInputError, match='"order", which is not one of its inputs') as raised:
        shop.transform('SELECT * FROM "order"', orders=ORDERS)
    assert "orders" in raised.value.hint


def test_what_an_input_raises_comes_out_as_it_is(shop):
    def rows():
        yield pa.record_batch({"id": [1]})
        raise RunError("the source broke")

    with pytest.raises(RunError, match="the source broke"):
        shop.transform("SELECT sum(id) AS s FROM orders", orders=BatchStream(pa.schema([("id", pa.int64())]), rows()))


def test_nothing_is_read_before_it_is_asked_for(shop):
    def rows():
        raise AssertionError("read too early")
        yield

    stream = BatchStream(pa.schema([("id", pa.int64())]), rows())
    result = DuckDBSQL().transform({"sql": "SELECT id, id + 1 AS next FROM orders"}, {"orders": stream}, shop.context())
    assert result.schema.names == ["id", "next"]
    result.close()
    result.close()


def test_memory_limit_makes_it_spill_and_the_scratch_goes(shop):
    def rows():
        for start in range(0, 3_000_000, 10_000):
            numbers = pa.array(range(start, start + 10_000), pa.int64())
            yield pa.record_batch(
                {
                    "id": numbers,
                    "text": pa.array([f"text number {n * 7919 % 3_000_000}" for n in range(start, start + 10_000)]),
                }
            )

    stream = BatchStream(pa.schema([("id", pa.int64()), ("text", pa.string())]), rows())
    config = {"sql": "SELECT * FROM input ORDER BY text", "memory_limit": "60MB", "threads": 1}
    result = DuckDBSQL().transform(config, {"input": stream}, shop.context(step="sorted"))
    count, last = 0, ""
    spilled = False
    for batch in result:
        texts = batch.column("text")
        assert last <= texts[0].as_py()
        count, last = count + batch.num_rows, texts[-1].as_py()
        spilled = spilled or any((shop.directory / "work").rglob("*.tmp"))
    assert count == 3_000_000
    assert spilled
    assert not list((shop.directory / "work").rglob("*.tmp"))


def test_batches_are_bounded(shop):
    text = pa.table({"text": ["x" * 10_000] * 2_000})
    stream = DuckDBSQL().transform(
        {"sql": "SELECT * FROM input"},
        {"input": BatchStream(text.schema, text.to_batches())},
        shop.context(batch_bytes=100_000),
    )
    sizes = [batch.nbytes for batch in stream]
    assert sum(sizes) >= 20_000_000
    assert max(sizes) <= 200_000


def test_cancelling_interrupts_a_long_statement(shop):
    import threading

    interrupts = []
    stream = DuckDBSQL().transform(
        {"sql": "SELECT count(*) AS n FROM range(100000) AS a(x), range(10000000) AS b(y), input WHERE x + y % 7 = id"},
        {"input": BatchStream(ORDERS.schema, ORDERS.to_batches())},
        shop.context(on_cancel=interrupts.append),
    )
    started = time.monotonic()
    timer = threading.Timer(0.5, lambda: [interrupt() for interrupt in interrupts])
    timer.start()
    with pytest.raises(Exception, match=r"INTERRUPT|[Ii]nterrupt"):
        list(stream)
    assert time.monotonic() - started < 8
    timer.join()
    for interrupt in interrupts:
        interrupt()  # harmless afterwards


def test_a_file_is_read_by_the_statement_itself(shop):
    """Fused: no row goes through Arrow, and the connection may open that file only."""
    (shop.files / "a.csv").write_text("id,name\n1,x\n2,y\n", encoding="utf-8")
    (shop.files / "secret.csv").write_text("id\n1\n", encoding="utf-8")
    where = [{"column": "id", "op": ">", "value": 1}]
    stream = shop.file_stream({"table": "a.csv", "where": where}, step="a")
    result = shop.transform("SELECT a.name, b.name AS again FROM a JOIN a AS b USING (id)", a=stream)
    assert result.to_pylist() == [{"name": "y", "again": "y"}]
    assert stream.source.started
    stream = shop.file_stream({"table": "a.csv"}, step="a")
    with pytest.raises(InvalidInputError):
        shop.transform(f"SELECT * FROM a, read_csv('{shop.files}/a.csv')", a=stream)


def test_fused_and_not_fused_give_the_same(shop):
    (shop.files / "a.csv").write_text('id,total,day,note\n1,1.10,2026-01-31,\n2,22.5,2026-02-01,""\n', encoding="utf-8")
    sql = "SELECT id + 1 AS id, total * 2 AS total, day, note, typeof(total) AS t FROM a ORDER BY id"
    fused = shop.transform(sql, a=shop.file_stream({"table": "a.csv"}, step="a"))
    stream = shop.file_stream({"table": "a.csv"}, step="a")
    stream.source = None
    plain = shop.transform(sql, a=stream)
    assert fused.equals(plain, check_metadata=True)
