"""verify: checksum compares the source too: a value that changes on its way from MySQL is found, and its row named."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from osiris_core.testing.cli import Osiris
from osiris_core.testing.servers import MySQLDatabase, PostgresDatabase

PIPELINE = """
oml_version: "0.0.1"
name: notes
steps:
  - {{id: read, component: mysql.table, mode: read, connection: "@shop", config: {{table: notes{more}}}}}
  - {{id: write, component: postgres.table, mode: write, connection: "@warehouse", needs: [read],
      config: {{table: notes, write_mode: append, create: if_missing, verify: {verify}}}}}
"""


class Meddler:
    """A connection to ``host``:``port`` through which the server's word ``true`` arrives as ``false``."""

    def __init__(self, host: str, port: int, true: bytes, false: bytes) -> None:
        assert len(true) == len(false)
        self._target, self._words = (host, port), (true, false)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            for source, sink, meddle in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._pass_on, args=(source, sink, meddle), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, meddle: bool) -> None:
        with contextlib.suppress(OSError), source, sink:
            while data := source.recv(1 << 20):
                sink.sendall(data.replace(*self._words) if meddle else data)
            sink.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def meddler(mysql_database: MySQLDatabase) -> Iterator[Meddler]:
    fields = mysql_database.fields
    found = Meddler(fields["host"], fields["port"], b"as it is there", b"as it is heard")
    yield found
    found.close()


@pytest.fixture
def run(
    osiris: Osiris, tmp_path: Path, mysql_database: MySQLDatabase, postgres_database: PostgresDatabase, meddler: Meddler
) -> Any:
    """Run the pipeline over the meddled connection; gives the exit code and the result."""
    mysql_database.execute("CREATE TABLE notes (id INT PRIMARY KEY, note VARCHAR(20))")
    mysql_database.insert("notes", [(number, f"note {number}") for number in range(1, 2000)])
    source = {**mysql_database.fields, "host": "127.0.0.1", "port": meddler.port, "ssl_mode": "disabled"}
    connections = {
        "shop": {**source, "component": "mysql", "password": "${SHOP}"},
        "warehouse": {**postgres_database.fields, "component": "postgres", "password": "${WAREHOUSE}"},
    }
    secrets = {"SHOP": mysql_database.fields["password"], "WAREHOUSE": postgres_database.fields["password"]}
    tmp_path.joinpath("osiris_connections.yaml").write_text(json.dumps({"connections": connections}))

    def go(verify: str, more: str = "") -> tuple[int, str]:
        tmp_path.joinpath("p.yaml").write_text(PIPELINE.format(verify=verify, more=more))
        done = osiris("run", "p.yaml", env=secrets)
        return done.returncode, done.stdout + done.stderr

    return go


def test_a_value_altered_on_its_way_is_found(
    run: Any, mysql_database: MySQLDatabase, postgres_database: PostgresDatabase
) -> None:
    code, said = run("checksum")
    assert code == 0, said
    mysql_database.execute("UPDATE notes SET note = 'as it is there' WHERE id = 1234")
    postgres_database.execute("TRUNCATE notes")
    code, said = run("checksum")
    assert code == 4, said
    assert "notes: rows that were read are not what the server has, 1 of them, first id=1234" in said
    assert postgres_database.query("SELECT count(*) FROM notes") == [(0,)]
    # The counter-proof: counts alone see nothing.
    code, said = run("count")
    assert code == 0, said
    assert postgres_database.query("SELECT note FROM notes WHERE id = 1234") == [("as it is heard",)]


def test_a_read_that_cannot_be_compared_is_said(run: Any) -> None:
    code, said = run("checksum", ", limit: 10")
    assert code == 0, said
    assert "OSI-R115" in said
    assert "OSI-R115" not in run("count", ", limit: 10")[1]
