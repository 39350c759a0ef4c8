"""Fixtures of the REST channel: the PostgREST double over a real PostgreSQL."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from osiris_core.testing.servers import PostgresDatabase

sys.path.insert(0, str(Path(__file__).parent))

from postgrest_double import PostgrestDouble, jwt


@pytest.fixture
def rest(postgres_database: PostgresDatabase) -> Iterator[PostgrestDouble]:
    """The double before this test's database. A request that it does not implement fails the test."""
    with PostgrestDouble(postgres_database.connect) as double:
        yield double
    assert double.unsupported == []


@pytest.fixture
def rest_fields(rest: PostgrestDouble) -> dict[str, object]:
    """The fields of a REST connection with a service role key."""
    return {"url": rest.url, "key": jwt("service_role"), "channel": "rest"}
