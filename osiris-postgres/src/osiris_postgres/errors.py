"""PostgreSQL's errors in Osiris's terms: one table by SQLSTATE, one by what libpq says before there is a session."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from osiris_core import Fault, first_line

Kind = Literal["connection", "run", "drift", "data"]


@dataclass(frozen=True, slots=True)
class Row:
    """What an error means. ``{text}`` is the server's own first line, ``{at}`` the column or row it names."""

    code: str
    message: str = "{text}"
    hint: str = ""
    retryable: bool = False
    kind: Kind = "run"


_WIDEN = "widen the column, or change the value in a transform"
_AGAIN = "a plain re-run is safe"
_LOST = Row("OSI-R020", "the connection was lost: {text}", f"the server or the network went away; {_AGAIN}", True)
_LOGIN = Row("OSI-C043", "the server refuses the login: {text}", "check user and password", kind="connection")
_DATABASE = Row("OSI-C046", hint="check the connection's database", kind="connection")
_BUSY = Row(
    "OSI-C047", "the server has no connection to spare: {text}", "try later, or use a pooler", True, "connection"
)
_STARTING = Row("OSI-C041", "the server is not ready: {text}", "try again in a moment", True, "connection")
_RIGHT = Row("OSI-C044", hint="grant the right to the connection's user", kind="connection")
_LOCK = Row("OSI-R021", "another transaction was in the way: {text}", _AGAIN, True)
_SPACE = Row("OSI-R022", "the server has no space left: {text}", "free some space there and run again")
_MEMORY = Row("OSI-R022", "the server lacks memory: {text}", "run again when it is less busy", True)
_READ_ONLY = Row("OSI-R023", "the server takes no writes: {text}", "connect to the primary")
_STOPPED = Row("OSI-R024", "the statement was stopped: {text}", "raise the connection's statement_timeout")
_STATEMENT = Row("OSI-R026", "the server refuses a statement: {text}", "check query and where_sql")
_DRIFT = Row("OSI-R002", hint="the schema changed: discover, validate and compile again", kind="drift")
_POOLER = Row("OSI-C048", hint="use the pooler in session mode (port 5432)", kind="connection")
_INTERNAL = Row("OSI-R026", "the server has an internal error: {text}", "look at the server's log")


def _value(message: str) -> Row:
    return Row("OSI-R102", message + "{at}: {text}", _WIDEN, kind="data")


_CHARACTER = Row("OSI-R120", "a text has a character the database cannot hold{at}: {text}", _WIDEN, kind="data")
_NULL = Row("OSI-R103", "NULL where the table allows none{at}: {text}", "fill it, or filter the rows", kind="data")
_DUPLICATE = Row("OSI-R104", "a key exists already: {text}", "use write_mode: merge, or mend the source", kind="data")
_REFERENCE = Row("OSI-R107", "a foreign key does not hold: {text}", "load the referenced table first", kind="data")
_CONSTRAINT = Row("OSI-R121", "a constraint of the table refuses a row: {text}", "filter those rows", kind="data")
_TWICE = Row("OSI-R109", "a merge key comes twice: {text}", "set dedupe with keep and order_by", kind="data")

#: By SQLSTATE, then by its class (the first two characters).
SQLSTATES: dict[str, Row] = {
    "08": _LOST,
    **dict.fromkeys(("57P01", "57P02", "57P05"), _LOST),
    "57P03": _STARTING,
    **dict.fromkeys(("28000", "28P01"), _LOGIN),
    "3D000": _DATABASE,
    "53300": _BUSY,
    "42501": _RIGHT,
    "25006": _READ_ONLY,
    **dict.fromkeys(("26000", "42P05"), _POOLER),
    "22001": _value("a text is too long"),
    "22003": _value("a number is out of range"),
    **dict.fromkeys(("22007", "22008"), _value("a date or time is not valid")),
    **dict.fromkeys(("22021", "22P05"), _CHARACTER),
    "22026": _value("a bit string has another length than its column"),
    "22": _value("a value is not valid for its column"),
    "23502": _NULL,
    "23503": _REFERENCE,
    "23505": _DUPLICATE,
    "23": _CONSTRAINT,
    "428C9": Row("OSI-R121", hint="the server fills this column; leave it out with columns", kind="data"),
    "21000": _TWICE,
    **dict.fromkeys(("42P01", "42703", "42804", "42883", "3F000"), _DRIFT),
    "42P10": Row("OSI-R002", hint="no unique key fits merge_keys any more; discover again", kind="drift"),
    "42": _STATEMENT,
    "0A000": Row("OSI-R026", "the server cannot do this: {text}"),
    **dict.fromkeys(("40001", "40P01", "55P03"), _LOCK),
    "57014": _STOPPED,
    "53100": _SPACE,
    "53": _MEMORY,
    **dict.fromkeys(("58", "XX"), _INTERNAL),
}

