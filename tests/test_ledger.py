"""``osiris ledger`` by real processes: what each kind of target remembers of past commits, and what may go."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from osiris_core.testing.cli import Osiris
from osiris_core.testing.servers import MySQLDatabase, PostgresDatabase

PIPELINE = """\
oml_version: "0.0.1"
name: copy-people
steps:
  - id: people
    component: duckdb.table
    mode: read
    connection: "@source"
    config: {table: people, incremental: {cursor: id}}
  - id: load
    component: FAMILY.table
    mode: write
    connection: "@target"
    needs: [people]
    config: {table: TABLE, write_mode: append, create: if_missing}
"""


@dataclass
class Target:
    """A project that copies people from DuckDB to one kind of target; ``age`` makes every entry of the ledger older."""

    osiris: Osiris
    age: Callable[[int], None]
    environment: dict[str, str]

    def insert(self, *ids: int) -> None:
        import duckdb

        with duckdb.connect(str(self.osiris.directory / "source.duckdb")) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS people (id BIGINT PRIMARY KEY)")
            connection.executemany("INSERT INTO people VALUES (?)", [[number] for number in ids])

    def run(self, run_key: str) -> dict[str, Any]:
        done = self.osiris("run", "p.yaml", "--json", "--run-key", run_key, env=self.environment)
        assert done.returncode == 0, done.stdout + done.stderr
        step: dict[str, Any] = json.loads(done.stdout)["steps"]["load"]
        return step

    def ledger(self, *arguments: str, code: int = 0) -> Any:
        done = self.osiris("ledger", *arguments, "--json", env=self.environment)
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout)

    def keys(self) -> list[str]:
        return [entry["run_key"] for entry in self.ledger("show", "@target")["entries"]]


def project(osiris: Osiris, fields: dict[str, Any], family: str, table: str) -> dict[str, str]:
    """Write the project's files; the environment that its commands need."""
    fields = dict(fields)
    password = fields.get("password")
    if password is not None:
        fields["password"] = "${TARGET_PASSWORD}"
    value = {"source": {"component": "duckdb", "path": "source.duckdb"}, "target": {"component": family, **fields}}
    osiris.directory.joinpath("osiris.yaml").write_text("validation: strict\nledger: {retention_days: 30}\n")
    osiris.directory.joinpath("osiris_connections.yaml").write_text(json.dumps({"connections": value}))
    pipeline = PIPELINE.replace("FAMILY", family).replace("TABLE", table)
    osiris.directory.joinpath("p.yaml").write_text(pipeline)
    return {} if password is None else {"TARGET_PASSWORD": password}


@pytest.fixture
def duckdb_target(osiris: Osiris) -> Target:
    import duckdb

    def age(days: int) -> None:
        with duckdb.connect(str(osiris.directory / "target.duckdb")) as connection:
            connection.execute(f"UPDATE _osiris_commits SET committed_at = committed_at - INTERVAL {days} DAY")

    return Target(osiris, age, project(osiris, {"path": "target.duckdb"}, "duckdb", "people"))


@pytest.fixture
def file_target(osiris: Osiris) -> Target:
    from datetime import datetime, timedelta

    root = osiris.directory / "files"
    root.mkdir()

    def age(days: int) -> None:
        marker = root / "in" / ".people.csv.osiris-commits.json"
        value = json.loads(marker.read_text())
        for commit in value["commits"]:
            commit["committed_at"] = str(datetime.fromisoformat(commit["committed_at"]) - timedelta(days))
        marker.write_text(json.dumps(value))

    return Target(osiris, age, project(osiris, {"root": "files"}, "file", "in/people.csv"))


@pytest.fixture
def mysql_target(osiris: Osiris, mysql_database: MySQLDatabase) -> Target:
    def age(days: int) -> None:
        mysql_database.execute(f"UPDATE _osiris_commits SET committed_at = committed_at - INTERVAL {days} DAY")

    return Target(osiris, age, project(osiris, mysql_database.fields, "mysql", "people"))


@pytest.fixture
def postgres_target(osiris: Osiris, postgres_database: PostgresDatabase) -> Target:
    def age(days: int) -> None:
        postgres_database.execute(f"UPDATE _osiris_commits SET committed_at = committed_at - interval '{days} days'")

    return Target(osiris, age, project(osiris, postgres_database.fields, "postgres", "people"))


