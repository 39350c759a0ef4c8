"""Move changing tables for a long time, under kills and cut connections, and watch that nothing is lost or grows.

    python benchmarks/soak.py [--minutes 10] [--seed N] [--short]

Two lanes run at once on MariaDB and PostgreSQL servers of their own. One starts an ``osiris run`` process each time,
the other has one long-lived program that runs pipelines in process. In each round a lane changes its source at random,
runs an append, a merge or a replace, and mostly disturbs it: SIGKILL to the process, or its connections to a server
cut. A run that did not end well is run again, once, under its run key; then source and target are compared by value.

It fails when a re-run fails, when a value differs, and when what ought to stay level grows: the program's memory, file
descriptors and threads, server connections, temporary files, and the ledger after ``osiris ledger prune``.
``--short`` takes 20 seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import startup
from soaking import tables

from osiris_core.testing.cli import Osiris, clean_environment
from osiris_core.testing.servers import MySQLServer, PostgresServer, mysql_server, postgres_server

SHORT_MINUTES = 1 / 3
#: What the second half may hold more than the first: at most. Memory in MB.
ALLOWED_GROWTH = {"megabytes": 16.0, "descriptors": 0.0, "threads": 0.0}
#: So few rounds that caches and arenas still fill.
SHORT_GROWTH = {**ALLOWED_GROWTH, "megabytes": 40.0}
#: The part of the rounds before the halves that are compared.
WARM_UP = 0.25
ROUNDS_PER_PRUNE = 10
REST_SECONDS = 15.0
FAULTS_ENOUGH = 5


class Lane(ABC):
    """A source, a target, three pipelines between them, and what was seen of them."""

    name: str
    disturbance: str

    def __init__(self, root: Path, my: MySQLServer, pg: PostgresServer, chance: random.Random) -> None:
        self.osiris, self.my, self.pg, self.chance = Osiris(root), my, pg, chance
        self.source, self.target = my.create_database(), pg.create_database()
        self.scratch = root / f"tmp_{self.name}"
        self.scratch.mkdir()
        self.environment = {"TMPDIR": str(self.scratch), "SHOP": my.password, "WAREHOUSE": pg.password}
        counted = ("rounds", "runs", self.disturbance, "runs again", "rows compared", "prunes")
        self.counts: Counter[str] = Counter(dict.fromkeys(counted, 0))
        self.faults: list[str] = []
        self.typical = 0.0  # seconds of an undisturbed run; a disturbance has to fall into one
        tables.create(self.source)
        for mode in tables.TABLES:
            self._pipeline(mode).write_text(json.dumps(self._steps(mode)))

    def connections(self) -> dict[str, Any]:
        """This lane's part of osiris_connections.yaml."""
        return {
            f"shop_{self.name}": {**self.source.fields, "component": "mysql", "password": "${SHOP}"},
            f"warehouse_{self.name}": {**self.target.fields, "component": "postgres", "password": "${WAREHOUSE}"},
        }

    def _pipeline(self, mode: str) -> Path:
        return self.osiris.directory / f"{self.name}_{mode}.yaml"

    def _steps(self, mode: str) -> dict[str, Any]:
        read, write = tables.step_configs(mode)
        source = {"id": "read", "component": "mysql.table", "mode": "read", "connection": f"@shop_{self.name}"}
        target = {"id": "write", "component": "postgres.table", "mode": "write", "needs": ["read"]}
        target["connection"] = f"@warehouse_{self.name}"
        steps = [{**source, "config": read}, {**target, "config": write}]
        return {"oml_version": "0.0.1", "name": f"{self.name}-{mode}", "steps": steps}

    def soak(self, until: float) -> None:
        """Round after round, each mode in turn, until the time is over or too much went wrong."""
        try:
            while len(self.faults) < FAULTS_ENOUGH and (time.monotonic() < until or not self._has_seen_all()):
                self.round(list(tables.TABLES)[self.counts["rounds"] % len(tables.TABLES)])
                self.counts["rounds"] += 1
                if self.counts["rounds"] % ROUNDS_PER_PRUNE == 0:
                    self.prune()
            self.prune()
        except Exception as error:  # in a thread: told at the end
            self.faults.append(f"{self.name}: {type(error).__name__}: {error}")

    def _has_seen_all(self) -> bool:
        return self.counts["rounds"] >= len(tables.TABLES) and self.counts[self.disturbance] > 0

    def round(self, mode: str) -> None:
        """One change of the source, and what brings it to the target."""
        tables.change(mode, self.source, self.target, self.chance)
        # Named by the caller, or left to Osiris, which gives an unfinished run's key to the next one.
        key = f"{self.name}-{self.counts['rounds']}" if self.chance.random() < 0.5 else None
        disturb = self.typical > 0 and self.chance.random() < 0.7
        began = time.monotonic()
        told = self.run(mode, key, disturb=disturb)
        if told == "" and not disturb:
            self.typical = time.monotonic() - began
        if told:
            self.counts["runs again"] += 1
            told = self.run(mode, key, disturb=False)
        if told:
            self.faults.append(f"{self.name}, {mode}: a plain re-run failed: {told[-1500:]}")
        rows, different = tables.compare(mode, self.source, self.target)
        self.counts["rows compared"] += rows
        self.faults += [f"{self.name}, {line}" for line in different]
        self.rest()

    @abstractmethod
    def run(self, mode: str, key: str | None, *, disturb: bool) -> str:
        """Run a pipeline; what it said when it did not end well, else ``""``."""

    def cut(self) -> None:
        """Cut every connection of this lane to one of its servers."""
        if self.chance.random() < 0.5:
            found = self.pg.query(f"SELECT pg_terminate_backend(pid) {self._at_postgres}")
            self.counts["connections cut"] += len(found)
            return
        for (number,) in self.my.query(f"SELECT id {self._at_mysql}"):
            try:
                self.my.execute(f"KILL {number}")
            except Exception:
                continue  # it has gone by itself
            self.counts["connections cut"] += 1

    def moment(self) -> float:
        """Seconds after which to disturb a run."""
        return self.chance.uniform(0.1, 1.1) * self.typical

    def rest(self) -> None:
        """Nothing runs: servers have no connection of ours left, and the disk no temporary file."""
        until = time.monotonic() + REST_SECONDS
        while (left := self._left()) and time.monotonic() < until:
            time.sleep(0.05)
        if left:
            self.faults.append(f"{self.name}: at rest there is still {left}")

    def _left(self) -> str:
        found = {
            "PostgreSQL connections": self.pg.query(f"SELECT pid, state, query {self._at_postgres}"),
            "MariaDB connections": self.my.query(f"SELECT id, state, info {self._at_mysql}"),
            "temporary files": [path.name for path in self.scratch.rglob("*")],
        }
        return ", ".join(f"{what}: {value}" for what, value in found.items() if value)

    @property
    def _at_postgres(self) -> str:
        return f"FROM pg_stat_activity WHERE datname = '{self.target.database}'"

    @property
    def _at_mysql(self) -> str:
        return f"FROM information_schema.processlist WHERE db = '{self.source.database}'"

    def prune(self) -> None:
        """Forget every commit that may be forgotten; only the state of the incremental read has to stay."""
        alias = f"@warehouse_{self.name}"
        done = self.osiris("ledger", "prune", alias, "--older-than", "0.000000001", env=self.environment)
        [(after,)] = self.target.query("SELECT count(*) FROM _osiris_commits")
        self.counts["prunes"] += 1
        if done.returncode or after > 1:
            self.faults.append(f"{self.name}: {after} rows in the ledger after prune: {done.stdout}{done.stderr}")


