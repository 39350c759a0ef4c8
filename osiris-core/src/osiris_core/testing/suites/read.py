"""Reads are exact, bounded, and do what each field of the config says."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

import pyarrow as pa
import pytest

from osiris_core.data.edge_values import EDGE_COLUMNS, HARD_COLUMNS, edge_table
from osiris_core.drivers import BATCH_BYTES
from osiris_core.errors import RunError
from osiris_core.run.faults import StepFault, explain
from osiris_core.secrets import Redactor
from osiris_core.testing.connector import Connector, people, rows_of
from osiris_core.testing.marks import demonstrates, needs


class ReadSuite:
    """``open_reader``. ``unsupported_columns`` are edge columns the system cannot hold: they must be refused."""

    unsupported_columns: ClassVar[frozenset[str]] = frozenset()

    @pytest.fixture
    def unsupported(self) -> set[str]:
        """Names of edge columns that this system cannot hold."""
        return set(self.unsupported_columns)

    @needs("read", "write.append")
    def test_edge_values_come_back_exact(self, connector: Connector, unsupported: set[str]) -> None:
        data = edge_table(without=unsupported)
        name = connector.seed(data)
        expected, came = rows_of(data), rows_of(connector.read(name))
        assert len(came) == len(expected)
        for wanted, row in zip(expected, came, strict=True):
            different = {key: (wanted[key], row.get(key)) for key in wanted if not _same(wanted[key], row.get(key))}
            assert {key: _short(value) for key, value in different.items()} == {}, f"row {wanted['id']}"

    @needs("write.append")
    @pytest.mark.parametrize("column", [*EDGE_COLUMNS, *HARD_COLUMNS], ids=lambda column: column.name)
    def test_a_value_is_kept_or_refused_never_changed(self, connector: Connector, column: Any) -> None:
        data = edge_table([column])
        name = connector.new_name()
        try:
            connector.write(name, data)
        except Exception as error:
            assert column.name in {*self.unsupported_columns, *(hard.name for hard in HARD_COLUMNS)}, error
            explained = explain(StepFault("load", connector.driver, error), Redactor(), moved=True)
            assert isinstance(explained, RunError)
            assert column.name in explained.message, f"the error does not name the column: {explained.message}"
            return
        assert column.name not in self.unsupported_columns, "it is called unsupported, but was written"
        came = {row["id"]: row[column.name] for row in rows_of(connector.read(name))}
        wanted = {row["id"]: row[column.name] for row in rows_of(data)}
        assert {key: _short(came[key]) for key in wanted if not _same(wanted[key], came[key])} == {}

    @needs("read", "write.append")
    def test_empty_text_is_not_null(self, connector: Connector) -> None:
        data = pa.table({"id": pa.array([1, 2], pa.int64()), "name": pa.array(["", None], pa.string())})
        name = connector.seed(data)
        assert [row["name"] for row in connector.rows(name)] == ["", None]

    @needs("read", "write.append")
    def test_an_empty_table_has_a_schema(self, connector: Connector) -> None:
        name = connector.seed(people([]))
        data = connector.read(name)
        assert data.num_rows == 0
        assert data.column_names == ["id", "name", "score"]

    @needs("read", "write.append")
    def test_batches_are_bounded_in_bytes(self, connector: Connector) -> None:
        text = "x" * 1000
        count = 8 * BATCH_BYTES // 1000
        data = pa.table({"id": pa.array(range(count), pa.int64()), "name": pa.array([text] * count)})
        name = connector.seed(data)
        batches = connector.batches(connector.read_config(name))
        assert sum(batch.num_rows for batch in batches) == count
        assert max(batch.nbytes for batch in batches) <= 2 * BATCH_BYTES

    @needs("read", "write.append")
    def test_a_reader_can_be_closed_early_and_twice(self, connector: Connector) -> None:
        name = connector.seed(people(range(1000)))
        stream = connector.driver.open_reader(
            connector.connection, connector.compiled("read", connector.read_config(name)), connector.context()
        )
        next(iter(stream))
        stream.close()
        stream.close()
        assert len(connector.rows(name)) == 1000

    @needs("read", "write.append")
    @demonstrates("read", "table")
    def test_table_chooses_the_table(self, connector: Connector) -> None:
        one, two = connector.seed(people([1])), connector.seed(people([2]))
        assert [row["id"] for row in connector.rows(one)] == [1]
        assert [row["id"] for row in connector.rows(two)] == [2]

    @needs("read", "write.append")
    @demonstrates("read", "columns")
    def test_columns_choose_and_order(self, connector: Connector) -> None:
        name = connector.seed(people([1, 2]))
        assert connector.read(name, columns=["score", "id"]).column_names == ["score", "id"]

    @needs("read", "write.append")
    @demonstrates("read", "where")
    @pytest.mark.parametrize(
        ("condition", "expected"),
        [
            ({"column": "id", "op": "=", "value": 3}, [3]),
            ({"column": "id", "op": "!=", "value": 3}, [1, 2, 4]),
            ({"column": "id", "op": "<", "value": 3}, [1, 2]),
            ({"column": "id", "op": "<=", "value": 3}, [1, 2, 3]),
            ({"column": "id", "op": ">", "value": 3}, [4]),
            ({"column": "id", "op": ">=", "value": 3}, [3, 4]),
            ({"column": "id", "op": "in", "value": [1, 4, 9]}, [1, 4]),
            ({"column": "id", "op": "not_in", "value": [1, 4, 9]}, [2, 3]),
            ({"column": "name", "op": "=", "value": 'it\'s 100% "x" \\ n'}, [1]),
            ({"column": "name", "op": "like", "value": "n%"}, [2, 3]),
            ({"column": "name", "op": "is_null"}, [4]),
            ({"column": "name", "op": "is_not_null"}, [1, 2, 3]),
        ],
        ids=lambda value: value["op"] if isinstance(value, dict) else "",
    )
    def test_where_filters(self, connector: Connector, condition: dict[str, Any], expected: list[int]) -> None:
        names = ['it\'s 100% "x" \\ n', "n2", "n3", None]
        name = connector.seed(pa.table({"id": pa.array([1, 2, 3, 4], pa.int64()), "name": pa.array(names)}))
        assert [row["id"] for row in connector.rows(name, where=[condition])] == expected

    @needs("read", "write.append")
    @demonstrates("read", "order_by", "limit")
    def test_order_by_and_limit(self, connector: Connector) -> None:
        name = connector.seed(people([3, 1, 4, 2]))
        order = [{"column": "id", "descending": True}]
        assert connector.read(name, order_by=order, limit=3).column("id").to_pylist() == [4, 3, 2]
        assert connector.read(name, order_by=[{"column": "id"}], limit=1).column("id").to_pylist() == [1]

    @needs("read", "write.append")
    @demonstrates("read", "query")
    def test_query_is_one_select(self, connector: Connector) -> None:
        name = connector.seed(people([1, 2, 3]))
        sql = f"SELECT id AS n, name FROM {connector.quote(name)} WHERE id > 1 ORDER BY id"
        data = connector.read(None, query=sql)
        assert data.column_names == ["n", "name"]
        assert [int(value) for value in data.column("n").to_pylist()] == [2, 3]

    @needs("read", "write.append")
    @demonstrates("read", "where_sql")
    def test_where_sql_filters(self, connector: Connector) -> None:
        name = connector.seed(people([1, 2, 3]))
        assert [row["id"] for row in connector.rows(name, where_sql="id % 2 = 1 OR name = 'n2%'")] == [1, 3]

    @needs("read.incremental", "write.append")
    @demonstrates("read", "incremental")
    def test_incremental_goes_on_from_its_state(self, connector: Connector) -> None:
        name = connector.seed(people([1, 2, 3]))
        config = connector.read_config(name, incremental={"cursor": "id"})
        first, state = self._incremental(connector, config, None)
        assert first == [1, 2, 3]
        connector.write(name, people([4, 5]))
        second, state = self._incremental(connector, config, state)
        assert second == [4, 5]
        assert self._incremental(connector, config, state)[0] == []
        lagging = connector.read_config(name, incremental={"cursor": "id", "lag": 2})
        again = self._incremental(connector, lagging, state)[0]
        assert again in ([4, 5], [3, 4, 5]), "a lag of 2 reads the last rows again, and not the whole table"

    def _incremental(self, connector: Connector, config: dict[str, Any], state: Any) -> tuple[list[int], Any]:
        import json

        stream = connector.driver.open_reader(
            connector.connection, connector.compiled("read", config), connector.context(state=state)
        )
        ids = sorted(row["id"] for batch in stream for row in batch.to_pylist())
        found = json.loads(json.dumps(stream.state()))
        stream.close()
        return ids, found

    @needs("read.partitioned", "write.append")
    @demonstrates("read", "partition")
    @pytest.mark.parametrize("count", [1, 3, "auto"])
    def test_partitions_are_the_whole_table_once(self, connector: Connector, count: int | str) -> None:
        name = connector.seed(people(range(-50, 950)))
        config = connector.compiled("read", connector.read_config(name, partition={"column": "id", "count": count}))
        partitions = connector.driver.plan_partitions(connector.connection, config, connector.context())
        assert [part.index for part in partitions] == list(range(len(partitions)))
        assert {part.count for part in partitions} == {len(partitions)}
        if isinstance(count, int):
            assert len(partitions) == count
        ids: list[int] = []
        for part in partitions:
            stream = connector.driver.open_reader(connector.connection, config, connector.context(), part)
            ids += [row["id"] for batch in stream for row in batch.to_pylist()]
            stream.close()
        assert sorted(ids) == list(range(-50, 950))

    @needs("read.partitioned", "write.append")
    @pytest.mark.parametrize("ids", [[], [7], [None, 1, 2, None, 9]], ids=["empty", "one", "null"])
    def test_partitions_lose_no_row_of_odd_tables(self, connector: Connector, ids: list[int | None]) -> None:
        data = pa.table({"key": pa.array(ids, pa.int64()), "id": pa.array(range(len(ids)), pa.int64())})
        name = connector.seed(data)
        config = connector.compiled("read", connector.read_config(name, partition={"column": "key", "count": 4}))
        came: list[int] = []
        for part in connector.driver.plan_partitions(connector.connection, config, connector.context()):
            stream = connector.driver.open_reader(connector.connection, config, connector.context(), part)
            came += [row["id"] for batch in stream for row in batch.to_pylist()]
            stream.close()
        assert sorted(came) == list(range(len(ids)))


def _same(wanted: Any, came: Any) -> bool:
    """Equal; a decimal that no type of the system holds may come back as text with every digit."""
    if isinstance(wanted, Decimal) and isinstance(came, str):
        return bool(Decimal(came) == wanted)
    return bool(wanted == came) and (wanted is None) == (came is None)


def _short(value: Any) -> str:
    return repr(value)[:200]
