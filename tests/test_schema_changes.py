"""A schema that changes after discovery: told by validate, compile and run before a row is read, on real systems."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from osiris_core.catalog import Table
from osiris_core.catalog.store import Catalogs
from osiris_core.compile import compile_pipeline, load_compiled, write_compiled
from osiris_core.errors import EXIT_INVALID, EXIT_RUN, InvalidInputError
from osiris_core.run.runner import run_compiled
from osiris_core.session import Session
from osiris_core.validate import validate

PIPELINE = """\
oml_version: "0.0.1"
name: copy-orders
steps:
  - id: orders
    component: {component}
    mode: read
    connection: "@db"
    config: {{table: orders, columns: [id, total]}}
  - id: load
    component: {component}
    mode: write
    connection: "@db"
    needs: [orders]
    config: {{table: target, write_mode: merge, merge_keys: [id]}}
"""
#: What happens to the source or the target, and words of the message that names it.
CHANGES = {
    "column renamed": ("ALTER TABLE orders RENAME COLUMN total TO amount", '"total"'),
    "column dropped": ("ALTER TABLE orders DROP COLUMN total", '"total"'),
    "column retyped": ("{retype}", "total"),
    "table dropped": ("DROP TABLE orders", '"orders"'),
    "key dropped": ("{drop_key}", "id"),
}


@dataclass
class System:
    """One database with a project of its own: SQL goes in by ``execute``, rows of ``target`` come out by ``count``."""

    family: str
    root: Path
    execute: Callable[[str], Any]
    query: Callable[[str], Any]
    modify: str
    drop_key: str
    alterations: int = 100

    def __post_init__(self) -> None:
        for table in ("orders", "target"):
            columns = f"id BIGINT NOT NULL, total DECIMAL(10,2), CONSTRAINT k_{table} PRIMARY KEY (id)"
            self.execute(f"CREATE TABLE {table} ({columns})")
        self.execute("INSERT INTO orders VALUES (1, 1.50), (2, 2.25)")
        self.pipeline = self.root / "copy.yaml"
        self.pipeline.write_text(PIPELINE.format(component=f"{self.family}.table"))
        (self.root / "osiris.yaml").write_text("validation: strict\n")

    def session(self) -> Session:
        return Session.open(self.root, plugins=[self.family])

    def change(self, kind: str) -> None:
        retype = self.modify.format(column="total", type="VARCHAR(40)")
        self.execute(CHANGES[kind][0].format(retype=retype, drop_key=self.drop_key))

    def rows_written(self) -> int:
        return int(self.query("SELECT count(*) FROM target")[0][0])


def connections(root: Path, family: str, fields: dict[str, Any]) -> None:
    lines = [f"    {name}: {value if isinstance(value, int) else repr(value)}" for name, value in fields.items()]
    (root / "osiris_connections.yaml").write_text(
        "\n".join(["connections:", "  db:", f"    component: {family}", *lines])
    )


@pytest.fixture
def duckdb_system(tmp_path: Path) -> System:
    import duckdb

    path = tmp_path / "shop.duckdb"

    def query(sql: str) -> Any:
        with duckdb.connect(str(path)) as connection:
            return connection.execute(sql).fetchall()

    connections(tmp_path, "duckdb", {"path": "shop.duckdb"})
    # DuckDB cannot drop a primary key in place: the table is made anew without it.
    drop = "CREATE OR REPLACE TABLE target AS SELECT * FROM target"
    return System(
        "duckdb", tmp_path, query, query, "ALTER TABLE orders ALTER {column} TYPE {type}", drop, alterations=50
    )


@pytest.fixture
def mysql_system(tmp_path: Path, mysql_database: Any, monkeypatch: pytest.MonkeyPatch) -> System:
    monkeypatch.setenv("DB_PASSWORD", mysql_database.password)
    connections(tmp_path, "mysql", {**mysql_database.fields, "password": "${DB_PASSWORD}"})
    modify, drop = "ALTER TABLE orders MODIFY {column} {type}", "ALTER TABLE target DROP PRIMARY KEY"
    return System("mysql", tmp_path, mysql_database.execute, mysql_database.query, modify, drop)


@pytest.fixture
def postgres_system(tmp_path: Path, postgres_database: Any, monkeypatch: pytest.MonkeyPatch) -> System:
    monkeypatch.setenv("DB_PASSWORD", postgres_database.password)
    connections(tmp_path, "postgres", {**postgres_database.fields, "password": "${DB_PASSWORD}"})
    modify, drop = "ALTER TABLE orders ALTER {column} TYPE {type}", "ALTER TABLE target DROP CONSTRAINT k_target"
    return System("postgres", tmp_path, postgres_database.execute, postgres_database.query, modify, drop)


@pytest.fixture(params=["duckdb", "mysql", "postgres"])
def system(request: pytest.FixtureRequest) -> Iterator[System]:
    yield request.getfixturevalue(f"{request.param}_system")


@pytest.mark.parametrize("kind", CHANGES)
def test_a_change_after_discovery_is_told_before_a_row_is_read(system: System, kind: str) -> None:
    session = system.session()
    compiled = compile_pipeline(validate(system.pipeline, session), session)
    out = write_compiled(compiled, system.root / "out")
    system.change(kind)

    session = system.session()
    validation = validate(system.pipeline, session)
    assert validation.exit_code == EXIT_INVALID
    assert any(CHANGES[kind][1] in problem.message for problem in validation.errors)
    with pytest.raises(InvalidInputError) as caught:
        compile_pipeline(validation, session)
    assert list(caught.value.problems) == validation.problems

    outcome = run_compiled(out, system.session())
    assert outcome.result.exit_code == EXIT_RUN
    assert outcome.result.error is not None
    assert outcome.result.error["code"] == "OSI-R002"
    assert not any(step.get("rows") for step in outcome.result.steps.values())
    assert system.rows_written() == 0


@pytest.mark.parametrize("on_drift", ["fail", "ignore_new", "add_columns"])
@pytest.mark.parametrize("table", ["orders", "target"])
def test_a_column_added_after_the_compile_is_up_to_on_drift(system: System, table: str, on_drift: str) -> None:
    system.pipeline.write_text(
        system.pipeline.read_text().replace("merge_keys: [id]", f"merge_keys: [id], on_drift: {on_drift}")
    )
    session = system.session()
    out = write_compiled(compile_pipeline(validate(system.pipeline, session), session), system.root / "out")
    system.execute(f"ALTER TABLE {table} ADD COLUMN extra INTEGER")
    outcome = run_compiled(out, system.session())
    if on_drift == "fail":
        assert outcome.result.exit_code == EXIT_RUN
        assert outcome.result.error is not None
        assert (outcome.result.error["code"], "extra" in outcome.result.error["message"]) == ("OSI-R002", True)
        assert system.rows_written() == 0
    else:
        assert outcome.result.exit_code == 0
        assert system.query("SELECT id, total FROM target ORDER BY id") == [(1, 1.5), (2, 2.25)]


def test_an_unchanged_schema_runs(system: System) -> None:
    session = system.session()
    out = write_compiled(compile_pipeline(validate(system.pipeline, session), session), system.root / "out")
    assert load_compiled(out).fingerprint
    assert run_compiled(out, system.session()).result.exit_code == 0
    assert system.rows_written() == 2


def test_no_stale_answer_in_random_alterations(system: System) -> None:
    """After each ``ALTER TABLE``, who starts with the cache of the last one must see what is really there."""
    dice = random.Random(20261123)
    columns = {"total": "DECIMAL(10,2)"}
    stale = []
    session = system.session()
    last = _orders(session)
    for number in range(system.alterations):
        sql = _alteration(columns, dice, system.modify)
        system.execute(sql)
        seen = _orders(session)
        if [column.name for column in seen.columns[1:]] != list(columns) or seen.fingerprint == last.fingerprint:
            stale.append((number, sql))
        last = seen
    assert stale == []


def _orders(session: Session) -> Table:
    """``orders`` by a new catalog over the cache on disk: nothing is remembered but what is stored."""
    catalogs = Catalogs(
        project=session.project,
        plugins=session.plugins,
        registry=session.registry,
        connections=session.connections,
    )
    table = catalogs.get("db", f"{session.connections.family('db')}.table").table("orders")
    assert table is not None
    return table


def _alteration(columns: dict[str, str], dice: random.Random, modify: str) -> str:
    """One statement; ``columns`` are what is there afterwards, in order."""
    kind = dice.choice(["add"] if len(columns) < 2 else ["add", "drop", "rename", "retype"])
    name = f"c{dice.randrange(10**9)}"
    if kind == "add":
        columns[name] = dice.choice(["INTEGER", "VARCHAR(40)", "DATE", "DECIMAL(12,3)"])
        return f"ALTER TABLE orders ADD COLUMN {name} {columns[name]}"
    old = dice.choice(sorted(columns))
    if kind == "drop":
        del columns[old]
        return f"ALTER TABLE orders DROP COLUMN {old}"
    if kind == "retype" and columns[old].startswith("DECIMAL"):
        columns[old] = f"DECIMAL({dice.choice([p for p in range(13, 30) if f'({p},' not in columns[old]])},3)"
        return modify.format(column=old, type=columns[old])
    renamed = {name if column == old else column: kind for column, kind in columns.items()}
    columns.clear()
    columns.update(renamed)
    return f"ALTER TABLE orders RENAME COLUMN {old} TO {name}"
