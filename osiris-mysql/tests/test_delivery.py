"""Exactly once: servers that die, connections that are cut in COMMIT, processes that are killed or race."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from osiris_core import OsirisError
from osiris_core.testing import Connector, people, stream_of
from osiris_core.testing.servers import CutConnection, MySQLDatabase, MySQLServer, Relay

#: Writes ``rows`` rows to ``t`` in many small batches, in a process that can be killed.
PROGRAM = """
import json, sys
from pathlib import Path
import pyarrow as pa
from osiris_core import Connection, Secret, StepContext
from osiris_core.data import BatchStream
from osiris_mysql.driver import MySQLTable

fields, config, run_key, rows = json.loads(sys.argv[1])
fields["password"] = Secret(fields["password"], "PASSWORD")
schema = pa.schema([("id", pa.int64()), ("a", pa.string())])

def batches():
    for start in range(0, rows, 500):
        ids = list(range(start, min(start + 500, rows)))
        columns = [pa.array(ids, pa.int64()), pa.array([run_key[0] * 50] * len(ids))]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)

context = StepContext("r", run_key, "p", "s", Path("."), Path("."))
writer = MySQLTable().open_writer(Connection("t", "mysql", fields), config, context)
done = writer.begin()
print("begun", flush=True)
if done is None:
    writer.stage(BatchStream(schema, batches()))
    print("staged", flush=True)
    done = writer.commit()