@pytest.fixture
def supabase_target(osiris: Osiris, postgres_database: PostgresDatabase) -> Target:
    def age(days: int) -> None:
        table = "osiris._osiris_commits"
        postgres_database.execute(f"UPDATE {table} SET committed_at = committed_at - interval '{days} days'")

    fields = {**postgres_database.fields, "sslmode": "prefer"}
    return Target(osiris, age, project(osiris, fields, "supabase", "people"))


@pytest.fixture(params=["duckdb", "file", "mysql", "postgres", "supabase"])
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    yield request.getfixturevalue(f"{request.param}_target")


def test_pruning_forgets_what_is_old_and_no_run_notices(target: Target) -> None:
    """Run keys younger than the retention stay exactly once, and the incremental read goes on from where it was."""
    assert target.ledger("show", "@target")["entries"] == [] and target.ledger("prune", "@target")["ledgers"] == [
        {"alias": "target", "removed": 0}
    ], "what was never written has no ledger, and neither command makes one"
    target.insert(1, 2)
    target.run("first")
    target.age(40)
    target.insert(3)
    target.run("second")
    target.age(40)
    target.insert(4)
    assert target.run("third")["written"] == 1
    assert target.keys() == ["third", "second", "first"]
    assert target.keys()[:1] == [e["run_key"] for e in target.ledger("show", "target", "--limit", "1")["entries"]]
    assert target.ledger("prune", "@target", "--older-than", "60", "--dry-run")["ledgers"][0]["removed"] == 1
    assert len(target.keys()) == 3
    told = target.ledger("prune", "@target")
    assert told == {"older_than_days": 30, "dry_run": False, "ledgers": [{"alias": "target", "removed": 2}]}
    assert target.keys() == ["third"]
    again = target.run("third")
    assert (again["written"], again["already_committed"]) == (1, True)
    target.age(400)
    assert target.ledger("prune", "@target")["ledgers"][0]["removed"] == 0, "the newest state stays, whatever its age"
    target.insert(5, 6)
    assert target.run("fourth")["written"] == 2
    entry = target.ledger("show", "@target")["entries"][0]
    assert {**entry, "committed_at": "", "table": ""} == {
        "pipeline": "copy-people",
        "step": "load",
        "table": "",
        "run_key": "fourth",
        "committed_at": "",
        "rows": 2,
        "holds_state": True,
    }
    assert "people" in entry["table"] and entry["committed_at"].endswith("Z")


def test_a_bad_marker_is_named_and_the_others_shown_and_pruned(file_target: Target) -> None:
    file_target.insert(1)
    file_target.run("monday")
    file_target.insert(2)
    file_target.run("tuesday")
    bad = file_target.osiris.directory / "files" / ".bad.csv.osiris-commits.json"
    bad.write_text("{")
    shown = file_target.osiris("ledger", "show", "@target")
    assert (shown.returncode, len(shown.stdout.splitlines())) == (4, 3)
    assert "tuesday" in shown.stdout
    assert shown.stderr.startswith(f"error OSI-R027: the ledger {bad} cannot be read")
    told = file_target.ledger("show", "@target", code=4)
    assert [entry["run_key"] for entry in told["entries"]] == ["tuesday", "monday"]
    assert (told["ok"], told["exit_code"], told["error"]["code"]) == (False, 4, "OSI-R027")
    file_target.age(60)
    told = file_target.ledger("prune", "@target", code=4)
    assert (told["ledgers"], told["error"]["code"]) == ([{"alias": "target", "removed": 1}], "OSI-R027")
    pruned = file_target.osiris("ledger", "prune", "@target")
    assert (pruned.returncode, pruned.stdout) == (4, "@target: 0 entries older than 30 days were removed\n")
    assert str(bad) in pruned.stderr


