"""Two runs of one pipeline on one table from two processes: one waits for the other, and both arrive whole."""

from __future__ import annotations

import json
from typing import Any

import pytest

from osiris_core.testing.cli import Osiris
from osiris_core.testing.servers import MySQLDatabase, PostgresDatabase

ROWS = 50_000


@pytest.fixture(params=["duckdb", "file", "mysql", "postgres"])
def target(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """A family of components and the fields of a connection, to an empty table of people."""
    family: str = request.param
    if family in ("duckdb", "file"):
        return family, {"path": "target.duckdb"} if family == "duckdb" else {"root": "files"}
    database: MySQLDatabase | PostgresDatabase = request.getfixturevalue(f"{family}_database")
    return family, database.fields


@pytest.mark.parametrize("write_mode", ["append", "replace"])
def test_two_processes_write_one_after_the_other(
    osiris: Osiris, target: tuple[str, dict[str, Any]], write_mode: str
) -> None:
    import duckdb

    family, fields = target
    table = "people.csv" if family == "file" else "people"
    (osiris.directory / "files").mkdir()
    with duckdb.connect(str(osiris.directory / "source.duckdb")) as connection:
        connection.execute(f"CREATE TABLE people AS SELECT i AS id, 'n' || i AS name FROM range({ROWS}) t(i)")
    environment = {"TARGET_PASSWORD": fields["password"]} if "password" in fields else {}
    known = {**fields, **dict.fromkeys(environment and ["password"], "${TARGET_PASSWORD}")}
    connections = {"source": {"component": "duckdb", "path": "source.duckdb"}, "target": {"component": family, **known}}
    read = {"id": "people", "component": "duckdb.table", "mode": "read", "connection": "@source"}
    write = {
        "id": "load",
        "component": f"{family}.table",
        "mode": "write",
        "connection": "@target",
        "needs": ["people"],
    }
    steps = [
        {**read, "config": {"table": "people"}},
        {**write, "config": {"table": table, "write_mode": write_mode, "create": "if_missing"}},
    ]
    osiris.directory.joinpath("osiris_connections.yaml").write_text(json.dumps({"connections": connections}))
    pipeline = {"oml_version": "0.0.1", "name": "two", "steps": steps}
    osiris.directory.joinpath("p.yaml").write_text(json.dumps(pipeline))
    both = [
        osiris.start("run", "p.yaml", "--json", "--run-key", key, "--mode", "off", env=environment)
        for key in ("one", "two")
    ]
    told = [(*process.communicate(timeout=120), process.returncode) for process in both]
    assert [code for *_, code in told] == [0, 0], told
    assert [json.loads(out)["steps"]["load"]["written"] for out, *_ in told] == [ROWS, ROWS]
    copies = 2 if write_mode == "append" else 1
    assert counted(osiris, family, environment, table) == [ROWS * copies, ROWS]


def counted(osiris: Osiris, family: str, environment: dict[str, str], table: str) -> list[int]:
    """How many rows the target holds, and how many different ones, by a pipeline that counts them."""
    import duckdb

    steps = [
        {
            "id": "rows",
            "component": f"{family}.table",
            "mode": "read",
            "connection": "@target",
            "config": {"table": table},
        },
        {
            "id": "load",
            "component": "duckdb.table",
            "mode": "write",
            "connection": "@source",
            "needs": ["rows"],
            "config": {"table": "found", "write_mode": "append", "create": "if_missing"},
        },
    ]
    osiris.directory.joinpath("count.yaml").write_text(
        json.dumps({"oml_version": "0.0.1", "name": "count", "steps": steps})
    )
    done = osiris("run", "count.yaml", "--mode", "off", env=environment)
    assert done.returncode == 0, done.stderr
    with duckdb.connect(str(osiris.directory / "source.duckdb")) as connection:
        return list(connection.execute("SELECT count(*), count(DISTINCT id) FROM found").fetchall()[0])
