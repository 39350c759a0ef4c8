"""The conformance kit over every component that reads and writes."""

from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from osiris_core import DriftError, Scope
from osiris_core.testing import Connector, ConnectorSuite, demonstrates, needs, people


class TestDuckDBTable(ConnectorSuite):
    component = "duckdb.table"
    plugin_module = "osiris_duckdb.plugin"
    client_libraries = ("duckdb",)

    @pytest.fixture
    def connector(self, tmp_path: Path) -> Connector:
        path = tmp_path / "shop.duckdb"

        def execute(sql: str) -> None:
            with duckdb.connect(str(path)) as connection:
                connection.execute(sql)

        execute("CHECKPOINT")
        return Connector(self.component, {"path": str(path)}, tmp_path, execute=execute)


class FileSuite(ConnectorSuite):
    """What holds for files of every format. ``FORMAT`` is the extension."""

    FORMAT = ""
    component = "file.table"
    plugin_module = "osiris_duckdb.plugin"
    client_libraries = ("duckdb",)

    @pytest.fixture
    def connector(self, tmp_path: Path) -> Connector:
        root = tmp_path / "files"
        root.mkdir()
        return Connector("file.table", {"root": str(root)}, tmp_path, suffix=self.FORMAT)

    @needs("discover")
    def test_the_probe_changes_with_the_schema_only(self, connector: Connector) -> None:
        """Here it changes with the content as well: in text files that decides the types."""
        name = connector.seed(people([1]))
        other = connector.seed(people([1]))
        scope = Scope((name,))
        before = connector.driver.probe(connector.connection, scope)
        connector.write(other, people([2]))
        assert connector.driver.probe(connector.connection, scope) == before
        connector.write(name, people([2]).drop_columns(["score"]), "replace")
        assert connector.driver.probe(connector.connection, scope) != before

    @demonstrates("write", "compression")
    def test_compression(self, connector: Connector) -> None:
        """Of Parquet files."""
        found = set()
        for compression in ("zstd", "none"):
            name = connector.new_name().removesuffix(self.FORMAT) + ".parquet"
            connector.write(name, people(range(5000)), compression=compression)
            metadata = pq.read_metadata(Path(connector.fields["root"]) / name)
            found.add(metadata.row_group(0).column(0).compression)
        assert found == {"ZSTD", "UNCOMPRESSED"}


class TestParquet(FileSuite):
    component = "file.table"
    FORMAT = ".parquet"


#: What a text file cannot tell of its columns, said in ``types``.
_TYPES = {
    "float32": "float",
    "date": "date",
    "timestamp": "timestamp",
    "timestamp_utc": "timestamptz",
    "timestamp_utc_far": "timestamptz",
    "time_of_day": "time",
    "time_span": "interval",
    "json": "json",
    "nul_in_json": "json",
    "binary": "blob",
    "text": "varchar",
    "float64": "double",
    "float_special": "double",
    "subnormal": "double",
}


class TestCSV(FileSuite):
    component = "file.table"
    FORMAT = ".csv"

    @pytest.fixture
    def connector(self, tmp_path: Path) -> Connector:
        (tmp_path / "files").mkdir()
        fields = {"root": str(tmp_path / "files"), "types": _TYPES}
        return Connector("file.table", fields, tmp_path, suffix=".csv")


class TestJSONLines(FileSuite):
    component = "file.table"
    FORMAT = ".jsonl"

    @pytest.fixture
    def connector(self, tmp_path: Path) -> Connector:
        (tmp_path / "files").mkdir()
        fields = {"root": str(tmp_path / "files"), "types": _TYPES}
        return Connector("file.table", fields, tmp_path, suffix=".jsonl")

    @needs("read", "write.append")
    def test_an_empty_table_has_a_schema(self, connector: Connector) -> None:
        """A file of no line names no column: reading it is refused, in so many words."""
        name = connector.seed(people([]))
        with pytest.raises(DriftError, match="has no columns"):
            connector.read(name)

    @needs("write.replace")
    def test_replace_by_nothing_empties_the_target(self, connector: Connector) -> None:
        name = connector.seed(people([1, 2]))
        assert connector.write(name, people([]), "replace").written == 0
        assert (Path(connector.fields["root"]) / name).read_bytes() == b""
