"""``naming: snake`` for real: names that need quotes arrive plain, on every target, and everything else still holds."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from osiris_core.compile import compile_pipeline, load_compiled, write_compiled
from osiris_core.errors import EXIT_INVALID, EXIT_OK, EXIT_RUN
from osiris_core.run.runner import run_compiled
from osiris_core.session import Session
from osiris_core.testing.cli import Osiris
from osiris_core.testing.servers import MySQLDatabase, PostgresDatabase
from osiris_core.validate import Validation, validate

CREATE = """
CREATE TABLE `Order Book` (
  `OrderID` BIGINT UNSIGNED PRIMARY KEY COMMENT 'of the shop', `Order` INT NOT NULL, `has space` VARCHAR(40),
  `q"uote` DECIMAL(20,4), `Größe` TEXT COMMENT 'as told', `Placed At` DATETIME(6)
) CHARACTER SET utf8mb4 COMMENT 'all of them'
"""
FILL = """
INSERT INTO `Order Book` VALUES (1, 7, 'a b', 0.1000, 'groß 🐎', '2026-01-01 00:00:00'),
  (18446744073709551615, 8, NULL, NULL, '', '2026-01-02 00:00:00')
"""
CHANGE = """
UPDATE `Order Book` SET `has space` = 'changed' WHERE `OrderID` = 1;
INSERT INTO `Order Book` VALUES (2, 9, 'new', 2, 'x', '2026-01-03 00:00:00')
"""
NAMES = ["order_id", "order", "has_space", "q_uote", "grosse", "placed_at"]
MERGE = {"table": "Order Book", "write_mode": "merge", "merge_keys": ["order_id"], "naming": "snake"}
TARGETS = ("postgres", "supabase", "mysql", "duckdb")


@dataclass
class Project:
    """MariaDB's ``Order Book`` in front, ``@target`` of one family behind; ``query`` asks the target."""

    root: Path
    source: MySQLDatabase
    family: str
    query: Callable[[str], list[tuple[Any, ...]]]
    quote: str = '"'

    def pipeline(self, write: dict[str, Any], read: dict[str, Any] | None = None) -> Path:
        """A copy; ``read`` is the config of the reading step, the whole table when left out."""
        reader = {"id": "orders", "component": "mysql.table", "mode": "read", "connection": "@shop"}
        writer = {"id": "load", "component": f"{self.family}.table", "mode": "write", "connection": "@target"}
        steps = [
            {**reader, "config": read or {"table": "Order Book"}},
            {**writer, "needs": ["orders"], "config": write},
        ]
        path = self.root / "orders.yaml"
        path.write_text(json.dumps({"oml_version": "0.0.1", "name": "orders", "steps": steps}))
        return path

    def session(self) -> Session:
        return Session.open(self.root, plugins=["mysql", "postgres", {"file": "duckdb"}.get(self.family, self.family)])

    def check(self, write: dict[str, Any], read: dict[str, Any] | None = None, mode: str = "strict") -> Validation:
        return validate(self.pipeline(write, read), self.session(), mode=mode)

    def run(self, write: dict[str, Any], read: dict[str, Any] | None = None) -> dict[str, Any]:
        """What a run did, which must be a success, from a compiled manifest on disk."""
        return self.run_file(self.pipeline(write, read))

    def run_file(self, path: Path) -> dict[str, Any]:
        session = self.session()
        validation = validate(path, session)
        assert [problem.message for problem in validation.errors] == []
        out = write_compiled(compile_pipeline(validation, session), self.root / "out")
        result = run_compiled(out, self.session()).result
        assert result.exit_code == EXIT_OK, result.error
        return dict(result.steps["load"])

    def rows(self, names: list[str], table: str = "Order Book") -> list[tuple[Any, ...]]:
        """Rows of the target by the first column, whose names are these."""
        quoted = [f"{self.quote}{name}{self.quote}" for name in (*names, table)]
        return self.query(f"SELECT {', '.join(quoted[:-1])} FROM {quoted[-1]} ORDER BY {quoted[0]}")


