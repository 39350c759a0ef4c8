"""Exactly once: processes that are killed, servers that die, connections that are cut in COMMIT, and races.

TRAPS: one transaction with an advisory lock, a ledger row, COPY and the change; a plain re-run must always be enough.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from osiris_core import CommitResult, DriftError, OsirisError
from osiris_core.data import BatchStream
from osiris_core.testing import Connector, people, stream_of
from osiris_core.testing.servers import CutConnection, PostgresDatabase, PostgresServer, Relay

ROWS = 20_000
#: Kills at random moments per write mode; ``OSIRIS_TEST_KILLS=50`` for the long form.
KILLS = int(os.environ.get("OSIRIS_TEST_KILLS", "3"))
#: How often each transition is hit.
ROUNDS = 5 if KILLS >= 50 else 1
PROGRAM = Path(__file__).parent / "killed_writer.py"
CONFIGS: dict[str, dict[str, Any]] = {
    "append": {"table": "t", "write_mode": "append"},
    "merge": {"table": "t", "write_mode": "merge", "merge_keys": ["id"]},
    "replace": {"table": "t", "write_mode": "replace"},
}
#: What each write mode goes through, in order.
TRANSITIONS = {
    "append": ("begin", "lock", "claim", "stage", "record", "commit"),
    "merge": ("begin", "lock", "claim", "stage", "tail", "apply", "record", "commit"),
    "replace": ("begin", "lock", "claim", "clear", "stage", "record", "commit"),
}


def start(
    fields: dict[str, Any], mode: str, run_key: str, *, die_at: str = "", label: str = "new", ledger: bool = True
) -> subprocess.Popen[str]:
    """A write in a process of its own."""
    orders = {
        "fields": fields,
        "config": CONFIGS[mode],
        "run_key": run_key,
        "rows": ROWS,
        "label": label,
        "die_at": die_at,
        "ledger": ledger,
    }
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(orders))
    process.stdin.close()
    process.stdin = None
    return process


def undisturbed(process: subprocess.Popen[str]) -> float:
    """How long a write takes from its begin to its commit, in seconds."""
    assert process.stdout is not None
    process.stdout.readline()  # begun
    started = time.monotonic()
    done = next((line for line in process.stdout if line.startswith("[")), "")
    seconds = time.monotonic() - started
    process.communicate()
    assert done
    return seconds


def finish(process: subprocess.Popen[str]) -> list[Any]:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return list(json.loads(out.splitlines()[-1]))


def table(database: PostgresDatabase, mode: str) -> None:
    key = "" if mode == "append" else " PRIMARY KEY"
    database.execute(f"CREATE TABLE t (id int8{key}, name text); INSERT INTO t VALUES (-1, 'old'), (1, 'old')")


def grow_old(database: PostgresDatabase, mode: str) -> None:
    """Give the next merge rows to update, to leave alone and, behind the last key, to add."""
    if mode == "merge":
        database.execute(f"DELETE FROM t WHERE id >= {ROWS // 2}; UPDATE t SET name = 'old' WHERE id % 3 = 0")


def content(database: PostgresDatabase) -> tuple[int, int, int]:
    """Rows, distinct ids, and rows of the newest label."""
    found = database.query("SELECT count(*), count(DISTINCT id), count(*) FILTER (WHERE name LIKE 'new %') FROM t")
    return (int(found[0][0]), int(found[0][1]), int(found[0][2]))


def expected(mode: str, runs: int) -> tuple[int, int, int]:
    if mode == "append":
        return (2 + runs * ROWS, ROWS + 1, runs * ROWS)
    return (ROWS + (1 if mode == "merge" else 0), ROWS + (1 if mode == "merge" else 0), ROWS)


@pytest.mark.parametrize("mode", CONFIGS)
def test_a_kill_at_each_transition_and_a_plain_rerun_give_the_exact_table(
    postgres_database: PostgresDatabase, mode: str
) -> None:
    table(postgres_database, mode)
    histogram: Counter[str] = Counter()
    for runs, transition in enumerate(TRANSITIONS[mode] * ROUNDS, 1):
        grow_old(postgres_database, mode)
        for when in ("before", "after"):
            before = content(postgres_database)
            die_at = f"{when} {transition}"
            killed = start(postgres_database.fields, mode, f"run {runs}", die_at=die_at)
            assert killed.wait(120) == -signal.SIGKILL, die_at
            killed.communicate()
            histogram[die_at] += 1
            # Whole or nothing.
            assert content(postgres_database) in (before, expected(mode, runs)), die_at
        finish(start(postgres_database.fields, mode, f"run {runs}"))
        assert content(postgres_database) == expected(mode, runs), transition
    print(dict(histogram))
    assert set(histogram.values()) == {ROUNDS}


@pytest.mark.parametrize("pooled", [False, True], ids=["direct", "transaction pooler"])
@pytest.mark.parametrize("mode", CONFIGS)
def test_kills_at_random_moments_and_plain_reruns_give_the_exact_table(
    postgres_database: PostgresDatabase, pgbouncer_database: PostgresDatabase, mode: str, pooled: bool
) -> None:
    table(postgres_database, mode)
    fields = (pgbouncer_database if pooled else postgres_database).fields
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    outcomes: Counter[str] = Counter()
    seconds = undisturbed(start(fields, mode, "run 1"))
    for runs in range(2, KILLS + 2):
        grow_old(postgres_database, mode)
        process = start(fields, mode, f"run {runs}")
        assert process.stdout is not None
        process.stdout.readline()  # begun
        time.sleep(chance.uniform(0, seconds))
        process.kill()
        process.communicate()
        written, again = finish(start(fields, mode, f"run {runs}"))
        outcomes["committed before the kill" if again else "rolled back"] += 1
        assert written == ROWS
        assert content(postgres_database) == expected(mode, runs), seed
    print(dict(outcomes))


def test_without_the_ledger_a_rerun_would_write_twice(postgres_database: PostgresDatabase) -> None:
    """The counter-proof: the same kill and re-run, the ledger left out."""
    table(postgres_database, "append")
    killed = start(postgres_database.fields, "append", "run", die_at="after commit", ledger=False)
    assert killed.wait(120) == -signal.SIGKILL
    killed.communicate()
    finish(start(postgres_database.fields, "append", "run", ledger=False))
    assert content(postgres_database) == expected("append", 2)


def test_two_processes_on_one_table_wait_for_each_other(postgres_database: PostgresDatabase) -> None:
    table(postgres_database, "merge")
    fields = postgres_database.fields
    both = [start(fields, "merge", f"run {number}") for number in range(2)]
    for process in both:
        assert finish(process) == [ROWS, False]
    assert content(postgres_database) == expected("merge", 2)


def test_two_processes_under_one_run_key_write_once(postgres_database: PostgresDatabase) -> None:
    table(postgres_database, "append")
    both = [start(postgres_database.fields, "append", "one") for _ in range(2)]
    assert sorted(finish(process)[1] for process in both) == [False, True]
    assert content(postgres_database) == expected("append", 1)


def test_waiting_for_a_lock_can_be_cancelled_and_is_said(connector: Connector, monkeypatch: pytest.MonkeyPatch) -> None:
    from osiris_postgres import writer

    monkeypatch.setattr(writer, "_LOCK_WARN_SECONDS", 0.1)
    name = connector.seed(people([]))
    config = connector.write_config(name, "append")
    holder = connector.driver.open_writer(connector.connection, config, connector.context())
    holder.begin()
    until = time.monotonic() + 1
    waiting = connector.driver.open_writer(
        connector.connection, config, connector.context(cancelled=lambda: time.monotonic() > until)
    )
    with pytest.raises(OsirisError, match="cancelled while waiting"):
        waiting.begin()
    waiting.close()
    holder.close()
    assert [code for code, _ in connector.warnings] == ["OSI-R029"]


# -- the connection ----------------------------------------------------------------------------------------
class Cut(Relay):
    """Cuts the connection once COMMIT has been answered, before the client hears."""

    def __init__(self, host: str, port: int) -> None:
        self.armed = True
        self._recorded = False
        super().__init__(host, port, self._cutting)

    def _cutting(self, data: bytes, from_server: bool) -> bytes:
        # Other transactions end in COMMIT too; the write's own comes after its entry in the ledger.
        self._recorded |= not from_server and b'UPDATE "public"."_osiris_commits"' in data
        if from_server and self.armed and self._recorded and b"C\0\0\0\x0bCOMMIT\0" in data:
            self.armed = False
            raise CutConnection
        return data


@pytest.fixture
def cut(postgres_database: PostgresDatabase) -> Iterator[Cut]:
    proxy = Cut(postgres_database.host, postgres_database.port)
    yield proxy
    proxy.close()


def through(connector: Connector, cut: Cut) -> Connector:
    return Connector(
        connector.component, {**connector.fields, "port": cut.port, "host": "127.0.0.1"}, connector.work_dir
    )


def test_a_connection_cut_right_after_commit_is_no_doubt(connector: Connector, cut: Cut) -> None:
    """The ledger is asked over a new connection; the step says that it did its work, once."""
    name = connector.seed(people([]))  # makes the ledger, so that the next COMMIT is the write's
    victim = through(connector, cut)
    result = victim.write(name, people([1, 2]), run_key="monday", create="never")
    assert not cut.armed
    assert (result.written, result.already_committed) == (2, False)
    assert [code for code, _ in victim.warnings] == ["OSI-R125"]
    assert [row["id"] for row in connector.rows(name)] == [1, 2]
    assert connector.write(name, people([1, 2]), run_key="monday").already_committed


def test_a_connection_cut_before_commit_is_an_error_that_may_be_retried(connector: Connector, cut: Cut) -> None:
    name = connector.seed(people([]))
    victim = through(connector, cut)
    config = victim.write_config(name, "append", create="never")
    target = victim.driver.open_writer(victim.connection, config, victim.context(run_key="monday"))
    target.begin()
    target.stage(stream_of(people([1, 2])))
    connector.execute(  # type: ignore[misc]
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'osiris' "
        "AND datname = current_database()"
    )
    with pytest.raises(Exception, match=r".") as caught:
        target.commit()
    fault = victim.driver.map_error(caught.value)
    assert fault is not None
    assert (fault.code, fault.retryable) == ("OSI-R020", True)
    target.abort()
    target.close()
    assert connector.rows(name) == []
    assert not connector.write(name, people([1, 2]), run_key="monday").already_committed


CUT = """
import json, logging, sys
from osiris_core import Connection
from osiris_postgres.connect import connect, place_of

