"""Connections to PostgreSQL: built from keywords, safe behind a transaction pooler."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from osiris_core import ConnectError, Connection

if TYPE_CHECKING:
    import psycopg

DEFAULT_PORT = 5432


@dataclass(frozen=True, slots=True)
class Place:
    """Where a step works: the client's keywords, the schema of the tables and that of the ledger.

    ``hide_ledger``: whether the ledger is closed to everybody but its owner (row level security).
    ``after_ddl``: a statement to run in a transaction that made a table or a column, or ``""``.
    """

    keywords: Mapping[str, Any]
    schema: str
    ledger_schema: str
    statement_timeout_ms: int = 0
    hide_ledger: bool = False
    after_ddl: str = ""


def place_of(connection: Connection) -> Place:
    """The place a ``postgres`` connection names. Values go to the client as keywords, never through a URL."""
    text = connection.text
    schema = text("schema", "public")
    keywords: dict[str, Any] = {
        "host": text("host"),
        "port": int(text("port", str(DEFAULT_PORT))),
        "dbname": text("database"),
        "user": text("user"),
        "sslmode": text("sslmode", "prefer"),
        "connect_timeout": int(text("connect_timeout", "10")),
        "application_name": text("application_name", "osiris"),
    }
    for name in ("password", "sslrootcert"):
        if text(name):
            keywords[name] = text(name)
    if keywords["sslmode"] == "verify-full":
        keywords.setdefault("sslrootcert", "system")
    return Place(
        keywords=keywords,
        schema=schema,
        ledger_schema=text("ledger_schema") or schema,
        statement_timeout_ms=int(float(text("statement_timeout", "0")) * 1000),
    )


def connect(place: Place) -> psycopg.Connection[Any]:
    """Open a connection. Raises ConnectError.

    Nothing is prepared (a transaction pooler would hand the next statement to another server process), and the
    session is never changed: only ``SET LOCAL`` inside a transaction is.
    """
    import psycopg

    from osiris_postgres.errors import map_error

    _keep_off_stderr()
    try:
        return psycopg.connect(
            **place.keywords,
            client_encoding="UTF8",
            prepare_threshold=None,
            keepalives_idle=30,
            keepalives_interval=10,
            keepalives_count=3,
        )
    except psycopg.Error as error:
        fault = map_error(error)
        assert fault is not None
        raise ConnectError(fault.message, code=fault.code, hint=fault.hint, retryable=fault.retryable) from error


def _keep_off_stderr() -> None:
    """What psycopg logs goes to whoever listens, and no longer to stderr because nobody does.

    It logs what follows from an error that it raises as well, such as the end of a COPY over a cut connection.
    """
    import logging

    logger = logging.getLogger("psycopg")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())


def set_local(connection: psycopg.Connection[Any], place: Place) -> None:
    """Settings of the transaction just begun: no time-outs but the user's, and text forms that never vary."""
    connection.execute(
        """
        SELECT set_config('statement_timeout', %(statement)s, true),
               set_config('idle_in_transaction_session_timeout', '0', true),
               set_config('lock_timeout', '0', true),
               set_config('TimeZone', 'UTC', true),
               set_config('DateStyle', 'ISO, YMD', true),
               set_config('IntervalStyle', 'postgres', true),
               set_config('extra_float_digits', '1', true),
               set_config('bytea_output', 'hex', true),
               set_config('standard_conforming_strings', 'on', true),
               set_config('xmloption', 'content', true),
               set_config('search_path', quote_ident(%(schema)s) || ', ' || current_setting('search_path'), true)
        """,
        {"statement": str(place.statement_timeout_ms), "schema": place.schema},
    )


def begin_snapshot(connection: psycopg.Connection[Any], place: Place) -> None:
    """Begin a read-only transaction whose statements all see one state."""
    import psycopg

    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    set_local(connection, place)