@pytest.fixture
def make(
    request: pytest.FixtureRequest, tmp_path: Path, mysql_database: MySQLDatabase, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Project]:
    """A project with a filled source and an empty target of a family."""
    mysql_database.execute("SET time_zone = '+00:00'; " + CREATE)
    mysql_database.execute(FILL)

    def made(family: str) -> Project:
        project, fields = _target(request, tmp_path, mysql_database, family)
        monkeypatch.setenv("SHOP_PASSWORD", mysql_database.password)
        monkeypatch.setenv("TARGET_PASSWORD", fields.pop("password", "none-needed"))
        shop = {**mysql_database.fields, "component": "mysql", "password": "${SHOP_PASSWORD}"}
        target = {**fields, "component": family}
        if family not in ("duckdb", "file"):
            target["password"] = "${TARGET_PASSWORD}"
        connections = {"connections": {"shop": shop, "target": target}}
        (tmp_path / "osiris_connections.yaml").write_text(json.dumps(connections))
        (tmp_path / "osiris.yaml").write_text("validation: strict\n")
        return project

    return made


def _target(
    request: pytest.FixtureRequest, root: Path, source: MySQLDatabase, family: str
) -> tuple[Project, dict[str, Any]]:
    if family in ("duckdb", "file"):

        def query(sql: str) -> list[tuple[Any, ...]]:
            with duckdb.connect(str(root / "target.duckdb") if family == "duckdb" else ":memory:") as connection:
                return connection.execute(sql).fetchall()

        fields = {"path": "target.duckdb"} if family == "duckdb" else {"root": str(root)}
        return Project(root, source, family, query), fields
    if family == "mysql":
        server = request.getfixturevalue("mysql_server")
        copy = server.create_database()
        request.addfinalizer(lambda: server.drop_database(copy.database))
        return Project(root, source, family, copy.query, "`"), {**copy.fields, "password": copy.password}
    database: PostgresDatabase = request.getfixturevalue("postgres_database")
    tls = {"sslmode": "prefer"} if family == "supabase" else {}
    return Project(root, source, family, database.query), {**database.fields, **tls, "password": database.password}


# -- the whole way -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("family", TARGETS)
def test_names_arrive_in_snake_case_and_every_value_as_it_was(family: str, make: Callable[[str], Project]) -> None:
    """Made by us, verified value by value, merged again: rows that are equal are left alone."""
    project = make(family)
    write = {**MERGE, "create": "if_missing", "verify": "checksum"}
    assert project.run(write)["written"] == 2
    assert project.rows(NAMES) == project.source.query("SELECT * FROM `Order Book` ORDER BY 1")
    project.source.execute(CHANGE)
    again = project.run(write)
    assert (again["written"], again["unchanged"]) == (3, 1)
    assert project.rows(NAMES) == project.source.query("SELECT * FROM `Order Book` ORDER BY 1")


@pytest.mark.parametrize("table", ["orders.csv", "orders.jsonl", "orders.parquet"])
def test_files_get_plain_headings(table: str, make: Callable[[str], Project]) -> None:
    project = make("file")
    for _ in range(2):
        assert project.run({"table": table, "write_mode": "append", "naming": "snake"})["written"] == 2
    relation = project.query(f"DESCRIBE FROM '{project.root / table}'")
    assert [row[0] for row in relation] == NAMES
    sizes = project.query(f"SELECT grosse, count(*) FROM '{project.root / table}' WHERE \"order\" = 7 GROUP BY ALL")
    assert sizes == [("groß 🐎", 2)]


