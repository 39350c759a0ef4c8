"""SIGKILL at every step of the protocol and at random instants; then a plain re-run gives the exact table."""

import json
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

CHILD = Path(__file__).with_name("killed_write.py")
ROWS = 20_000
DUCKDB_MOMENTS = (
    "before_begin",
    "after_begin",
    "mid_stage",
    "after_stage",
    "before_ledger",
    "before_commit",
    "after_commit",
)
FILE_MOMENTS = (
    "before_begin",
    "after_begin",
    "mid_stage",
    "after_stage",
    "before_marker",
    "between_renames",
    "after_rename",
    "after_commit",
)


def write(shop, family, config, *, first, run_key, moment=None, forget=False):
    """One process that writes; what it said, or None when it was killed."""
    fields = {"path": str(shop.path)} if family == "duckdb" else {"root": str(shop.files)}
    orders = {
        "family": family,
        "fields": fields,
        "config": config,
        "directory": str(shop.directory),
        "first": first,
        "run_key": run_key,
        "moment": moment,
        "forget": forget,
    }
    done = subprocess.run([sys.executable, CHILD, json.dumps(orders)], capture_output=True, text=True, check=False)
    if done.returncode == -signal.SIGKILL:
        return None
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def table_config(write_mode):
    keys = {"merge_keys": ["id"]} if write_mode == "merge" else {}
    return {"table": "t", "write_mode": write_mode, "create": "if_missing", **keys}


def expect(rows, write_mode, rounds):
    """After ``rounds`` runs, each of 20,000 rows that begin 10,000 after those of the run before."""
    first = (rounds - 1) * 10_000
    if write_mode == "replace":
        wanted = [(first, first + ROWS - 1, ROWS, ROWS)]
    elif write_mode == "merge":
        wanted = [(0, first + ROWS - 1, first + ROWS, first + ROWS)]
    else:
        wanted = [(0, first + ROWS - 1, rounds * ROWS, first + ROWS)]
    assert rows == wanted


_SUMMARY = "SELECT min(id), max(id), count(*), count(DISTINCT id) FROM {} WHERE text = 'text ' || id"


def summary(shop, family, table):
    if family == "duckdb":
        return shop.sql(_SUMMARY.format("t"))
    data = shop.read_file({"table": table})
    import duckdb

    with duckdb.connect() as connection:
        return connection.execute(_SUMMARY.format("data")).fetchall() if data.num_rows else []


@pytest.mark.parametrize("write_mode", ["append", "merge", "replace"])
def test_a_table_survives_a_kill_at_every_step(shop, write_mode):
    config = table_config(write_mode)
    for number, moment in enumerate(DUCKDB_MOMENTS):
        key, first = f"key{number}", number * 10_000
        assert write(shop, "duckdb", config, first=first, run_key=key, moment=moment) is None
        said = write(shop, "duckdb", config, first=first, run_key=key)
        assert said == ("already" if moment == "after_commit" else "written"), moment
        expect(summary(shop, "duckdb", "t"), write_mode, number + 1)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("write_mode", ["append", "replace"])
def test_a_file_survives_a_kill_at_every_step(shop, write_mode, suffix):
    config = {"table": f"t.{suffix}", "write_mode": write_mode}
    for number, moment in enumerate(FILE_MOMENTS):
        key, first = f"key{number}", number * 10_000
        assert write(shop, "file", config, first=first, run_key=key, moment=moment) is None
        said = write(shop, "file", config, first=first, run_key=key)
        decided = moment in ("between_renames", "after_rename", "after_commit")
        assert said == ("already" if decided else "written"), moment
        expect(summary(shop, "file", config["table"]), write_mode, number + 1)
    left = [path.name for path in shop.files.iterdir() if "osiris-tmp" in path.name]
    assert left == []


@pytest.mark.parametrize(
    ("family", "config"),
    [
        ("duckdb", table_config("append")),
        ("duckdb", table_config("merge")),
        ("duckdb", table_config("replace")),
        ("file", {"table": "t.csv", "write_mode": "append"}),
        ("file", {"table": "t.jsonl", "write_mode": "append"}),
    ],
    ids=lambda value: f"{value['table']}-{value['write_mode']}" if isinstance(value, dict) else value,
)
def test_random_kills_and_blind_reruns(shop, family, config):
    dice = random.Random(f"{family}{config}")
    killed = 0
    for number in range(4):
        key, first = f"key{number}", number * 10_000
        for _ in range(2):
            killed += (
                write(shop, family, config, first=first, run_key=key, moment={"after_ms": dice.uniform(0, 160)}) is None
            )
        write(shop, family, config, first=first, run_key=key)
        expect(summary(shop, family, config["table"]), config["write_mode"], number + 1)
    assert killed >= 1, "no kill hit: widen the window"


def test_without_the_ledger_these_tests_would_be_red(shop):
    config = table_config("append")
    assert write(shop, "duckdb", config, first=0, run_key="k", moment="after_commit", forget=True) is None
    assert write(shop, "duckdb", config, first=0, run_key="k") == "written"
    assert summary(shop, "duckdb", "t") == [(0, ROWS - 1, 2 * ROWS, ROWS)]