writer.close()
print(json.dumps([done.written, done.already_committed]), flush=True)
"""


def writer(database: MySQLDatabase, config: dict[str, Any], run_key: str, rows: int) -> subprocess.Popen[str]:
    """That program in a process of its own."""
    arguments = json.dumps([database.fields, config, run_key, rows])
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(process: subprocess.Popen[str]) -> list[Any]:
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return list(json.loads(out.splitlines()[-1]))


@pytest.fixture
def table(mysql_database: MySQLDatabase) -> MySQLDatabase:
    """``t`` with five rows, 0 to 4."""
    mysql_database.execute("CREATE TABLE t (id BIGINT PRIMARY KEY, a VARCHAR(99))")
    mysql_database.insert("t", [(number, "old") for number in range(5)])
    return mysql_database


@pytest.mark.parametrize("write_mode", ["append", "merge", "replace"])
def test_a_kill_at_any_moment_and_a_plain_rerun_give_the_exact_table(table: MySQLDatabase, write_mode: str) -> None:
    """SIGKILL at random moments of the whole protocol; nothing half done is ever seen."""
    rng = random.Random(7)
    config = {"table": "t", "write_mode": write_mode} | ({"merge_keys": ["id"]} if write_mode == "merge" else {})
    if write_mode == "append":
        table.execute("DELETE FROM t")
    before = table.query("SELECT COUNT(*), MIN(a), MAX(a) FROM t")
    after = (4000, "k" * 50, "k" * 50)
    for _ in range(6):
        process = writer(table, config, "key", 4000)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(rng.random() * 0.6)
        process.kill()
        process.communicate()
        assert table.query("SELECT COUNT(*), MIN(a), MAX(a) FROM t") in (before, [after])
    written, _ = finish(writer(table, config, "key", 4000))
    assert written == 4000
    assert table.query("SELECT COUNT(*), MIN(a), MAX(a) FROM t") == [after]
    assert table.query("SELECT COUNT(*) FROM _osiris_commits") == [(1,)]
    assert finish(writer(table, config, "key", 4000)) == [4000, True]


@pytest.mark.parametrize("write_mode", ["append", "merge", "replace"])
def test_two_runs_on_one_table_from_two_processes(table: MySQLDatabase, write_mode: str) -> None:
    """One waits for the other; the table is what the two in some order make of it."""
    if write_mode == "append":
        table.execute("ALTER TABLE t DROP PRIMARY KEY; DELETE FROM t")
    config = {"table": "t", "write_mode": write_mode} | ({"merge_keys": ["id"]} if write_mode == "merge" else {})
    processes = [writer(table, config, key, 3000) for key in ("alpha", "beta")]
    assert [finish(process) for process in processes] == [[3000, False], [3000, False]]
    counts = dict(table.query("SELECT LEFT(a, 1), COUNT(*) FROM t GROUP BY 1"))
    if write_mode == "append":
        assert counts == {"a": 3000, "b": 3000}
    else:
        assert counts in ({"a": 3000}, {"b": 3000})


def test_the_same_run_from_two_processes_commits_once(table: MySQLDatabase) -> None:
    config = {"table": "t", "write_mode": "merge", "merge_keys": ["id"]}
    processes = [writer(table, config, "same", 3000) for _ in range(2)]
    assert sorted(finish(process) for process in processes) == [[3000, False], [3000, True]]


@pytest.mark.parametrize("moment", ["staging", "staged"])
def test_a_server_that_dies_leaves_nothing(own_mysql_server: MySQLServer, connector: Connector, moment: str) -> None:
    """The server is killed in the middle of a write; a plain re-run after its recovery is exact."""
    database = own_mysql_server.create_database()
    try:
        connector.fields = database.fields
        name = connector.seed(people([1, 2]), keys=["id"])
        config = connector.write_config(name, "merge", merge_keys=["id"])
        target = connector.driver.open_writer(connector.connection, config, connector.context(run_key="k"))
        target.begin()
        with pytest.raises(OsirisError) as caught:
            target.stage(stream_of(people(range(2, 50))))
            own_mysql_server.kill()
            if moment == "staging":
                target.stage(stream_of(people([99])))
            target.commit()
        target.abort()
        target.close()
        assert (caught.value.code, caught.value.retryable) in (("OSI-R020", True), ("OSI-C041", True))
    finally:
        own_mysql_server.start()
    assert [row["id"] for row in connector.rows(name)] == [1, 2]
    result = connector.write(name, people(range(2, 50)), "merge", run_key="k", merge_keys=["id"])
    assert (result.written, result.already_committed) == (48, False)
    assert [row["id"] for row in connector.rows(name)] == list(range(1, 50))
    own_mysql_server.drop_database(database.database)


class Cutter(Relay):
    """Cuts a connection when the client says COMMIT: before it or after it."""

    def __init__(self, host: str, port: int, *, deliver: bool) -> None:
        self.deliver = deliver
        self.cuts = 0
        super().__init__(host, port, self._cutting)

    def _cutting(self, data: bytes, from_server: bool) -> bytes:
        if not from_server and data[4:] == b"\x03COMMIT" and not self.cuts:
            self.cuts += 1
            raise CutConnection(data if self.deliver else b"")
        return data


@pytest.fixture
def cutter(mysql_database: MySQLDatabase, request: pytest.FixtureRequest) -> Iterator[Cutter]:
    proxy = Cutter(mysql_database.host, mysql_database.port, deliver=request.param)
    yield proxy
    proxy.close()


@pytest.mark.parametrize("cutter", [True, False], indirect=True, ids=["after", "before"])
def test_a_connection_cut_in_commit_is_never_in_doubt(connector: Connector, cutter: Cutter) -> None:
    """The ledger says whether the commit took place; a re-run is exact either way."""
    name = connector.seed(people([1]))
    direct = connector.fields
    connector.fields = {**direct, "port": cutter.port, "ssl_mode": "disabled"}
    committed = True
    try:
        result = connector.write(name, people([2]), run_key="k")
        assert result.written == 1
        assert [code for code, _ in connector.warnings] == ["OSI-R125"]
    except OsirisError as error:
        committed = False
        assert error.retryable
    assert cutter.cuts == 1
    assert committed is cutter.deliver
    connector.fields = direct
    assert [row["id"] for row in connector.rows(name)] == ([1, 2] if committed else [1])
    assert connector.write(name, people([2]), run_key="k").already_committed is committed
    assert [row["id"] for row in connector.rows(name)] == [1, 2]


def test_deadlocks_and_lock_waits_can_be_retried(table: MySQLDatabase, connector: Connector) -> None:
    blocker = table.connect()
    blocker.query("BEGIN")
    blocker.query("UPDATE t SET a = 'mine' WHERE id = 1")
    table.execute("SET GLOBAL innodb_lock_wait_timeout = 1")
    try:
        with pytest.raises(OsirisError) as caught:
            connector.write("t", pa.table({"id": pa.array([1], pa.int64()), "a": ["x"]}), "merge", merge_keys=["id"])
    finally:
        table.execute("SET GLOBAL innodb_lock_wait_timeout = DEFAULT")
        blocker.close()
    assert (caught.value.code, caught.value.retryable) == ("OSI-R021", True)


def test_a_killed_run_gives_its_lock_back(table: MySQLDatabase) -> None:
    """The lock is the session's, so it cannot outlive the process that took it."""
    config = {"table": "t", "write_mode": "replace"}
    process = writer(table, config, "first", 200_000)
    assert process.stdout is not None
    process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    started = time.monotonic()
    assert finish(writer(table, config, "second", 1000)) == [1000, False]
    assert time.monotonic() - started < 30


def test_temporary_tables_leave_no_trace(table: MySQLDatabase, connector: Connector, tmp_path: Path) -> None:
    connector.write("t", pa.table({"id": pa.array([1], pa.int64()), "a": ["x"]}), "merge", merge_keys=["id"])
    names = {
        row[0]
        for row in table.query("SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()")
    }
    assert names == {"t", "_osiris_commits"}
