"""Discovery of many tables on MariaDB and PostgreSQL: seconds, number of queries, bytes of cache.

    python benchmarks/discovery.py [--tables 1000] [--repeat 5]

It starts both servers itself. The number of queries is the server's own count, and must not grow with the number of
tables; the benchmark fails when it does.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from osiris_core.session import Session
from osiris_core.testing.servers import mysql_server, postgres_server

PASSWORD_VARIABLE = "OSIRIS_BENCH_PASSWORD"
FEW = 10
COLUMNS = {
    "mysql": "id BIGINT NOT NULL PRIMARY KEY, customer_id INT NOT NULL, status VARCHAR(16), quantity SMALLINT, "
    "flag TINYINT(1), amount DECIMAL(12,2), rate DOUBLE, ordered_at DATETIME(6), updated_at TIMESTAMP(3) NULL, "
    "due DATE, email VARCHAR(120) NOT NULL UNIQUE, note TEXT, attributes JSON",
    "postgres": "id bigint NOT NULL PRIMARY KEY, customer_id int NOT NULL, status varchar(16), quantity smallint, "
    "flag boolean, amount numeric(12,2), rate double precision, ordered_at timestamp, updated_at timestamptz, "
    "due date, email varchar(120) NOT NULL UNIQUE, note text, attributes jsonb",
}


@dataclass
class System:
    """One server: how to fill a database, and how many queries it has answered for it."""

    family: str
    server: Any
    queries: Callable[[Any], int]

    def database(self, tables: int) -> Any:
        """A new database with this many tables of 13 columns, a primary and a unique key."""
        database = self.server.create_database()
        ddl = [f"CREATE TABLE t{number:04} ({COLUMNS[self.family]})" for number in range(tables)]
        for start in range(0, tables, 100):
            database.execute(";".join(ddl[start : start + 100]))
        return database


@dataclass
class Figures:
    """What one database gave; times are medians in milliseconds, in process, imports done."""

    discover: float
    spread: str
    queries: int
    bytes: int
    reuse: float
    probe_queries: int


def measure(system: System, tables: int, repeat: int, directory: Path) -> Figures:
    """Discover a database again and again, then use the cached entry with its probe."""
    project = _project(directory, system, system.database(tables))
    fresh, discover_queries = _timed(system, project, repeat, refresh=True)
    again, probe_queries = _timed(system, project, repeat, refresh=False)
    entry = next((project / ".osiris" / "catalog").rglob("*.json"))
    return Figures(
        statistics.median(fresh),
        f"{min(fresh):.0f}-{max(fresh):.0f}",
        discover_queries,
        entry.stat().st_size,
        statistics.median(again),
        probe_queries,
    )


def _project(directory: Path, system: System, database: Any) -> Path:
    project = directory / f"{system.family}-{database.database}"
    project.mkdir()
    fields = {**database.fields, "password": f"${{{PASSWORD_VARIABLE}}}"}
    lines = [f"    {name}: {value!r}" if name != "port" else f"    port: {value}" for name, value in fields.items()]
    text = "\n".join(["connections:", "  many:", f"    component: {system.family}", *lines, ""])
    (project / "osiris_connections.yaml").write_text(text)
    os.environ[PASSWORD_VARIABLE] = database.password
    return project


def _timed(system: System, project: Path, repeat: int, *, refresh: bool) -> tuple[list[float], int]:
    times, counts = [], []
    for _ in range(repeat):
        session = Session.open(project, plugins=[system.family], refresh=refresh)
        session.registry.driver(f"{system.family}.table")
        asking = -system.queries(system.server) + system.queries(system.server)  # what the question itself costs
        before = system.queries(system.server)
        began = time.perf_counter()
        catalog = session.catalogs.get("many", f"{system.family}.table")
        times.append((time.perf_counter() - began) * 1000)
        counts.append(system.queries(system.server) - before - asking)
        assert catalog.tables
    return times, max(counts)


def _mysql_queries(server: Any) -> int:
    (row,) = server.query("SHOW GLOBAL STATUS LIKE 'Questions'")
    return int(row[1])


def _postgres_queries(server: Any) -> int:
    (row,) = server.query("SELECT coalesce(sum(calls), 0) FROM pg_stat_statements")
    return int(row[0])


def main() -> int:
    """Print one line per system and size; 1 when the number of queries grows with the number of tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--system", nargs="+", choices=tuple(COLUMNS), default=tuple(COLUMNS))
    args = parser.parse_args()
    print(f"{'system':<9} {'tables':>6} {'discover ms':>12} {'(range)':>12} {'queries':>8} {'cache KiB':>10} "
          f"{'reuse ms':>9} {'queries':>8}")  # fmt: skip
    constant = True
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        mysql = stack.enter_context(mysql_server())
        postgres = stack.enter_context(
            postgres_server(
                settings={"shared_preload_libraries": "pg_stat_statements", "max_locks_per_transaction": 4096}
            )
        )
        postgres.execute("CREATE EXTENSION pg_stat_statements")
        systems = [System("mysql", mysql, _mysql_queries), System("postgres", postgres, _postgres_queries)]
        for system in systems:
            if system.family not in args.system:
                continue
            sizes = {tables: measure(system, tables, args.repeat, directory) for tables in (FEW, args.tables)}
            for tables, found in sizes.items():
                print(f"{system.family:<9} {tables:>6,} {found.discover:>12.1f} {found.spread:>12} {found.queries:>8} "
                      f"{found.bytes / 1024:>10.1f} {found.reuse:>9.1f} {found.probe_queries:>8}")  # fmt: skip
            constant &= len({found.queries for found in sizes.values()}) == 1
    print("the number of queries is constant" if constant else "THE NUMBER OF QUERIES GROWS WITH THE TABLES")
    return 0 if constant else 1


if __name__ == "__main__":
    sys.exit(main())
