"""postgres.table keeps what its spec promises, directly and through a pooler in transaction mode."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from osiris_core.testing import Connector
from osiris_core.testing.servers import PostgresDatabase
from osiris_postgres.testing import PostgresSuite


class TestPostgresTable(PostgresSuite):
    component = "postgres.table"
    plugin_module = "osiris_postgres.plugin"
    client_libraries = ("psycopg", "pgpq", "numpy", "pyarrow")

    @pytest.fixture
    def connector(self, postgres_database: PostgresDatabase, tmp_path: Path) -> Iterator[Connector]:
        yield Connector(self.component, postgres_database.fields, tmp_path, execute=postgres_database.execute)


class TestPostgresTableThroughATransactionPooler(PostgresSuite):
    component = "postgres.table"
    plugin_module = "osiris_postgres.plugin"
    client_libraries = ("psycopg", "pgpq", "numpy", "pyarrow")

    @pytest.fixture
    def connector(
        self, postgres_database: PostgresDatabase, pgbouncer_database: PostgresDatabase, tmp_path: Path
    ) -> Iterator[Connector]:
        yield Connector(self.component, pgbouncer_database.fields, tmp_path, execute=postgres_database.execute)
