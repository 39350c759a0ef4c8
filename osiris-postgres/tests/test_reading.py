"""Reading: one snapshot, exact values, and nothing but reading."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from osiris_core import DriftError, Partition, RunError, StepView
from osiris_core.testing import Connector, people
from osiris_core.testing.servers import PostgresDatabase, PostgresServer


def column(connector: Connector, expression: str) -> pa.ChunkedArray:
    return connector.read(None, query=f"SELECT {expression} AS c")["c"]


@pytest.mark.parametrize(
    ("expression", "kind", "value"),
    [
        ("1.10::numeric", "string", "1.10"),
        ("'NaN'::numeric", "string", "NaN"),
        ("1.1::numeric(10,4)", "decimal128(10, 4)", Decimal("1.1000")),
        ("1e60::numeric(70,5)", "decimal256(70, 5)", Decimal("1e60")),
        ("'{1,NULL}'::int[]", "string", "{1,NULL}"),
        ("'(1,2)'::point", "string", "(1,2)"),
        ("now() IS NULL", "bool", False),
        ("'ab'::char(4)", "string", "ab  "),
        ("'infinity'::float8", "double", float("inf")),
        ("'2024-02-29'::date", "date32[day]", date(2024, 2, 29)),
        ("'0044-03-15 BC'::date", "date32[day]", None),
        ("'2024-01-01 00:00+09'::timestamptz", "timestamp[us, tz=UTC]", datetime(2023, 12, 31, 15, tzinfo=UTC)),
        ("'{\"b\": 1.10}'::json", "string", '{"b": 1.10}'),
        ("B'0101'", "string", "0101"),
        ("'x'::bytea", "binary", b"x"),
        ("NULL::int4", "int32", None),
        ("1.5::money", "string", "$1.50"),
    ],
)
def test_values(connector: Connector, expression: str, kind: str, value: Any) -> None:
    found = column(connector, expression)
    assert str(found.type) == kind
    if expression.endswith("BC'::date"):
        assert found.cast(pa.int32()).to_pylist() == [-735_160]
    else:
        assert found.to_pylist() == [value]


def test_a_numeric_of_hundreds_is_a_decimal_without_scale(
    connector: Connector, postgres_database: PostgresDatabase
) -> None:
    """PostgreSQL 15 and later round to the left of the point as well; before there is no such type."""
    if postgres_database.query("SELECT current_setting('server_version_num')::int >= 150000") == [(True,)]:
        found = column(connector, "12345::numeric(3,-2)")
        assert (str(found.type), found.to_pylist()) == ("decimal128(5, 0)", [Decimal(12300)])
    else:
        with pytest.raises(Exception, match="scale -2 must be between"):
            column(connector, "12345::numeric(3,-2)")


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("'infinity'::timestamptz", "infinity"),
        ("'-infinity'::date", "infinity"),
        ("'NaN'::numeric(5,2)", "NaN"),
        ("'24:00'::time", "24:00:00"),
        ("'300 years'::interval + make_interval(secs => 9.3e9)", "292 years"),
    ],
)
def test_what_arrow_cannot_hold_is_an_error_that_names_the_column(
    connector: Connector, expression: str, says: str
) -> None:
    with pytest.raises(RunError, match=f'column "c" .*{says}'):
        column(connector, expression)


def test_nothing_can_be_written_by_a_read(connector: Connector, postgres_database: PostgresDatabase) -> None:
    """Parsing is a guard; the read-only transaction is the wall."""
    postgres_database.execute(
        "CREATE SEQUENCE s; CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS int LANGUAGE sql AS"
        " 'INSERT INTO t VALUES (1) RETURNING a'"
    )
    for query in ("SELECT nextval('s')", "SELECT f()"):
        with pytest.raises(Exception, match="read-only"):
            connector.read(None, query=query)
    assert postgres_database.query("SELECT count(*) FROM t") == [(0,)]


def test_a_read_sees_one_state(connector: Connector, postgres_database: PostgresDatabase) -> None:
    name = connector.seed(people(range(20_000)))
    config = connector.read_config(name)
    stream = connector.driver.open_reader(connector.connection, config, connector.context(batch_bytes=1000))
    batches = iter(stream)
    rows = next(batches).num_rows
    postgres_database.execute(f'DELETE FROM "{name}"')
    assert rows + sum(batch.num_rows for batch in batches) == 20_000


def test_batches_are_bounded_in_bytes(connector: Connector) -> None:
    name = connector.seed(people(range(20_000)))
    stream = connector.driver.open_reader(
        connector.connection, connector.read_config(name), connector.context(batch_bytes=50_000)
    )
    sizes = [batch.nbytes for batch in stream]
    assert len(sizes) > 10
    assert max(sizes) < 60_000


def test_a_stream_that_is_left_early_lets_its_connection_go(
    connector: Connector, postgres_database: PostgresDatabase
) -> None:
    name = connector.seed(people(range(20_000)))
    context = connector.context(batch_bytes=1000)
    stream = connector.driver.open_reader(connector.connection, connector.read_config(name), context)
    next(iter(stream))
    stream.close()
    stream.close()
    mine = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'osiris' AND datname = current_database()"
    for _ in range(200):
        if postgres_database.query(mine) == [(0,)]:
            break
    assert postgres_database.query(mine) == [(0,)]


def test_order_by_goes_by_the_column_and_not_by_its_text(
    connector: Connector, postgres_database: PostgresDatabase
) -> None:
    postgres_database.execute("CREATE TABLE t (n numeric); INSERT INTO t VALUES (10), (9), (100)")
    found = connector.read("t", order_by=[{"column": "n", "descending": True}])
    assert found["n"].to_pylist() == ["100", "10", "9"]


def test_parameters_are_values(connector: Connector, postgres_database: PostgresDatabase) -> None:
    connector.seed(people([1, 2, 3]), name="t")
    config = connector.read_config(None, query="SELECT id, '100%' AS p FROM t WHERE name = ${params.p0} -- the end")
    config["sql_params"] = {"p0": "n2' OR true --"}
    stream = connector.driver.open_reader(connector.connection, config, connector.context())
    assert [batch for batch in stream if batch.num_rows] == []
    config["sql_params"] = {"p0": "n2"}
    stream = connector.driver.open_reader(connector.connection, config, connector.context())
    assert [row for batch in stream for row in batch.to_pylist()] == [{"id": 2, "p": "100%"}]


def test_where_sql_and_where_do_not_mix_up_their_values(connector: Connector) -> None:
    connector.seed(people([1, 2, 3]), name="t")
    config = connector.read_config(
        "t",
        where=[{"column": "id", "op": ">", "value": 1}],
        where_sql="score < ${params.p0} AND name LIKE 'n%' AND name <> '%(p0)s'",
    )
    config["sql_params"] = {"p0": 3}
    stream = connector.driver.open_reader(connector.connection, config, connector.context())
    assert [row["id"] for batch in stream for row in batch.to_pylist()] == [2]


def test_a_query_with_two_columns_of_one_name_is_refused(connector: Connector) -> None:
    with pytest.raises(RunError, match='two columns called "a"'):
        connector.read(None, query="SELECT 1 AS a, 2 AS a")


def test_a_query_finds_tables_by_the_connection_s_schema(
    connector: Connector, postgres_database: PostgresDatabase
) -> None:
    postgres_database.execute("CREATE SCHEMA sales; CREATE TABLE sales.t AS SELECT 5 AS a")
    sales = Connector(connector.component, {**connector.fields, "schema": "sales"}, connector.work_dir)
    assert sales.read(None, query="SELECT a FROM t;").to_pylist() == [{"a": 5}]


def test_missing_tables_and_columns_are_drift(connector: Connector) -> None:
    name = connector.seed(people([1]))
    for config in ({"table": "nowhere"}, {"table": name, "columns": ["id", "nmae"]}):
        with pytest.raises(DriftError):
            connector.driver.open_reader(connector.connection, config, connector.context())


def test_views_are_read(connector: Connector, postgres_database: PostgresDatabase) -> None:
    postgres_database.execute(
        "CREATE VIEW v AS SELECT 1::int8 AS id; CREATE MATERIALIZED VIEW m AS SELECT 2::int8 AS id"
    )
    assert connector.rows("v") + connector.rows("m") == [{"id": 1}, {"id": 2}]


# -- partitions --------------------------------------------------------------------------------------------
def partitions(connector: Connector, column_name: str, count: int | str = 4) -> list[Partition]:
    config = connector.read_config("t", partition={"column": column_name, "count": count})
    return connector.driver.plan_partitions(connector.connection, config, connector.context())


@pytest.mark.parametrize("kind", ["int2", "int4", "int8", "numeric", "date", "timestamp", "timestamptz"])
def test_partitions_are_the_whole_table_once(
    connector: Connector, postgres_database: PostgresDatabase, kind: str
) -> None:
    start = {"date": "DATE '2020-01-01' +", "timestamp": "TIMESTAMP '2020-01-01' + INTERVAL '1 h' *"}
    start["timestamptz"] = "TIMESTAMPTZ '2020-01-01' + INTERVAL '1 h' *"
    postgres_database.execute(
        f"CREATE TABLE t AS SELECT g AS id, ({start.get(kind, '-50 +')} g)::{kind} AS k FROM generate_series(1, 200) g;"
        "INSERT INTO t VALUES (0, NULL)"
    )
    parts = partitions(connector, "k")
    assert len(parts) == 4
    found: list[int] = []
    for part in parts:
        config = connector.read_config("t", partition={"column": "k", "count": 4})
        stream = connector.driver.open_reader(connector.connection, config, connector.context(), part)
        rows = [row for batch in stream for row in batch.column("id").to_pylist()]
        assert rows
        found += rows
    assert sorted(found) == list(range(201))
    assert [code for code, _ in connector.warnings] == ["OSI-R126"]


@pytest.mark.parametrize("rows", ["", "(1)", "(NULL)", "(7), (7)"])
def test_small_tables_are_one_partition(connector: Connector, postgres_database: PostgresDatabase, rows: str) -> None:
    postgres_database.execute("CREATE TABLE t (k int8)" + (f"; INSERT INTO t VALUES {rows}" if rows else ""))
    assert len(partitions(connector, "k")) == 1
    assert len(partitions(connector, "k", "auto")) == 1


def test_a_column_without_ranges_is_refused(connector: Connector, postgres_database: PostgresDatabase) -> None:
    postgres_database.execute("CREATE TABLE t (k text)")
    with pytest.raises(RunError, match=r'partition.column "k" is text'):
        partitions(connector, "k")


def test_bounds_that_are_not_ours_are_refused(connector: Connector) -> None:
    connector.seed(people([1]), name="t")
    bounds = {"column": "id", "type": "int8", "from": None, "to": "1'; DROP TABLE t --"}
    with pytest.raises(RunError, match="bounds"):
        connector.driver.open_reader(connector.connection, {"table": "t"}, connector.context(), Partition(0, 2, bounds))


# -- incremental -------------------------------------------------------------------------------------------
def incremental(connector: Connector, state: Any, lag: Any = None, cursor: str = "at") -> tuple[list[int], Any]:
    wanted = {"cursor": cursor} | ({} if lag is None else {"lag": lag})
    config = connector.read_config("t", incremental=wanted)
    stream = connector.driver.open_reader(connector.connection, config, connector.context(state=state))
    return sorted(row["id"] for batch in stream for row in batch.to_pylist()), stream.state()


def test_incremental_by_time(connector: Connector, postgres_database: PostgresDatabase) -> None:
    postgres_database.execute(
        "CREATE TABLE t (id int4, at timestamptz); INSERT INTO t VALUES"
        " (1, '2026-01-01 00:00:00.000001Z'), (2, '2026-01-01 01:00Z'), (3, NULL)"
    )
    rows, state = incremental(connector, None)
    assert (rows, state) == ([1, 2, 3], {"cursor": "2026-01-01 01:00:00.000000Z"})
    assert incremental(connector, state) == ([], state)
    assert incremental(connector, state, "PT1H") == ([1, 2], state)
    postgres_database.execute("INSERT INTO t VALUES (4, '2026-01-01 01:00:00.000001Z')")
    assert incremental(connector, state) == ([4], {"cursor": "2026-01-01 01:00:00.000001Z"})


def test_incremental_by_number(connector: Connector, postgres_database: PostgresDatabase) -> None:
    postgres_database.execute(
        "CREATE TABLE t (id int4, at numeric(30,0)); INSERT INTO t VALUES (1, 12345678901234567890)"
    )
    _, state = incremental(connector, None)
    assert state == {"cursor": "12345678901234567890"}
    assert incremental(connector, state, 5) == ([1], state)


def test_a_cursor_without_one_order_is_refused(connector: Connector) -> None:
    connector.seed(people([1]), name="t")
    with pytest.raises(RunError, match=r'incremental.cursor "name" is text'):
        incremental(connector, None, cursor="name")
    with pytest.raises(RunError, match="lag must be a number"):
        incremental(connector, {"cursor": "1"}, "PT1H", cursor="score")
    step = StepView("s", "postgres.table", "read", "@c", (), {"table": "t", "incremental": {"cursor": "name"}})
    problems = list(connector.driver.validate_step(step, connector.spec, connector.discover("t")))
    assert [(p.code, p.path) for p in problems] == [("OSI-V217", ("config", "incremental", "cursor"))]


def test_compile_pins_the_columns(connector: Connector, tmp_path: Path) -> None:
    connector.seed(people([1]), name="t")
    step = StepView("s", "postgres.table", "read", "@c", (), {"table": "t"})
    pinned = connector.driver.compile_step(step, connector.spec, connector.discover("t"))
    assert pinned == {"table": "t", "columns": ["id", "name", "score"]}


def test_a_server_that_is_killed_in_the_middle_is_a_lost_connection(
    own_postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """What came before is some of the rows, and the end is an error: nobody takes it for the whole table."""
    database = own_postgres_server.create_database()
    database.execute("CREATE TABLE t AS SELECT i AS id, repeat('x', 200) AS a FROM generate_series(1, 200000) AS i")
    connector = Connector("postgres.table", database.fields, tmp_path, execute=database.execute)
    stream = connector.driver.open_reader(connector.connection, {"table": "t"}, connector.context(batch_bytes=100_000))
    rows = 0
    with pytest.raises(Exception, match=r".") as caught:
        for batch in stream:
            if not rows:
                own_postgres_server.kill()
            rows += batch.num_rows
    stream.close()
    fault = connector.driver.map_error(caught.value)
    assert fault is not None
    assert (fault.code, fault.retryable) == ("OSI-R020", True)
    assert 0 < rows < 200_000
    own_postgres_server.start()
    assert connector.read("t").num_rows == 200_000
