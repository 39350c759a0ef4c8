"""PostgreSQL and PgBouncer for tests: started on free loopback ports, or the server that a URL names."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from osiris_core.testing.servers.database import PASSWORD, USER, Database, ServerURL
from osiris_core.testing.servers.process import ServerProcess, find_program, unprivileged_user
from osiris_core.testing.servers.server import Server

URL_VARIABLE = "OSIRIS_TEST_POSTGRES_URL"
_INSTALL = (
    f"scripts/install-servers (Debian: apt-get install postgresql; macOS: brew install postgresql), "
    f"or set {URL_VARIABLE}=postgresql://user:password@host:port/database"
)
_INSTALL_BOUNCER = "scripts/install-servers (Debian: apt-get install pgbouncer; macOS: brew install pgbouncer)"


class PostgresDatabase(Database):
    """A database on a PostgreSQL server, or the same through a pooler."""

    def connect(self) -> Any:
        """A psycopg connection in autocommit mode that prepares nothing, so it works through a pooler."""
        import psycopg

        return psycopg.connect(
            host=self.host,
            port=self.port,
            dbname=self.database,
            user=self.user,
            password=self.password,
            autocommit=True,
            prepare_threshold=None,
            connect_timeout=10,
        )

    @property
    def url(self) -> str:
        """``postgresql://user:password@host:port/database``, quoted."""
        return self._url("postgresql")


class PostgresServer(Server[PostgresDatabase]):
    """A PostgreSQL server."""

    @property
    def unix_socket(self) -> str | None:
        """The directory of its socket; None for a server that a URL names."""
        return None if self._process is None else str(self._process.directory)

    def drop_database(self, name: str) -> None:
        """Remove a database if it exists, and cut off whoever is still connected to it."""
        if int(self.query("SHOW server_version_num")[0][0]) >= 130_000:
            self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        else:  # the server waits for those who are told to go
            self.admin.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
            self.execute(f'DROP DATABASE IF EXISTS "{name}"')

    def _create(self, name: str) -> None:
        self.execute(f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8'")

    def _command(self, port: int) -> list[str]:
        return [*self._options, "-p", str(port)]


@contextmanager
def postgres_server(
    *, durable: bool = False, settings: Mapping[str, str | int] | None = None
) -> Iterator[PostgresServer]:
    """Start PostgreSQL for the length of a ``with`` block, in a temporary directory.

    ``durable`` keeps fsync on, for benchmarks; ``settings`` are server parameters.
    Raises ServerError when no server is installed or it does not start.
    """
    initdb = find_program(("initdb",), _folders(), _INSTALL)
    variables: dict[str, str | int] = {"max_connections": 100, "shared_buffers": "128MB"}
    if not durable:  # a crash of the server loses no commit all the same: the operating system has the writes
        variables["fsync"] = "off"
    variables.update(settings or {})
    # SIGINT is PostgreSQL's fast shutdown; SIGQUIT ends all backends at once, without a checkpoint.
    process = ServerProcess(
        "postgres",
        user=unprivileged_user("postgres"),
        stop_signal=signal.SIGINT,
        crash_signal=signal.SIGQUIT,
    )
    try:
        yield _initialise(process, initdb, variables)
    finally:
        process.close()


@contextmanager
def postgres_server_from_environment() -> Iterator[PostgresServer]:
    """The server that ``OSIRIS_TEST_POSTGRES_URL`` names, or else one of our own."""
    url = ServerURL.from_environment(URL_VARIABLE, 5432)
    if url is None:
        with postgres_server() as server:
            yield server
    else:
        yield PostgresServer(
            PostgresDatabase(url.host, url.port, url.database or "postgres", url.user, url.password),
        )


@contextmanager
def pgbouncer(server: PostgresServer, *, pool_mode: str = "transaction", pool_size: int = 10) -> Iterator[int]:
    """Start PgBouncer before a server, for any of its databases; gives the port to connect to.

    Raises ServerError when PgBouncer is not installed or does not start.
    """
    program = find_program(("pgbouncer",), (Path("/usr/sbin"), Path("/opt/homebrew/bin")), _INSTALL_BOUNCER)
    process = ServerProcess("pgbouncer", user=unprivileged_user("postgres"), stop_signal=signal.SIGTERM)
    users = process.directory / "users.txt"
    users.write_text(f'"{server.user}" "{server.password}"\n')
    config = process.directory / "pgbouncer.ini"

    def command(port: int) -> list[str]:
        config.write_text(
            f"[databases]\n* = host={server.host} port={server.port}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = scram-sha-256\nauth_file = {users}\npool_mode = {pool_mode}\n"
            f"default_pool_size = {pool_size}\nmax_client_conn = 200\nadmin_users = {server.user}\n"
            "ignore_startup_parameters = extra_float_digits,options\n"
        )
        return [str(program), str(config)]

    try:
        process.start(command, lambda port: replace(server.admin, port=port).query("SELECT 1"))
        yield process.port
    finally:
        process.close()


def _folders() -> list[Path]:
    """Where distributions keep the server's programs, the newest version first."""
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    newest_first = sorted(versions, key=lambda path: [int(n) for n in re.findall(r"\d+", str(path))], reverse=True)
    return [*newest_first, Path("/opt/homebrew/opt/postgresql/bin"), Path("/usr/pgsql/bin")]


def _initialise(process: ServerProcess, initdb: Path, variables: Mapping[str, str | int]) -> PostgresServer:
    data = process.directory / "data"
    secret = process.directory / "password"
    secret.write_text(PASSWORD)
    process.run(
        initdb,
        f"--pgdata={data}",
        f"--username={USER}",
        f"--pwfile={secret}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--no-locale",
        "--no-sync",
    )
    options = [
        str(initdb.with_name("postgres")),
        *("-D", str(data)),
        *("-c", "listen_addresses=127.0.0.1"),
        *("-c", f"unix_socket_directories={process.directory}"),
        *(part for name, value in variables.items() for part in ("-c", f"{name}={value}")),
    ]
    process.start(
        lambda port: [*options, "-p", str(port)],
        lambda port: PostgresDatabase("127.0.0.1", port, "postgres", USER, PASSWORD).query("SELECT 1"),
    )
    return PostgresServer(
        PostgresDatabase("127.0.0.1", process.port, "postgres", USER, PASSWORD),
        process,
        options,
    )
