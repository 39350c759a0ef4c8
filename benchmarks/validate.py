"""The cost of validating: in process by number of steps, and of the whole command against a bare Python.

    python benchmarks/validate.py [--repeat 5]

In process (imports done): ``cold`` is a new session that reads plugins and specs, ``warm`` an open one; both load the
text anew. ``+catalogue`` is warm and adds the probe of a DuckDB file. Whole processes are measured in CPU time
(user and system), as a multiple of ``python -c pass``; the median of several runs and their spread. It fails when a
bound is broken.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import duckdb

from osiris_core.oml import load
from osiris_core.session import Session
from osiris_core.validate import validate

STEPS = (5, 100, 1000)
WARM_BOUND_MS = 2.0
PROCESS_BOUND = 18.0
SQL_BOUND = 25.0
_HEAD = 'oml_version: "0.0.1"\nname: benchmark\nsteps:\n'


def pipeline(steps: int, *, sql: bool = False) -> str:
    """Pairs of a reading and a writing step, and one more reading step when the number is odd; all valid."""
    lines = [_HEAD]
    for number in range(steps // 2):
        source = f"read_{number}"
        lines.append(
            f'  - id: {source}\n    component: duckdb.table\n    mode: read\n    connection: "@shop"\n'
            f"    config: {{table: orders, columns: [id, customer_id, total], "
            f'where: [{{column: total, op: ">=", value: {number}}}]}}\n'
        )
        if sql and number == 0:
            source = "summed"
            lines.append(
                "  - id: summed\n    component: duckdb.sql\n    mode: transform\n    needs: [read_0]\n"
                "    config:\n      sql: |\n        SELECT id, customer_id, total * 2 AS total FROM read_0\n"
            )
        lines.append(
            f'  - id: write_{number}\n    component: duckdb.table\n    mode: write\n    connection: "@shop"\n'
            f"    needs: [{source}]\n    config: {{table: copy_{number}, write_mode: replace, create: if_missing}}\n"
        )
    if steps % 2:
        lines.append(
            '  - id: last\n    component: duckdb.table\n    mode: read\n    connection: "@shop"\n'
            "    config: {table: orders}\n"
        )
    return "".join(lines)


def project(directory: Path) -> None:
    """A project with one DuckDB database."""
    (directory / "osiris.yaml").write_text("validation: strict\n")
    (directory / "osiris_connections.yaml").write_text("connections: {shop: {component: duckdb, path: shop.duckdb}}\n")
    with duckdb.connect(str(directory / "shop.duckdb")) as database:
        database.execute("CREATE TABLE orders (id BIGINT PRIMARY KEY, customer_id BIGINT, total DECIMAL(12,2))")


def percentiles(
    call: Callable[[], object], repeat: int, clock: Callable[[], float] = time.perf_counter
) -> tuple[float, float]:
    """p50 and p99 in milliseconds of ``clock``."""
    times = []
    for _ in range(repeat):
        start = clock()
        call()
        times.append((clock() - start) * 1000)
    times.sort()
    return statistics.median(times), times[min(len(times) - 1, int(len(times) * 0.99))]


def check(text: str, session: Session | None, directory: Path | None = None, use_catalog: bool = False) -> None:
    """Load and validate once, in a new session when none is given."""
    found = validate(load(text, "pipeline.yaml"), session or Session.open(directory), use_catalog=use_catalog)
    if not found.ok:
        raise SystemExit(f"the benchmark's pipeline is not valid: {found.errors[0].message}")


def in_process(directory: Path) -> tuple[dict[int, float], dict[int, float]]:
    """Print the table; the warm medians, and the same in CPU time."""
    medians, cpu = {}, {}
    print(
        f"{'steps':>6}  {'warm p50':>9} {'p99':>8}  {'cold p50':>9} {'p99':>8}  {'+catalogue p50':>14} {'p99':>8}   ms"
    )
    for steps in STEPS:
        text = pipeline(steps)
        session = Session.open(directory)
        repeat = max(20, 2000 // steps)
        check(text, session)
        warm = percentiles(partial(check, text, session), repeat)
        cold = percentiles(partial(check, text, None, directory), max(10, repeat // 10))
        catalogue = percentiles(partial(check, text, session, use_catalog=True), max(10, repeat // 10))
        medians[steps] = warm[0]
        cpu[steps], _ = percentiles(partial(check, text, session), max(10, repeat // 10), time.process_time)
        print(
            f"{steps:>6}  {warm[0]:>9.2f} {warm[1]:>8.2f}  {cold[0]:>9.2f} {cold[1]:>8.2f}"
            f"  {catalogue[0]:>14.2f} {catalogue[1]:>8.2f}"
        )
    return medians, cpu


def cpu_ms(command: list[str], directory: Path) -> float:
    """User and system milliseconds of one process, bytecode allowed."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    return (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) * 1000


def whole_process(directory: Path, repeat: int) -> dict[str, float]:
    """Print CPU time of the command as a multiple of a bare Python; the medians."""
    (directory / "plain.yaml").write_text(pipeline(5))
    (directory / "sql.yaml").write_text(pipeline(5, sql=True))
    osiris = str(Path(sysconfig.get_path("scripts")) / "osiris")
    commands = {
        "osiris validate": [osiris, "validate", "plain.yaml", "--no-catalog"],
        "osiris validate, SQL parsed": [osiris, "validate", "sql.yaml", "--no-catalog"],
        "osiris validate, DuckDB probed": [osiris, "validate", "plain.yaml"],
    }
    bare = [sys.executable, "-c", "pass"]
    ratios: dict[str, float] = {}
    for name, command in commands.items():
        cpu_ms(command, directory)
        pairs = [
            (cpu_ms(command, directory), statistics.median(cpu_ms(bare, directory) for _ in range(5)))
            for _ in range(repeat)
        ]
        found = sorted(own / python for own, python in pairs)
        ratios[name] = statistics.median(found)
        own = statistics.median(own for own, _ in pairs)
        print(
            f"{name:<32} {own:>6.0f} ms CPU  {ratios[name]:>5.1f} x python -c pass  ({found[0]:.1f} to {found[-1]:.1f})"
        )
    return ratios


def main() -> int:
    """Measure, print, and say whether the bounds hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5, help="runs of each whole process")
    repeat = parser.parse_args().repeat
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        project(directory)
        medians, cpu = in_process(directory)
        ratios = whole_process(directory, repeat)
    growth = (cpu[1000] / 1000) / (cpu[100] / 100)
    each = ", ".join(f"{steps:,}: {spent / steps:.3f}" for steps, spent in cpu.items())
    print(f"CPU ms per step, warm: {each}")
    broken = [
        text
        for text, fine in (
            (f"5 steps take {medians[5]:.2f} ms", medians[5] < WARM_BOUND_MS),
            (f"cost per step grows {growth:.2f} times", growth < 1.5),
            ("osiris validate", ratios["osiris validate"] <= PROCESS_BOUND),
            ("osiris validate with SQL", ratios["osiris validate, SQL parsed"] <= SQL_BOUND),
        )
        if not fine
    ]
    print("\n".join(f"BOUND BROKEN: {text}" for text in broken) or "all bounds hold")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
