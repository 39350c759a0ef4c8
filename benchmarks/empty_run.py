"""Cost of an empty run of a compiled manifest: in process, imports done, record and report written.

    python benchmarks/empty_run.py [--repeat 50] [--profile]

Two manifests of one read and one write that move no row: over a connector that does nothing (what Osiris itself
costs) and over DuckDB files. The first must cost at most 20 ms (median); the benchmark fails otherwise.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from osiris_core import CommitResult, Component, Driver, Session, hookimpl
from osiris_core.compile import compile_pipeline, write_compiled
from osiris_core.data import BatchStream
from osiris_core.run import run_compiled
from osiris_core.validate import validate

LIMIT_MS = 20.0
OSIRIS_API = "1.0"

SPEC = """\
apiVersion: osiris/v1
name: idle.table
version: 0.1.0
title: Nothing
modes: [read, write]
capabilities: {read: full, write.append: full}
driver: "osiris_idle:IdleTable"
delivery: {default: exactly_once}
secrets: []
configSchema:
  read: {type: object, additionalProperties: false, properties: {table: {type: string}}}
  write: {type: object, additionalProperties: false, properties: {table: {type: string}, write_mode: {const: append}}}
examples: [{mode: read, config: {table: source}}, {mode: write, config: {table: target, write_mode: append}}]
context: {aliases: [idle], guidance: For the benchmark.}
"""
PIPELINE = """\
oml_version: "0.0.1"
name: empty
steps:
  - {{id: source, component: {component}, mode: read, {connection} config: {{table: source}}}}
  - {{id: target, component: {component}, mode: write, {connection} needs: [source],
      config: {{table: target, write_mode: append}}}}
"""


class IdleTable(Driver):
    """Reads nothing, writes nothing."""

    def open_reader(self, connection: Any, config: Any, context: Any, partition: Any = None) -> BatchStream:
        return BatchStream(pa.schema([("id", pa.int64())]), iter(()))

    def open_writer(self, connection: Any, config: Any, context: Any) -> IdleWriter:
        return IdleWriter()


class IdleWriter:
    """A writer without a target."""

    def begin(self) -> None:
        return None

    def read_state(self) -> None:
        return None

    def stage(self, stream: Any, partition: int = 0) -> int:
        return sum(batch.num_rows for batch in stream)

    def commit(self, *, state: Any = None, coerced: Any = None) -> CommitResult:
        return CommitResult(0)

    def abort(self) -> None:
        """Nothing to undo."""

    def close(self) -> None:
        """Nothing to release."""


class IdlePlugin:
    """The plugin, as its module would be."""

    def __init__(self, spec: Path) -> None:
        self._spec = spec

    @hookimpl
    def osiris_components(self) -> list[Component]:
        return [Component("idle.table", self._spec)]


def project(directory: Path, component: str) -> tuple[Session, Path]:
    """A project with the compiled pipeline; returns its session and the directory to run."""
    spec = directory / "spec.yaml"
    spec.write_text(SPEC)
    connection = ""
    if component == "duckdb.table":
        connection = 'connection: "@db",'
        (directory / "osiris_connections.yaml").write_text("connections: {db: {component: duckdb, path: db.duckdb}}\n")
        with duckdb.connect(str(directory / "db.duckdb")) as database:
            database.execute("CREATE TABLE source (id BIGINT); CREATE TABLE target (id BIGINT)")
    (directory / "p.yaml").write_text(PIPELINE.format(component=component, connection=connection))
    sys.modules.setdefault("osiris_idle", sys.modules[__name__])
    session = Session.open(directory, plugins=["duckdb"])
    session.plugins.register("idle", IdlePlugin(spec))
    validation = validate(directory / "p.yaml", session)
    return session, write_compiled(compile_pipeline(validation, session), directory / "out")


def measure(component: str, repeat: int, profile: bool) -> tuple[list[float], float]:
    """Milliseconds of each run, and of CPU per run."""
    with tempfile.TemporaryDirectory() as name:
        session, compiled = project(Path(name), component)
        run_compiled(compiled, session)
        profiler = cProfile.Profile()
        times = []
        cpu = time.process_time()
        for _ in range(repeat):
            begun = time.perf_counter()
            outcome = profiler.runcall(run_compiled, compiled, session) if profile else run_compiled(compiled, session)
            times.append((time.perf_counter() - begun) * 1000)
            if outcome.result.status != "success":
                raise SystemExit(f"the run failed: {outcome.result.error}")
        cpu = (time.process_time() - cpu) * 1000 / repeat
        if profile:
            pstats.Stats(profiler).sort_stats("cumulative").print_stats(40)
        return times, cpu


def main() -> int:
    """Print both figures; 1 when the limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=50)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    medians = {}
    for component in ("idle.table", "duckdb.table"):
        times, cpu = measure(component, options.repeat, options.profile)
        medians[component] = statistics.median(times)
        p95 = sorted(times)[int(len(times) * 0.95)]
        spread = f"best {min(times):6.1f}   p95 {p95:6.1f}   CPU {cpu:6.1f}"
        print(f"{component:14} median {medians[component]:6.1f} ms   {spread}")
    print(f"limit {LIMIT_MS:.0f} ms for idle.table")
    return int(medians["idle.table"] > LIMIT_MS and not options.profile)


if __name__ == "__main__":
    sys.exit(main())
