"""The test servers themselves: what the fixtures promise to the other tests."""

from __future__ import annotations

import importlib.util
import io
import os
import signal
import subprocess
import sys
import tarfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from osiris_core.testing.servers import MySQLDatabase, MySQLServer, PostgresDatabase, PostgresServer, ServerError
from osiris_core.testing.servers.database import ServerURL
from osiris_core.testing.servers.process import find_program


def test_mysql_database_is_empty_and_holds_unicode(mysql_database: MySQLDatabase) -> None:
    assert mysql_database.query("SHOW TABLES") == []
    mysql_database.execute("CREATE TABLE t (id INT PRIMARY KEY, name TEXT); INSERT INTO t VALUES (1, 'žluť 🐎')")
    mysql_database.insert("t", [(2, "two"), (3, None)])
    assert mysql_database.query("SELECT * FROM t ORDER BY id") == [(1, "žluť 🐎"), (2, "two"), (3, None)]


def test_postgres_database_is_empty_and_holds_unicode(postgres_database: PostgresDatabase) -> None:
    assert postgres_database.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == []
    postgres_database.execute("CREATE TABLE t (id INT PRIMARY KEY, name TEXT); INSERT INTO t VALUES (1, 'žluť 🐎')")
    postgres_database.insert("t", [(2, "two"), (3, None)])
    assert postgres_database.query("SELECT * FROM t ORDER BY id") == [(1, "žluť 🐎"), (2, "two"), (3, None)]


def test_pgbouncer_shows_the_same_database(
    postgres_database: PostgresDatabase, pgbouncer_database: PostgresDatabase
) -> None:
    postgres_database.execute("CREATE TABLE seen (id INT)")
    assert pgbouncer_database.port != postgres_database.port
    assert pgbouncer_database.query("SELECT count(*) FROM seen") == [(0,)]


def test_killed_mysql_keeps_what_was_committed(own_mysql_server: MySQLServer) -> None:
    database = own_mysql_server.create_database()
    database.execute("CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1)")
    with pytest.raises(Exception, match=r"Lost connection|MySQL server has gone away|refused"):
        own_mysql_server.kill()
        database.query("SELECT 1")
    own_mysql_server.start()
    assert database.query("SELECT id FROM t") == [(1,)]
    own_mysql_server.drop_database(database.database)


def test_killed_postgres_keeps_what_was_committed(own_postgres_server: PostgresServer) -> None:
    database = own_postgres_server.create_database()
    database.execute("CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1)")
    own_postgres_server.kill()
    with pytest.raises(Exception, match="refused"):
        database.query("SELECT 1")
    own_postgres_server.start()
    assert database.query("SELECT id FROM t") == [(1,)]
    own_postgres_server.drop_database(database.database)


@pytest.mark.parametrize("factory", ["mysql_server", "postgres_server"])
def test_servers_end_with_the_process_that_started_them(factory: str, tmp_path: Path) -> None:
    """Even when that process is killed and can clean up nothing."""
    script = f"""
import time
from osiris_core.testing.servers import {factory}
with {factory}() as server:
    process = server._process
    print(process._process.pid, process.directory, flush=True)
    time.sleep(600)
"""
    starter = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    assert starter.stdout is not None
    pid, directory = starter.stdout.readline().split()
    assert is_alive(int(pid))
    starter.send_signal(signal.SIGKILL)
    starter.wait()
    deadline = time.monotonic() + 15
    while (is_alive(int(pid)) or Path(directory).exists()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(int(pid))
    assert not Path(directory).exists()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")  # in a container without an init, a dead orphan stays as a zombie
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_missing_server_names_the_command_that_installs_it() -> None:
    with pytest.raises(ServerError, match=r"no-such-server is not installed\. Install it: apt-get install it"):
        find_program(["no-such-server"], [], "apt-get install it")


def test_the_first_directory_of_the_path_outranks_the_first_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a server of another version is chosen by putting its programs first, whatever this one is called."""
    for path in ("other/mysqld", "system/mysqld", "system/mariadbd"):
        program = tmp_path / path
        program.parent.mkdir(exist_ok=True)
        program.touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "other"))
    names, folders = ("mariadbd", "mysqld"), [tmp_path / "system"]
    assert find_program(names, folders, "") == tmp_path / "other/mysqld"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_program(names, folders, "") == tmp_path / "system/mariadbd"


def other_databases(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    script = Path(__file__).parents[1] / "scripts" / "other_databases.py"
    command = [sys.executable, str(script), *arguments]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60)


def test_other_databases_say_what_they_need(tmp_path: Path) -> None:
    unknown = other_databases("mysql-5.7")
    assert unknown.returncode == 2
    assert "invalid choice: 'mysql-5.7'" in unknown.stderr
    names = other_databases("--list").stdout.split()
    assert {name.partition("-")[0] for name in names} == {"mysql", "mariadb", "postgres"}
    for name in names:
        bare = other_databases(name, "--directory", str(tmp_path), PATH=str(tmp_path))
        assert bare.returncode == 1
        assert bare.stderr.startswith("other_databases: apt-get is not here")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module scripts/other_databases.py, for which a package is a plain tar file and apt-get has no network."""
    for name, text in {
        "dpkg-deb": 'exec cat "$2"',
        "apt-get": "echo 'W: Failed to fetch jammy-updates' >&2",
    }.items():
        tmp_path.joinpath(name).write_text(f"#!/bin/sh\n{text}\n")
        tmp_path.joinpath(name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    path = Path(__file__).parents[1] / "scripts" / "other_databases.py"
    spec = importlib.util.spec_from_file_location("other_databases", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "other_databases", module)
    spec.loader.exec_module(module)
    return module


def test_an_unpacked_program_runs_as_nobody_else(script: Any, tmp_path: Path) -> None:
    """Root unpacks mount and su beside a server, of releases that are old by then."""
    with tarfile.open(tmp_path / "package", "w") as package:
        for name, mode in {"su": 0o4755, "wall": 0o2755, "ls": 0o755}.items():
            item = tarfile.TarInfo(f"./usr/bin/{name}")
            item.mode = mode
            package.addfile(item, io.BytesIO())
    script.unpack([tmp_path / "package"], tmp_path / "root")
    found = {path.name: path.stat().st_mode & 0o7777 for path in tmp_path.glob("root/usr/bin/*")}
    assert found == {"su": 0o755, "wall": 0o755, "ls": 0o755}


def test_an_archive_that_is_read_in_part_is_a_failure(script: Any, tmp_path: Path) -> None:
    """apt-get only warns of a list that it cannot read, and would go on with older packages."""
    release = script.RELEASES["mysql-8.0"]
    release = replace(release, archive=replace(release.archive, keyring=str(tmp_path / "apt-get")))
    with pytest.raises(script.SetupError, match=r"apt-get update for .* failed"):
        script.download(release, tmp_path / "apt")


def test_a_url_names_a_server_of_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVER", "mysql://me:p%40ss%2Fword@db.example:3307/shop")
    assert ServerURL.from_environment("SERVER", 3306) == ServerURL("db.example", 3307, "me", "p@ss/word", "shop")
    monkeypatch.setenv("SERVER", "")
    assert ServerURL.from_environment("SERVER", 3306) is None


def test_a_server_that_is_not_ours_is_not_killed(mysql_database: MySQLDatabase) -> None:
    with pytest.raises(ServerError, match="not ours to stop"):
        MySQLServer(mysql_database).kill()
