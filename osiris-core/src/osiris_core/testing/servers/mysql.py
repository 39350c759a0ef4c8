"""MySQL or MariaDB for tests: started on a free loopback port, or the one that a URL names."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from osiris_core.testing.servers.database import PASSWORD, USER, Database, ServerURL
from osiris_core.testing.servers.process import ServerProcess, find_program, unprivileged_user
from osiris_core.testing.servers.server import Server

URL_VARIABLE = "OSIRIS_TEST_MYSQL_URL"
_INSTALL = (
    f"scripts/install-servers (Debian: apt-get install mariadb-server; macOS: brew install mariadb), "
    f"or set {URL_VARIABLE}=mysql://user:password@host:port"
)
_FOLDERS = (Path("/usr/sbin"), Path("/usr/local/sbin"), Path("/opt/homebrew/bin"))


class MySQLDatabase(Database):
    """A database on a MySQL or MariaDB server."""

    def connect(self) -> Any:
        """A PyMySQL connection: autocommit, utf8mb4, several statements allowed."""
        import pymysql
        from pymysql.constants import CLIENT

        return pymysql.connect(
            **self.fields, autocommit=True, charset="utf8mb4", client_flag=CLIENT.MULTI_STATEMENTS, connect_timeout=10
        )

    @property
    def url(self) -> str:
        """``mysql://user:password@host:port/database``, quoted."""
        return self._url("mysql")


class MySQLServer(Server[MySQLDatabase]):
    """A MySQL or MariaDB server."""

    @property
    def unix_socket(self) -> str | None:
        """The path of its socket; None for a server that a URL names."""
        return None if self._process is None else str(self._process.directory / "s.sock")

    def drop_database(self, name: str) -> None:
        """Remove a database if it exists. Raises after ten seconds when a transaction still uses it."""
        self.execute(f"SET SESSION lock_wait_timeout = 10; DROP DATABASE IF EXISTS `{name}`")

    def _create(self, name: str) -> None:
        self.execute(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")

    def _command(self, port: int) -> list[str]:
        return [*self._options, f"--port={port}"]


@contextmanager
def mysql_server(*, durable: bool = False, settings: Mapping[str, str | int] | None = None) -> Iterator[MySQLServer]:
    """Start MariaDB (or MySQL) for the length of a ``with`` block, in a temporary directory.

    ``durable`` keeps the server's own flushing to disk, for benchmarks; ``settings`` are server variables.
    Raises ServerError when no server is installed or it does not start.
    """
    program = find_program(("mariadbd", "mysqld"), _FOLDERS, _INSTALL)
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    process = ServerProcess("mysql", user=unprivileged_user("mysql"))
    try:
        server = _initialise(process, program, "MariaDB" in version, _variables(durable, settings or {}))
        yield server
    finally:
        process.close()


@contextmanager
def mysql_server_from_environment() -> Iterator[MySQLServer]:
    """The server that ``OSIRIS_TEST_MYSQL_URL`` names, or else one of our own."""
    url = ServerURL.from_environment(URL_VARIABLE, 3306)
    if url is None:
        with mysql_server() as server:
            yield server
    else:
        yield MySQLServer(MySQLDatabase(url.host, url.port, url.database, url.user, url.password))


def _variables(durable: bool, settings: Mapping[str, str | int]) -> dict[str, str | int]:
    variables: dict[str, str | int] = {
        "innodb_buffer_pool_size": "128M",
        "max_allowed_packet": "64M",
        "character_set_server": "utf8mb4",
        "performance_schema": "OFF",
        "secure_file_priv": "",  # what MySQL is built with is a directory that its packages make
    }
    if not durable:  # a crash of the server loses nothing all the same: the operating system has the writes
        variables["innodb_flush_log_at_trx_commit"] = 2
        variables["sync_binlog"] = 0
    return {**variables, **settings}


def _initialise(
    process: ServerProcess, program: Path, mariadb: bool, variables: Mapping[str, str | int]
) -> MySQLServer:
    data = process.directory / "data"
    # A directory of its own for temporary tables: a server that starts removes those of others in a shared one.
    temporary = process.directory / "tmp"
    temporary.mkdir()
    process.give(temporary)
    common = ["--no-defaults", f"--datadir={data}", f"--tmpdir={temporary}"]
    if mariadb:
        install = find_program(("mariadb-install-db", "mysql_install_db"), _FOLDERS, _INSTALL)
        process.run(install, *common, "--auth-root-authentication-method=normal", "--skip-test-db")
    else:
        process.run(program, *common, "--initialize-insecure")
    accounts = process.directory / "accounts.sql"
    # The anonymous user ''@'localhost' would shadow osiris@'%' for clients from this machine.
    accounts.write_text(
        "DROP USER IF EXISTS ''@'localhost';\n"
        f"CREATE USER IF NOT EXISTS '{USER}'@'%' IDENTIFIED BY '{PASSWORD}';\n"
        f"GRANT ALL PRIVILEGES ON *.* TO '{USER}'@'%' WITH GRANT OPTION;\n"
    )
    options = [
        str(program),
        *common,
        "--bind-address=127.0.0.1",
        "--skip-name-resolve",
        "--skip-log-bin",
        f"--socket={process.directory / 's.sock'}",
        f"--pid-file={process.directory / 'pid'}",
        f"--init-file={accounts}",
        *(f"--{name.replace('_', '-')}={value}" for name, value in variables.items()),
    ]
    process.start(
        lambda port: [*options, f"--port={port}"],
        lambda port: MySQLDatabase("127.0.0.1", port, "", USER, PASSWORD).query("SELECT 1"),
    )
    return MySQLServer(MySQLDatabase("127.0.0.1", process.port, "", USER, PASSWORD), process, options)
