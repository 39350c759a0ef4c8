"""``osiris doctor`` names what is wrong with a connection, and how to mend it."""

from __future__ import annotations

import socket
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from osiris_core import ConnectError, Finding
from osiris_core.testing import Connector
from osiris_core.testing.servers import MySQLDatabase, MySQLServer, free_port, mysql_server
from osiris_mysql.connect import refuse_old
from osiris_mysql.doctor import _clock
from osiris_mysql.reader import open_reader


def findings(connector: Connector, **changes: Any) -> dict[str, Finding]:
    found = connector.driver.check(connector.connection_with(**changes))
    return {finding.category: finding for finding in found}


def test_a_good_connection_has_no_failure(mysql_database: MySQLDatabase, connector: Connector) -> None:
    mysql_database.execute("CREATE TABLE t (a INT)")
    found = findings(connector)
    assert [(name, finding.status) for name, finding in found.items()] == [
        ("name_resolution", "ok"), ("network", "ok"), ("tls", "ok"), ("authentication", "ok"),
        ("permission", "ok"), ("version", "ok"), ("clock", "ok"),
    ]  # fmt: skip
    assert "1 tables" in found["permission"].message


def test_an_unknown_host(connector: Connector) -> None:
    found = findings(connector, host="no-such-host.invalid")
    assert [(name, finding.status) for name, finding in found.items()] == [("name_resolution", "failed")]
    assert "spelling" in found["name_resolution"].hint


def test_a_closed_port(connector: Connector) -> None:
    found = findings(connector, port=free_port())
    assert (found["network"].status, "firewalls" in found["network"].hint) == ("failed", True)


def test_a_port_that_is_no_mysql(connector: Connector) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found = findings(connector, port=listener.getsockname()[1], connect_timeout=1, read_timeout=1)
    assert found["network"].status == "failed"


def test_a_wrong_password(mysql_database: MySQLDatabase, connector: Connector) -> None:
    found = findings(connector, password="nope-nope")
    assert found["authentication"].status == "failed"
    assert "nope-nope" not in f"{found}"


def test_an_unknown_database(connector: Connector) -> None:
    found = findings(connector, database="no_such_database")
    assert (found["permission"].status, "SHOW DATABASES" in found["permission"].hint) == ("failed", True)


def test_an_empty_database_is_a_warning(connector: Connector) -> None:
    assert findings(connector)["permission"].status == "warning"


def test_clocks_that_differ_are_a_warning() -> None:
    assert _clock(0.5).status == "ok"
    assert _clock(90).status == "warning"


def test_old_servers_are_refused(mysql_database: MySQLDatabase) -> None:
    for version in ("5.7.44-log", "8.0.16", "5.5.5-10.5.9-MariaDB-1", "10.4.1-MariaDB"):
        session = mysql_database.connect()
        session.server_version = version
        with pytest.raises(ConnectError, match="too old") as caught:
            refuse_old(session)
        assert caught.value.code == "OSI-C045"
    session = mysql_database.connect()
    for version in ("8.0.36", "9.7.4-2", "11.4.2-MariaDB-log", "5.5.5-10.11.19-MariaDB-0+deb12u1"):
        session.server_version = version
        refuse_old(session)
    session.close()


# -- a server with an anonymous account ------------------------------------------------------------------
@pytest.fixture(scope="module")
def strange_server() -> Iterator[MySQLServer]:
    """A server of our own, so that its accounts may be odd."""
    with mysql_server() as server:
        server.execute("CREATE DATABASE shop; CREATE TABLE shop.t (a INT)")
        yield server


@pytest.fixture
def anonymous(strange_server: MySQLServer, request: pytest.FixtureRequest) -> Iterator[str]:
    """An account without a name for one host; over one connection, since it shadows the administrator too."""
    host = request.param
    session = strange_server.admin.connect()
    session.query(f"CREATE USER ''@'{host}'")
    session.query(f"GRANT SELECT ON shop.* TO ''@'{host}'")
    yield host
    session.query(f"DROP USER ''@'{host}'")
    session.close()


@pytest.mark.parametrize("anonymous", ["localhost", "127.0.0.1"], indirect=True)
def test_the_anonymous_account_that_shadows_a_user(
    strange_server: MySQLServer, connector: Connector, anonymous: str
) -> None:
    """TRAPS reading: ''@'localhost' is matched before 'u'@'%': access denied with the right password."""
    place: dict[str, Any] = {"port": strange_server.port}
    if anonymous == "localhost":
        place = {"host": None, "unix_socket": strange_server.unix_socket}
    found = findings(connector, **place, database="shop")
    assert found["authentication"].status == "failed"
    assert "anonymous account" in found["authentication"].hint


@pytest.mark.parametrize("anonymous", ["127.0.0.1"], indirect=True)
def test_an_anonymous_login_is_seen(strange_server: MySQLServer, connector: Connector, anonymous: str) -> None:
    found = findings(connector, port=strange_server.port, database="shop", user="whoever", password="")
    assert (found["authentication"].status, "''@127.0.0.1" in found["authentication"].message) == ("failed", True)


