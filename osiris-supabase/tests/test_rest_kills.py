"""SIGKILL over REST: a merge is exact after a plain re-run; an append loses no row, and may hold some twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter

import pytest
from postgrest_double import PostgrestDouble, Request

from osiris_core.testing.servers import PostgresDatabase

ROWS = 5_000
#: Each takes a thousand of them.
REQUESTS = 5
#: Kills per write mode; ``OSIRIS_TEST_KILLS=50`` for the long form, which kills five times at each of the ten moments.
KILLS = int(os.environ.get("OSIRIS_TEST_KILLS", "3"))
PROGRAM = """
import json, sys
from pathlib import Path
import pyarrow as pa
from osiris_core import Connection, Secret, StepContext
from osiris_core.data import BatchStream
from osiris_supabase.driver import SupabaseTable

orders = json.load(sys.stdin)
fields = {**orders["fields"], "key": Secret(orders["fields"]["key"], "KEY")}
context = StepContext("r", orders["run_key"], "p", "s", Path(), Path(orders["work"]))
data = pa.table({"id": pa.array(range(orders["rows"]), pa.int64()), "name": ["new"] * orders["rows"]})
writer = SupabaseTable().open_writer(Connection("t", "supabase", fields), orders["config"], context)
writer.begin()
writer.stage(BatchStream(data.schema, data.to_batches()))
writer.commit()
writer.close()
"""


def start(fields: dict[str, object], mode: str, work: str) -> subprocess.Popen[str]:
    config = {"table": "t", "write_mode": mode} | ({"merge_keys": ["id"]} if mode == "merge" else {})
    orders = {"fields": fields, "config": config, "run_key": "one", "work": work, "rows": ROWS}
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, text=True)
    assert process.stdin is not None
    process.stdin.write(json.dumps(orders))
    process.stdin.close()
    return process


class Killer:
    """Kills a process when its nth request comes."""

    def __init__(self, number: int) -> None:
        self._left = number
        self._started = threading.Event()
        self._process: subprocess.Popen[str] | None = None

    def aim(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._started.set()

    def __call__(self, request: Request) -> None:
        if request.method == "POST":
            self._left -= 1
            if not self._left:
                self._started.wait(10)
                assert self._process is not None
                self._process.kill()


def harmless(request: Request) -> None:
    """What happens to a request otherwise."""


@pytest.mark.parametrize("mode", ["append", "merge"])
def test_a_kill_and_a_plain_rerun_lose_no_row(
    rest: PostgrestDouble,
    rest_fields: dict[str, object],
    postgres_database: PostgresDatabase,
    tmp_path_factory: pytest.TempPathFactory,
    mode: str,
) -> None:
    histogram: Counter[str] = Counter()
    unique = "UNIQUE" if mode == "merge" else ""
    for turn in range(KILLS):
        postgres_database.execute(
            "DROP TABLE IF EXISTS t;"
            f"CREATE TABLE t (key int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id int8 {unique}, name text)"
        )
        rest.reload()
        # Before or after each of the requests has taken place, in turn.
        number, after = turn // 2 % REQUESTS + 1, turn % 2
        killer = Killer(number)
        rest.on_request, rest.after_request = (harmless, killer) if after else (killer, harmless)
        work = str(tmp_path_factory.mktemp("work"))
        victim = start(rest_fields, mode, work)
        killer.aim(victim)
        assert victim.wait(60) == -signal.SIGKILL
        histogram[f"{'after' if after else 'before'} request {number}"] += 1
        rest.on_request = rest.after_request = harmless
        assert start(rest_fields, mode, work).wait(60) == 0
        rows, distinct = postgres_database.query("SELECT count(*), count(DISTINCT id) FROM t")[0]
        assert distinct == ROWS
        assert rows == ROWS if mode == "merge" else ROWS <= rows <= 2 * ROWS
    print(dict(histogram))
    assert sum(histogram.values()) == KILLS