place = place_of(Connection("db", "postgres", json.load(sys.stdin)))
victim, other = connect(place), connect(place)
records = []
if sys.argv[1] == "listening":
    logging.getLogger().addHandler(type("Listener", (logging.Handler,), {"emit": lambda self, r: records.append(r)})())
victim.execute("CREATE TEMP TABLE t (id int)")
try:
    with victim.cursor().copy("COPY t FROM STDIN") as copy:
        other.execute("SELECT pg_terminate_backend(%s)", [victim.info.backend_pid])
        while True:
            copy.write("1\\n")
except Exception as error:
    print(type(error).__name__, len(records))
"""


@pytest.mark.parametrize(("mode", "heard"), [("alone", 0), ("listening", 1)])
def test_a_connection_cut_in_copy_prints_nothing_besides_the_error(
    postgres_database: PostgresDatabase, mode: str, heard: int
) -> None:
    """psycopg's log lines are for those who listen to them, not for stderr."""
    fields = json.dumps(postgres_database.fields)
    done = subprocess.run([sys.executable, "-c", CUT, mode], input=fields, capture_output=True, text=True, timeout=60)
    name, records = done.stdout.split()
    assert (done.returncode, done.stderr, int(records)) == (0, "", heard)
    assert name in ("AdminShutdown", "OperationalError")


