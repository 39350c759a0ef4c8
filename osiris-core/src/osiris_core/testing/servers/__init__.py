"""Real database servers for tests and benchmarks, and the pytest plugin that hands them out.

In tests, register the plugin once (``pytest_plugins = ["osiris_core.testing.servers"]``) and ask for a fixture:

- ``mysql_database``, ``postgres_database``: an empty database for this one test;
- ``mysql_server``, ``postgres_server``: the server that this worker's tests share;
- ``own_mysql_server``, ``own_postgres_server``: one that a test may kill, stop and restart;
- ``pgbouncer_database``: ``postgres_database`` through PgBouncer in transaction mode.

The servers are MariaDB (or MySQL) and PostgreSQL, started on free loopback ports in a temporary directory and gone
with the process that started them; or those that ``OSIRIS_TEST_MYSQL_URL`` and ``OSIRIS_TEST_POSTGRES_URL`` name.
A program that is not installed fails the test and says how to install it: nothing is skipped.

``Relay`` stands before a server where a test alters or cuts what passes.

Outside pytest the same servers are context managers: ``with mysql_server(durable=True) as server: …``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from osiris_core.testing.servers.database import Database
from osiris_core.testing.servers.mysql import (
    MySQLDatabase,
    MySQLServer,
    mysql_server,
    mysql_server_from_environment,
)
from osiris_core.testing.servers.postgres import (
    PostgresDatabase,
    PostgresServer,
    pgbouncer,
    postgres_server,
    postgres_server_from_environment,
)
from osiris_core.testing.servers.process import ServerError, ServerProcess, free_port
from osiris_core.testing.servers.relay import CutConnection, Relay

__all__ = [
    "CutConnection",
    "Database",
    "MySQLDatabase",
    "MySQLServer",
    "PostgresDatabase",
    "PostgresServer",
    "Relay",
    "ServerError",
    "ServerProcess",
    "free_port",
    "mysql_server",
    "pgbouncer",
    "postgres_server",
]


# The fixtures' functions end in _fixture because their names are those of the context managers above.
@pytest.fixture(scope="session", name="mysql_server")
def mysql_server_fixture() -> Iterator[MySQLServer]:
    """The MySQL or MariaDB server of this worker."""
    with mysql_server_from_environment() as server:
        yield server


@pytest.fixture(scope="session", name="postgres_server")
def postgres_server_fixture() -> Iterator[PostgresServer]:
    """The PostgreSQL server of this worker."""
    with postgres_server_from_environment() as server:
        yield server


@pytest.fixture(scope="session", name="pgbouncer_port")
def pgbouncer_port_fixture(request: pytest.FixtureRequest) -> Iterator[int]:
    """The port of a PgBouncer in transaction mode before ``postgres_server``."""
    with pgbouncer(request.getfixturevalue("postgres_server")) as port:
        yield port


@pytest.fixture(name="mysql_database")
def mysql_database_fixture(request: pytest.FixtureRequest) -> Iterator[MySQLDatabase]:
    """An empty MySQL database, dropped after the test."""
    server: MySQLServer = request.getfixturevalue("mysql_server")
    database = server.create_database()
    yield database
    server.drop_database(database.database)


@pytest.fixture(name="postgres_database")
def postgres_database_fixture(request: pytest.FixtureRequest) -> Iterator[PostgresDatabase]:
    """An empty PostgreSQL database, dropped after the test."""
    server: PostgresServer = request.getfixturevalue("postgres_server")
    database = server.create_database()
    yield database
    server.drop_database(database.database)


@pytest.fixture(name="pgbouncer_database")
def pgbouncer_database_fixture(postgres_database: PostgresDatabase, pgbouncer_port: int) -> PostgresDatabase:
    """``postgres_database`` as a client of a transaction pooler sees it."""
    return replace(postgres_database, host="127.0.0.1", port=pgbouncer_port)


@pytest.fixture(scope="session", name="_spare_servers")
def spare_servers_fixture() -> Iterator[ExitStack]:
    """Servers started beside those that URLs name; closed at the end."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture(name="own_mysql_server")
def own_mysql_server_fixture(request: pytest.FixtureRequest) -> Iterator[MySQLServer]:
    """A MySQL or MariaDB server that the test may kill, stop and restart; running again afterwards."""
    shared: MySQLServer = request.getfixturevalue("mysql_server")
    stack: ExitStack = request.getfixturevalue("_spare_servers")
    server = shared if shared.is_own else stack.enter_context(mysql_server())
    yield server
    if not server.is_running:
        server.start()


@pytest.fixture(name="own_postgres_server")
def own_postgres_server_fixture(request: pytest.FixtureRequest) -> Iterator[PostgresServer]:
    """A PostgreSQL server that the test may kill, stop and restart; running again afterwards."""
    shared: PostgresServer = request.getfixturevalue("postgres_server")
    stack: ExitStack = request.getfixturevalue("_spare_servers")
    server = shared if shared.is_own else stack.enter_context(postgres_server())
    yield server
    if not server.is_running:
        server.start()
