"""The conformance kit catches what it is for: drivers with one fault each fail the test that names it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from osiris_core.catalog.model import Catalog
from osiris_core.data import BatchStream, as_reader
from osiris_core.drivers import Driver
from osiris_core.testing import Connector, ConnectorSuite, demonstrates, marks, needs
from osiris_duckdb.table import DuckDBTable


class Suite(ConnectorSuite):
    """The real suite; not collected, its tests are called one by one."""

    __test__ = False
    component = "duckdb.table"
    plugin_module = "osiris_duckdb.plugin"


class Faulty(Connector):
    """A connector over a faulty driver."""

    faulty: ClassVar[Driver]

    @property
    def driver(self) -> Driver:
        return self.faulty


def reader(change: Callable[[pa.Table], pa.Table]) -> type[DuckDBTable]:
    """A driver whose reads are changed on the way."""

    class Changing(DuckDBTable):
        def open_reader(self, *arguments: Any, **named: Any) -> BatchStream:
            data = change(as_reader(super().open_reader(*arguments, **named)).read_all())
            return BatchStream(data.schema, data.to_batches())

    return Changing


def column(data: pa.Table, change: Callable[[pa.Field, pa.ChunkedArray], pa.ChunkedArray]) -> pa.Table:
    arrays = [change(field, array) for field, array in zip(data.schema, data.columns, strict=True)]
    return pa.Table.from_arrays(arrays, schema=data.schema)


def empty_to_null(field: pa.Field, array: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(pc.equal(array, ""), None, array) if pa.types.is_string(field.type) else array


def rounded(field: pa.Field, array: pa.ChunkedArray) -> pa.ChunkedArray:
    return array.cast(pa.float32(), safe=False).cast(pa.float64()) if field.type == pa.float64() else array


def shifted(field: pa.Field, array: pa.ChunkedArray) -> pa.ChunkedArray:
    if field.name != "timestamp_utc":
        return array
    return pc.add(array, pa.scalar(3_600_000_000, pa.duration("us"))).cast(field.type)


class IgnoresWhere(DuckDBTable):
    def open_reader(self, connection: Any, config: Mapping[str, Any], *more: Any, **named: Any) -> Any:
        return super().open_reader(connection, {k: v for k, v in config.items() if k != "where"}, *more, **named)


class ForgetsRunKeys(DuckDBTable):
    def open_writer(self, connection: Any, config: Any, context: Any) -> Any:
        return super().open_writer(connection, config, replace(context, run_key=secrets.token_hex(8)))


class CommitsOnAbort(DuckDBTable):
    def open_writer(self, *arguments: Any) -> Any:
        writer: Any = super().open_writer(*arguments)

        def abort() -> None:
            with suppress(Exception):
                writer.commit()

        writer.abort = abort
        return writer


class DropsDuplicates(DuckDBTable):
    def open_writer(self, connection: Any, config: Any, context: Any) -> Any:
        if config["write_mode"] == "merge":
            config = {**config, "dedupe": {"keep": "last", "order_by": [{"column": "id"}]}}
        return super().open_writer(connection, config, context)


class HidesKeys(DuckDBTable):
    def discover(self, *arguments: Any) -> Catalog:
        found = super().discover(*arguments)
        return replace(found, tables=tuple(replace(t, primary_key=(), unique_keys=()) for t in found.tables))


class ForgetsState(DuckDBTable):
    def open_writer(self, *arguments: Any) -> Any:
        writer: Any = super().open_writer(*arguments)
        writer.read_state = lambda: None
        return writer


class ClaimsEveryError(DuckDBTable):
    def map_error(self, error: BaseException) -> Any:
        from osiris_core.drivers import Fault

        return Fault("OSI-R001", str(error))


FAULTS: list[tuple[type[Driver], str, dict[str, Any]]] = [
    (reader(lambda data: column(data, empty_to_null)), "test_empty_text_is_not_null", {}),
    (reader(lambda data: column(data, rounded)), "test_edge_values_come_back_exact", {"unsupported": set()}),
    (reader(lambda data: column(data, shifted)), "test_edge_values_come_back_exact", {"unsupported": set()}),
    (reader(lambda data: data.combine_chunks()), "test_batches_are_bounded_in_bytes", {}),
    (
        IgnoresWhere,
        "test_where_filters",
        {"condition": {"column": "id", "op": "=", "value": 3}, "expected": [3]},
    ),
    (ForgetsRunKeys, "test_a_run_key_is_committed_once", {}),
    (CommitsOnAbort, "test_what_is_not_committed_leaves_nothing", {"end": "abort"}),
    (DropsDuplicates, "test_a_merge_key_that_comes_twice_is_an_error", {}),
    (HidesKeys, "test_discovery_shows_keys", {}),
    (ForgetsState, "test_state_is_remembered_with_the_commit", {}),
    (ClaimsEveryError, "test_an_unknown_error_is_left_to_others", {}),
]


def connector(kind: type[Connector], tmp_path: Path) -> Connector:
    return kind("duckdb.table", {"path": str(tmp_path / "t.duckdb")}, tmp_path)


@pytest.mark.parametrize(("fault", "test", "arguments"), FAULTS, ids=[f"{n}-{f[1]}" for n, f in enumerate(FAULTS)])
def test_a_faulty_driver_fails_the_test_that_names_it(
    fault: type[Driver], test: str, arguments: dict[str, Any], tmp_path: Path
) -> None:
    getattr(Suite(), test)(connector(Connector, tmp_path), **arguments)

    (tmp_path / "faulty").mkdir()
    Faulty.faulty = fault()
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        getattr(Suite(), test)(connector(Faulty, tmp_path / "faulty"), **arguments)


def test_a_field_without_demonstration_fails() -> None:
    Suite().test_every_advertised_field_has_a_demonstration()

    class Undemonstrated(ConnectorSuite):
        __test__ = False
        component = "duckdb.table"
        plugin_module = "osiris_duckdb.plugin"
        test_columns_choose_and_order = None  # type: ignore[assignment]

    with pytest.raises(AssertionError, match="columns"):
        Undemonstrated().test_every_advertised_field_has_a_demonstration()


def test_tests_about_what_is_not_promised_are_no_part_of_the_class() -> None:
    class Files(ConnectorSuite):
        __test__ = False
        component = "file.table"
        plugin_module = "osiris_duckdb.plugin"

    merge, append = "test_merge_updates_inserts_and_leaves", "test_append_adds_rows"
    assert getattr(Files, merge) is None
    assert callable(getattr(Files, append))
    assert callable(getattr(Suite, merge))


def test_marks_are_decided_by_the_spec() -> None:
    spec = replace(Suite.spec, capabilities={"read": "full"}, delivery={"sql": "exactly_once", "rest": "at_least_once"})

    @needs("read")
    def about_reading() -> None: ...

    @needs("read", "write.append")
    def about_both() -> None: ...

    @needs("read", delivery="exactly_once")
    def about_delivery() -> None: ...

    @demonstrates("read", "no_such_field")
    def about_a_field() -> None: ...

    found = [marks.applies(test, spec) for test in (about_reading, about_both, about_delivery, about_a_field)]
    assert found == [True, False, False, False]


def test_a_plugin_that_pulls_in_a_client_library_fails() -> None:
    class Heavy(ConnectorSuite):
        __test__ = False
        component = "duckdb.table"
        plugin_module = "duckdb"
        client_libraries = ("duckdb",)

    with pytest.raises(AssertionError, match="duckdb"):
        Heavy().test_importing_the_plugin_pulls_in_no_client_library()
