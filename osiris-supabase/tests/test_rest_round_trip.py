"""The REST channel moves values exactly, through the unmodified supabase client and the PostgREST double."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from postgrest_double import PostgrestDouble

from osiris_core import ReconciliationError, RunError
from osiris_core.testing import Connector, edge_table, people, rows_of
from osiris_core.testing.servers import PostgresDatabase

#: What cannot be named in PostgREST's query language without a risk.
UNNAMEABLE = frozenset({'q"uo`te', "percent % {x}"})
#: Digits that a JSON number does not keep: refused, not rounded.
INEXACT_JSON = "12345678901234567890.123456789012345678901234567890"


@pytest.fixture
def connector(rest_fields: dict[str, object], tmp_path: Path) -> Connector:
    return Connector("supabase.table", rest_fields, tmp_path)


@pytest.fixture
def over_sql(postgres_database: PostgresDatabase, tmp_path: Path) -> Connector:
    return Connector("supabase.table", {**postgres_database.fields, "sslmode": "prefer"}, tmp_path)


def write(connector: Connector, table: str, data: pa.Table, mode: str = "append", **config: Any) -> Any:
    return connector.write(table, data, mode, create="never", **config)


def people_table(database: PostgresDatabase, rest: PostgrestDouble, name: str = "people") -> str:
    database.execute(f'CREATE TABLE "{name}" (id int8 PRIMARY KEY, name text, score int4)')
    rest.reload()
    return name


def test_edge_values_go_there_and_back_exact(connector: Connector, over_sql: Connector, rest: PostgrestDouble) -> None:
    data = edge_table(without=UNNAMEABLE)
    json_column = data.column("json").to_pylist()
    exact = [text for text in json_column if text != INEXACT_JSON]
    exact += [None] * (len(json_column) - len(exact))
    data = data.set_column(data.column_names.index("json"), data.schema.field("json"), pa.array(exact))
    over_sql.write("edges", data.slice(0, 0), primary_key=["id"], json_type="jsonb")
    rest.reload()
    assert write(connector, "edges", data).written == data.num_rows
    assert rows_of(over_sql.read("edges")) == rows_of(data)
    assert rows_of(connector.read("edges")) == rows_of(data)


def test_json_that_would_lose_digits_is_refused(
    connector: Connector, over_sql: Connector, rest: PostgrestDouble
) -> None:
    schema = pa.schema(
        [pa.field("id", pa.int64(), False), pa.field("j", pa.string(), metadata={b"osiris.type": b"json"})]
    )
    over_sql.write("j", pa.table([[], []], schema=schema), primary_key=["id"])
    rest.reload()
    with pytest.raises(RunError, match=r'column "j".*more digits'):
        write(connector, "j", pa.table([[1], [f"[{INEXACT_JSON}]"]], schema=schema))
    assert over_sql.rows("j") == []


def test_big_numbers_decimals_and_nan_travel_as_text(
    connector: Connector, postgres_database: PostgresDatabase, rest: PostgrestDouble
) -> None:
    """TRAPS: Decimal raises TypeError, NaN ValueError; 2**64 goes out as a JSON number."""
    postgres_database.execute("CREATE TABLE n (id int8 PRIMARY KEY, big numeric, amount numeric(65,30), f float8)")
    rest.reload()
    data = pa.table(
        {
            "id": pa.array([2**53 + 1], pa.int64()),
            "big": pa.array([2**64 - 1], pa.uint64()),
            "amount": pa.array([Decimal("1E-30")], pa.decimal256(65, 30)),
            "f": [float("nan")],
        }
    )
    write(connector, "n", data)
    assert postgres_database.query("SELECT id, big, amount::text, f::text FROM n") == [
        (2**53 + 1, Decimal(2**64 - 1), "0." + "0" * 29 + "1", "NaN")
    ]


def test_a_value_that_the_server_rounds_is_an_error(
    connector: Connector, postgres_database: PostgresDatabase, rest: PostgrestDouble
) -> None:
    postgres_database.execute("CREATE TABLE n (id int8 PRIMARY KEY, amount numeric(10,2))")
    rest.reload()
    data = pa.table({"id": pa.array([7], pa.int64()), "amount": pa.array([Decimal("1.005")], pa.decimal128(10, 3))})
    with pytest.raises(RunError, match=r'column "amount".*id=7'):
        write(connector, "n", data)


def test_reads_go_on_beyond_max_rows(
    connector: Connector, postgres_database: PostgresDatabase, rest: PostgrestDouble
) -> None:
    """TRAPS: reads stop silently at 1,000 rows: page by key and check the count."""
    people_table(postgres_database, rest)
    postgres_database.execute("INSERT INTO people SELECT g, 'n' || g, g % 10 FROM generate_series(1, 2503) g")
    rest.max_rows = 700
    assert connector.read("people")["id"].to_pylist() == list(range(1, 2504))
    pages = [request for request in rest.requests if request.method == "GET" and request.path.endswith("/people")]
    assert len(pages) == 5
    assert all(("order", "id.asc") in page.query for page in pages)


def test_a_read_that_ends_early_is_an_error(
    connector: Connector, postgres_database: PostgresDatabase, rest: PostgrestDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    people_table(postgres_database, rest)
    postgres_database.execute("INSERT INTO people SELECT g, 'n' || g, g % 10 FROM generate_series(1, 30) g")
    rest.max_rows = 0
    with pytest.raises(ReconciliationError, match=r"counts 30 rows .* gave 0"):
        connector.read("people")


def test_composite_keys_page_in_their_order(
    connector: Connector, postgres_database: PostgresDatabase, rest: PostgrestDouble
) -> None:
    postgres_database.execute('CREATE TABLE k (a text, "b c" int4, v int4, PRIMARY KEY (a, "b c"))')
    postgres_database.execute(
        "INSERT INTO k SELECT (ARRAY['x,y', 'q\"q', '(p)', E'b\\\\s', ''])[1 + g % 5], g, g "
        "FROM generate_series(1, 100) g"
    )
    rest.reload()
    rest.max_rows = 7
    assert sorted(connector.read("k", columns=["v"])["v"].to_pylist()) == list(range(1, 101))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"column": "id", "op": "=", "value": 3}, [3]),
        ({"column": "id", "op": "!=", "value": 3}, [1, 2, 4, 5]),
        ({"column": "id", "op": ">=", "value": 4}, [4, 5]),
        ({"column": "name", "op": "in", "value": ["n1", "a,b", 'q"']}, [1, 4, 5]),
        ({"column": "name", "op": "not_in", "value": ["n1", "a,b"]}, [2, 5]),
        ({"column": "name", "op": "like", "value": "n%"}, [1, 2]),
        ({"column": "name", "op": "is_null"}, [3]),
        ({"column": "name", "op": "is_not_null"}, [1, 2, 4, 5]),
        ({"column": "name", "op": "=", "value": "a,b"}, [4]),
    ],
)
def test_where(
    connector: Connector,
    postgres_database: PostgresDatabase,
    rest: PostgrestDouble,
    condition: dict[str, Any],
    expected: list[int],
) -> None:
    people_table(postgres_database, rest)
    postgres_database.insert("people", [(1, "n1", 0), (2, "n2", 0), (3, None, 0), (4, "a,b", 0), (5, 'q"', 0)])
    assert connector.read("people", where=[condition])["id"].to_pylist() == expected


def test_limit_and_columns(connector: Connector, postgres_database: PostgresDatabase, rest: PostgrestDouble) -> None:
    people_table(postgres_database, rest)
    postgres_database.execute("INSERT INTO people SELECT g, 'n' || g, g % 10 FROM generate_series(1, 50) g")
    rest.max_rows = 20
    found = connector.read("people", columns=["name"], limit=30)
    assert found.column_names == ["name"]
    assert found["name"].to_pylist() == [f"n{i}" for i in range(1, 31)]


@pytest.mark.parametrize(("lag", "expected"), [(None, [4, 5]), (2, [2, 3, 4, 5])])
def test_incremental(
    connector: Connector,
    postgres_database: PostgresDatabase,
    rest: PostgrestDouble,
    lag: int | None,
    expected: list[int],
) -> None:
    people_table(postgres_database, rest)
    postgres_database.insert("people", [(i, f"n{i}", i) for i in range(1, 6)])
    incremental = {"cursor": "score"} | ({"lag": lag} if lag else {})
    config = connector.read_config("people", incremental=incremental)
    stream = connector.driver.open_reader(connector.connection, config, connector.context(state={"cursor": "3"}))
    assert [row for batch in stream for row in batch.column("id").to_pylist()] == expected
    assert stream.state() == {"cursor": "5"}


def test_incremental_by_time_with_a_duration(
    connector: Connector, postgres_database: PostgresDatabase, rest: PostgrestDouble
) -> None:
    postgres_database.execute("CREATE TABLE e (id int8 PRIMARY KEY, at timestamptz)")
    postgres_database.execute("INSERT INTO e VALUES (1, '2026-01-01T00:00:00Z'), (2, '2026-01-01T01:30:00.000001Z')")
    rest.reload()
    config = connector.read_config("e", incremental={"cursor": "at", "lag": "PT1H"})
    context = connector.context(state={"cursor": "2026-01-01 02:00:00.000000Z"})
    stream = connector.driver.open_reader(connector.connection, config, context)
    assert [row for batch in stream for row in batch.column("id").to_pylist()] == [2]
    assert stream.state() == {"cursor": "2026-01-01 01:30:00.000001Z"}


def test_merge_updates_and_inserts(
    connector: Connector, postgres_database: PostgresDatabase, rest: PostgrestDouble
) -> None:
    people_table(postgres_database, rest)
    write(connector, "people", people([1, 2, 3]))
    write(connector, "people", people([2, 4], label="new"), "merge", merge_keys=["id"])
    assert postgres_database.query("SELECT name FROM people ORDER BY id") == [("n1",), ("new2",), ("n3",), ("new4",)]
    posts = [request for request in rest.requests if request.method == "POST"]
    assert dict(posts[-1].query)["on_conflict"] == "id"
    assert all("return=minimal" in post.prefer for post in posts)


def test_rows_are_never_ragged_and_columns_the_source_lacks_keep_their_values(
    connector: Connector, postgres_database: PostgresDatabase, rest: PostgrestDouble
) -> None:
    """TRAPS: ragged rows overwrite existing values with NULL in an upsert. A NULL is one that the source has."""
    people_table(postgres_database, rest)
    write(connector, "people", people([1, 2, 3]))
    partial = pa.table({"id": pa.array([1, 2], pa.int64()), "name": ["new", None]})
    write(connector, "people", partial, "merge", merge_keys=["id"])
    found = postgres_database.query("SELECT id, name, score FROM people ORDER BY id")
    assert found == [(1, "new", 1), (2, None, 2), (3, "n3", 3)]
    (columns,) = {value for request in rest.requests[-1:] for name, value in request.query if name == "columns"}
    assert sorted(columns.replace('"', "").split(",")) == ["id", "name"]


def test_rows_go_out_in_requests_of_a_thousand(
    connector: Connector, postgres_database: PostgresDatabase, rest: PostgrestDouble
) -> None:
    people_table(postgres_database, rest)
    assert write(connector, "people", people(range(2500))).written == 2500
    assert [request.rows for request in rest.requests if request.method == "POST"] == [1000, 1000, 500]