def test_a_backend_killed_mid_write_leaves_nothing(connector: Connector) -> None:
    name = connector.seed(people([]))
    config = connector.write_config(name, "append", create="never")
    target = connector.driver.open_writer(connector.connection, config, connector.context())
    target.begin()

    def batches() -> Iterator[Any]:
        data = people(range(100_000)).to_batches(max_chunksize=5000)
        for number, batch in enumerate(data):
            if number == 5:
                connector.execute(  # type: ignore[misc]
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'osiris' "
                    "AND datname = current_database()"
                )
            yield batch

    with pytest.raises(Exception, match=r".") as caught:
        target.stage(BatchStream(people([]).schema, batches()))
        target.commit()
    fault = connector.driver.map_error(caught.value)
    assert fault is not None
    assert fault.retryable
    target.abort()
    target.close()
    assert connector.rows(name) == []


def test_a_server_that_crashes_mid_write_leaves_nothing(own_postgres_server: PostgresServer, tmp_path: Path) -> None:
    database = own_postgres_server.create_database()
    connector = Connector("postgres.table", database.fields, tmp_path, execute=database.execute)
    name = connector.seed(people([1]))
    config = connector.write_config(name, "append", create="never")
    target = connector.driver.open_writer(connector.connection, config, connector.context(run_key="monday"))
    target.begin()
    target.stage(stream_of(people(range(2, 5000))))
    own_postgres_server.kill()
    with pytest.raises(Exception, match=r"."):
        target.commit()
    target.abort()
    target.close()
    own_postgres_server.start()
    assert [row["id"] for row in connector.rows(name)] == [1]
    assert connector.write(name, people(range(2, 5000)), run_key="monday").written == 4998


def let_no_file_grow(pid: int) -> None:
    """Limit the size of the files that a process writes, as its own user: others may not."""
    owner = Path(f"/proc/{pid}").stat()
    identity: dict[str, Any] = {}
    if owner.st_uid != os.getuid():
        identity = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
    subprocess.run(["prlimit", "--pid", str(pid), "--fsize=65536"], check=True, **identity)


