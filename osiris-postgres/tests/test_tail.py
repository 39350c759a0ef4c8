"""A merge copies the rows behind the table's last key straight into it: nobody can tell but by the time it takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from osiris_core import RunError
from osiris_core.data import BatchStream
from osiris_core.testing import Connector, people
from osiris_core.testing.servers import PostgresDatabase

CREATE = "CREATE TABLE {} (id int8 PRIMARY KEY, name text, score int4)"


def in_batches(ids: Sequence[int], rows: int, label: str = "new") -> pa.Table:
    """People in batches of so many rows."""
    parts = [people(ids[start : start + rows], label=label) for start in range(0, len(ids), rows)]
    return pa.concat_tables(parts) if parts else people([])


def in_order_of_place(database: PostgresDatabase, table: str) -> list[int]:
    return [row[0] for row in database.query(f"SELECT id FROM {table} ORDER BY ctid")]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    there=st.sets(st.integers(-5, 30), max_size=12),
    came=st.lists(st.integers(-5, 60), max_size=40),
    sorted_until=st.integers(0, 40),
    distinct=st.booleans(),
    rows=st.integers(1, 7),
)
def test_any_order_of_keys_gives_what_a_merge_gives(
    connector: Connector,
    postgres_database: PostgresDatabase,
    there: set[int],
    came: list[int],
    sorted_until: int,
    distinct: bool,
    rows: int,
) -> None:
    came = list(dict.fromkeys(came)) if distinct else came
    came = sorted(came[:sorted_until]) + came[sorted_until:]
    name = connector.new_name()
    postgres_database.execute(CREATE.format(name))
    connector.write(name, people(sorted(there), label="old"))
    content = {number: f"old{number}" for number in there}
    if len(set(came)) < len(came):
        with pytest.raises(RunError, match="repeat a merge key") as refused:
            connector.write(name, in_batches(came, rows), "merge", merge_keys=["id"])
        assert refused.value.code == "OSI-R109"
    else:
        result = connector.write(name, in_batches(came, rows), "merge", merge_keys=["id"])
        assert (result.written, result.unchanged) == (len(came), 0)
        content |= {number: f"new{number}" for number in came}
    assert dict(postgres_database.query(f"SELECT id, name FROM {name}")) == content
    postgres_database.execute(f"DROP TABLE {name}")


def test_rows_behind_the_last_key_do_not_wait_for_the_others(
    connector: Connector, postgres_database: PostgresDatabase
) -> None:
    """Their place in the table shows it: they lie before the rows that were staged, which came first."""
    postgres_database.execute(CREATE.format("t"))
    connector.write("t", people([1, 3, 5]))
    result = connector.write("t", in_batches(range(1, 11), 2, "n"), "merge", merge_keys=["id"])
    assert (result.written, result.unchanged) == (10, 3)
    assert in_order_of_place(postgres_database, "t") == [1, 3, 5, 7, 8, 9, 10, 2, 4, 6]
    again = connector.write("t", in_batches(range(1, 11), 2, "n"), "merge", merge_keys=["id"])
    assert (again.written, again.unchanged) == (10, 10)


@pytest.mark.parametrize(
    "table",
    [
        "id int8 PRIMARY KEY, name text UNIQUE, score int4",
        "id int8 PRIMARY KEY, name text, score int4, EXCLUDE USING btree (name WITH =)",
        "id int8 PRIMARY KEY, name text, score int4; CREATE UNIQUE INDEX ON t (lower(name))",
    ],
    ids=["unique", "exclusion", "expression"],
)
def test_a_value_may_pass_from_an_old_row_to_a_new_one(
    connector: Connector, postgres_database: PostgresDatabase, table: str
) -> None:
    """Where another column is unique too, a row that is added may need what the row before it gave up."""
    head, _, more = table.partition(";")
    postgres_database.execute(f"CREATE TABLE t ({head}); {more}")
    connector.write("t", people([1]))
    taken = people([2]).set_column(1, "name", pa.array(["n1"]))
    moved = pa.concat_tables([people([1], label="gave"), taken])
    connector.write("t", moved, "merge", merge_keys=["id"])
    assert postgres_database.query("SELECT id, name FROM t ORDER BY id") == [(1, "gave1"), (2, "n1")]


def test_a_new_row_may_refer_to_one_that_is_staged(connector: Connector, postgres_database: PostgresDatabase) -> None:
    postgres_database.execute("CREATE TABLE t (id int8 PRIMARY KEY, name text, score int4 REFERENCES t)")
    connector.write("t", people([9]).set_column(2, "score", pa.array([None], pa.int32())))
    rows = pa.concat_tables([people([5]), people([15])]).set_column(2, "score", pa.array([9, 5], pa.int32()))
    connector.write("t", rows, "merge", merge_keys=["id"])
    assert postgres_database.query("SELECT id, score FROM t ORDER BY id") == [(5, 9), (9, None), (15, 5)]


def test_a_new_row_may_refer_to_one_that_is_staged_into_the_same_partition(
    connector: Connector, postgres_database: PostgresDatabase
) -> None:
    postgres_database.execute(
        "CREATE TABLE whole (id int8 PRIMARY KEY, name text, score int8 REFERENCES whole) PARTITION BY RANGE (id);"
        "CREATE TABLE t PARTITION OF whole FOR VALUES FROM (0) TO (100)"
    )
    connector.write("t", people([9]).set_column(2, "score", pa.array([None], pa.int32())))
    rows = pa.concat_tables([people([5]), people([15])]).set_column(2, "score", pa.array([9, 5], pa.int32()))
    connector.write("t", rows, "merge", merge_keys=["id"])
    assert postgres_database.query("SELECT id, score FROM whole ORDER BY id") == [(5, 9), (9, None), (15, 5)]


def test_rights_to_the_columns_are_enough(connector: Connector, postgres_database: PostgresDatabase) -> None:
    """Whoever has them only may see no system column of the table."""
    postgres_database.execute(CREATE.format("t") + "; INSERT INTO t VALUES (1, 'n1', 0)")
    user = f"limited_{postgres_database.fields['database']}"
    columns = "(id, name, score)"
    postgres_database.execute(
        f"CREATE ROLE {user} LOGIN PASSWORD 'x'; GRANT USAGE, CREATE ON SCHEMA public TO {user};"
        f"GRANT SELECT {columns}, INSERT {columns}, UPDATE {columns} ON t TO {user}"
    )
    try:
        config = connector.write_config("t", "merge", merge_keys=["id"])
        connection = connector.connection_with(user=user, password="x")
        writer = connector.driver.open_writer(connection, config, connector.context())
        writer.begin()
        writer.stage(BatchStream(people([]).schema, iter(in_batches([1, 7, 5, 3], 1).to_batches())))
        assert writer.commit().written == 4
        writer.close()
    finally:
        postgres_database.execute(f"DROP OWNED BY {user}; DROP ROLE {user}")
    assert postgres_database.query("SELECT array_agg(id ORDER BY id) FROM t") == [([1, 3, 5, 7],)]


def test_a_key_that_somebody_adds_meanwhile_is_worth_a_retry(
    connector: Connector, postgres_database: PostgresDatabase
) -> None:
    postgres_database.execute(CREATE.format("t"))
    connector.write("t", people([1]))

    def meanwhile() -> Iterator[pa.RecordBatch]:
        yield people([2]).to_batches()[0]
        postgres_database.execute("INSERT INTO t VALUES (3, 'theirs', 0)")
        yield people([3]).to_batches()[0]

    config = connector.write_config("t", "merge", merge_keys=["id"])
    writer = connector.driver.open_writer(connector.connection, config, connector.context())
    assert writer.begin() is None
    with pytest.raises(RunError) as refused:
        writer.stage(BatchStream(people([]).schema, meanwhile()))
        writer.commit()
    writer.abort()
    writer.close()
    assert (refused.value.code, refused.value.retryable) == ("OSI-R021", True)
    assert postgres_database.query("SELECT id, name FROM t ORDER BY id") == [(1, "n1"), (3, "theirs")]
    connector.write("t", people([2, 3]), "merge", merge_keys=["id"])
    assert postgres_database.query("SELECT id, name FROM t ORDER BY id") == [(1, "n1"), (2, "n2"), (3, "n3")]


def test_after_a_fall_of_keys_all_that_follows_is_staged(
    connector: Connector, postgres_database: PostgresDatabase
) -> None:
    """As from partitions that are read side by side."""
    postgres_database.execute(CREATE.format("t"))
    ids = [*range(100), *range(300, 400), *range(200, 300), *range(100, 200)]
    result = connector.write("t", in_batches(ids, 10), "merge", merge_keys=["id"])
    assert result.written == 400
    assert postgres_database.query("SELECT count(*), min(id), max(id), count(DISTINCT name) FROM t") == [
        (400, 0, 399, 400)
    ]
