"""``osiris doctor`` for PostgreSQL: from the host's name to the right to keep a ledger, each with its mend."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from osiris_core import ConnectError, Finding
from osiris_postgres.connect import Place, begin_snapshot, connect
from osiris_postgres.errors import connect_category
from osiris_postgres.ledger import Ledger

if TYPE_CHECKING:
    import psycopg

OLDEST_VERSION = 120000
TRANSACTION_POOLER_PORT = 6543
_CLOCK_SECONDS = 5.0
_SUPABASE_DIRECT = re.compile(r"db\.([a-z0-9]+)\.supabase\.(co|com|net)")
_LOCAL = ("127.", "::1", "localhost")


def check(place: Place) -> list[Finding]:
    """Every finding about one place; the first failure that hides the rest is the last."""
    findings = list(_name(place))
    if any(finding.status == "failed" for finding in findings):
        return findings
    try:
        connection = connect(place)
    except ConnectError as error:
        return [*findings, _connect_failure(place, error)]
    with connection:
        begin_snapshot(connection, place)
        findings.append(Finding("network", "ok", f"connected to {_where(place)}"))
        findings.append(Finding("authentication", "ok", f"logged in as {place.keywords['user']}"))
        findings += [_tls(connection, place), _version(connection), _pooler(connection, place), _clock(connection)]
        findings += _permissions(connection, place)
    return findings


def _where(place: Place) -> str:
    return f"{place.keywords['host']}:{place.keywords['port']}"


def session_pooler_hint(host: str) -> str:
    """How to reach a Supabase project whose direct host has no IPv4 address."""
    direct = _SUPABASE_DIRECT.fullmatch(host)
    user = f"postgres.{direct[1]}" if direct else "postgres.<project>"
    return (
        "use the session pooler, which has IPv4 (dashboard: Connect, Session pooler): "
        f"host: aws-<n>-<region>.pooler.supabase.com, port: 5432, user: {user}"
    )


# -- before there is a session ---------------------------------------------------------------------------
def addresses(host: str, port: int) -> tuple[set[int], str]:
    """The address families a host's name leads to, and what the resolver says when there are none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        return set(), str(error)
    return {family for family, *_ in found}, ""


def _name(place: Place) -> Iterator[Finding]:
    host, port = str(place.keywords["host"]), int(place.keywords["port"])
    if host.startswith(("/", "@")):
        return
    families, said = addresses(host, port)
    if not families:
        hint = (
            session_pooler_hint(host) if _SUPABASE_DIRECT.fullmatch(host) else "check the connection's host and the DNS"
        )
        yield Finding("name_resolution", "failed", f'the name "{host}" leads nowhere: {said}', hint)
        return
    yield Finding("name_resolution", "ok", f"{host} is known")
    if families == {socket.AF_INET6} and ":" not in host:
        yield Finding("ipv6_only", "warning", f"{host} has an IPv6 address only", session_pooler_hint(host))


def _connect_failure(place: Place, error: ConnectError) -> Finding:
    category = connect_category(error.message)
    host = str(place.keywords["host"])
    unreachable = category in ("network", "ipv6_only")
    if unreachable and addresses(host, int(place.keywords["port"]))[0] == {socket.AF_INET6} and ":" not in host:
        return Finding(
            "ipv6_only", "failed", f"{host} has an IPv6 address only: {error.message}", session_pooler_hint(host)
        )
    return Finding(category, "failed", error.message, error.hint)


# -- inside a session --------------------------------------------------------------------------------------
def _tls(connection: psycopg.Connection[Any], place: Place) -> Finding:
    if connection.pgconn.ssl_in_use:
        return Finding("tls", "ok", "the connection is encrypted")
    if str(place.keywords["host"]).startswith(("/", "@", *_LOCAL)):
        return Finding("tls", "ok", "not encrypted, on this machine only")
    return Finding("tls", "warning", "the connection is not encrypted", "set sslmode: verify-full, or require")


def _version(connection: psycopg.Connection[Any]) -> Finding:
    number = connection.info.server_version
    shown = f"PostgreSQL {number // 10000}.{number % 10000}"
    if number < OLDEST_VERSION:
        return Finding("version", "failed", f"{shown} is too old", "PostgreSQL 12 or later is needed")
    return Finding("version", "ok", shown)


def _pooler(connection: psycopg.Connection[Any], place: Place) -> Finding:
    """A pooler has a process number of its own; on Supabase port 6543 is the one in transaction mode."""
    behind = _value(connection, "SELECT pg_backend_pid()") != connection.pgconn.backend_pid
    if int(place.keywords["port"]) == TRANSACTION_POOLER_PORT:
        return Finding("pooler", "ok", "a pooler in transaction mode; every write is one transaction, so it is safe")
    if behind:
        return Finding("pooler", "ok", "behind a pooler; nothing here depends on its mode")
    return Finding("pooler", "ok", "a direct connection")


def _clock(connection: psycopg.Connection[Any]) -> Finding:
    server = _value(connection, "SELECT clock_timestamp()")
    apart = abs((server - datetime.now(UTC)).total_seconds())
    if apart > _CLOCK_SECONDS:
        hint = "set both clocks by NTP; incremental reads by time depend on them"
        return Finding("clock", "warning", f"the server's clock is {apart:.0f} s from this machine's", hint)
    return Finding("clock", "ok", "the server's clock agrees with this machine's")


def _permissions(connection: psycopg.Connection[Any], place: Place) -> Iterator[Finding]:
    exists = _value(connection, "SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = %s)", place.schema)
    if not exists:
        yield Finding(
            "permission", "failed", f'schema "{place.schema}" does not exist', "check the connection's schema"
        )
        return
    if not _value(connection, "SELECT has_schema_privilege(%s, 'USAGE')", place.schema):
        hint = f'GRANT USAGE ON SCHEMA "{place.schema}" TO {place.keywords["user"]};'
        yield Finding("permission", "failed", f'schema "{place.schema}" is closed to this user', hint)
        return
    yield Finding("permission", "ok", f'schema "{place.schema}" can be used')
    if _value(connection, "SELECT pg_is_in_recovery() OR current_setting('default_transaction_read_only')::bool"):
        yield Finding("permission", "warning", "this server takes no writes now", "connect to the primary to write")
        return
    yield _temporary(connection)
    yield _ledger(connection, place)


def _temporary(connection: psycopg.Connection[Any]) -> Finding:
    if _value(connection, "SELECT has_database_privilege(current_database(), 'TEMPORARY')"):
        return Finding("permission", "ok", "temporary tables are allowed")
    hint = "GRANT TEMPORARY ON DATABASE … TO this user; appends work without"
    return Finding("permission", "warning", "temporary tables, which merges need, are not allowed", hint)


def _ledger(connection: psycopg.Connection[Any], place: Place) -> Finding:
    ledger = Ledger(connection, place)
    standing = ledger.standing()
    if standing.usable:
        return Finding("permission", "ok", f"the ledger {ledger.table} can be kept")
    error = ledger.missing_right(standing)
    return Finding("permission", "warning", f"{error.message}; reading works", error.hint)


def _value(connection: psycopg.Connection[Any], sql: str, *parameters: Any) -> Any:
    row = connection.execute(sql, parameters or None).fetchone()
    return row[0] if row else None
