"""A write that dies by SIGKILL at a given moment: ``python killed_write.py ORDERS`` (JSON). Run by test_kill.py.

``moment`` is a name below, or ``{"after_ms": N}`` for any instant. ``forget`` leaves the ledger's entry out, to see
that the tests would notice.
"""

import json
import os
import signal
import sys
import threading
from pathlib import Path

import pyarrow as pa

from osiris_core import Connection, StepContext
from osiris_core.data import BatchStream
from osiris_duckdb import ledger
from osiris_duckdb.files import markers
from osiris_duckdb.files.driver import FileTable
from osiris_duckdb.table import DuckDBTable

ROWS_PER_BATCH = 2_000
BATCHES = 10


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def rows(first: int, moment: object) -> BatchStream:
    """20,000 rows from ``first`` on."""
    schema = pa.schema([pa.field("id", pa.int64(), nullable=False), ("text", pa.string())])

    def batches():
        for number in range(BATCHES):
            if moment == "mid_stage" and number == BATCHES // 2:
                die()
            ids = range(first + number * ROWS_PER_BATCH, first + (number + 1) * ROWS_PER_BATCH)
            yield pa.record_batch([pa.array(ids, pa.int64()), pa.array([f"text {n}" for n in ids])], schema=schema)

    return BatchStream(schema, batches())


def around(module: object, name: str, moment: object, before: str, after: str) -> None:
    """Die before or after each call of ``module.name``."""
    real = getattr(module, name)

    def wrapped(*args, **kwargs):
        if moment == before:
            die()
        result = real(*args, **kwargs)
        if moment == after:
            die()
        return result

    setattr(module, name, wrapped)


def main() -> None:
    orders = json.loads(sys.argv[1])
    moment = orders["moment"]
    around(ledger, "record", moment, "before_ledger", "before_commit")
    around(markers.Marker, "commit", moment, "before_marker", "after_rename")
    around(markers.Marker, "_put_in_place", moment, "between_renames", "after_rename")
    if orders.get("forget"):
        ledger.record = lambda *args: None
    directory = Path(orders["directory"])
    context = StepContext("run", orders["run_key"], "test", "step", directory, directory / "work")
    driver = FileTable() if orders["family"] == "file" else DuckDBTable()
    connection = Connection("target", orders["family"], orders["fields"])
    if isinstance(moment, dict):
        threading.Timer(moment["after_ms"] / 1000, die).start()
    writer = driver.open_writer(connection, orders["config"], context)
    if moment == "before_begin":
        die()
    done = writer.begin()
    if moment == "after_begin":
        die()
    if done is None:
        writer.stage(rows(orders["first"], moment))
        if moment == "after_stage":
            die()
        writer.commit()
    if moment == "after_commit":
        die()
    writer.close()
    print("already" if done is not None else "written")
    sys.stdout.flush()
    os._exit(0)  # a timer that is still waiting must not kill what is done


if __name__ == "__main__":
    main()
