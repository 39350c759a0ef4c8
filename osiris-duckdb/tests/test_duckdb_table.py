"""``duckdb.table``: discovery, reading and writing beyond what the conformance kit asks of everyone."""

import subprocess
import sys
import threading
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import duckdb
import pyarrow as pa
import pytest

from osiris_core import ConfigurationError, ConnectError, DriftError, InvalidInputError, RunError, Scope
from osiris_core.data import field, osiris_type
from osiris_duckdb.table import DuckDBTable

PEOPLE = pa.table({"id": [1, 2, 3], "name": ["a", "b", None]})
MERGE = {"table": "people", "write_mode": "merge", "merge_keys": ["id"], "create": "if_missing"}


# -- discovery ---------------------------------------------------------------------------------------------
def test_discovery_tells_all_about_a_table(shop):
    shop.sql(
        """
        CREATE SCHEMA sales;
        CREATE TABLE sales.parent (id INTEGER PRIMARY KEY);
        CREATE TABLE sales.orders (
            id BIGINT PRIMARY KEY, parent_id INTEGER REFERENCES sales.parent(id), code VARCHAR COLLATE nocase UNIQUE,
            "has space" DECIMAL(10,2) DEFAULT 1.5, twice BIGINT GENERATED ALWAYS AS (id * 2), tags VARCHAR[] NOT NULL);
        CREATE UNIQUE INDEX both_index ON sales.orders (code, "has space");
        CREATE VIEW big AS SELECT id FROM sales.orders WHERE id > 5;
        COMMENT ON COLUMN sales.orders.id IS 'the number';
        INSERT INTO sales.parent SELECT range FROM range(500);
        """
    )
    catalog = DuckDBTable().discover(shop.connection(), Scope())
    assert [table.name for table in catalog.tables] == ["big", "sales.orders", "sales.parent"]
    assert not catalog.partial
    table = catalog.table("sales.orders")
    columns = {column.name: column for column in table.columns}
    assert (columns["id"].type, columns["id"].arrow, columns["id"].nullable) == ("BIGINT", "int64", False)
    assert columns["id"].comment == "the number"
    assert columns["has space"].has_default
    assert columns["twice"].generated and not columns["twice"].has_default
    assert columns["code"].case_insensitive and not columns["tags"].case_insensitive
    assert (columns["tags"].arrow, columns["tags"].osiris_type, columns["tags"].nullable) == ("string", "json", False)
    assert table.primary_key == ("id",)
    assert set(table.unique_keys) == {("code",), ("code", "has space")}
    assert table.foreign_keys[0].ref_table == "parent"
    assert catalog.table("big").kind == "view"
    assert catalog.table("sales.parent").approximate_rows == 500


def test_the_number_of_queries_does_not_grow_with_the_tables(shop):
    shop.sql(";".join(f"CREATE TABLE t{n} (id INTEGER PRIMARY KEY, v VARCHAR)" for n in range(200)))
    asked = []

    class Counting:
        def __init__(self, connection):
            self._connection = connection

        def execute(self, sql, parameters=None):
            asked.append(sql)
            return self._connection.execute(sql, parameters)

    from osiris_duckdb import catalog

    with duckdb.connect(str(shop.path)) as connection:
        assert len(catalog.discover(Counting(connection), Scope()).tables) == 200
    assert len(asked) <= 4


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE t ADD COLUMN extra INTEGER",
        "ALTER TABLE t DROP COLUMN name",
        "ALTER TABLE t RENAME COLUMN name TO title",
        "ALTER TABLE t ALTER COLUMN name TYPE BIGINT USING 1",
        "ALTER TABLE t ALTER COLUMN name SET NOT NULL",
        "ALTER TABLE t ALTER COLUMN name SET DEFAULT 'x'",
        "CREATE UNIQUE INDEX u ON t (name)",
        "DROP TABLE t",
        "ALTER TABLE t RENAME TO u",
        "CREATE TABLE other (id INTEGER)",
        "CREATE VIEW v AS SELECT 1 AS one",
    ],
)
def test_the_probe_sees_every_change_of_a_schema(shop, change):
    shop.sql("CREATE TABLE t (id INTEGER PRIMARY KEY, name VARCHAR)")
    before = DuckDBTable().probe(shop.connection(), Scope())
    shop.sql("INSERT INTO t VALUES (1, 'a')")
    assert DuckDBTable().probe(shop.connection(), Scope()) == before
    shop.sql(change)
    assert DuckDBTable().probe(shop.connection(), Scope()) != before


def test_a_missing_file_has_no_tables_and_its_coming_is_seen(shop):
    driver = DuckDBTable()
    assert driver.discover(shop.connection(), Scope()).tables == ()
    before = driver.probe(shop.connection(), Scope())
    shop.sql("CREATE TABLE t (id INTEGER)")
    assert driver.probe(shop.connection(), Scope()) != before


def test_the_ledger_is_not_a_table_of_the_users(shop):
    shop.write(MERGE, PEOPLE)
    assert [table.name for table in DuckDBTable().discover(shop.connection(), Scope()).tables] == ["people"]


