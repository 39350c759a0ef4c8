"""``osiris doctor`` for PostgreSQL: each category, and each with its mend."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from osiris_core import Connection, Finding, Secret, StepView
from osiris_core.testing import Connector, people
from osiris_core.testing.servers import PostgresDatabase
from osiris_postgres import doctor
from osiris_postgres.connect import place_of


def findings(connector: Connector, **fields: Any) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for finding in connector.driver.check(connector.connection_with(**fields)):
        found.setdefault(finding.category, []).append(finding)
    return found


def test_a_good_connection(connector: Connector) -> None:
    found = findings(connector)
    assert set(found) == {
        "name_resolution",
        "network",
        "authentication",
        "tls",
        "version",
        "pooler",
        "clock",
        "permission",
    }
    assert {finding.status for group in found.values() for finding in group} == {"ok"}


def test_a_schema_that_is_missing_or_closed(connector: Connector, postgres_database: PostgresDatabase) -> None:
    assert [(f.status, f.message) for f in findings(connector, schema="nowhere")["permission"]] == [
        ("failed", 'schema "nowhere" does not exist')
    ]
    user = f"few_{postgres_database.database}"
    postgres_database.execute(
        f"CREATE SCHEMA closed; CREATE ROLE \"{user}\" LOGIN PASSWORD 'p'; REVOKE CREATE ON SCHEMA public FROM PUBLIC"
    )
    assert findings(connector, schema="closed", user=user, password=Secret("p"))["permission"][0].status == "failed"
    last = findings(connector, user=user, password=Secret("p"))["permission"][-1]
    assert last.status == "warning"
    assert 'CREATE TABLE IF NOT EXISTS "public"."_osiris_commits"' in last.hint


def test_a_server_that_takes_no_writes(connector: Connector, postgres_database: PostgresDatabase) -> None:
    name = postgres_database.database
    postgres_database.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    assert "no writes" in findings(connector)["permission"][-1].message


def test_a_clock_that_is_wrong(connector: Connector, monkeypatch: pytest.MonkeyPatch) -> None:
    class Late(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) - timedelta(hours=1)

    monkeypatch.setattr(doctor, "datetime", Late)
    found = findings(connector)["clock"][0]
    assert found.status == "warning"
    assert "3600 s" in found.message
    assert datetime.now(UTC)


def resolve_to(monkeypatch: pytest.MonkeyPatch, *families: int) -> None:
    """What the resolver answers for every name."""

    def getaddrinfo(host: str, port: int, *arguments: Any, **keywords: Any) -> list[Any]:
        if not families:
            raise socket.gaierror(-2, "Name or service not known")
        address = {socket.AF_INET: ("127.0.0.1", port), socket.AF_INET6: ("100::1", port, 0, 0)}
        return [(family, socket.SOCK_STREAM, 6, "", address[socket.AddressFamily(family)]) for family in families]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


SUPABASE = Connection(
    "w",
    "postgres",
    {"host": "db.abcdefghijkl.supabase.co", "database": "postgres", "user": "postgres", "connect_timeout": 1},
)


def test_a_direct_host_with_ipv6_only_is_told_the_session_pooler(monkeypatch: pytest.MonkeyPatch) -> None:
    """TRAPS: Supabase's direct host is IPv6-only for many: print the session-pooler form (port 5432)."""
    resolve_to(monkeypatch, socket.AF_INET6)
    found = doctor.check(place_of(SUPABASE))
    assert [(f.category, f.status) for f in found] == [
        ("name_resolution", "ok"),
        ("ipv6_only", "warning"),
        ("ipv6_only", "failed"),
    ]
    for finding in found[1:]:
        assert "pooler.supabase.com, port: 5432, user: postgres.abcdefghijkl" in finding.hint


def test_a_name_that_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch)
    found = doctor.check(place_of(SUPABASE))
    assert [(f.category, f.status) for f in found] == [("name_resolution", "failed")]
    assert "port: 5432" in found[0].hint


def test_an_old_server_is_refused(connector: Connector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "OLDEST_VERSION", 990000)
    assert findings(connector)["version"][0].status == "failed"


def test_connections_are_keywords_and_never_text() -> None:
    """TRAPS: f-string DSNs leak password fragments when the password holds / @ : #."""
    password = "p@ss/w:rd#1 'x' \\"
    fields = {"host": "h", "port": 6000, "database": "d b", "user": "u@x", "password": Secret(password, "P")}
    place = place_of(Connection("w", "postgres", fields))
    assert place.keywords["password"] == password
    assert (place.keywords["dbname"], place.keywords["user"], place.keywords["port"]) == ("d b", "u@x", 6000)
    verified = place_of(Connection("w", "postgres", {**fields, "sslmode": "verify-full"}))
    assert verified.keywords["sslrootcert"] == "system"


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"write_mode": "append"}, "copies straight"),
        ({"write_mode": "merge", "merge_keys": ["id"]}, "ON CONFLICT"),
        ({"write_mode": "merge", "merge_keys": ["name"]}, "no unique key"),
        ({"write_mode": "replace"}, "deletes all rows"),
    ],
)
def test_the_plan_says_how_rows_get_in(connector: Connector, config: dict[str, Any], words: str) -> None:
    connector.seed(people([]), keys=["id"], name="t")
    step = StepView("s", "postgres.table", "write", "@c", (), {"table": "t", **config})
    notes = connector.driver.plan_step(step, connector.spec, connector.discover())
    assert len(notes) == 1
    assert words in notes[0]


def test_the_plan_says_who_refers_to_a_table_that_is_replaced(
    connector: Connector, postgres_database: PostgresDatabase
) -> None:
    connector.seed(people([]), keys=["id"], name="t")
    postgres_database.execute("CREATE TABLE child (ref int8 REFERENCES t)")
    step = StepView("s", "postgres.table", "write", "@c", (), {"table": "t", "write_mode": "replace"})
    assert "since child refer" in connector.driver.plan_step(step, connector.spec, connector.discover())[0]
    missing = StepView("s", "postgres.table", "write", "@c", (), {"table": "n", "write_mode": "replace"})
    assert "makes the table" in connector.driver.plan_step(missing, connector.spec, connector.discover())[0]