_NAME = Row("OSI-C040", "the host's name is not known: {text}", "check the connection's host", kind="connection")
_TLS = Row("OSI-C042", "the connection cannot be encrypted: {text}", "check sslmode and sslrootcert", kind="connection")
_IPV6 = Row(
    "OSI-C041", "the address cannot be reached from here: {text}", "if it is IPv6 only, use a pooler", kind="connection"
)
_NETWORK = Row("OSI-C041", "the server cannot be reached: {text}", "check host, port and firewall", True, "connection")

#: What libpq says while there is no session: category of ``osiris doctor``, its words, what it means.
CONNECT_FAILURES: tuple[tuple[str, re.Pattern[str], Row], ...] = tuple(
    (category, re.compile(words, re.IGNORECASE), row)
    for category, words, row in (
        ("name_resolution", "translate host name|name or service not known|resolve host|nodename nor servname", _NAME),
        (
            "authentication",
            r"password authentication failed|no password supplied|role .* does not exist|no pg_hba\.conf entry"
            r"|SASL|tenant or user not found|no such user|authentication method",
            _LOGIN,
        ),
        ("tls", r"\bSSL\b|certificate|\bTLS\b", _TLS),
        ("permission", "permission denied for database", _RIGHT),
        ("permission", r"database .* does not exist|no such database", _DATABASE),
        ("network", "too many (clients|connections)|remaining connection slots|max_client_conn", _BUSY),
        ("network", "starting up|shutting down|not accepting connections|in recovery mode", _STARTING),
        ("ipv6_only", "network is unreachable|cannot assign requested address", _IPV6),
        ("network", r"connection refused|time.?out|timed out|no route to host|could not connect", _NETWORK),
    )
)

#: How PostgreSQL says that a table, an index or its log finds no room, whatever the reason.
_CANNOT_GROW = ("could not extend file", "could not write to file")
_CONTEXT_COLUMN = re.compile(r"^COPY [^\n]*?, line (\d+)(?:, column ([^:\n]+))?", re.MULTILINE)


def map_error(error: BaseException) -> Fault | None:
    """A psycopg error as a Fault; None when it is somebody else's."""
    import psycopg

    if not isinstance(error, psycopg.Error):
        return None
    text = first_line(str(error))
    state = error.sqlstate or ""
    row = SQLSTATES.get(state) or SQLSTATES.get(state[:2])
    if row is None and not state:
        row = _without_state(error)
    if text.startswith(_CANNOT_GROW):  # its state depends on what the system said: a quota is "internal"
        row = _SPACE
    if row is None:
        return Fault("OSI-R001", f"PostgreSQL says {text} ({state or type(error).__name__})")
    shown = row.message.format(text=_with_detail(text, error, state), at=_at(error.diag))
    return Fault(row.code, shown, row.hint, row.retryable, row.kind)


def connect_category(text: str) -> str:
    """The category of ``osiris doctor`` that a failure to connect belongs to."""
    return next((category for category, words, _ in CONNECT_FAILURES if words.search(text)), "network")


def _without_state(error: Exception) -> Row | None:
    import psycopg

    for _, words, row in CONNECT_FAILURES:
        if words.search(str(error)):
            return row
    # libpq: "server closed the connection unexpectedly", "consuming input failed", "the connection is lost"
    return _LOST if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) else None


def _with_detail(text: str, error: Any, state: str) -> str:
    """Key violations say in their detail which key; no other detail is passed on, for it may hold a whole row."""
    detail = error.diag.message_detail if state in ("23503", "23505") else None
    return f"{text} ({first_line(detail)})" if detail else text


def _at(diag: Any) -> str:
    if diag.column_name:
        return f' in column "{diag.column_name}"'
    found = _CONTEXT_COLUMN.search(diag.context or "")
    if not found:
        return ""
    column = f' in column "{found[2]}",' if found[2] else " in"
    return f"{column} row {found[1]} of the source"
