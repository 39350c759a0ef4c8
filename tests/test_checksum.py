"""verify: checksum compares the source too: a value that changes on its way is found, and its row named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from osiris_core.testing.cli import Osiris
from osiris_core.testing.servers import Database, PostgresDatabase, Relay

PIPELINE = """
oml_version: "0.0.1"
name: notes
steps:
  - {{id: read, component: {family}.table, mode: read, connection: "@shop", config: {{table: notes{more}}}}}
  - {{id: write, component: postgres.table, mode: write, connection: "@warehouse", needs: [read],
      config: {{table: copied, write_mode: append, create: if_missing, verify: {verify}}}}}
"""
#: Sources, with what makes their connections readable on the wire.
PLAIN = {"mysql": {"ssl_mode": "disabled"}, "postgres": {"sslmode": "disable"}, "supabase": {"sslmode": "disable"}}


@pytest.fixture(params=PLAIN)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def source(family: str, request: pytest.FixtureRequest) -> Database:
    """A database with 1,999 notes."""
    database: Database = request.getfixturevalue("mysql_database" if family == "mysql" else "postgres_database")
    database.execute("CREATE TABLE notes (id INT PRIMARY KEY, note VARCHAR(20))")
    database.insert("notes", [(number, f"note {number}") for number in range(1, 2000)])
    return database


@pytest.fixture
def meddler(source: Database) -> Iterator[Relay]:
    """A way to the server on which one text of its rows becomes another."""

    def altered(data: bytes, from_server: bool) -> bytes:
        return data.replace(b"as it is there", b"as it is heard") if from_server else data

    relay = Relay(source.host, source.port, altered)
    yield relay
    relay.close()


@pytest.fixture
def run(
    osiris: Osiris, tmp_path: Path, family: str, source: Database, postgres_database: PostgresDatabase, meddler: Relay
) -> Any:
    """Run the pipeline over the meddled connection; gives the exit code and the result."""
    fields = {**source.fields, **PLAIN[family], "host": "127.0.0.1", "port": meddler.port}
    connections = {
        "shop": {**fields, "component": family, "password": "${SHOP}"},
        "warehouse": {**postgres_database.fields, "component": "postgres", "password": "${WAREHOUSE}"},
    }
    secrets = {"SHOP": source.password, "WAREHOUSE": postgres_database.password}
    tmp_path.joinpath("osiris_connections.yaml").write_text(json.dumps({"connections": connections}))

    def go(verify: str, more: str = "") -> tuple[int, str]:
        tmp_path.joinpath("p.yaml").write_text(PIPELINE.format(family=family, verify=verify, more=more))
        done = osiris("run", "p.yaml", env=secrets)
        return done.returncode, done.stdout + done.stderr

    return go


def test_a_value_altered_on_its_way_is_found(run: Any, source: Database, postgres_database: PostgresDatabase) -> None:
    code, said = run("checksum")
    assert code == 0, said
    source.execute("UPDATE notes SET note = 'as it is there' WHERE id = 1234")
    postgres_database.execute("TRUNCATE copied")
    code, said = run("checksum")
    assert code == 4, said
    assert "notes: rows that were read are not what the server has, 1 of them, first id=1234" in said
    assert postgres_database.query("SELECT count(*) FROM copied") == [(0,)]
    # The counter-proof: counts alone see nothing.
    code, said = run("count")
    assert code == 0, said
    assert postgres_database.query("SELECT note FROM copied WHERE id = 1234") == [("as it is heard",)]


def test_a_read_that_cannot_be_compared_is_said(run: Any) -> None:
    code, said = run("checksum", ", limit: 10")
    assert code == 0, said
    assert "OSI-R115" in said
    assert "OSI-R115" not in run("count", ", limit: 10")[1]
