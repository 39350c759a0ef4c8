"""SIGKILL at random moments of append, merge and replace on DuckDB: a plain re-run gives the exact table."""

from __future__ import annotations

import json
import os
import random
import subprocess
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest

from osiris_core.testing.cli import Osiris

ROWS = 60_000
#: Kills per write mode; ``OSIRIS_TEST_KILLS=50`` for the long form.
KILLS = int(os.environ.get("OSIRIS_TEST_KILLS", "3"))


def prepare(directory: Path, write_mode: str) -> None:
    (directory / "osiris_connections.yaml").write_text(
        "connections:\n  a: {component: duckdb, path: a.duckdb}\n  b: {component: duckdb, path: b.duckdb}\n"
    )
    config: dict[str, Any] = {"table": "t", "write_mode": write_mode}
    if write_mode == "merge":
        config["merge_keys"] = ["id"]
    steps = [
        {"id": "source", "component": "duckdb.table", "mode": "read", "connection": "@a", "config": {"table": "t"}},
        {
            "id": "load",
            "component": "duckdb.table",
            "mode": "write",
            "connection": "@b",
            "needs": ["source"],
            "config": config,
        },
    ]
    (directory / "p.yaml").write_text(json.dumps({"oml_version": "0.0.1", "name": "kill", "steps": steps}))
    with duckdb.connect(str(directory / "a.duckdb")) as source:
        source.execute("CREATE TABLE t (id BIGINT PRIMARY KEY, name VARCHAR)")
        source.execute(f"INSERT INTO t SELECT range, 'name ' || range FROM range({ROWS})")
    with duckdb.connect(str(directory / "b.duckdb")) as target:
        target.execute("CREATE TABLE t (id BIGINT, name VARCHAR)")
        if write_mode == "merge":
            target.execute("ALTER TABLE t ADD PRIMARY KEY (id)")
        target.execute("INSERT INTO t VALUES (-1, 'kept'), (-2, 'kept')")


def table(directory: Path) -> list[tuple[int, str]]:
    with duckdb.connect(str(directory / "b.duckdb")) as target:
        return target.execute("SELECT id, name FROM t ORDER BY ALL").fetchall()


@pytest.mark.parametrize("write_mode", ["append", "merge", "replace"])
def test_a_kill_and_a_plain_rerun_give_the_exact_table(tmp_path: Path, osiris: Osiris, write_mode: str) -> None:
    prepare(tmp_path, write_mode)
    kept = [] if write_mode == "replace" else [(-2, "kept"), (-1, "kept")]
    rows = [(number, f"name {number}") for number in range(ROWS)]
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    begun = time.monotonic()
    assert osiris("run", "p.yaml").returncode == 0
    seconds = time.monotonic() - begun
    for _ in range(KILLS):
        process = osiris.start("run", "p.yaml")
        try:
            process.wait(chance.uniform(0.3, 1.0) * seconds)
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate()
        if process.returncode != 0:
            # Whole or nothing, and the re-run makes it whole.
            committed = len(table(tmp_path)) - len(kept)
            assert committed % ROWS == 0, seed
            assert osiris("run", "p.yaml").returncode == 0, seed
        times = finished(osiris) if write_mode == "append" else 1
        assert table(tmp_path) == sorted(kept + rows * times), seed


def finished(osiris: Osiris) -> int:
    """How many runs are on record as finished: also one that was killed on its way out, after which comes a new run."""
    listed = json.loads(osiris("runs", "list", "--limit", "0", "--json").stdout)
    return sum(run["status"] == "success" for run in listed)
