"""What ``osiris doctor`` finds on a MySQL connection: each step of reaching it, with its mend."""

from __future__ import annotations

import socket
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from osiris_core import ConnectError, Connection, Finding
from osiris_mysql.clear_text import VERIFIED, on_this_machine, tls_mode
from osiris_mysql.connect import arguments, open_session, product
from osiris_mysql.faults import fault_of

#: Seconds between the clocks from which incremental reads by time become doubtful.
CLOCK_SECONDS = 5.0
_UNKNOWN = "; nothing proves who answers: ssl_mode: verify_identity (or verify_ca) with ssl_ca does"
_CATEGORIES = {
    "OSI-C040": "name_resolution",
    "OSI-C041": "network",
    "OSI-C042": "tls",
    "OSI-C043": "authentication",
    "OSI-C044": "permission",
    "OSI-C045": "version",
    "OSI-C046": "permission",
    "OSI-C047": "network",
}


def check(connection: Connection) -> list[Finding]:
    """Findings in the order of the steps; what cannot be tried after a failure is left out."""
    findings = _reach(connection)
    if findings and findings[-1].status == "failed":
        return findings
    try:
        session = open_session(connection)
    except ConnectError as error:
        category = _CATEGORIES.get(error.code, "network")
        finding = Finding(category, "failed", error.message, error.hint)
        if category == "authentication":
            finding = _explained(connection, finding)
        return [*findings, finding]
    try:
        return findings + _inside(session, connection)
    finally:
        session.close()


def _reach(connection: Connection) -> list[Finding]:
    """Name and network, for a host; nothing for a unix socket."""
    if connection.fields.get("unix_socket"):
        return []
    host, port = connection.text("host"), int(connection.fields.get("port", 3306))
    try:
        address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0]
    except OSError as error:
        return [Finding("name_resolution", "failed", f"{host}: {error}", "check the spelling of host, and the DNS")]
    found = [Finding("name_resolution", "ok", f"{host} is {address}")]
    try:
        socket.create_connection((host, port), float(connection.fields.get("connect_timeout", 10))).close()
    except OSError as error:
        hint = "check host, port and firewalls, and that the server runs and listens on this address"
        return [*found, Finding("network", "failed", f"{host}:{port}: {error}", hint)]
    return [*found, Finding("network", "ok", f"{host}:{port} answers")]


def _explained(connection: Connection, finding: Finding) -> Finding:
    """Tell the anonymous account's shadow from a wrong password: a user who cannot exist gets in only as ''."""
    import pymysql

    with suppress(Exception):
        stranger = arguments(connection) | {"user": "osiris doctor: nobody", "password": b"", "database": None}
        session = pymysql.connect(**stranger)
        session.close()
        hint = (
            "the server has an anonymous account for this host, which is matched before 'user'@'%': "
            f"DROP USER ''@'localhost', or create an account for {connection.text('user')} at this host"
        )
        return Finding(finding.category, finding.status, finding.message, hint)
    return finding


def _inside(session: Any, connection: Connection) -> list[Finding]:
    found = [_tls(session, connection)]
    with session.cursor() as cursor:
        cursor.execute("SELECT CURRENT_USER(), USER(), UTC_TIMESTAMP(6)")
        account, _, server_time = cursor.fetchone()
        ours = datetime.now(UTC).replace(tzinfo=None)
        found.append(_login(account, connection))
        found.append(_permission(cursor, connection))
    name, version = product(session)
    found.append(Finding("version", "ok", f"{name} {'.'.join(map(str, version))}"))
    found.append(_clock(abs((ours - server_time).total_seconds())))
    return found


def _tls(session: Any, connection: Connection) -> Finding:
    with session.cursor() as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE 'Ssl_version'")
        row = cursor.fetchone()
    if row is not None and row[1]:
        known = tls_mode(connection) in VERIFIED or on_this_machine(connection)
        return Finding("tls", "ok", f"encrypted with {row[1]}{'' if known else _UNKNOWN}")
    if on_this_machine(connection):
        return Finding("tls", "ok", "not encrypted, on this machine")
    return Finding(
        "tls", "warning", "not encrypted: rows and the login cross the network in the clear",
        "set ssl_mode: required, or verify_identity with ssl_ca; the server needs a certificate",
    )  # fmt: skip


def _login(account: str, connection: Connection) -> Finding:
    if account.startswith("@"):
        message = f"logged in as the anonymous account ''{account}, not as {connection.text('user')}"
        hint = "DROP USER ''@'localhost' on the server, or create the user for this host"
        return Finding("authentication", "failed", message, hint)
    return Finding("authentication", "ok", f"logged in as {account}")


def _permission(cursor: Any, connection: Connection) -> Finding:
    """Whether the account sees any table, and may write."""
    database = connection.text("database")
    try:
        cursor.execute("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = %s", (database,))
        tables = cursor.fetchone()[0]
        cursor.execute("SELECT @@global.read_only")
        read_only = bool(cursor.fetchone()[0])
    except Exception as error:
        fault = fault_of(error)
        return Finding("permission", "failed", fault.message if fault else str(error), fault.hint if fault else "")
    if not tables:
        return Finding(
            "permission", "warning", f"no table of {database} is visible",
            "an empty database, or a missing privilege: SHOW GRANTS lists what the account has",
        )  # fmt: skip
    note = "; the server is read-only, so it can be read but not written" if read_only else ""
    return Finding("permission", "ok", f"{tables} tables of {database} are visible{note}")


def _clock(seconds: float) -> Finding:
    if seconds <= CLOCK_SECONDS:
        return Finding("clock", "ok", "the server's clock agrees with ours")
    return Finding(
        "clock", "warning", f"the server's clock differs from ours by {seconds:.0f} s",
        "synchronise both with NTP; incremental reads by time stamps use the server's",
    )  # fmt: skip