def test_a_new_table_has_the_key_and_the_comments_of_the_source(
    make: Callable[[str], Project], postgres_database: PostgresDatabase
) -> None:
    postgres_database.execute(
        'CREATE TABLE source ("OrderID" int8, "Shop ID" int4, "Größe" text, PRIMARY KEY ("Shop ID", "OrderID")); '
        "COMMENT ON TABLE source IS 'all of them'; COMMENT ON COLUMN source.\"Größe\" IS 'as told'"
    )
    project = make("postgres")
    write = {"table": "copy", "write_mode": "append", "create": "if_missing", "naming": "snake"}
    path = project.pipeline(write, {"table": "source"})
    path.write_text(path.read_text().replace("mysql.table", "postgres.table").replace("@shop", "@target"))
    project.run_file(path)
    table = project.session().catalogs.get("target", "postgres.table", ["copy"]).table("copy")
    assert table is not None
    assert (table.primary_key, table.comment) == (("shop_id", "order_id"), "all of them")
    assert [(column.name, column.comment) for column in table.columns] == [
        ("order_id", ""), ("shop_id", ""), ("grosse", "as told")
    ]  # fmt: skip


@pytest.mark.parametrize("family", ["mysql", "duckdb"])
def test_emoji_that_another_system_cannot_name(
    family: str, make: Callable[[str], Project], postgres_database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres_database.execute('CREATE TABLE moods ("ID" int8 PRIMARY KEY, "mood 🐎" text, "👍Count" int4)')
    postgres_database.execute("INSERT INTO moods VALUES (1, 'good', 3)")
    project = make(family)
    file = project.root / "osiris_connections.yaml"
    connections = json.loads(file.read_text())
    connections["connections"]["pg"] = {
        **postgres_database.fields, "component": "postgres", "password": "${PG_PASSWORD}"
    }  # fmt: skip
    file.write_text(json.dumps(connections))
    monkeypatch.setenv("PG_PASSWORD", postgres_database.password)
    write = {"table": "moods", "write_mode": "append", "create": "if_missing", "naming": "snake"}
    path = project.pipeline(write)
    text = path.read_text().replace('"Order Book"', '"moods"').replace("@shop", "@pg")
    path.write_text(text.replace("mysql.table", "postgres.table", 1))
    project.run_file(path)
    assert project.rows(["id", "mood", "count"], "moods") == [(1, "good", 3)]


def test_an_incremental_read_goes_on_by_the_name_of_the_source(make: Callable[[str], Project]) -> None:
    project = make("postgres")
    read = {"table": "Order Book", "incremental": {"cursor": "Placed At"}}
    write = {**MERGE, "create": "if_missing"}
    assert project.run(write, read)["written"] == 2
    project.source.execute(CHANGE)
    assert project.run(write, read)["written"] == 1
    assert [row[0] for row in project.rows(NAMES)] == [Decimal(n) for n in (1, 2, 2**64 - 1)]
    [(state,)] = project.query("SELECT state::text FROM _osiris_commits ORDER BY committed_at DESC LIMIT 1")
    assert json.loads(state)["orders"]["cursor"] == "Placed At"


def test_dedupe_and_primary_key_are_named_as_in_the_target(make: Callable[[str], Project]) -> None:
    project = make("postgres")
    read = {"query": "SELECT 1 AS `Shop ID`, `OrderID`, `Placed At` FROM `Order Book`"}
    dedupe = {"keep": "last", "order_by": [{"column": "placed_at"}]}
    write = {**MERGE, "merge_keys": ["shop_id"], "dedupe": dedupe, "create": "if_missing", "primary_key": ["shop_id"]}
    done = project.run(write, read)
    assert (done["written"], done["deduplicated"]) == (1, 1)
    assert project.rows(["shop_id", "order_id"]) == [(1, Decimal(2**64 - 1))]


# -- a target that is there --------------------------------------------------------------------------------
@pytest.mark.parametrize("family", TARGETS)
def test_validating_compares_the_new_names_with_the_target(family: str, make: Callable[[str], Project]) -> None:
    project = make(family)
    project.run({**MERGE, "create": "if_missing"})
    assert project.check(MERGE).problems == []
    project.source.execute("ALTER TABLE `Order Book` ADD `Paid By` VARCHAR(9), DROP `Order`, ADD `Order` DATE")
    codes = {problem.code: problem for problem in project.check(MERGE).problems}
    assert set(codes) == {"OSI-V209", "OSI-V210"}
    assert '"paid_by"' in codes["OSI-V209"].message
    mend = 'write columns: [OrderID, "has space", "q\\"uote", "Größe", "Placed At"]'
    assert mend in codes["OSI-V209"].hint, "the reading step names columns as the source does"
    assert 'the column "order" comes as date' in codes["OSI-V210"].message
    spelt = {problem.suggestion: problem for problem in project.check({**MERGE, "merge_keys": ["OrderID"]}).problems}
    assert (spelt["order_id"].code, spelt["order_id"].path[-2:]) == ("OSI-V202", ("merge_keys", 0))
    preserved = {problem.code for problem in project.check({**MERGE, "naming": "preserve"}).problems}
    assert "OSI-V203" in preserved


@pytest.mark.parametrize("family", TARGETS)
def test_new_columns_are_added_under_their_new_names(family: str, make: Callable[[str], Project]) -> None:
    project = make(family)
    project.run({**MERGE, "create": "if_missing"})
    project.source.execute("ALTER TABLE `Order Book` ADD COLUMN `Paid By` VARCHAR(9) DEFAULT 'card'")
    project.run({**MERGE, "on_drift": "add_columns"})
    assert [row[1] for row in project.rows(["order_id", "paid_by"])] == ["card", "card"]


# -- names that cannot be ----------------------------------------------------------------------------------
def test_a_collision_is_an_error_at_compile_time(make: Callable[[str], Project], osiris: Osiris) -> None:
    project = make("postgres")
    project.source.execute("ALTER TABLE `Order Book` ADD COLUMN `order id` INT")
    path = project.pipeline({**MERGE, "create": "if_missing"})
    env = {name: os.environ[name] for name in ("SHOP_PASSWORD", "TARGET_PASSWORD")}
    for command in (["validate"], ["validate", "--mode", "warn"], ["compile", "--out", "cfg"], ["run"]):
        done = osiris(command[0], path, *command[1:], "--project", project.root, env=env)
        assert done.returncode == EXIT_INVALID, done.stdout + done.stderr
        assert "OSI-V144" in done.stdout + done.stderr
        assert 'the columns "OrderID" and "order id" would all be "order_id"' in done.stdout + done.stderr
    assert project.query("SELECT to_regclass('\"Order Book\"')::text") == [(None,)]


@pytest.mark.parametrize("family", [*TARGETS, "file"])
def test_a_collision_that_was_not_foreseen_stops_the_run_with_nothing_written(
    family: str, make: Callable[[str], Project]
) -> None:
    """Nobody looked at the catalogue: the run finds the same before a row is written, and exits 4."""
    project = make(family)
    project.source.execute("ALTER TABLE `Order Book` ADD COLUMN `order id` INT")
    table = "orders.csv" if family == "file" else "Order Book"
    write = {"table": table, "write_mode": "append", "create": "if_missing", "naming": "snake"}
    session = project.session()
    compiled = compile_pipeline(validate(project.pipeline(write), session, mode="off"), session)
    result = run_compiled(write_compiled(compiled, project.root / "out"), project.session()).result
    assert result.exit_code == EXIT_RUN
    assert result.error is not None
    assert result.error["code"] == "OSI-R114"
    assert '"OrderID" and "order id" would all be "order_id"' in result.error["message"]
    assert not (project.root / "orders.csv").exists()
    listed = [table.name for table in project.session().catalogs.get("target", f"{family}.table").tables]
    assert table not in listed
    assert load_compiled(project.root / "out").configs["load"]["naming"] == "snake"