def test_people_see_a_table_and_a_sentence(duckdb_target: Target) -> None:
    shown = duckdb_target.osiris("ledger", "show", "@target")
    assert (shown.returncode, shown.stdout) == (0, "the ledger of @target has no entries\n")
    duckdb_target.insert(1, 2)
    duckdb_target.run("monday")
    head, line = duckdb_target.osiris("ledger", "show", "@target").stdout.splitlines()
    assert head.split() == ["COMMITTED", "PIPELINE", "STEP", "TABLE", "ROWS", "STATE", "RUN", "KEY"]
    assert line.split()[2:] == ["copy-people", "load", "people", "2", "yes", "monday"]
    pruned = duckdb_target.osiris("ledger", "prune", "@target", "@target", "--older-than", "0.5")
    assert pruned.stdout == "@target: 0 entries older than 0.5 days were removed\n"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("prune",), 2, "@ALIAS"),
        (("prune", "@target", "--older-than", "0"), 2, "number of days"),
        (("prune", "@target", "--older-than", "nan"), 2, "number of days"),
        (("prune", "@target", "--older-than", "soon"), 2, "number of days"),
        (("show", "@target", "--limit", "-1"), 2, ""),
        (("show", "@nowhere"), 5, "nowhere"),
        (("prune", "@target", "@gone"), 5, "OSI-C0"),
    ],
)
def test_wrong_arguments_and_connections(
    duckdb_target: Target, arguments: tuple[str, ...], code: int, said: str
) -> None:
    connections = duckdb_target.osiris.directory / "osiris_connections.yaml"
    value = json.loads(connections.read_text())
    value["connections"]["gone"] = {"component": "file", "root": "no-such-directory"}
    connections.write_text(json.dumps(value))
    told = duckdb_target.osiris("ledger", *arguments)
    assert (told.returncode, said in told.stderr) == (code, True), told.stderr


@pytest.mark.parametrize("family", ["mysql", "postgres", "supabase"])
def test_a_server_that_does_not_answer_is_exit_5(osiris: Osiris, family: str) -> None:
    fields = {"host": "127.0.0.1", "port": 1, "user": "u", "password": "${SECRET}", "database": "d"}
    connections = {"connections": {"gone": {"component": family, **fields}}}
    osiris.directory.joinpath("osiris_connections.yaml").write_text(json.dumps(connections))
    for command in ("show", "prune"):
        told = osiris("ledger", command, "@gone", env={"SECRET": "canary-of-the-ledger"})
        assert (told.returncode, "OSI-C04" in told.stderr) == (5, True), told.stderr
        assert "canary" not in told.stderr


def test_rest_keeps_no_ledger(osiris: Osiris) -> None:
    value = {"api": {"component": "supabase", "url": "http://127.0.0.1:1", "key": "${KEY}"}}
    osiris.directory.joinpath("osiris_connections.yaml").write_text(json.dumps({"connections": value}))
    for command in ("show", "prune"):
        told = osiris("ledger", command, "@api", env={"KEY": "a-key-that-is-sent-nowhere"})
        assert told.returncode == 2
        assert "works over REST, which keeps no ledger" in told.stderr


def test_without_the_right_to_prune_the_error_has_the_grant(
    mysql_target: Target, mysql_database: MySQLDatabase, osiris: Osiris
) -> None:
    mysql_target.insert(1)
    mysql_target.run("first")
    user = f"o'f\\{mysql_database.database}"[:32]  # what an administrator is told to run has it as a literal
    quoted = "'" + user.replace("\\", "\\\\").replace("'", "\\'") + "'"
    ledger = f"`{mysql_database.database}`._osiris_commits"
    mysql_database.execute(f"CREATE USER {quoted}@'%' IDENTIFIED BY 'p'; GRANT SELECT ON {ledger} TO {quoted}@'%'")
    try:
        mysql_database.execute(f"CREATE USER {quoted}@'localhost' IDENTIFIED BY 'p'")
        mysql_database.execute(f"GRANT SELECT ON {ledger} TO {quoted}@'localhost'")
        connections = osiris.directory / "osiris_connections.yaml"
        value = json.loads(connections.read_text())
        value["connections"]["target"] |= {"user": user, "password": "${FEW}"}
        connections.write_text(json.dumps(value))
        assert osiris("ledger", "show", "@target", env={"FEW": "p"}).returncode == 0
        told = osiris("ledger", "prune", "@target", "--json", env={"FEW": "p"})
        error = json.loads(told.stdout)["error"]
        assert (told.returncode, error["code"]) == (5, "OSI-C044")
        mysql_database.execute(error["hint"].removeprefix("let an administrator run: "))
        assert osiris("ledger", "prune", "@target", env={"FEW": "p"}).returncode == 0
    finally:
        mysql_database.execute(f"DROP USER {quoted}@'%'; DROP USER {quoted}@'localhost'")
