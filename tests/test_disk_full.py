"""A disk that runs full while rows are written: a clear error, exit 4, nothing changed, and a plain re-run works."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from osiris_core import OsirisError
from osiris_core.testing import Connector, people
from osiris_core.testing.cli import clean_environment
from osiris_core.testing.servers import mysql_server

ROWS = 100_000
CONNECTIONS = """\
connections:
  source: {component: duckdb, path: source.duckdb}
  target: {component: FAMILY, WHERE}
"""
PIPELINE = """\
oml_version: "0.0.1"
name: NAME
steps:
  - id: rows
    component: duckdb.table
    mode: read
    connection: "@source"
    config: {table: SOURCE}
  - id: load
    component: FAMILY.table
    mode: write
    connection: "@target"
    needs: [rows]
    config: {table: TABLE, create: if_missing, write_mode: MODE}
"""


def project(directory: Path, family: str, where: str, table: str, write_mode: str) -> None:
    """A source with a few rows and one with many, and the two pipelines that write them to one target."""
    import duckdb

    (directory / "disk").mkdir()
    with duckdb.connect(str(directory / "source.duckdb")) as connection:
        connection.execute("CREATE TABLE few AS SELECT -i AS id, 'old' AS note FROM range(1, 4) t(i)")
        note = "md5(i::VARCHAR) || md5((-i)::VARCHAR) AS note"
        connection.execute(f"CREATE TABLE many AS SELECT i AS id, {note} FROM range({ROWS}) t(i)")
    (directory / "osiris_connections.yaml").write_text(
        CONNECTIONS.replace("FAMILY", family).replace("WHERE", where), "utf-8"
    )
    for name, source, mode in (("prepare", "few", "append"), ("p", "many", write_mode)):
        text = PIPELINE.replace("NAME", name).replace("SOURCE", source).replace("MODE", mode)
        (directory / f"{name}.yaml").write_text(text.replace("FAMILY", family).replace("TABLE", table), "utf-8")


def in_a_namespace(*command: str | Path) -> dict[str, Any]:
    """What a program prints that may mount file systems which nobody else sees."""
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", *command],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, f"this test needs user namespaces (unshare --map-root-user --mount): {done.stderr}"
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("write_mode", ["append", "replace"])
@pytest.mark.parametrize(
    ("family", "where", "table"),
    [
        ("duckdb", "path: disk/target.duckdb", "target"),
        ("file", "root: disk", "target.csv"),
        ("file", "root: disk", "target.jsonl"),
        ("file", "root: disk", "target.parquet"),
    ],
    ids=["duckdb", "csv", "jsonl", "parquet"],
)
def test_a_full_disk_leaves_the_target_as_it_was(
    tmp_path: Path, family: str, where: str, table: str, write_mode: str
) -> None:
    """A file system of 3 MiB, in a namespace of its own, and 7 MB to write."""
    project(tmp_path, family, where, table, write_mode)
    found = in_a_namespace(sys.executable, Path(__file__).with_name("full_disk.py"), tmp_path, "3")
    assert found["prepared"] == 0
    code, result = found["full"]
    error = result["steps"]["load"]["error"]
    assert (code, error["code"] in ("OSI-R010", "OSI-R022")) == (4, True), error
    assert "space" in f"{error['message']} {error['hint']}"
    before, after = found["names"]
    assert set(after) - set(before) <= {"target.duckdb.wal"}
    assert found["unchanged"] == [3, 3]
    code, result = found["again"]
    assert (code, result["steps"]["load"]["written"]) == (0, ROWS), result
    expected = ROWS + (3 if write_mode == "append" else 0)
    assert found["rows"] == [expected, expected]


#: Mounts a small file system, and goes on as somebody who is not root: PostgreSQL runs as nobody else.
ON_A_SMALL_DISK = """
mount -t tmpfs -o size=64m none "$1"
shift
exec unshare --user --map-user=65534 --map-group=65534 "$@"
"""


def with_postgres(directory: Path, place: str, write_mode: str) -> dict[str, Any]:
    """What becomes of a pipeline into PostgreSQL, whose ``data`` or ``log`` lies on a full disk."""
    mode = "merge, merge_keys: [id]" if write_mode == "merge" else write_mode
    project(directory, "postgres", "", "target", mode)
    program: list[str | Path] = [sys.executable, Path(__file__).with_name("full_disk_postgres.py"), directory, place]
    return in_a_namespace("sh", "-euc", ON_A_SMALL_DISK, "sh", directory / "disk", *program)


def table_was_kept(found: dict[str, Any], kept: int) -> None:
    """The first run says what was full and changes nothing; the second gives the exact table."""
    assert found["prepared"] == 0
    code, result = found["full"]
    error = result["steps"]["load"]["error"]
    assert (code, error["code"]) == (4, "OSI-R022"), error
    assert "No space left on device" in error["message"]
    assert error["hint"] == "free some space there and run again"
    assert found["unchanged"] == [3, 3, 0]
    code, result = found["again"]
    assert (code, result["steps"]["load"]["written"]) == (0, ROWS), result
    assert found["rows"] == [kept + ROWS, kept + ROWS, ROWS]


@pytest.mark.parametrize("write_mode", ["append", "merge", "replace"])
def test_a_full_disk_of_postgres_leaves_the_table_as_it_was(tmp_path: Path, write_mode: str) -> None:
    """The database's files lie on a file system of 64 MiB, of which all but 3 are taken."""
    table_was_kept(with_postgres(tmp_path, "data", write_mode), kept=0 if write_mode == "replace" else 3)


def test_a_log_of_postgres_without_room_leaves_the_table_as_it_was(tmp_path: Path) -> None:
    """The disk of the write-ahead log is full, which may stop the server: the table is the same when it is back."""
    table_was_kept(with_postgres(tmp_path, "log", "append"), kept=3)


def test_a_full_disk_of_mysql_leaves_the_table_as_it_was(tmp_path: Path) -> None:
    """InnoDB may not let its only file grow beyond 24 MiB; what is in the way goes before the re-run."""
    settings: dict[str, str | int] = {
        "innodb_file_per_table": 0,
        "innodb_data_file_path": "ibdata1:12M:autoextend:max:24M",
    }
    with mysql_server(settings=settings) as server:
        database = server.create_database()
        connector = Connector("mysql.table", database.fields, tmp_path, execute=database.execute)
        name = connector.seed(people([1]))
        database.execute("CREATE TABLE in_the_way (a LONGTEXT)")
        for _ in range(9):  # what is left is too little for the rows, and enough for dropping this table
            database.execute("INSERT INTO in_the_way VALUES (REPEAT('x', 1000000))")
        rows = people(range(2, 40_000), label="a long name " * 5)
        with pytest.raises(OsirisError) as caught:
            connector.write(name, rows, run_key="monday")
        assert (caught.value.exit_code, caught.value.code) == (4, "OSI-R022")
        assert [row["id"] for row in connector.rows(name)] == [1]
        database.execute("DROP TABLE in_the_way")
        assert written_once_there_is_room(connector, name, rows) == 39_998
        assert database.query(f"SELECT count(*), count(DISTINCT id) FROM {name}") == [(39_999, 39_999)]


def written_once_there_is_room(connector: Connector, name: str, rows: Any) -> int:
    """Run again until the server's purge has reclaimed what was dropped."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return connector.write(name, rows, run_key="monday").written
        except OsirisError as error:
            if error.code != "OSI-R022" or time.monotonic() > deadline:
                raise
        time.sleep(1)