def test_a_full_disk_leaves_nothing(own_postgres_server: PostgresServer, tmp_path: Path) -> None:
    """The server process may not let a file grow: what a full disk is to it."""
    database = own_postgres_server.create_database()
    connector = Connector("postgres.table", database.fields, tmp_path, execute=database.execute)
    name = connector.seed(people([1]))
    config = connector.write_config(name, "append", create="never")
    target = connector.driver.open_writer(connector.connection, config, connector.context(run_key="monday"))
    target.begin()
    backend = database.query(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'osiris' AND xact_start < now()"
    )
    let_no_file_grow(int(backend[0][0]))
    with pytest.raises(Exception, match="could not extend file") as caught:
        target.stage(stream_of(people(range(2, 50_000))))
        target.commit()
    fault = connector.driver.map_error(caught.value)
    assert fault is not None
    assert (fault.code, fault.kind, fault.retryable) == ("OSI-R022", "run", False)
    target.abort()
    target.close()
    assert [row["id"] for row in connector.rows(name)] == [1]
    # The limit went with the server's process: there is room again.
    assert connector.write(name, people(range(2, 50_000)), run_key="monday").written == 49_998
    assert [row["id"] for row in connector.rows(name)] == list(range(1, 50_000))


# -- the ledger --------------------------------------------------------------------------------------------
def restricted(connector: Connector, database: PostgresDatabase, grants: str) -> Connector:
    """The same database for a user with few rights."""
    user = f"few_{database.database}"
    database.execute(f"CREATE ROLE \"{user}\" LOGIN PASSWORD 'p'; REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    database.execute(grants.replace("USER", f'"{user}"'))
    return Connector(connector.component, {**connector.fields, "user": user, "password": "p"}, connector.work_dir)


def test_without_the_right_to_make_the_ledger_the_error_has_the_ddl(
    connector: Connector, postgres_database: PostgresDatabase
) -> None:
    postgres_database.execute("CREATE TABLE t (id int8, name text, score int4)")
    few = restricted(connector, postgres_database, "GRANT ALL ON t TO USER")
    with pytest.raises(OsirisError, match="_osiris_commits") as caught:
        few.write("t", people([1]), create="never")
    assert (caught.value.exit_code, caught.value.code) == (5, "OSI-C044")
    assert connector.rows("t") == []
    # One that is there and closed to the user is no better.
    connector.write("other", people([1]))
    with pytest.raises(OsirisError, match="_osiris_commits") as closed:
        few.write("t", people([1]), create="never")
    assert closed.value.hint == caught.value.hint
    # What the hint says, its owner runs; then the write works.
    ddl = caught.value.hint.removeprefix("let its owner run: ")
    assert ddl.startswith('CREATE TABLE IF NOT EXISTS "public"."_osiris_commits"')
    postgres_database.execute(ddl)
    assert few.write("t", people([1]), create="never").written == 1


def test_the_ledger_may_live_in_a_schema_of_its_own(connector: Connector, postgres_database: PostgresDatabase) -> None:
    apart = Connector(connector.component, {**connector.fields, "ledger_schema": "Audit"}, connector.work_dir)
    apart.write("t", people([1]))
    assert postgres_database.query('SELECT count(*) FROM "Audit"._osiris_commits') == [(1,)]
    assert {table.name for table in apart.discover().tables} == {"t"}


def test_prune_keeps_the_newest_state(connector: Connector, postgres_database: PostgresDatabase) -> None:
    name = connector.seed(people([]))
    for number in range(3):
        connector.write(name, people([number]), run_key=f"k{number}", state={"n": number})
    postgres_database.execute("UPDATE _osiris_commits SET committed_at = committed_at - interval '40 days'")
    driver: Any = connector.driver
    assert driver.prune_ledger(connector.connection, 30) == 3
    config = connector.write_config(name, "append")
    target = connector.driver.open_writer(connector.connection, config, connector.context())
    assert target.read_state() == {"n": 2}
    target.close()


def test_the_state_of_another_table_is_not_taken_for_this_one(connector: Connector) -> None:
    one, other = connector.seed(people([])), connector.seed(people([]))
    connector.write(one, people([1]), state={"cursor": "1"})
    config = connector.write_config(other, "append")
    target = connector.driver.open_writer(connector.connection, config, connector.context())
    target.begin()
    assert target.read_state() is None
    target.close()


def test_a_missing_table_is_drift(connector: Connector) -> None:
    with pytest.raises(DriftError, match=r'"public"."nowhere" does not exist'):
        connector.write("nowhere", people([1]), create="never")


def test_a_finished_step_says_what_it_did_the_first_time(connector: Connector) -> None:
    name = connector.seed(people([1, 2]), keys=["id"])
    first = connector.write(name, people([2, 3]), "merge", merge_keys=["id"], run_key="k")
    again = connector.write(name, people([2, 3]), "merge", merge_keys=["id"], run_key="k")
    assert first == CommitResult(written=2, unchanged=1)
    assert again == CommitResult(written=2, unchanged=1, already_committed=True)
