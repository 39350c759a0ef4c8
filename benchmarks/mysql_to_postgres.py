"""MySQL to PostgreSQL: Osiris beside the pipe of the two clients, dlt, DuckDB, pgloader and sling, in one run.

    python benchmarks/mysql_to_postgres.py [--rows 1000000] [--repeat 5] [--only pipe,DuckDB] [--short] [--large]

It starts its own MariaDB and PostgreSQL (fsync on) and fills the 13-column table of ``wide_table.py``. The movers take
turns, each a process of its own that is measured whole: wall time, CPU time of the client and the peak of its memory.
Osiris runs a compiled manifest: ledger, verification by count and run record included. What each append brought is
counted; what Osiris brought is compared with the source, value by value.

It fails when a bound is broken or a peer cannot be had. ``--short`` takes 50,000 rows once and holds no bound but that
everybody works; ``--large`` adds an append of ten times the rows, for the memory.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import startup
import wide_table
from movement import peers
from movement.peers import MissingPeerError, Place

from osiris_core.testing.servers import MySQLDatabase, PostgresDatabase, mysql_server, postgres_server

OURS = "Osiris"
#: Osiris's time over the peer's: at most. Memory: at most that share of the peer's.
APPEND_BOUNDS = {"pipe": 0.80, "dlt best": 1 / 1.35, "dlt defaults": 1 / 20, "DuckDB": 1 / 1.8, "pgloader": 1 / 2.5}
APPEND_BOUNDS["sling"] = 1 / 3.5
MERGE_BOUNDS = {"pipe": 0.80}
MEMORY_SHARE = {"dlt best": 1 / 3}
MOST_MEGABYTES = 200
MEMORY_GROWTH = 1.10
#: So slow that more rounds would say nothing new.
ONCE = frozenset({"dlt defaults"})
SETTINGS: dict[str, str | int] = {
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "1h",
    "autovacuum": "off",
}
PIPELINE = """
oml_version: "0.0.1"
name: wide
steps:
  - {id: read, component: mysql.table, mode: read, connection: "@shop", config: {table: wide}}
  - {id: write, component: postgres.table, mode: write, connection: "@warehouse", needs: [read], config: CONFIG}
"""


@dataclass(frozen=True)
class Sample:
    """One process: wall and CPU seconds, peak memory in MB of its largest member."""

    seconds: float
    cpu: float
    megabytes: float


@dataclass
class Figures:
    """Samples by mover, and the faults that were found."""

    samples: dict[str, list[Sample]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def add(self, name: str, sample: Sample) -> None:
        self.samples.setdefault(name, []).append(sample)

    def seconds(self, name: str) -> float:
        return statistics.median(sample.seconds for sample in self.samples[name])

    def megabytes(self, name: str) -> float:
        return max(sample.megabytes for sample in self.samples[name])


#: Starts the mover from a small process: what it forks from counts as a process's memory.
LAUNCHER = """
import json, os, subprocess, sys, time
began = time.perf_counter()
process = subprocess.Popen(sys.argv[2:], stdout=sys.stderr)
_, status, usage = os.wait4(process.pid, 0)
took = time.perf_counter() - began
with open(sys.argv[1], "w") as file:
    json.dump([took, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024], file)
os._exit(os.waitstatus_to_exitcode(status) != 0)
"""


def measure(command: list[str], directory: Path) -> Sample:
    """Run a process to its end. Raises SystemExit with the end of what it said when it fails."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PGTZ": "UTC", "TZ": "UTC"}
    took = directory / "took"
    launched = [sys.executable, "-S", "-c", LAUNCHER, str(took), *command]
    done = subprocess.run(launched, cwd=directory, env=environment, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:3])} … failed: {done.stderr[-2000:]}")
    return Sample(*json.loads(took.read_text()))