class Processes(Lane):
    """A process for each run, some of them killed."""

    name = "processes"
    disturbance = "kills"

    def run(self, mode: str, key: str | None, *, disturb: bool) -> str:
        """``osiris run``; killed at a random moment when it is to be disturbed."""
        named = ["--run-key", key] if key else []
        process = self.osiris.start("run", self._pipeline(mode), *named, env=self.environment)
        self.counts["runs"] += 1
        try:
            process.wait(self.moment() if disturb else None)
        except subprocess.TimeoutExpired:
            process.kill()
            self.counts["kills"] += 1
        out, err = process.communicate()
        return f"exit {process.returncode}: {out}{err}" if process.returncode else ""


class Embedded(Lane):
    """One program for all runs, some of them cut off from a server."""

    name = "embedded"
    disturbance = "connections cut"

    def start(self) -> None:
        """Start the program; its samples begin."""
        self.samples: dict[str, list[float]] = {name: [] for name in ALLOWED_GROWTH}
        self.program = subprocess.Popen(
            [sys.executable, str(Path(__file__).parent / "soaking" / "embedded.py")],
            cwd=self.osiris.directory,
            env=clean_environment(self.environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def stop(self) -> None:
        """End the program by ending its input."""
        self.program.communicate()

    def run(self, mode: str, key: str | None, *, disturb: bool) -> str:
        """An order to the program; connections cut at a random moment when it is to be disturbed."""
        assert self.program.stdin is not None
        assert self.program.stdout is not None
        cutter = threading.Timer(self.moment(), self.cut)
        if disturb:
            cutter.start()
        print(json.dumps({"pipeline": str(self._pipeline(mode)), "run_key": key}), file=self.program.stdin, flush=True)
        answer = json.loads(self.program.stdout.readline() or '{"ok": false, "told": "the program ended"}')
        self.counts["runs"] += 1
        cutter.cancel()
        if disturb:
            cutter.join()
        for name, values in self.samples.items():
            values.append(answer[name])
        return "" if answer["ok"] else answer["told"]


def growth(values: Sequence[float]) -> float:
    """By how much the median of the second half is over that of the first, the warm-up left out."""
    level = values[int(len(values) * WARM_UP) :]
    half = len(level) // 2
    return statistics.median(level[-half:]) - statistics.median(level[:half]) if half else 0.0


def grown(samples: Mapping[str, Sequence[float]], allowed: Mapping[str, float]) -> list[str]:
    """What grew by more than is allowed; prints the figures."""
    faults = []
    for name, values in samples.items():
        level, more = values[int(len(values) * WARM_UP) :], growth(values)
        spread = f"{min(level):.0f} to {max(level):.0f}" if level else "none"
        print(f"  {name:12}{spread}, second half {more:+.1f} (at most +{allowed[name]:g})")
        if more > allowed[name]:
            faults.append(f"the program's {name} grew by {more:.1f} (at most {allowed[name]:g})")
    return faults


def soak(root: Path, minutes: float, seed: int, allowed: Mapping[str, float]) -> list[str]:
    """Both lanes until the minutes are over; prints the figures, returns the faults."""
    with mysql_server() as my, postgres_server() as pg:
        processes = Processes(root, my, pg, random.Random(seed))
        embedded = Embedded(root, my, pg, random.Random(seed + 1))
        connections = {**processes.connections(), **embedded.connections()}
        (root / "osiris_connections.yaml").write_text(json.dumps({"connections": connections}))
        (root / "osiris.yaml").write_text("validation: strict\n")
        embedded.start()
        lanes = (processes, embedded)
        until = time.monotonic() + minutes * 60
        threads = [threading.Thread(target=lane.soak, args=(until,), daemon=True) for lane in lanes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        embedded.stop()
    for lane in lanes:
        print(f"{lane.name:11}" + ", ".join(f"{count:,} {what}" for what, count in lane.counts.items()))
    more = grown(embedded.samples, allowed)
    return [*processes.faults, *embedded.faults, *more, *on_record(root / ".osiris" / "runs")]


def on_record(runs: Path) -> list[str]:
    """What the records of all runs say, printed; the faults among it."""
    records = list(runs.iterdir())
    files = [path for record in records for path in record.rglob("*") if path.is_file()]
    kilobytes = sum(path.stat().st_size for path in files) / 1024 / max(1, len(records))
    retried = sum(path.read_text("utf-8").count('"step_retried"') for path in files if path.name == "events.jsonl")
    left = [str(path) for path in files if "work" in path.relative_to(runs).parts]
    print(f"{len(records):,} run records of {kilobytes:.0f} kB each; {retried:,} steps were retried within their run")
    return [f"the scratch directories of runs still hold {left[:5]}"] if left else []


def main() -> int:
    """Print the figures; 1 when something was lost or grew."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3)), help="of the changes and moments")
    parser.add_argument("--short", action="store_true", help="20 seconds")
    options = parser.parse_args()
    minutes = SHORT_MINUTES if options.short else options.minutes
    startup.compile_bytecode()
    print(f"{minutes:.3g} minutes, seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        allowed = SHORT_GROWTH if options.short else ALLOWED_GROWTH
        faults = soak(Path(name), minutes, options.seed, allowed)
    for fault in faults:
        print(f"FAULT {fault}")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