def test_check_says_what_is_wrong(shop, tmp_path):
    driver = DuckDBTable()
    assert [finding.status for finding in driver.check(shop.connection())] == ["warning"]
    assert [finding.status for finding in driver.check(shop.connection(path=str(tmp_path / "no/x.duckdb")))] == [
        "failed"
    ]
    shop.sql("CREATE TABLE t (id INTEGER)")
    assert [finding.status for finding in driver.check(shop.connection())] == ["ok"]
    shop.path.write_bytes(b"this is not a database" * 1000)
    finding = driver.check(shop.connection())[0]
    assert finding.status == "failed"
    assert "not made by DuckDB" in finding.hint


# -- types -------------------------------------------------------------------------------------------------
#: DuckDB type, a value in SQL, and what a read hands out.
VALUES = [
    ("HUGEINT", "170141183460469231731687303715884105727", "170141183460469231731687303715884105727"),
    ("HUGEINT", "'-170141183460469231731687303715884105728'", "-170141183460469231731687303715884105728"),
    ("UHUGEINT", "340282366920938463463374607431768211455", "340282366920938463463374607431768211455"),
    ("UBIGINT", "18446744073709551615", 2**64 - 1),
    ("BIGINT", "9007199254740993", 2**53 + 1),
    (
        "DECIMAL(38,10)",
        "'-1234567890123456789012345678.0123456789'",
        Decimal("-1234567890123456789012345678.0123456789"),
    ),
    ("DECIMAL(4,4)", "0.0001", Decimal("0.0001")),
    ("FLOAT", "16777216", 16777216.0),
    ("DOUBLE", "5e-324", 5e-324),
    ("BIGNUM", "'123456789012345678901234567890123456789012345'", "123456789012345678901234567890123456789012345"),
    ("DATE", "'0044-03-15'", date(44, 3, 15)),
    ("TIME", "'23:59:59.999999'", time(23, 59, 59, 999999)),
    ("TIMESTAMP", "'1969-12-31 23:59:59.999999'", datetime(1969, 12, 31, 23, 59, 59, 999999)),
    ("TIMESTAMP_S", "'2026-03-29 02:30:00'", datetime(2026, 3, 29, 2, 30)),
    ("TIMESTAMP_MS", "'2026-03-29 02:30:00.123'", datetime(2026, 3, 29, 2, 30, 0, 123000)),
    ("TIMESTAMP_NS", "'2026-03-29 02:30:00.123456'", datetime(2026, 3, 29, 2, 30, 0, 123456)),
    ("TIMESTAMPTZ", "'2026-10-25 02:30:00+01'", datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
    ("INTERVAL", "INTERVAL '1 month -2 days 3 hours'", pa.MonthDayNano([1, -2, 3 * 3600 * 10**9])),
    ("INTERVAL", "INTERVAL '838:59:59'", pa.MonthDayNano([0, 0, (838 * 3600 + 59 * 60 + 59) * 10**9])),
    ("JSON", """'{"b": 1.10, "a": [1e2, 12345678901234567890]}'""", '{"b": 1.10, "a": [1e2, 12345678901234567890]}'),
    ("UUID", "'6f1e3a52-9c1b-4f7e-8d2a-0123456789ab'", "6f1e3a52-9c1b-4f7e-8d2a-0123456789ab"),
    ("BIT", "'010110'", "010110"),
    ("ENUM('small', 'it''s')", "'it''s'", "it's"),
    ("BLOB", "'\\x00\\xFF'::BLOB", b"\x00\xff"),
    ("BOOLEAN", "true", True),
    ("VARCHAR", "''", ""),
    ("VARCHAR", "'a' || chr(0) || 'b'", "a\0b"),
    ("INTEGER[]", "[1, NULL, 3]", "[1,null,3]"),
    ("DECIMAL(20,10)[]", "[1.1234567891, -2]", "[1.1234567891,-2.0000000000]"),
    ('STRUCT(a INTEGER, "b c" VARCHAR)', "{'a': 1, 'b c': 'x\"y'}", '{"a":1,"b c":"x\\"y"}'),
    ("INTEGER[2]", "[1, 2]", "[1,2]"),
    ("MAP(VARCHAR, INTEGER)", "MAP {'a': 1, 'b''c': 2}", "{a=1, 'b\\'c'=2}"),
    ("TIMETZ", "'12:00:00.5+01:30'", "12:00:00.5+01:30"),
    ("TIME[]", "['12:00:00']", "['12:00:00']"),
]


@pytest.mark.parametrize(("kind", "sql", "expected"), VALUES, ids=lambda value: str(value)[:30])
def test_a_value_leaves_as_it_is_and_comes_back(shop, kind, sql, expected):
    shop.sql(f"CREATE TABLE t (v {kind}); INSERT INTO t VALUES ({sql}), (NULL)")
    data = shop.read({"table": "t"})
    assert data.column("v").to_pylist() == [expected, None]
    column = DuckDBTable().discover(shop.connection(), Scope(("t",))).table("t").column("v")
    assert (column.arrow, column.osiris_type) == (str(data.schema.field("v").type), osiris_type(data.schema.field("v")))
    shop.write({"table": "copy", "write_mode": "append", "create": "if_missing"}, shop.stream({"table": "t"}))
    assert shop.sql("SELECT DISTINCT typeof(v) FROM copy") == shop.sql("SELECT DISTINCT typeof(v) FROM t")
    assert shop.sql("SELECT count(*) FROM t JOIN copy ON t.v IS NOT DISTINCT FROM copy.v") == [(2,)]


def test_infinite_dates_travel_between_duckdbs_only(shop):
    shop.sql(
        "CREATE TABLE t (v TIMESTAMP, d DATE, z TIMESTAMPTZ);INSERT INTO t VALUES ('infinity', '-infinity', 'infinity')"
    )
    with pytest.raises(RunError, match='"v" holds an infinite date'):
        shop.read({"table": "t"})
    shop.write({"table": "copy", "write_mode": "append", "create": "if_missing"}, shop.stream({"table": "t"}))
    assert shop.sql("SELECT count(*) FROM t JOIN copy USING (v, d, z)") == [(1,)]


def test_what_cannot_be_carried_is_left_out_and_said(shop):
    shop.sql("CREATE TABLE t (id INTEGER, u UNION(n INTEGER, t VARCHAR)); INSERT INTO t VALUES (1, 'x')")
    assert DuckDBTable().discover(shop.connection(), Scope()).table("t").column("u").arrow == ""
    assert shop.read({"table": "t"}).to_pylist() == [{"id": 1}]
    assert shop.warnings and '"u" (UNION' in shop.warnings[0][1]
    for config in ({"table": "t", "columns": ["u"]}, {"query": "SELECT u FROM t"}):
        with pytest.raises(RunError, match="cannot be carried"):
            shop.read(config)


def test_an_interval_that_arrow_would_wrap_is_refused(shop):
    shop.sql("CREATE TABLE t (v INTERVAL); INSERT INTO t VALUES (INTERVAL '2562047788 hours')")
    with pytest.raises(duckdb.Error, match="more hours than Arrow can count"):
        shop.read({"table": "t"})


def test_geometry_leaves_as_wkb_and_comes_back(shop):
    shop.sql("CREATE TABLE t (g GEOMETRY); INSERT INTO t VALUES ('POINT(1 2)'), (NULL)")
    data = shop.read({"table": "t"})
    assert osiris_type(data.schema.field("g")) == "wkb"
    assert data.column("g").to_pylist()[0][:5] == b"\x01\x01\x00\x00\x00"
    shop.write({"table": "copy", "write_mode": "append", "create": "if_missing"}, shop.stream({"table": "t"}))
    assert shop.sql("SELECT typeof(g), CAST(g AS VARCHAR) FROM copy WHERE g IS NOT NULL")[0][1] == "POINT (1 2)"


#: A column's type in the target, what comes, and whether it fits: (type, arrow array, expected or None for refused).
FITS = [
    ("INTEGER", pa.array([1.0]), 1),
    ("INTEGER", pa.array([1.5]), None),
    ("INTEGER", pa.array([Decimal("2.00")]), 2),
    ("INTEGER", pa.array([Decimal("2.01")]), None),
    ("TINYINT", pa.array([300]), None),
    ("INTEGER", pa.array(["007"]), 7),
    ("INTEGER", pa.array([" -5 "]), -5),
    ("INTEGER", pa.array(["1.5"]), None),
    ("INTEGER", pa.array(["1e3"]), None),
    ("INTEGER", pa.array([""]), None),
    ("DOUBLE", pa.array([2**53]), 2.0**53),
    ("DOUBLE", pa.array([2**53 + 1]), None),
    ("FLOAT", pa.array([0.5]), 0.5),
    ("FLOAT", pa.array([0.1]), None),
    ("DECIMAL(10,2)", pa.array([0.25]), Decimal("0.25")),
    ("DECIMAL(10,2)", pa.array([0.125]), None),
    ("DECIMAL(10,2)", pa.array([Decimal("1.2300")]), Decimal("1.23")),
    ("DECIMAL(10,2)", pa.array([Decimal("1.2345")]), None),
    ("DECIMAL(10,2)", pa.array(["1.20000"]), Decimal("1.20")),
    ("DECIMAL(10,2)", pa.array(["12"]), Decimal("12")),
    ("DECIMAL(10,2)", pa.array(["1.999"]), None),
    ("DECIMAL(10,4)", pa.array(["15e-9"]), None),
    ("DECIMAL(3,1)", pa.array(["1234.5"]), None),
    ("DATE", pa.array([datetime(2026, 1, 1)]), date(2026, 1, 1)),
    ("DATE", pa.array([datetime(2026, 1, 1, 1)]), None),
    ("DATE", pa.array(["2026-01-01"]), date(2026, 1, 1)),
    ("DATE", pa.array(["2026-01-01 10:00:00"]), None),
    ("TIMESTAMP", pa.array([date(2026, 1, 1)]), datetime(2026, 1, 1)),
    ("TIMESTAMP", pa.array(["2026-01-01T10:00:00Z"]), datetime(2026, 1, 1, 10)),
    ("TIMESTAMP", pa.array(["2026-01-01 10:00:00+02"]), None),
    ("TIMESTAMP", pa.array(["2026-01-01 10:00:00.1234567"]), None),
    ("TIMESTAMP", pa.array([1], pa.timestamp("ns")), None),
    ("TIMESTAMPTZ", pa.array(["2026-01-01 10:00:00+02"]), datetime(2026, 1, 1, 8, tzinfo=UTC)),
    ("TIMESTAMPTZ", pa.array([1], pa.timestamp("ns", "UTC")), None),
    ("TIME", pa.array([timedelta(hours=10)]), time(10)),
    ("TIME", pa.array([timedelta(hours=25)]), None),
    ("TIME", pa.array([timedelta(hours=-1)]), None),
    ("BOOLEAN", pa.array([1]), True),
    ("BOOLEAN", pa.array([4]), None),
    ("VARCHAR", pa.array([Decimal("1.10")]), "1.10"),
    ("VARCHAR", pa.array([b"\xff"]), None),
    ("BLOB", pa.array(["a\\x41"]), b"a\\x41"),
    ("UUID", pa.array(["no uuid"]), None),
    ("ENUM('a', 'b')", pa.array(["a"]), "a"),
    ("ENUM('a', 'b')", pa.array(["c"]), None),
    ("INTEGER[]", pa.array([[1, 2]]), [1, 2]),
    ("HUGEINT", pa.array([Decimal("99999999999999999999999999999999999999")]), 10**38 - 1),
]


@pytest.mark.parametrize(("kind", "array", "expected"), FITS, ids=lambda value: str(value)[:40].replace("\n", ""))
def test_a_value_fits_unchanged_or_is_refused(shop, kind, array, expected):
    shop.sql(f"CREATE TABLE t (id INTEGER, v {kind})")
    data = pa.table({"id": [1], "v": array})
    config = {"table": "t", "write_mode": "append"}
    if expected is None:
        with pytest.raises((duckdb.Error, RunError)) as raised:
            shop.write(config, data)
        assert "v" in str(raised.value)
        assert shop.sql("SELECT count(*) FROM t") == [(0,)]
        return
    shop.write(config, data)
    rows = shop.read({"table": "t"}).column("v").to_pylist() if "TZ" in kind else shop.sql("SELECT v FROM t")[0]
    value = rows[0]
    assert value == expected
    assert isinstance(value, type(expected))


def test_a_type_in_metadata_cannot_carry_sql(shop):
    for text in (
        "INTEGER); DROP TABLE victim; --",
        "INTEGER) --",
        "INTEGER DEFAULT (SELECT 1)",
        "INTEGER), x INTEGER CHECK (1",
        "STRUCT(a INTEGER)) FROM victim WHERE (1=1",
    ):
        shop.sql("CREATE OR REPLACE TABLE victim (id INTEGER)")
        data = pa.table([pa.array(["1"])], schema=pa.schema([field("v", pa.string(), source=f"duckdb:{text}")]))
        shop.write({"table": "t", "write_mode": "append", "create": "if_missing"}, data)
        assert shop.sql("SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = 't'")[0][0] == "v"
        assert len(shop.sql("SELECT 1 FROM duckdb_columns() WHERE table_name = 't'")) == 1
        shop.sql("DROP TABLE t; FROM victim")


# -- reading -----------------------------------------------------------------------------------------------
def test_reading_is_lazy_and_one_snapshot(shop):
    shop.sql("CREATE TABLE t AS SELECT range AS id FROM range(500000)")
    batches = iter(shop.stream({"table": "t"}, batch_bytes=8192))
    first = next(batches).num_rows
    writer = DuckDBTable().open_reader  # a second reader shares the instance
    assert sum(b.num_rows for b in writer(shop.connection(), {"table": "t", "limit": 5}, shop.context())) == 5
    assert first + sum(batch.num_rows for batch in batches) == 500_000


def test_a_step_reads_the_file_that_it_writes(shop):
    shop.sql("CREATE TABLE t AS SELECT range AS id, 'n' || range AS name FROM range(100000)")
    config = {"table": "t", "write_mode": "replace"}
    result = shop.write(config, shop.stream({"query": "SELECT id + 1 AS id, name FROM t WHERE id % 2 = 0"}))
    assert (result.written, result.deleted) == (50_000, 100_000)
    assert shop.sql("SELECT count(*), min(id), max(id) FROM t") == [(50_000, 1, 99_999)]


def test_where_values_are_exact_and_bound(shop):
    shop.sql(
        "CREATE TABLE t AS SELECT 0.1::DECIMAL(10,2) AS d, 'it''s' AS s, TIMESTAMPTZ '2026-01-01 00:00:00+00' AS z"
    )

    def count(column, op, value):
        return shop.read({"table": "t", "where": [{"column": column, "op": op, "value": value}]}).num_rows

    assert count("d", "=", 0.1) == 1
    assert count("d", "in", [0.1, 0.2]) == 1
    assert count("s", "=", "it's") == 1
    assert count("s", "=", "' OR 1=1 --") == 0
    assert count("z", ">=", "2026-01-01T01:00:00+01:00") == 1
    assert count("z", ">", "2026-01-01") == 0


@pytest.mark.parametrize(
    "config",
    [
        {"query": "SELECT * FROM read_text('/etc/passwd')"},
        {"query": "SELECT * FROM '/etc/passwd'"},
        {"query": "DELETE FROM t"},
        {"query": "SELECT 1; DROP TABLE t"},
        {"query": "COPY t TO '/tmp/x'"},
        {"query": "SELECT * FROM duckdb_settings()"},
        {"table": "t", "where_sql": "1=1; DROP TABLE t"},
        {"table": "t", "where_sql": "id IN (SELECT 1 FROM read_text('/etc/passwd'))"},
        {"table": "t", "where_sql": "1=1) UNION SELECT 1 FROM t WHERE (1=1"},
    ],
    ids=str,
)
def test_sql_of_a_read_is_one_select_over_tables(shop, config):
    shop.sql("CREATE TABLE t AS SELECT 1 AS id")
    with pytest.raises(InvalidInputError):
        shop.read(config)
    assert shop.sql("FROM t") == [(1,)]


def test_query_and_where_sql_take_parameters(shop):
    shop.sql("CREATE TABLE t AS SELECT range AS id FROM range(10)")
    config = {"query": "SELECT id FROM t WHERE id > ${params.n} -- end", "sql_params": {"n": 7}, "where_sql": "id < 9"}
    assert shop.read(config).column("id").to_pylist() == [8]
    config = {"table": "t", "where_sql": "id = ${params.a} OR id = ${params.b}", "sql_params": {"a": 1, "b": 2}}
    assert sorted(shop.read(config).column("id").to_pylist()) == [1, 2]


def test_missing_names_are_drift_with_a_suggestion(shop):
    shop.sql("CREATE TABLE orders (id INTEGER)")
    with pytest.raises(DriftError, match='no table "ordrs"') as raised:
        shop.read({"table": "ordrs"})
    assert 'did you mean "orders"?' in raised.value.hint
    with pytest.raises(DriftError, match='no column "idd"'):
        shop.read({"table": "orders", "columns": ["idd"]})
    with pytest.raises(DriftError, match='no column "x"'):
        shop.read({"table": "orders", "where": [{"column": "x", "op": "is_null"}]})
    shop.path.unlink()
    with pytest.raises(ConnectError, match="no DuckDB file"):
        shop.read({"table": "orders"})
    assert not shop.path.exists()


def test_incremental_by_time_with_a_lag(shop):
    shop.sql(
        "CREATE TABLE t (id INTEGER, seen TIMESTAMP);"
        "INSERT INTO t VALUES (1, '2026-01-01 10:00'), (2, '2026-01-01 12:00')"
    )
    config = {"table": "t", "columns": ["id"], "incremental": {"cursor": "seen", "lag": "PT1H30M"}}
    stream = shop.stream(config)
    assert [row["id"] for batch in stream for row in batch.to_pylist()] == [1, 2]
    state = stream.state()
    shop.sql("INSERT INTO t VALUES (3, '2026-01-01 10:45'), (4, '2026-01-01 13:00')")
    stream = shop.stream(config, state=state)
    assert sorted(row["id"] for batch in stream for row in batch.to_pylist()) == [2, 3, 4]
    assert stream.state()["value"] == "2026-01-01 13:00:00"
    with pytest.raises(DriftError, match="is TIMESTAMP now"):
        shop.stream(config, state={"value": "7", "type": "BIGINT"})


def test_schema_tables_and_quoted_names(shop):
    shop.sql(
        'CREATE SCHEMA "my schema"; CREATE TABLE "my schema"."a "" b" ("c d" INTEGER);'
        'INSERT INTO "my schema"."a "" b" VALUES (1)'
    )
    name = DuckDBTable().discover(shop.connection(), Scope()).tables[0].name
    assert name == 'my schema.a " b'
    assert shop.read({"table": name}).to_pylist() == [{"c d": 1}]
    shop.write({"table": name, "write_mode": "append"}, pa.table({"c d": [2]}))
    shop.write({"table": "new.made", "write_mode": "append", "create": "if_missing"}, pa.table({"x": [2]}))
    assert shop.sql("FROM new.made") == [(2,)]


# -- writing -----------------------------------------------------------------------------------------------
def test_merge_counts_what_changed(shop):
    assert shop.write(MERGE, PEOPLE).written == 3
    data = pa.table({"id": [2, 3, 4], "name": ["B", None, "d"]})
    result = shop.write(MERGE, data)
    assert (result.written, result.unchanged, result.deleted) == (3, 1, 0)
    assert shop.sql("FROM people ORDER BY id") == [(1, "a"), (2, "B"), (3, None), (4, "d")]
    result = shop.write({**MERGE, "delete_missing": True, "verify": "checksum"}, data)
    assert (result.unchanged, result.deleted) == (3, 1)
    assert shop.sql("SELECT id FROM people ORDER BY id") == [(2,), (3,), (4,)]


@pytest.mark.parametrize(
    "ddl", ["id BIGINT PRIMARY KEY, name VARCHAR", "id BIGINT, name VARCHAR", "id BIGINT, name VARCHAR UNIQUE"]
)
def test_merge_works_with_and_without_a_unique_index(shop, ddl):
    shop.sql(f"CREATE TABLE people ({ddl}); INSERT INTO people VALUES (1, 'x'), (9, 'y')")
    result = shop.write(MERGE, PEOPLE)
    assert result.written == 3
    assert shop.sql("FROM people ORDER BY id") == [(1, "a"), (2, "b"), (3, None), (9, "y")]


def test_merge_leaves_columns_that_the_source_lacks(shop):
    shop.sql("CREATE TABLE people (id BIGINT PRIMARY KEY, name VARCHAR, note VARCHAR DEFAULT 'new', twice AS (id * 2))")
    shop.sql("INSERT INTO people (id, name, note) VALUES (1, 'x', 'keep')")
    shop.write(MERGE, PEOPLE)
    assert shop.sql("FROM people ORDER BY id") == [(1, "a", "keep", 2), (2, "b", "new", 4), (3, None, "new", 6)]


def test_merge_by_several_keys_and_nothing_else(shop):
    config = {"table": "t", "write_mode": "merge", "merge_keys": ["a", "b"], "create": "if_missing"}
    data = pa.table({"a": [1, 1], "b": ["x", "y"]})
    assert shop.write(config, data).written == 2
    result = shop.write(config, data)
    assert (result.written, result.unchanged) == (2, 2)


def test_a_key_that_is_null_or_comes_twice_stops_the_merge(shop):
    shop.write(MERGE, PEOPLE)
    with pytest.raises(RunError, match="NULL in 1 rows") as raised:
        shop.write(MERGE, pa.table({"id": [None, 7], "name": ["x", "y"]}))
    assert raised.value.code == "OSI-R108"
    with pytest.raises(RunError, match="comes twice in the source, for example 7") as raised:
        shop.write(MERGE, pa.table({"id": [7, 7], "name": ["x", "y"]}))
    assert raised.value.code == "OSI-R109"
    assert shop.sql("SELECT count(*) FROM people") == [(3,)]


@pytest.mark.parametrize(
    ("keep", "descending", "expected"),
    [("last", False, "new"), ("first", False, None), ("last", True, None), ("first", True, "new")],
)
def test_dedupe_keeps_the_row_it_says(shop, keep, descending, expected):
    data = pa.table({"id": [1, 1, 1], "at": [2, 3, None], "name": ["old", "new", None]})
    dedupe = {"keep": keep, "order_by": [{"column": "at", "descending": descending}]}
    result = shop.write({**MERGE, "dedupe": dedupe}, data)
    assert (result.written, result.deduplicated) == (1, 2)
    assert shop.sql("SELECT name FROM people") == [(expected,)]


def test_dedupe_of_equals_keeps_the_later_row(shop):
    data = pa.table({"id": [1] * 1000, "at": [1] * 1000, "n": list(range(1000))})
    for keep, expected in (("last", 999), ("first", 0)):
        shop.write({**MERGE, "table": keep, "dedupe": {"keep": keep, "order_by": [{"column": "at"}]}}, data)
        assert shop.sql(f"SELECT n FROM {keep}") == [(expected,)]


def test_keys_that_ignore_case_are_one_key(shop):
    shop.sql("CREATE TABLE people (id VARCHAR COLLATE nocase PRIMARY KEY, name VARCHAR)")
    with pytest.raises(RunError, match="comes twice"):
        shop.write(MERGE, pa.table({"id": ["A", "a"], "name": ["x", "y"]}))
    shop.write(MERGE, pa.table({"id": ["A"], "name": ["x"]}))
    shop.write(MERGE, pa.table({"id": ["a"], "name": ["y"]}))
    assert shop.sql("SELECT name FROM people") == [("y",)]


def test_replace_keeps_the_table_its_indexes_and_views(shop):
    shop.sql(
        "CREATE TABLE people (id BIGINT PRIMARY KEY, name VARCHAR NOT NULL DEFAULT '?');CREATE INDEX i ON people (name)"
    )
    shop.sql("INSERT INTO people VALUES (1, 'old'), (5, 'old'); CREATE VIEW v AS SELECT id FROM people")
    ddl = shop.sql("SELECT sql FROM duckdb_tables() WHERE table_name = 'people'")
    result = shop.write({"table": "people", "write_mode": "replace"}, pa.table({"id": [1, 2], "name": ["x", "y"]}))
    assert (result.written, result.deleted) == (2, 2)
    assert shop.sql("SELECT sql FROM duckdb_tables() WHERE table_name = 'people'") == ddl
    assert shop.sql("FROM v ORDER BY id") == [(1,), (2,)]
    assert shop.sql("SELECT count(*) FROM duckdb_indexes() WHERE index_name = 'i'") == [(1,)]


def test_what_a_failing_replace_deleted_is_back(shop):
    shop.sql("CREATE TABLE people (id BIGINT PRIMARY KEY, name VARCHAR NOT NULL); INSERT INTO people VALUES (1, 'old')")
    with pytest.raises(duckdb.ConstraintException):
        shop.write({"table": "people", "write_mode": "replace"}, PEOPLE)
    assert shop.sql("FROM people") == [(1, "old")]


@pytest.mark.parametrize("write_mode", ["append", "replace"])
def test_several_partitions_are_one_change(shop, write_mode):
    shop.sql("CREATE TABLE people (id BIGINT, name VARCHAR); INSERT INTO people VALUES (0, 'z')")
    result = shop.write({"table": "people", "write_mode": write_mode}, PEOPLE, PEOPLE, PEOPLE)
    assert result.written == 9
    assert shop.sql("SELECT count(*) FROM people") == [(9 if write_mode == "replace" else 10,)]


def test_drift_fails_adds_or_ignores(shop):
    shop.sql("CREATE TABLE people (id BIGINT PRIMARY KEY)")
    with pytest.raises(DriftError, match='no column "name"'):
        shop.write({**MERGE, "create": "never"}, PEOPLE)
    assert shop.write({**MERGE, "on_drift": "ignore_new"}, PEOPLE).written == 3
    assert shop.warnings and '"name"' in shop.warnings[0][1]
    assert shop.write({**MERGE, "on_drift": "add_columns"}, PEOPLE).unchanged == 1
    assert shop.sql("FROM people ORDER BY id") == [(1, "a"), (2, "b"), (3, None)]
    shop.sql(
        "ALTER TABLE people ADD COLUMN must INTEGER DEFAULT 1; ALTER TABLE people ALTER must SET NOT NULL; "
        "ALTER TABLE people ALTER must DROP DEFAULT"
    )
    with pytest.raises(DriftError, match='requires "must"'):
        shop.write(MERGE, PEOPLE)


def test_targets_that_cannot_be_written(shop):
    shop.sql("CREATE TABLE t (id INTEGER); CREATE VIEW v AS FROM t")
    with pytest.raises(RunError, match="is a view"):
        shop.write({"table": "v", "write_mode": "append"}, PEOPLE)
    with pytest.raises(DriftError, match='no table "tt"') as raised:
        shop.write({"table": "tt", "write_mode": "append"}, PEOPLE)
    assert "create: if_missing" in raised.value.hint
    with pytest.raises(RunError, match="one column to DuckDB"):
        shop.write({"table": "t", "write_mode": "append", "on_drift": "add_columns"}, pa.table({"id": [1], "ID": [2]}))
    writer = DuckDBTable().open_writer(
        shop.connection(read_only=True), {"table": "t", "write_mode": "append"}, shop.context()
    )
    with pytest.raises(ConfigurationError, match="read_only"):
        writer.begin()
    writer.close()
    shop.path.unlink()
    with pytest.raises(ConnectError, match="no DuckDB file"):
        shop.write({"table": "t", "write_mode": "append"}, PEOPLE)
    assert not shop.path.exists()


def test_created_tables_have_keys_and_not_null(shop):
    schema = pa.schema(
        [
            pa.field("id", pa.int32(), nullable=False),
            pa.field("n", pa.uint64(), nullable=False),
            pa.field("t", pa.string()),
        ]
    )
    shop.write(MERGE, pa.table([[1], [2], ["x"]], schema=schema))
    table = DuckDBTable().discover(shop.connection(), Scope()).table("people")
    assert table.primary_key == ("id",)
    assert [(c.name, c.type, c.nullable) for c in table.columns] == [
        ("id", "INTEGER", False),
        ("n", "UBIGINT", False),
        ("t", "VARCHAR", True),
    ]


def test_state_is_kept_with_the_rows(shop):
    writer = DuckDBTable().open_writer(shop.connection(), MERGE, shop.context())
    assert writer.read_state() is None
    assert not shop.path.exists(), "asking makes nothing"
    shop.write(MERGE, PEOPLE, state={"orders": {"value": "7"}})
    shop.write(MERGE, PEOPLE)
    shop.write(MERGE, PEOPLE, state={"orders": {"value": "8"}}, step="other")
    assert writer.read_state() == {"orders": {"value": "7"}}
    writer.begin()
    assert writer.read_state() == {"orders": {"value": "7"}}
    writer.close()


def test_a_run_key_commits_once(shop):
    first = shop.write(MERGE, PEOPLE, run_key="k")
    again = shop.write({**MERGE, "write_mode": "append"}, PEOPLE, run_key="k")
    assert (again.written, again.already_committed, first.already_committed) == (3, True, False)
    assert shop.sql("SELECT count(*) FROM people") == [(3,)]
    assert shop.write({**MERGE, "table": "b"}, PEOPLE, run_key="k", step="b").already_committed is False


def test_checksum_finds_what_is_different(shop, monkeypatch):
    from osiris_duckdb import merging

    real = merging._merge_sql
    monkeypatch.setattr(merging, "_merge_sql", lambda *args: real(*args).replace('source."name")', "'wrong')"))
    shop.sql("CREATE TABLE people (id BIGINT, name VARCHAR)")
    with pytest.raises(RunError, match="differs from the source at the keys 1, 2, 3"):
        shop.write({**MERGE, "verify": "checksum"}, PEOPLE)
    assert shop.sql("SELECT count(*) FROM people") == [(0,)]


@pytest.mark.parametrize("write_mode", ["append", "replace"])
def test_checksum_of_append_and_replace_compares_contents(shop, monkeypatch, write_mode):
    from osiris_duckdb import verification

    shop.sql("CREATE TABLE people (id BIGINT, name VARCHAR); INSERT INTO people VALUES (9, 'z')")
    config = {"table": "people", "write_mode": write_mode, "verify": "checksum"}
    assert shop.write(config, PEOPLE, PEOPLE).written == 6
    expected = 6 + (write_mode == "append")
    assert shop.sql("SELECT count(*) FROM people") == [(expected,)]
    real = verification.one

    def altered(connection, sql, parameters=None):
        return real(
            connection, sql.replace('SELECT "id", "name" FROM temp', "SELECT \"id\", 'x' FROM temp"), parameters
        )

    monkeypatch.setattr(verification, "one", altered)
    with pytest.raises(RunError, match="checksums differ"):
        shop.write(config, PEOPLE)
    assert shop.sql("SELECT count(*) FROM people") == [(expected,)]


@pytest.mark.parametrize("write_mode", ["append", "merge", "replace"])
def test_a_million_rows_arrive(shop, write_mode):
    """More than row groups and vectors hold at once; counted by reading them, not from what DuckDB notes."""
    from osiris_core.data import BatchStream

    schema = pa.schema([("id", pa.int64()), ("name", pa.string())])

    def rows():
        for start in range(0, 1_000_000, 30_000):
            ids = range(start, min(start + 30_000, 1_000_000))
            yield pa.record_batch([pa.array(ids, pa.int64()), pa.array([f"n{n}" for n in ids])], schema=schema)

    shop.sql("CREATE TABLE people AS SELECT -1 - range AS id, 'old' AS name FROM range(300000)")
    config = {"table": "people", "write_mode": write_mode} | ({"merge_keys": ["id"]} if write_mode == "merge" else {})
    assert shop.write(config, BatchStream(schema, rows())).written == 1_000_000
    found = shop.sql("SELECT count(DISTINCT id), sum(id), count(name) FROM people WHERE name = 'n' || id")
    assert found == [(1_000_000, 499_999_500_000, 1_000_000)]
    assert shop.sql("SELECT count(DISTINCT id) FROM people WHERE id < 0") == [
        (0 if write_mode == "replace" else 300_000,)
    ]


# -- other users of the file -------------------------------------------------------------------------------
_HOLD = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"


def test_a_file_that_another_process_holds_is_a_retryable_fault(shop):
    shop.sql("CREATE TABLE people (id BIGINT, name VARCHAR)")
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(shop.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"open\n"
        for attempt in (
            lambda: shop.write(MERGE, PEOPLE),
            lambda: shop.read({"table": "people"}),
            lambda: DuckDBTable().discover(shop.connection(), Scope()),
        ):
            with pytest.raises(ConnectError, match="cannot open") as raised:
                attempt()
            assert raised.value.retryable
            assert "another process" in raised.value.hint
        assert DuckDBTable().check(shop.connection())[0].status == "failed"
        other.stdin.close()
        other.wait()
    assert shop.write(MERGE, PEOPLE).written == 3


def test_steps_of_one_process_take_turns_on_a_table(shop):
    shop.sql("CREATE TABLE people (id BIGINT, name VARCHAR)")
    config = {"table": "people", "write_mode": "append"}
    first = DuckDBTable().open_writer(shop.connection(), config, shop.context())
    first.begin()
    done = []
    thread = threading.Thread(target=lambda: done.append(shop.write(config, PEOPLE)))
    thread.start()
    thread.join(0.5)
    assert thread.is_alive(), "the second writer waits for the first"
    first.stage(shop.stream({"query": "SELECT 7::BIGINT AS id, 'x' AS name"}))
    first.commit()
    first.close()
    thread.join(10)
    assert done[0].written == 3
    assert shop.sql("SELECT count(*) FROM people") == [(4,)]


def test_two_tables_of_one_file_are_written_side_by_side(shop):
    writers = [
        DuckDBTable().open_writer(shop.connection(), {**MERGE, "table": name}, shop.context(step=name)) for name in "ab"
    ]
    for writer in writers:
        writer.begin()
    from osiris_core.data import BatchStream

    for writer in writers:
        writer.stage(BatchStream(PEOPLE.schema, PEOPLE.to_batches()))
    assert [writer.commit().written for writer in writers] == [3, 3]
    for writer in writers:
        writer.close()


def test_a_writer_waits_for_readers_of_its_own_process(shop, monkeypatch):
    from osiris_duckdb import instances

    shop.sql("CREATE TABLE people AS SELECT range AS id, 'x' AS name FROM range(300000)")
    monkeypatch.setattr(instances, "READER_WAIT_SECONDS", 0.3)
    stream = shop.stream({"table": "people"}, batch_bytes=8192)
    batches = iter(stream)
    next(batches)
    with pytest.raises(ConnectError, match="another step of this run is reading") as raised:
        shop.write(MERGE, PEOPLE)
    assert raised.value.retryable
    batches.close()
    assert shop.write({**MERGE, "write_mode": "append"}, PEOPLE).written == 3


def test_faults_are_told_in_osiris_terms(shop):
    driver = DuckDBTable()
    assert (
        driver.map_error(duckdb.ConstraintException('Duplicate key "id: 1" violates primary key constraint')).code
        == "OSI-R104"
    )
    assert driver.map_error(duckdb.ConstraintException("NOT NULL constraint failed: t.a")).kind == "data"
    assert driver.map_error(duckdb.TransactionException("Conflict on update!")).retryable
    assert driver.map_error(duckdb.CatalogException("Table with name x does not exist!")).kind == "drift"
    assert driver.map_error(duckdb.InvalidInputException("Invalid Input Error: osiris: column x")).message == "column x"
    assert driver.map_error(duckdb.Error("what is this?\nLINE 1: ...")).message == "what is this?"
    assert driver.map_error(ValueError("no")) is None
