"""Passwords and rows do not cross a network in the clear in silence."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from osiris_core import ConnectError
from osiris_core.testing import Connector
from osiris_core.testing.servers import MySQLDatabase
from osiris_mysql.clear_text import auth_plugins
from osiris_mysql.reader import open_reader

PASSWORD = "only-for-the-right-server"
#: Protocol 4.1, secure connection, authentication plugins; no TLS.
CAPABILITIES = 0x00000200 | 0x8000 | 0x80000 | 0x1 | 0x8 | 0x20


class Impostor:
    """Answers in a server's place, offers no TLS, and asks for the password by ``way``."""

    def __init__(self, way: bytes) -> None:
        self.way = way
        self.heard = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        """Hear nothing more. Idempotent."""
        if self._listener.fileno() < 0:
            return
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client:
                client.settimeout(5)
                self._talk(client)

    def _talk(self, client: socket.socket) -> None:
        salt = b"12345678901234567890"
        greeting = b"\x0a8.0.36\0" + struct.pack("<I", 7) + salt[:8] + b"\0"
        greeting += struct.pack("<HBHHB", CAPABILITIES & 0xFFFF, 45, 2, CAPABILITIES >> 16, 21) + b"\0" * 10
        greeting += salt[8:] + b"\0mysql_native_password\0"
        client.sendall(struct.pack("<I", len(greeting)) + greeting)
        login = client.recv(65536)
        if login:
            ask = b"\xfe" + self.way + b"\0" + (b"\x05Password: " if self.way == b"dialog" else b"\0")
            client.sendall(struct.pack("<I", len(ask))[:3] + bytes([login[3] + 1]) + ask)
            self.heard += client.recv(65536)


@pytest.fixture
def impostor(request: pytest.FixtureRequest) -> Iterator[Impostor]:
    server = Impostor(request.param)
    yield server
    server.close()


@pytest.mark.parametrize("impostor", [b"mysql_clear_password", b"dialog"], indirect=True)
@pytest.mark.parametrize("mode", ["preferred", "disabled"])
def test_whoever_answers_does_not_get_the_password(connector: Connector, impostor: Impostor, mode: str) -> None:
    place = {"host": "127.0.0.1", "port": impostor.port, "password": PASSWORD, "ssl_mode": mode}
    with pytest.raises(ConnectError, match="password in clear text") as caught:
        open_reader(connector.connection_with(**place), {"table": "t"}, connector.context())
    impostor.close()
    assert (caught.value.code, impostor.heard) == ("OSI-C042", b"")
    assert "verify_identity" in caught.value.hint


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({"ssl_mode": "required"}, True),
        ({"ssl_mode": "verify_ca"}, False),
        ({"ssl_mode": "verify_identity"}, False),
        ({"unix_socket": "/run/mysqld.sock"}, False),
    ],
)
def test_a_server_that_proves_itself_may_ask_for_it(
    connector: Connector, fields: dict[str, str], refused: bool
) -> None:
    """Accounts of PAM and LDAP need it."""
    assert bool(auth_plugins(connector.connection_with(**fields))) is refused


def test_a_network_without_tls_is_a_warning(connector: Connector, mysql_database: MySQLDatabase) -> None:
    mysql_database.execute("CREATE TABLE t (a INT)")
    with mysql_database.connect() as session:
        encrypted = session._secure
    told = {}
    # On Linux 0.0.0.0 leads to this machine as well, but it is no name of it.
    for host, mode in [("0.0.0.0", "preferred"), ("0.0.0.0", "disabled"), ("127.0.0.1", "preferred")]:
        connector.warnings.clear()
        fields = {"host": host, "ssl_mode": mode}
        open_reader(connector.connection_with(**fields), {"table": "t"}, connector.context()).close()
        told[host, mode] = "OSI-R127" in [code for code, _ in connector.warnings]
    assert told == {
        ("0.0.0.0", "preferred"): not encrypted,
        ("0.0.0.0", "disabled"): False,
        ("127.0.0.1", "preferred"): False,
    }
