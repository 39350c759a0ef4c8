"""File → duckdb.sql → DuckDB table, against the same statement in plain DuckDB.

    python benchmarks/duckdb_fused.py [--rows 10000000] [--repeat 5] [--format parquet|csv] [--short]

Whole runs of a compiled manifest in process: ledger, verification by count, record and report included. *Fused*: the
step's own statement reads the file. *Not fused*: rows go from the reader to the SQL and on to the writer through Arrow.
Plain DuckDB runs ``CREATE TABLE … AS`` with the file's types given. The three take turns; a ratio is that of medians.
Parquet is bound to 1.2 × and 2.5 ×. CSV is for information: our reader proves that no digit of a text is lost when it
becomes a number, which DuckDB's does not.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import duckdb

from osiris_core import Session
from osiris_core.compile import compile_pipeline, write_compiled
from osiris_core.run import run_compiled
from osiris_core.validate import validate

LIMITS = {"fused": 1.2, "not fused": 2.5}
COLUMNS = {
    "id": "BIGINT",
    "customer_id": "INTEGER",
    "status": "VARCHAR",
    "total": "DECIMAL(12,2)",
    "placed_at": "TIMESTAMP",
}
MAKE = """
    CREATE TABLE made AS SELECT range AS id, CAST(hash(range) % 100000 AS INTEGER) AS customer_id,
        ['new', 'paid', 'sent', 'returned'][CAST(1 + hash(range + 1) % 4 AS INTEGER)] AS status,
        CAST((hash(range + 2) % 1000000) / 100 AS DECIMAL(12,2)) AS total,
        TIMESTAMP '2025-01-01' + to_seconds(range * 3) AS placed_at
    FROM range({rows})"""
SQL = (
    "SELECT id, customer_id, upper(status) AS status, CAST(total * 1.21 AS DECIMAL(14,2)) AS total, placed_at "
    "FROM orders WHERE total > 10"
)
PIPELINE = """\
oml_version: "0.0.1"
name: fused
steps:
  - {{id: orders, component: file.table, mode: read, connection: "@files", config: {{table: {file}}}}}
  - {{id: sql, component: duckdb.sql, mode: transform, needs: [orders], config: {{sql: "{sql}"}}}}
  - {{id: load, component: duckdb.table, mode: write, connection: "@target", needs: [sql],
      config: {{table: result, write_mode: append, create: if_missing}}}}
"""


@dataclass
class Times:
    """Seconds of wall and of CPU, one for each turn."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def measure(self, work: Callable[[], None]) -> None:
        """One turn."""
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        self.wall.append(time.perf_counter() - wall)
        self.cpu.append(time.process_time() - cpu)


class Bench:
    """A project with one big file."""

    def __init__(self, directory: Path, rows: int, file_format: str) -> None:
        self.directory = directory
        self.target = directory / "target.duckdb"
        self.file = directory / f"orders.{file_format}"
        with duckdb.connect() as connection:
            connection.execute(MAKE.format(rows=rows))
            connection.execute(f"COPY made TO '{self.file}' (FORMAT {file_format})")
        (directory / "osiris_connections.yaml").write_text(
            "connections: {files: {component: file, root: .}, target: {component: duckdb, path: target.duckdb}}\n"
        )
        (directory / "p.yaml").write_text(PIPELINE.format(file=self.file.name, sql=SQL))
        self.session = Session.open(directory, plugins=["duckdb"])
        compiled = compile_pipeline(validate(directory / "p.yaml", self.session), self.session)
        self.compiled = write_compiled(compiled, directory / "out")

    def plain(self) -> None:
        """The statement in DuckDB itself."""
        types = ", ".join(f"'{name}': '{kind}'" for name, kind in COLUMNS.items())
        source = f"read_parquet('{self.file}')"
        if self.file.suffix == ".csv":
            source = f"read_csv('{self.file}', header = true, auto_detect = false, columns = {{{types}}})"
        with duckdb.connect(str(self.target)) as connection:
            connection.execute(f"CREATE TABLE result AS WITH orders AS (FROM {source}) {SQL}")

    def fused(self) -> None:
        """A run as everybody's."""
        outcome = run_compiled(self.compiled, self.session)
        if outcome.result.status != "success":
            raise SystemExit(f"the run failed: {outcome.result.error}")

    def not_fused(self) -> None:
        """The same run, with the SQL step made to take the reader's rows."""
        with mock.patch("osiris_duckdb.sandbox.own_source", lambda stream: None):
            self.fused()

    def clear(self) -> None:
        """No target yet."""
        self.target.unlink(missing_ok=True)
        self.target.with_name("target.duckdb.wal").unlink(missing_ok=True)

    def count(self) -> int:
        """Rows of the target."""
        with duckdb.connect(str(self.target), read_only=True) as connection:
            return int(connection.execute("SELECT count(*) FROM result").fetchall()[0][0])


def measure(rows: int, repeat: int, file_format: str) -> bool:
    """Print the figures of one format; whether its bounds hold."""
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(Path(name), rows, file_format)
        ways: dict[str, Callable[[], None]] = {
            "plain DuckDB": bench.plain,
            "fused": bench.fused,
            "not fused": bench.not_fused,
        }
        times = {way: Times() for way in ways}
        counts = set()
        for turn in range(repeat + 1):
            for way, work in ways.items():
                bench.clear()
                (Times() if turn == 0 else times[way]).measure(work)  # the first turn warms up
                counts.add(bench.count())
        if len(counts) != 1:
            raise SystemExit(f"the ways gave different numbers of rows: {sorted(counts)}")
    base = statistics.median(times["plain DuckDB"].wall)
    kept = True
    print(f"{file_format}, {rows:,} rows, median of {repeat} (spread)")
    for way, taken in times.items():
        ratio = statistics.median(taken.wall) / base
        limit = LIMITS.get(way) if file_format == "parquet" else None
        kept = kept and (limit is None or ratio <= limit)
        print(
            f"  {way:13} {statistics.median(taken.wall):6.2f} s ({min(taken.wall):.2f}-{max(taken.wall):.2f})"
            f"  CPU {statistics.median(taken.cpu):6.2f} s  {ratio:5.2f} ×{f'  (at most {limit} ×)' if limit else ''}"
        )
    return kept


def main() -> int:
    """Print all figures; 1 when a bound is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--format", choices=["parquet", "csv"], help="only this one")
    parser.add_argument("--short", action="store_true", help="a million rows, three turns")
    options = parser.parse_args()
    rows, repeat = (1_000_000, 3) if options.short else (options.rows, options.repeat)
    formats = [options.format] if options.format else ["parquet", "csv"]
    within = [measure(rows, repeat, file_format) for file_format in formats]
    return 0 if all(within) else 1


if __name__ == "__main__":
    sys.exit(main())
