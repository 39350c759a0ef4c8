"""Whole pipelines from MySQL to MySQL, by real ``osiris`` processes."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from osiris_core.testing.cli import Osiris
from osiris_core.testing.servers import MySQLDatabase, MySQLServer

PIPELINE = """\
oml_version: "0.0.1"
name: copy-orders
steps:
  - id: orders
    component: mysql.table
    mode: read
    connection: "@shop"
    config: {read}
  - id: load
    component: mysql.table
    mode: write
    connection: "@copy"
    needs: [orders]
    config: {write}
"""


class Project:
    """A project over two databases."""

    def __init__(self, osiris: Osiris, shop: MySQLDatabase, copy: MySQLDatabase) -> None:
        self.osiris, self.shop, self.copy = osiris, shop, copy
        lines = ["connections:"]
        for alias, database in (("shop", shop), ("copy", copy)):
            fields = {**database.fields, "password": f"${{{alias.upper()}_PASSWORD}}"}
            lines += [f"  {alias}:", "    component: mysql", *(f"    {key}: {value}" for key, value in fields.items())]
        self.directory = osiris.directory
        self.directory.joinpath("osiris.yaml").write_text("validation: strict\n")
        self.directory.joinpath("osiris_connections.yaml").write_text("\n".join(lines) + "\n")

    def run(self, read: dict[str, Any], write: dict[str, Any], *arguments: str) -> tuple[int, dict[str, Any], str]:
        """``osiris run`` of one copy: its exit code, result by step, and what it told the person."""
        text = PIPELINE.replace("{read}", json.dumps(read)).replace("{write}", json.dumps(write))
        path = self.directory / "p.yaml"
        path.write_text(text)
        secrets = {"SHOP_PASSWORD": self.shop.password, "COPY_PASSWORD": self.copy.password}
        done = self.osiris("run", path, "--json", *arguments, env=secrets)
        value = json.loads(done.stdout) if done.stdout.strip() else {}
        return done.returncode, value, done.stdout + done.stderr


@pytest.fixture
def project(osiris: Osiris, mysql_server: MySQLServer, mysql_database: MySQLDatabase) -> Any:
    copy = mysql_server.create_database()
    yield Project(osiris, mysql_database, copy)
    mysql_server.drop_database(copy.database)


def rows(database: MySQLDatabase, table: str) -> list[tuple[Any, ...]]:
    return database.query(f"SELECT * FROM {table} ORDER BY 1")


def test_a_table_is_copied_and_kept_true(project: Project) -> None:
    project.shop.execute(
        "CREATE TABLE orders (id BIGINT UNSIGNED PRIMARY KEY, customer VARCHAR(40), total DECIMAL(20,10), "
        "paid TINYINT(1), span TIME(3), tags SET('a','b'), flags BIT(5), data JSON, made TIMESTAMP(6) NULL, "
        "doubled DECIMAL(21,10) AS (total * 2) STORED)"
    )
    project.shop.execute(
        "SET time_zone = '+00:00'; INSERT INTO orders (id, customer, total, paid, span, tags, flags, data, made) "
        "VALUES (1, 'Žofie 🦦', 0.1234567891, 4, '-01:30:00.5', 'a,b', b'101', '{\"b\": 1.10}', "
        "'2026-03-29 01:30:00.000001'), "
        "(18446744073709551615, NULL, -1, NULL, '838:59:59', '', NULL, NULL, NULL)"
    )
    read = {"table": "orders"}
    merge = {"table": "orders", "write_mode": "merge", "merge_keys": ["id"], "create": "if_missing"}
    code, _, told = project.run(read, merge)
    assert code == 0, told
    assert rows(project.copy, "orders") == rows(project.shop, "orders")
    project.shop.execute(
        "UPDATE orders SET customer = 'changed' WHERE id = 1; INSERT INTO orders (id, span) VALUES (2, NULL)"
    )
    code, result, told = project.run(read, merge)
    assert code == 0, told
    assert (result["steps"]["load"]["written"], result["steps"]["load"]["unchanged"]) == (3, 1)
    assert rows(project.copy, "orders") == rows(project.shop, "orders")


def test_an_incremental_copy_remembers_where_it_was(project: Project) -> None:
    project.shop.execute("CREATE TABLE t (id INT PRIMARY KEY, a INT); INSERT INTO t VALUES (1, 1), (2, 2)")
    project.copy.execute("CREATE TABLE t (id INT PRIMARY KEY, a INT)")
    read = {"table": "t", "incremental": {"cursor": "id"}}
    write = {"table": "t", "write_mode": "append"}
    for added in ("(3, 3)", "(4, 4), (5, 5)"):
        code, _, told = project.run(read, write)
        assert code == 0, told
        assert rows(project.copy, "t") == rows(project.shop, "t")
        project.shop.execute(f"INSERT INTO t VALUES {added}")
    assert project.copy.query("SELECT state FROM _osiris_commits ORDER BY committed_at DESC LIMIT 1") == [
        ('{"orders": {"cursor": "id", "value": "3"}}',)
    ]


def test_a_partitioned_copy_is_whole(project: Project) -> None:
    project.shop.execute(
        "CREATE TABLE t (id INT PRIMARY KEY, a INT); INSERT INTO t WITH RECURSIVE s AS "
        "(SELECT 1 AS n UNION ALL SELECT n + 1 FROM s WHERE n < 900) SELECT n, n * 7 FROM s"
    )
    read = {"table": "t", "partition": {"column": "id", "count": 3}}
    code, _, told = project.run(
        read, {"table": "t", "write_mode": "replace", "create": "if_missing"}, "--parallel", "2"
    )
    assert code == 0, told
    assert rows(project.copy, "t") == rows(project.shop, "t")


def test_dates_that_do_not_exist_end_a_run_or_are_counted(project: Project, tmp_path: Path) -> None:
    project.shop.execute(
        "SET sql_mode = ''; CREATE TABLE t (id INT PRIMARY KEY, d DATE); "
        "INSERT INTO t VALUES (1, '0000-00-00'), (2, '2024-02-29')"
    )
    write = {"table": "t", "write_mode": "replace", "create": "if_missing"}
    code, _, told = project.run({"table": "t"}, write)
    assert (code, "OSI-R106" in told, "id = 1" in told) == (4, True, True), told
    code, result, told = project.run({"table": "t", "on_invalid_date": None}, write)
    assert code == 0, told
    assert "on_invalid_date" in json.dumps(result)
    assert [row[1] is None for row in rows(project.copy, "t")] == [True, False]


def test_a_column_that_is_gone_is_told_with_the_nearest_name(project: Project) -> None:
    project.shop.execute("CREATE TABLE t (id INT PRIMARY KEY, amount INT)")
    code, _, told = project.run({"table": "t", "columns": ["id", "amout"]}, {"table": "t", "write_mode": "append"})
    assert (code, 'did you mean \\"amount\\"' in told) == (2, True), told


def test_a_cursor_that_is_text_is_refused_before_anything_is_read(project: Project) -> None:
    project.shop.execute("CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(9), seen DATETIME)")
    project.copy.execute("CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(9), seen DATETIME)")
    write = {"table": "t", "write_mode": "append"}
    for incremental, wanted in (
        ({"cursor": "name"}, "cannot be a cursor"),
        ({"cursor": "seen", "lag": 5}, "write a duration"),
        ({"cursor": "id", "lag": "PT1H"}, "write a number"),
    ):
        code, _, told = project.run({"table": "t", "incremental": incremental}, write)
        assert (code, wanted in told) == (2, True), told
    code, _, told = project.run({"table": "t", "columns": ["name"], "incremental": {"cursor": "id"}}, write)
    assert (code, "not among the columns" in told) == (2, True), told


def test_discover_and_doctor_know_mysql(project: Project) -> None:
    project.shop.execute("CREATE TABLE t (id INT PRIMARY KEY, a JSON)")
    secrets = {"SHOP_PASSWORD": project.shop.password, "COPY_PASSWORD": project.copy.password}
    found = project.osiris("discover", "@shop", "--json", env=secrets)
    assert found.returncode == 0, found.stderr
    assert '"json"' in found.stdout
    checked = project.osiris("connections", "test", "@shop", env=secrets)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    wrong = project.osiris("connections", "test", "@shop", env={**secrets, "SHOP_PASSWORD": "wrong-one"})
    assert wrong.returncode == 5
    assert "wrong-one" not in wrong.stdout + wrong.stderr


def test_no_process_carries_a_secret_in_its_arguments(project: Project) -> None:
    """TRAPS secrets: never put a value in argv, where every user of the machine can read it."""
    project.shop.execute("CREATE TABLE t (id INT PRIMARY KEY)")
    blocker = project.shop.connect()
    blocker.query("LOCK TABLES t WRITE")
    write = {"table": "t", "write_mode": "append", "create": "if_missing"}
    text = PIPELINE.replace("{read}", '{"table": "t"}').replace("{write}", json.dumps(write))
    (project.directory / "p.yaml").write_text(text)
    secrets = {"SHOP_PASSWORD": project.shop.password, "COPY_PASSWORD": project.copy.password}
    running = project.osiris.start("run", "p.yaml", "--mode", "off", env=secrets)
    try:
        waits = "SELECT COUNT(*) FROM information_schema.processlist WHERE state LIKE '%metadata lock%'"
        deadline = time.monotonic() + 60
        while not project.shop.query(waits)[0][0]:
            assert running.poll() is None and time.monotonic() < deadline, "the run does not wait for the table"
            time.sleep(0.05)
        arguments = b"".join(path.read_bytes() for path in processes(running.pid))
    finally:
        blocker.close()
        running.communicate(timeout=60)
    assert b"osiris" in arguments and b"p.yaml" in arguments
    assert [name for name, value in secrets.items() if value.encode() in arguments] == []


def processes(pid: int) -> list[Path]:
    """The command lines of a process and of all that it started."""
    children = " ".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")).split()
    return [Path(f"/proc/{pid}/cmdline"), *(path for child in children for path in processes(int(child)))]
