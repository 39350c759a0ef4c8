"""Fixtures of the PostgreSQL tests: a connector over a database of the test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from osiris_core.testing import Connector
from osiris_core.testing.servers import PostgresDatabase


@pytest.fixture
def connector(postgres_database: PostgresDatabase, tmp_path: Path) -> Connector:
    """postgres.table over an empty database."""
    return Connector("postgres.table", postgres_database.fields, tmp_path, execute=postgres_database.execute)


@pytest.fixture
def pooled(postgres_database: PostgresDatabase, pgbouncer_database: PostgresDatabase, tmp_path: Path) -> Connector:
    """The same through PgBouncer in transaction mode."""
    return Connector("postgres.table", pgbouncer_database.fields, tmp_path, execute=postgres_database.execute)