# -- the two databases -------------------------------------------------------------------------------------
class Bench:
    """The servers, the project and the peers' environment."""

    def __init__(self, mysql: MySQLDatabase, postgres: PostgresDatabase, work: Path, binaries: Path) -> None:
        self.mysql, self.postgres, self.work, self.binaries = mysql, postgres, work, binaries
        self._runs = 0
        connections = {
            "shop": {**mysql.fields, "component": "mysql", "password": "${SHOP}"},
            "warehouse": {**postgres.fields, "component": "postgres", "password": "${WAREHOUSE}"},
        }
        (work / "osiris_connections.yaml").write_text(json.dumps({"connections": connections}))
        (work / "secrets").write_text(f'SHOP="{mysql.password}"\nWAREHOUSE="{postgres.password}"\n')

    def command(self, name: str, mode: str) -> list[str]:
        """How a mover is started."""
        if name == OURS:
            return self._osiris("run", str(self.work / mode), "--run-key", self._key(), "--secrets-file", "secrets")
        place = Place(self.mysql.fields, self.postgres.fields, self.work)
        return peers.PEERS[name][0](place, self.binaries, mode)

    def _key(self) -> str:
        self._runs += 1
        return f"bench-{self._runs}"

    def _osiris(self, *arguments: str) -> list[str]:
        return [str(Path(sys.executable).with_name("osiris")), *arguments]

    def compile(self, mode: str) -> None:
        """Compile the pipeline of one mode, once; the runs are of the manifest."""
        config = {"table": "wide", "write_mode": mode} | ({"merge_keys": ["id"]} if mode == "merge" else {})
        path = self.work / f"{mode}.yaml"
        path.write_text(PIPELINE.replace("CONFIG", json.dumps(config)))
        arguments = ["compile", str(path), "--out", str(self.work / mode), "--secrets-file", "secrets"]
        measure(self._osiris(*arguments), self.work)

    def reset(self, mode: str) -> None:
        """The target as each round finds it, everything written to disk."""
        self.postgres.execute("DROP TABLE IF EXISTS wide, sling_wide, staged")
        for schema in ("dlt_best", "dlt_best_staging", "dlt_defaults", "dlt_defaults_staging"):
            self.postgres.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
        for left in (*self.work.glob("bench*"), *self.work.glob("pipelines")):
            shutil.rmtree(left, ignore_errors=True)
        self.postgres.execute(peers.CREATE)
        if mode == "merge":
            self.postgres.execute("INSERT INTO wide SELECT * FROM wide_half")
            with contextlib.closing(self.postgres.connect()) as connection:
                connection.execute("VACUUM ANALYZE wide")
        with contextlib.closing(self.postgres.connect()) as connection:
            connection.execute("CHECKPOINT")

    def make_half(self) -> None:
        """Half of the rows, every second of them with another note: what a merge finds."""
        self.postgres.execute("DROP TABLE IF EXISTS wide_half; CREATE TABLE wide_half (LIKE wide)")
        self.postgres.execute(
            "INSERT INTO wide_half SELECT * FROM wide WHERE id <= (SELECT max(id) / 2 FROM wide);"
            "UPDATE wide_half SET note = 'as it was' WHERE id % 2 = 0"
        )

    def counted(self, name: str) -> int:
        """How many rows a mover's table holds."""
        tables = {"dlt best": "dlt_best.wide", "dlt defaults": "dlt_defaults.wide", "sling": "sling_wide"}
        return int(self.postgres.query(f"SELECT count(*) FROM {tables.get(name, 'wide')}")[0][0])

    def differences(self) -> int:
        """Rows of the target that are not the source's, compared value by value."""
        columns = ", ".join(wide_table.COLUMNS)
        mine = columns.replace("updated_at", "updated_at AT TIME ZONE 'UTC'").replace("attributes", "attributes::text")
        different = 0
        with contextlib.closing(self.mysql.connect()) as my, contextlib.closing(self.postgres.connect()) as pg:
            there, here = my.cursor(), pg.cursor()
            there.execute("SET time_zone = '+00:00'")
            last, size = 0, 50_000
            while True:
                there.execute(f"SELECT {columns} FROM wide WHERE id > {last} ORDER BY id LIMIT {size}")
                rows = there.fetchall()
                found = here.execute(f"SELECT {mine} FROM wide WHERE id > {last} ORDER BY id LIMIT {size}").fetchall()
                different += abs(len(rows) - len(found)) + sum(
                    _plain(a) != _plain(b) for a, b in zip(rows, found, strict=False)
                )
                if not rows:
                    return different
                last = rows[-1][0]


def _plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return (*row[:-1], json.loads(row[-1]))


# -- rounds ------------------------------------------------------------------------------------------------
def rounds(bench: Bench, mode: str, names: list[str], rows: int, repeat: int) -> Figures:
    """Everybody in turn, ``repeat`` times."""
    figures = Figures()
    for number in range(repeat):
        for name in names:
            if number and name in ONCE:
                continue
            bench.reset(mode)
            figures.add(name, measure(bench.command(name, mode), bench.work))
            found = bench.counted(name)
            if found != rows:
                figures.faults.append(f"{mode}: {name} left {found:,} of {rows:,} rows")
            if name == OURS and not number:
                different = bench.differences()
                print(f"{mode}: {rows:,} rows compared with the source, {different} different", flush=True)
                if different:
                    figures.faults.append(f"{mode}: {different} rows of ours differ")
    return figures


