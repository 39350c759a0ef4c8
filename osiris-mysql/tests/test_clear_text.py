"""Passwords and rows do not cross a network in the clear in silence."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from osiris_core import ConnectError
from osiris_core.testing import Connector
from osiris_core.testing.servers import MySQLDatabase
from osiris_mysql.clear_text import auth_plugins
from osiris_mysql.reader import open_reader

PASSWORD = "only-for-the-right-server"
#: Protocol 4.1, secure connection, authentication plugins.
CAPABILITIES = 0x00000200 | 0x8000 | 0x80000 | 0x1 | 0x8 | 0x20
TLS = 0x800
SALT = b"12345678901234567890"
#: On Linux this leads to this machine as well, but it is no name of it.
NETWORK = "0.0.0.0"


class Impostor:
    """Answers in a server's place and asks for the password by ``way``, in its greeting or by a switch.

    ``certificate`` is PEM with its key: with it TLS is offered.
    """

    def __init__(self, way: str, *, switches: int = 1, certificate: Path | None = None) -> None:
        self.way, self.switches, self.certificate = way.encode(), switches, certificate
        self.heard = b""
        self.learnt = ""
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
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
            with client, suppress(OSError):
                client.settimeout(5)
                self._talk(client)

    def _talk(self, client: socket.socket) -> None:
        capabilities = CAPABILITIES | (TLS if self.certificate else 0)
        greeting = b"\x0a8.0.36\0" + struct.pack("<I", 7) + SALT[:8] + b"\0"
        greeting += struct.pack("<HBHHB", capabilities & 0xFFFF, 45, 2, capabilities >> 16, 21) + b"\0" * 10
        greeting += SALT[8:] + b"\0" + (b"mysql_native_password" if self.switches else self.way) + b"\0"
        client.sendall(struct.pack("<I", len(greeting)) + greeting)
        # A request for TLS has 36 bytes; what follows it, maybe in the same segment, is the handshake's.
        login = client.recv(36 if self.certificate else 65536)
        if self.certificate and login:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            client = context.wrap_socket(client, server_side=True)
            login = client.recv(65536)
        if login:
            self._at = login[3]
            self._ask(client, login)

    def _ask(self, client: socket.socket, said: bytes) -> None:
        """All that makes a client say more, until it goes."""
        if not self.switches:  # an answer to the greeting comes among the rest of the login
            self._learn(said)
        for _ in range(self.switches):
            said = self._answer(client, b"\xfe" + self.way + b"\0" + SALT + b"\0")
        for _ in range(4):
            if said[4:] in (b"\x01", b"\x02") or (self.way == b"sha256_password" and not self.switches):
                said = self._answer(client, b"\x01" + self._public())
            elif self.way == b"caching_sha2_password":
                said = self._answer(client, b"\x01\x04")

    def _answer(self, client: socket.socket, packet: bytes) -> bytes:
        client.sendall(struct.pack("<I", len(packet))[:3] + bytes([self._at + 1]) + packet)
        said = client.recv(65536)
        if not said:
            raise ConnectionError
        self._at = said[3]
        self.heard += said[4:]
        self._learn(said[4:])
        return said

    def _learn(self, said: bytes) -> None:
        if PASSWORD.encode() in said:
            self.learnt = PASSWORD
        if len(said) == 256:  # a block of RSA
            pad = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)
            mixed = self._key.decrypt(said, pad)
            self.learnt = bytes(a ^ b for a, b in zip(mixed, SALT * 9, strict=False)).decode().rstrip("\0")

    def _public(self) -> bytes:
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self._key.public_key().public_bytes(serialization.Encoding.PEM, form)


@pytest.fixture
def impostor() -> Iterator[Callable[..., Impostor]]:
    with ExitStack() as stack:

        def start(way: str, **more: Any) -> Impostor:
            server = Impostor(way, **more)
            stack.callback(server.close)
            return server

        yield start


def self_signed(path: Path) -> Path:
    """A certificate with its key that nobody vouches for, for every address of this machine."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, path.stem)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(1), now + timedelta(1))
    addresses = [x509.IPAddress(ip_address(host)) for host in ("127.0.0.1", NETWORK)]
    signed = builder.add_extension(x509.SubjectAlternativeName(addresses), False).sign(key, hashes.SHA256())
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    path.write_bytes(signed.public_bytes(pem) + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return path


def refusal(connector: Connector, server: Impostor, **fields: Any) -> ConnectError:
    """What opening a reader on the impostor raises, once nothing can be on its way any more."""
    place = {"host": NETWORK, "port": server.port, "password": PASSWORD, **fields}
    with pytest.raises(ConnectError) as caught:
        open_reader(connector.connection_with(**place), {"table": "t"}, connector.context())
    server.close()
    return caught.value


@pytest.mark.parametrize("way", ["mysql_clear_password", "dialog"])
@pytest.mark.parametrize("mode", ["preferred", "disabled"])
@pytest.mark.parametrize("host", ["127.0.0.1", NETWORK])
def test_whoever_answers_does_not_get_the_password(
    connector: Connector, impostor: Callable[..., Impostor], way: str, mode: str, host: str
) -> None:
    server = impostor(way)
    error = refusal(connector, server, host=host, ssl_mode=mode)
    assert "password in clear text" in error.message
    assert (error.code, server.heard) == ("OSI-C042", b"")
    assert "verify_identity" in error.hint


@pytest.mark.parametrize("way", ["caching_sha2_password", "sha256_password"])
@pytest.mark.parametrize("switches", [0, 1, 2])
def test_without_tls_whoever_answers_does_not_get_the_password_under_a_key_of_its_own(
    connector: Connector, impostor: Callable[..., Impostor], way: str, switches: int
) -> None:
    server = impostor(way, switches=switches)
    error = refusal(connector, server, ssl_mode="disabled")
    assert server.learnt == ""
    assert error.code.startswith("OSI-C")
    if switches < 2:  # more than one switch is no protocol, and PyMySQL says so
        assert "a key of its own" in error.message
        assert (error.code, "allow_public_key_retrieval: true" in error.hint) == ("OSI-C042", True)
    for fields in ({"allow_public_key_retrieval": True}, {"host": "127.0.0.1"}):
        if switches < 2:
            server = impostor(way, switches=switches)
            refusal(connector, server, ssl_mode="disabled", **fields)
            assert server.learnt == PASSWORD, "these connections trust the network, and the impostor can do it"


@pytest.mark.parametrize("way", ["caching_sha2_password", "sha256_password", "mysql_clear_password"])
@pytest.mark.parametrize("switches", [0, 1])
def test_who_asks_for_proof_sends_no_password_without(
    connector: Connector, impostor: Callable[..., Impostor], tmp_path: Path, way: str, switches: int
) -> None:
    certificate, other = self_signed(tmp_path / "impostor.pem"), str(self_signed(tmp_path / "authority.pem"))
    proofs = ({"ssl_mode": "verify_ca"}, {"ssl_mode": "verify_identity", "ssl_ca": other}, {"ssl_ca": other})
    for fields in proofs:
        server = impostor(way, switches=switches, certificate=certificate)
        error = refusal(connector, server, **fields)
        assert (error.code, server.heard, server.learnt) == ("OSI-C042", b"", "")
    server = impostor(way, switches=switches, certificate=certificate)
    refusal(connector, server, ssl_mode="required")
    assert (server.learnt == PASSWORD) is (way != "mysql_clear_password"), "as the documentation says of required"


def test_the_hash_of_old_servers_goes_to_none(connector: Connector, impostor: Callable[..., Impostor]) -> None:
    server = impostor("mysql_old_password")
    assert "hash of MySQL 4.0" in refusal(connector, server, host="127.0.0.1").message
    assert server.heard == b""


def test_a_login_by_hash_needs_no_leave(connector: Connector, mysql_database: MySQLDatabase) -> None:
    """MySQL asks for the password at an account's first login, MariaDB never; then the hash is enough."""
    mysql_database.execute("CREATE TABLE t (a INT)")
    user = mysql_database.database[:30]
    mysql_database.execute(f"CREATE USER '{user}'@'%' IDENTIFIED BY 'p'; GRANT SELECT ON t TO '{user}'@'%'")
    fields = {"host": NETWORK, "user": user, "password": "p", "ssl_mode": "disabled"}

    def log_in(**more: Any) -> None:
        open_reader(connector.connection_with(**fields, **more), {"table": "t"}, connector.context()).close()

    try:
        if mysql_database.query("SELECT plugin FROM mysql.user WHERE user = %s", (user,)) == [
            ("caching_sha2_password",)
        ]:
            with pytest.raises(ConnectError, match="a key of its own"):
                log_in()
            log_in(allow_public_key_retrieval=True)
        log_in()
    finally:
        mysql_database.execute(f"DROP USER '{user}'@'%'")


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
    for host, mode in [(NETWORK, "preferred"), (NETWORK, "disabled"), ("127.0.0.1", "preferred")]:
        connector.warnings.clear()
        fields = {"host": host, "ssl_mode": mode}
        open_reader(connector.connection_with(**fields), {"table": "t"}, connector.context()).close()
        told[host, mode] = "OSI-R127" in [code for code, _ in connector.warnings]
    assert told == {
        (NETWORK, "preferred"): not encrypted,
        (NETWORK, "disabled"): False,
        ("127.0.0.1", "preferred"): False,
    }
