"""supabase.table over SQL keeps what its spec promises; and what is Supabase's own about it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from postgrest_double import PostgrestDouble, jwt

from osiris_core import ConfigurationError, Connection, Secret, StepView
from osiris_core.testing import Connector, demonstrates, people
from osiris_core.testing.servers import PostgresDatabase
from osiris_core.testing.suites.delivery import DeliverySuite
from osiris_postgres.testing import PostgresSuite
from osiris_supabase.settings import channel_of, sql_place


@pytest.fixture
def connector(postgres_database: PostgresDatabase, tmp_path: Path) -> Iterator[Connector]:
    fields = {**postgres_database.fields, "sslmode": "prefer"}
    yield Connector("supabase.table", fields, tmp_path, execute=postgres_database.execute)


class TestSupabaseTable(PostgresSuite):
    component = "supabase.table"
    plugin_module = "osiris_supabase.plugin"
    client_libraries: ClassVar[tuple[str, ...]] = ("psycopg", "pgpq", "numpy", "pyarrow", "supabase", "httpx")

    @pytest.fixture
    def connector(
        self, postgres_database: PostgresDatabase, rest: PostgrestDouble, tmp_path: Path
    ) -> Iterator[Connector]:
        fields = {**postgres_database.fields, "sslmode": "prefer", "url": rest.url, "key": jwt("service_role")}
        yield Connector(self.component, fields, tmp_path, execute=postgres_database.execute)

    @demonstrates("read", "channel")
    def test_a_read_goes_over_the_channel_it_names(self, connector: Connector, rest: PostgrestDouble) -> None:
        name = connector.seed(people([1]), keys=["id"])
        rest.reload()
        assert connector.rows(name, channel="sql") == connector.rows(name)
        assert not rest.requests
        over_rest = Connector(connector.component, {**connector.fields, "channel": "rest"}, connector.work_dir)
        assert over_rest.rows(name, channel="rest") == connector.rows(name)
        assert {request.method for request in rest.requests} == {"GET", "HEAD"}

    @demonstrates("write", "channel")
    def test_a_write_goes_over_the_channel_it_names(self, connector: Connector, rest: PostgrestDouble) -> None:
        name = connector.seed(people([1]), keys=["id"])
        rest.reload()
        connector.write(name, people([2]), channel="sql")
        assert not rest.requests
        over_rest = Connector(connector.component, {**connector.fields, "channel": "rest"}, connector.work_dir)
        over_rest.write(name, people([3]), create="never", channel="rest")
        assert [row["id"] for row in connector.rows(name)] == [1, 2, 3]
        assert "POST" in {request.method for request in rest.requests}


class TestDeliveryOverSQL(DeliverySuite):
    """Exactly once is this channel's promise, so the kit's proof of it runs here too."""


def test_the_ledger_is_kept_where_the_api_does_not_look(
    connector: Connector, postgres_database: PostgresDatabase
) -> None:
    connector.write("t", people([1]))
    assert postgres_database.query(
        "SELECT n.nspname, c.relrowsecurity FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relname = '_osiris_commits'"
    ) == [("osiris", True)]


def test_the_api_sees_a_new_table_at_once(
    connector: Connector, rest: PostgrestDouble, rest_fields: dict[str, object], tmp_path: Path
) -> None:
    """TRAPS: PGRST204/205 after DDL: NOTIFY."""
    connector.write("fresh", people([1]), primary_key=["id"])
    over_rest = Connector("supabase.table", rest_fields, tmp_path)
    for _ in range(100):
        if over_rest.discover().table("fresh"):
            break
    assert over_rest.rows("fresh") == connector.rows("fresh")


def _connection(**fields: str) -> Connection:
    return Connection("w", "supabase", {k: Secret(v) if k in ("password", "key") else v for k, v in fields.items()})


def test_the_project_ref_names_the_direct_host() -> None:
    place = sql_place(_connection(project_ref="abcdefgh", password="p"))
    assert place.keywords["host"] == "db.abcdefgh.supabase.co"
    assert (place.keywords["user"], place.keywords["dbname"], place.keywords["sslmode"]) == (
        "postgres",
        "postgres",
        "require",
    )


@pytest.mark.parametrize(
    ("fields", "channel"),
    [
        ({"project_ref": "abcd", "password": "p"}, "sql"),
        ({"host": "h", "password": "p", "url": "https://u", "key": "k"}, "sql"),
        ({"host": "h", "password": "p", "url": "https://u", "key": "k", "channel": "rest"}, "rest"),
        ({"url": "https://u", "key": "k"}, "rest"),
    ],
)
def test_the_channel_of_a_connection(fields: dict[str, str], channel: str) -> None:
    assert channel_of(_connection(**fields)) == channel


@pytest.mark.parametrize(
    "fields", [{"url": "https://u", "key": "k", "channel": "sql"}, {"host": "h", "password": "p", "channel": "rest"}]
)
def test_a_channel_without_its_fields_is_refused(fields: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="lacks what the channel"):
        channel_of(_connection(**fields))


def test_compile_pins_the_channel_that_the_catalogue_came_over(connector: Connector) -> None:
    connector.write("t", people([1]))
    view = StepView("s", "supabase.table", "write", "@w", (), {"table": "t", "write_mode": "append"})
    pinned = connector.driver.compile_step(view, connector.spec, connector.discover("t"))
    assert pinned is not None
    assert pinned["channel"] == "sql"