def report(title: str, figures: Figures, bounds: dict[str, float], rows: int) -> None:
    """One line a mover, the faults beside the bounds that they break."""
    print(f"\n{title}: {rows:,} rows x {len(wide_table.COLUMNS)} columns")
    heads = f"{'mover':14}{'median s':>10}{'spread':>14}{'krows/s':>9}{'CPU s':>8}{'peak MB':>9}"
    print(f"{heads}{'Osiris takes':>14}{'bound':>8}")
    ours = figures.seconds(OURS)
    for name, samples in figures.samples.items():
        seconds = [sample.seconds for sample in samples]
        spread = f"{min(seconds):.2f}-{max(seconds):.2f}"
        cpu = statistics.median(sample.cpu for sample in samples)
        ratio = ours / figures.seconds(name)
        bound = f"{bounds[name]:.2f}" if name in bounds else ""
        line = f"{name:14}{figures.seconds(name):10.2f}{spread:>14}{rows / figures.seconds(name) / 1000:9.0f}{cpu:8.2f}"
        print(f"{line}{figures.megabytes(name):9.0f}{ratio:13.2f}x{bound:>8}")
        if name in bounds and ratio > bounds[name]:
            figures.faults.append(f"{title}: {ratio:.2f} x the time of {name} (at most {bounds[name]:.2f})")
        share = figures.megabytes(OURS) / figures.megabytes(name)
        if name in MEMORY_SHARE and title == "append" and share > MEMORY_SHARE[name]:
            figures.faults.append(f"{title}: {share:.2f} x the memory of {name} (at most {MEMORY_SHARE[name]:.2f})")
    if figures.megabytes(OURS) > MOST_MEGABYTES:
        figures.faults.append(f"{title}: {figures.megabytes(OURS):.0f} MB (at most {MOST_MEGABYTES})")


def profile(bench: Bench, rows: int) -> None:
    """Where our CPU time goes in an append."""
    bench.reset("append")
    command = [sys.executable, str(peers.HERE / "cpu_profile.py"), *bench.command(OURS, "append")[1:]]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, cwd=bench.work, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    print(f"\nour CPU time, append of {rows:,} rows: {found['total']:.2f} s")
    for stage, seconds in found["seconds"].items():
        print(f"  {stage:20}{seconds:6.2f} s{100 * seconds / found['total']:6.0f} %")


def large(bench: Bench, rows: int, small: Figures) -> Figures:
    """Ten times the rows in the same memory."""
    with contextlib.closing(bench.mysql.connect()) as connection:
        wide_table.fill(connection, 9 * rows, first=rows + 1)
    figures = rounds(bench, "append", [OURS], 10 * rows, 1)
    report("append, large", figures, {}, 10 * rows)
    growth = figures.megabytes(OURS) / small.megabytes(OURS)
    print(f"memory: {growth:.2f} x that of {rows:,} rows (at most {MEMORY_GROWTH:.2f})")
    if growth > MEMORY_GROWTH:
        figures.faults.append(f"memory grows {growth:.2f} x with the rows (at most {MEMORY_GROWTH:.2f})")
    return figures


@contextlib.contextmanager
def prepared(rows: int, directory: Path | None) -> Iterator[Bench]:
    """Servers with the source filled, for accounts whose passwords every peer can put into a URL."""
    with (
        tempfile.TemporaryDirectory() as work,
        mysql_server(durable=True, settings={"innodb_buffer_pool_size": "1G", "default_time_zone": "+00:00"}) as my,
        postgres_server(durable=True, settings=SETTINGS) as pg,
    ):
        source, target = my.create_database(), pg.create_database()
        source.execute("CREATE USER bench@'%' IDENTIFIED BY 'bench'; GRANT ALL ON *.* TO bench@'%'")
        target.execute("CREATE ROLE bench SUPERUSER LOGIN PASSWORD 'bench'")
        with contextlib.closing(source.connect()) as connection:
            wide_table.create(connection)
            wide_table.fill(connection, rows)
        bench = Bench(
            replace(source, user="bench", password="bench"),
            replace(target, user="bench", password="bench"),
            Path(work),
            peers.environment(directory or Path(work) / "peers"),
        )
        bench.postgres.execute(peers.CREATE)
        for mode in ("append", "merge"):
            bench.compile(mode)
        yield bench


def run(bench: Bench, options: argparse.Namespace, chosen: list[str]) -> list[str]:
    """All rounds; the faults that were found."""
    rows, repeat = options.rows, options.repeat
    append = rounds(bench, "append", [OURS, *chosen], rows, repeat)
    bench.reset("append")
    measure(bench.command(OURS, "append"), bench.work)
    bench.make_half()
    mergers = [name for name in chosen if "merge" in peers.PEERS[name][1]]
    merge = rounds(bench, "merge", [OURS, *mergers], rows, repeat)
    report("append", append, APPEND_BOUNDS, rows)
    report("merge", merge, MERGE_BOUNDS, rows)
    profile(bench, rows)
    faults = append.faults + merge.faults
    if options.short:  # so few rows measure how fast programs start
        faults = [fault for fault in faults if "rows" in fault]
    return faults + (large(bench, rows, append).faults if options.large else [])


def main() -> int:
    """Print the figures; 1 when a bound is broken or a peer is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--only", help="peers, with commas between them")
    parser.add_argument("--peers", type=Path, help="directory that keeps the peers' environment between runs")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--large", action="store_true")
    options = parser.parse_args()
    if options.short:
        options.rows, options.repeat = 50_000, 1
    chosen = options.only.split(",") if options.only else list(peers.PEERS)
    startup.compile_bytecode()
    try:
        with prepared(options.rows, options.peers) as bench:
            faults = run(bench, options, chosen)
    except MissingPeerError as missing:
        faults = [str(missing)]
    for fault in faults:
        print(f"FAULT {fault}")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