def test_a_unix_socket_is_a_way_in(strange_server: MySQLServer, connector: Connector) -> None:
    place = {"host": None, "unix_socket": strange_server.unix_socket, "database": "shop"}
    found = findings(connector, **place)
    assert {finding.status for finding in found.values()} == {"ok"}
    assert "network" not in found
    stream = open_reader(connector.connection_with(**place), {"table": "t"}, connector.context())
    assert stream.schema.names == ["a"]
    stream.close()


# -- TLS ---------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def certificates() -> Iterator[Path]:
    """A certificate authority, and a server certificate of it for localhost, in PEM files."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    def certificate(subject: str, issuer: str, key: Any, signer: Any, *, ca: bool) -> Any:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name(subject)).issuer_name(name(issuer)).public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        )  # fmt: skip
        return builder.sign(signer, hashes.SHA256())

    ca_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    pem = serialization.Encoding.PEM
    with tempfile.TemporaryDirectory(prefix="osiris-tls-") as folder:
        directory = Path(folder)
        ca = certificate("authority", "authority", ca_key, ca_key, ca=True)
        directory.joinpath("ca.pem").write_bytes(ca.public_bytes(pem))
        server = certificate("localhost", "authority", server_key, ca_key, ca=False)
        directory.joinpath("server.pem").write_bytes(server.public_bytes(pem))
        private = server_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        directory.joinpath("server.key").write_bytes(private)
        subprocess.run(["chmod", "-R", "a+rX", folder], check=True)
        yield directory


@pytest.fixture(scope="module")
def tls_server(certificates: Path) -> Iterator[MySQLServer]:
    """A server that encrypts."""
    settings: dict[str, str | int] = {
        "ssl_ca": str(certificates / "ca.pem"),
        "ssl_cert": str(certificates / "server.pem"),
        "ssl_key": str(certificates / "server.key"),
    }
    with mysql_server(settings=settings) as server:
        server.execute(
            "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY, a TEXT); INSERT INTO shop.t "
            "WITH RECURSIVE s AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM s WHERE n < 900) "
            "SELECT n, REPEAT('x', 9000) FROM s"
        )
        yield server


@pytest.mark.parametrize("mode", ["preferred", "required", "verify_ca", "verify_identity"])
def test_rows_are_read_through_tls(
    tls_server: MySQLServer, certificates: Path, connector: Connector, mode: str
) -> None:
    """MOVEMENT: the bulk path reads through TLS 1.3 too."""
    place = {"host": "localhost" if mode == "verify_identity" else "127.0.0.1", "port": tls_server.port}
    if mode.startswith("verify"):
        place["ssl_ca"] = str(certificates / "ca.pem")
    connection = connector.connection_with(**place, database="shop", ssl_mode=mode)
    found = {finding.category: finding for finding in connector.driver.check(connection)}
    assert found["tls"].message == "encrypted with TLSv1.3"
    stream = open_reader(connection, {"table": "t"}, connector.context())
    assert sum(batch.num_rows for batch in stream) == 900


@pytest.mark.parametrize("change", [{"ssl_mode": "verify_ca"}, {"ssl_mode": "verify_identity", "right_ca": True}])
def test_a_certificate_that_does_not_fit_is_refused(
    tls_server: MySQLServer, certificates: Path, connector: Connector, change: dict[str, Any]
) -> None:
    if change.pop("right_ca", False):  # the certificate is for localhost, not for its address
        change["ssl_ca"] = str(certificates / "ca.pem")
    found = findings(connector, host="127.0.0.1", port=tls_server.port, database="shop", **change)
    assert (found["tls"].status, "ssl_ca" in found["tls"].hint) == ("failed", True)


def test_tls_is_demanded_only_where_there_is_some(strange_server: MySQLServer, connector: Connector) -> None:
    place = {"host": "127.0.0.1", "port": strange_server.port, "database": "shop"}
    stream = open_reader(connector.connection_with(**place, ssl_mode="preferred"), {"table": "t"}, connector.context())
    stream.close()
    # MySQL and MariaDB from 11.4 on make themselves a certificate.
    if strange_server.query("SHOW VARIABLES LIKE 'have_ssl'") == [("have_ssl", "DISABLED")]:
        with pytest.raises(ConnectError) as caught:
            open_reader(connector.connection_with(**place, ssl_mode="required"), {"table": "t"}, connector.context())
        assert caught.value.code == "OSI-C042"
    with pytest.raises(ConnectError, match=r"such\.pem"):
        open_reader(
            connector.connection_with(**place, ssl_mode="verify_ca", ssl_ca="/no/such.pem"),
            {"table": "t"},
            connector.context(),
        )


@pytest.mark.parametrize(
    ("fields", "proved"),
    [({"host": "0.0.0.0"}, False), ({"host": "0.0.0.0", "ssl_ca": "ca.pem"}, True), ({"host": "127.0.0.1"}, True)],
)
def test_it_is_said_where_nothing_proves_who_answers(
    tls_server: MySQLServer, certificates: Path, connector: Connector, fields: dict[str, Any], proved: bool
) -> None:
    ca = {"ssl_ca": str(certificates / fields["ssl_ca"])} if "ssl_ca" in fields else {}
    found = findings(connector, port=tls_server.port, database="shop", **(fields | ca))["tls"]
    assert (found.status, "nothing proves who answers" in found.message) == ("ok", not proved)
