"""PostgreSQL on a small file system that a pipeline fills: run by ``test_disk_full.py`` in namespaces of its own.

Its arguments are a directory with a project, whose ``disk`` is that file system, and what lies there: the target's
database (``data``), or the server's write-ahead log (``log``). A file takes up what the first run must not have; it
goes before the re-run. Prints what became of both runs, and of the table after each, as JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from osiris_core.testing.cli import Osiris
from osiris_core.testing.servers import PostgresDatabase, PostgresServer, postgres_server

#: What the file in the way leaves free: too little for the rows, enough for what a server writes anyway.
ROOM = 3 << 20
#: Rows, different rows, and how many of them are as the second source has them.
COUNTS = """
SELECT count(*), count(DISTINCT id), count(*) FILTER (WHERE note = md5(id::text) || md5((-id)::text)) FROM target
"""


def main() -> None:
    project, place = Path(sys.argv[1]), sys.argv[2]
    disk, osiris = project / "disk", Osiris(project)
    # It is the run's own statement that finds no room for the log, not the server's writer in the background.
    with postgres_server(settings={"wal_writer_delay": "10s"}) as server:
        database = database_on(disk, server) if place == "data" else with_log_on(disk, server)
        write_connections(project, database)
        prepared = run(osiris, "prepare.yaml")[0]
        with in_the_way(disk / "ballast"):
            full = run(osiris, "p.yaml")
        if place == "log":  # without room for its log a server stops itself
            server.restart()
        unchanged = database.query(COUNTS)[0]
        again = run(osiris, "p.yaml")
        rows = database.query(COUNTS)[0]
    print(json.dumps({"prepared": prepared, "full": full, "unchanged": unchanged, "again": again, "rows": rows}))


def database_on(disk: Path, server: PostgresServer) -> PostgresDatabase:
    """A database whose files all lie below ``disk``; the server's own and its log do not."""
    server.execute(f"CREATE TABLESPACE small LOCATION '{disk}'")
    server.execute("CREATE DATABASE on_small TEMPLATE template0 ENCODING 'UTF8' TABLESPACE small")
    return server.database("on_small")


def with_log_on(disk: Path, server: PostgresServer) -> PostgresDatabase:
    """A database of the server, whose log is now below ``disk``; the database's files are not."""
    log = Path(server.query("SHOW data_directory")[0][0]) / "pg_wal"
    server.stop()
    shutil.move(log, disk / "log")
    log.symlink_to(disk / "log")
    server.start()
    return server.create_database()


def write_connections(project: Path, database: PostgresDatabase) -> None:
    """The connections as JSON, which is YAML; the password comes from this process's environment."""
    os.environ["TARGET_PASSWORD"] = database.password
    target = {"component": "postgres", **database.fields, "password": "${TARGET_PASSWORD}"}
    connections = {"source": {"component": "duckdb", "path": "source.duckdb"}, "target": target}
    (project / "osiris_connections.yaml").write_text(json.dumps({"connections": connections}), "utf-8")


@contextlib.contextmanager
def in_the_way(ballast: Path) -> Iterator[None]:
    """A file that leaves ``ROOM`` of its file system, while the block runs."""
    system = os.statvfs(ballast.parent)
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, system.f_bavail * system.f_frsize - ROOM)
    yield
    ballast.unlink()


def run(osiris: Osiris, pipeline: str) -> tuple[int, Any]:
    done = osiris("run", pipeline, "--json")
    return done.returncode, json.loads(done.stdout)


main()
