"""A write in a process of its own that kills itself at one transition of the protocol, or is killed from outside.

Its orders come as one JSON object on stdin: ``fields``, ``config``, ``run_key``, ``rows``, ``label``, ``die_at`` (the
name of a transition, ``before`` or ``after`` it) and ``ledger`` (false takes the ledger out, to show what it is for).
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa

from osiris_core import CommitResult, Connection, Secret, StepContext
from osiris_core.data import BatchStream
from osiris_postgres import writer
from osiris_postgres.driver import PostgresTable
from osiris_postgres.ledger import Ledger

SCHEMA = pa.schema([pa.field("id", pa.int64(), False), pa.field("name", pa.string())])
BATCH = 2000
#: The transitions of a write, by what the statement that makes them begins with.
TRANSITIONS = {
    "begin": "SELECT set_config('statement_timeout'",
    "lock": "SELECT pg_try_advisory_xact_lock",
    "claim": 'INSERT INTO "public"."_osiris_commits"',
    "stage": "",
    "tail": "",
    "apply": 'INSERT INTO "public"."t" AS t',
    "clear": 'DELETE FROM "public"."t"',
    "record": 'UPDATE "public"."_osiris_commits"',
    "commit": "",
}
#: Those that are made by the rows themselves: the share of the rows that has come.
UNDERWAY = {("stage", "before"): 0.2, ("stage", "after"): 0.4, ("tail", "before"): 0.6, ("tail", "after"): 0.8}


def rows(count: int, label: str) -> Iterator[pa.RecordBatch]:
    """``count`` rows in small batches."""
    for start in range(0, count, BATCH):
        ids = range(start, min(start + BATCH, count))
        columns = [pa.array(ids, pa.int64()), pa.array([f"{label} {number}" for number in ids])]
        yield pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Mortal(psycopg.Connection[Any]):
    """A connection whose process dies before or after one transition."""

    when = ""
    transition = ""

    def execute(self, query: Any, *arguments: Any, **keywords: Any) -> Any:
        start = TRANSITIONS.get(self.transition, "")
        hit = bool(start) and " ".join(str(query).split()).startswith(start)
        if hit and self.when == "before":
            die()
        result = super().execute(query, *arguments, **keywords)
        if hit:
            die()
        return result

    def commit(self) -> None:
        if self.transition == "commit" and self.when == "before":
            die()
        super().commit()
        if self.transition == "commit":
            die()


def dying_underway(batches: Iterator[pa.RecordBatch], count: int, share: float) -> Iterator[pa.RecordBatch]:
    """The batches, and death after that share of them."""
    for number, batch in enumerate(batches):
        if number == int(count // BATCH * share):
            die()
        yield batch


def main() -> None:
    orders = json.load(sys.stdin)
    fields = {**orders["fields"], "password": Secret(orders["fields"]["password"], "PASSWORD")}
    Mortal.when, _, Mortal.transition = orders["die_at"].partition(" ")

    def connect(place: Any) -> Mortal:
        return Mortal.connect(**place.keywords, client_encoding="UTF8", prepare_threshold=None)

    vars(writer)["connect"] = connect
    if not orders["ledger"]:
        Ledger.claim = lambda self, entry: None  # type: ignore[method-assign]
        Ledger.record = lambda self, entry, result, state: None  # type: ignore[method-assign]
    context = StepContext("r", orders["run_key"], "p", "s", Path(), Path())
    target = PostgresTable().open_writer(Connection("t", "postgres", fields), orders["config"], context)
    done: CommitResult | None = target.begin()
    print("begun", flush=True)
    if done is None:
        batches = rows(orders["rows"], orders["label"])
        share = UNDERWAY.get((Mortal.transition, Mortal.when))
        if share is not None:
            batches = dying_underway(batches, orders["rows"], share)
        target.stage(BatchStream(SCHEMA, batches))
        print("staged", flush=True)
        done = target.commit()
    target.close()
    print(json.dumps([done.written, done.already_committed]), flush=True)


if __name__ == "__main__":
    main()
