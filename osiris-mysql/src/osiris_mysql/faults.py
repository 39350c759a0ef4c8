"""The server's error numbers in Osiris's terms: one table, and the ways to raise from it."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal

from osiris_core import ConnectError, DriftError, Fault, OsirisError, RunError

Kind = Literal["connection", "run", "drift", "data"]

ANONYMOUS_HINT = (
    "check user and password; if both are right, the anonymous account ''@'localhost' may shadow 'user'@'%': "
    "DROP USER ''@'localhost' or create 'user'@'localhost'"
)
_NETWORK = "check host, port and firewalls"


@dataclass(frozen=True, slots=True)
class _Entry:
    code: str
    hint: str = ""
    retryable: bool = False
    kind: Kind = "run"


_AUTHENTICATION = _Entry("OSI-C043", ANONYMOUS_HINT, kind="connection")
_PERMISSION = _Entry("OSI-C044", "ask for the missing privilege: SHOW GRANTS lists what the account has")
_BUSY = _Entry(
    "OSI-C047", "the server has no connection to spare; raise max_connections or run later", True, "connection"
)
_LOST = _Entry("OSI-R020", "the server or the network went away; a plain re-run is safe", True)
_UNREACHABLE = _Entry("OSI-C041", _NETWORK, True, "connection")
_LOCK = _Entry("OSI-R021", "another transaction held the rows; a plain re-run is safe", True)
_FULL = _Entry("OSI-R022", "free disk space on the server")
_READ_ONLY = _Entry("OSI-R023", "the server accepts no writes now: connect to the primary", True)
_STOPPED = _Entry("OSI-R024", "somebody or a time limit stopped the statement", True)
_PACKET = _Entry("OSI-R025", "raise max_allowed_packet on the server above the largest row")
_DRIFT = _Entry("OSI-R002", "the schema changed: discover, validate and compile again", kind="drift")
_STATEMENT = _Entry("OSI-R026", "mend query or where_sql")
_NULL = _Entry("OSI-R103", "the target column refuses NULL: fill it in a transform", kind="data")
_DUPLICATE = _Entry("OSI-R104", "the key exists already: use write_mode merge, or mend the source", kind="data")
_REFERENCE = _Entry("OSI-R107", "load the table that the foreign key refers to first", kind="data")
_REFERENCED = _Entry("OSI-R123", "other tables refer to the row: keep it, or delete theirs first", kind="data")
_CONSTRAINT = _Entry("OSI-R121", "filter those rows, or change the constraint", kind="data")
_VALUE = _Entry("OSI-R102", "widen the target column, or cast in a transform", kind="data")

#: MySQL and MariaDB error numbers; client numbers (2xxx) are PyMySQL's.
_TABLE: dict[int, _Entry] = {
    **dict.fromkeys((1044, 1045, 1698, 1862, 1820, 3118, 3955, 4151), _AUTHENTICATION),
    1049: _Entry("OSI-C046", "check database; SHOW DATABASES lists those that the account sees", kind="connection"),
    1130: _Entry("OSI-C043", "the server has no account for this client's host", kind="connection"),
    1129: _Entry("OSI-C043", "too many failed logins from this host: FLUSH HOSTS on the server", kind="connection"),
    **dict.fromkeys((1040, 1203, 1226), _BUSY),
    **dict.fromkeys((1142, 1143, 1227, 1370, 1410), _PERMISSION),
    **dict.fromkeys((1053, 1077, 1079, 1080, 1152, 1158, 1159, 1160, 1161), _LOST),
    **dict.fromkeys((2006, 2013, 2055, 4031), _LOST),
    **dict.fromkeys((1927, 3168, 1184), _LOST),
    **dict.fromkeys((2002, 2003), _UNREACHABLE),
    2026: _Entry("OSI-C042", "check ssl_mode, ssl_ca and the server's certificate", kind="connection"),
    **dict.fromkeys((1205, 1213, 1614, 3058, 3101, 1020, 3572), _LOCK),
    **dict.fromkeys((3, 28, 1021, 1114, 1041, 1037, 1038, 1206), _FULL),
    **dict.fromkeys((1290, 1836, 1792, 3100), _READ_ONLY),
    **dict.fromkeys((1317, 1969, 3024), _STOPPED),
    **dict.fromkeys((1153, 1301), _PACKET),
    **dict.fromkeys((1054, 1146, 1109, 1051, 1412, 1136), _DRIFT),
    **dict.fromkeys((1064, 1055, 1060, 1052, 1222, 1248, 1305, 1582), _STATEMENT),
    **dict.fromkeys((1048, 1364, 1171, 1263), _NULL),
    **dict.fromkeys((1062, 1022, 1586, 1761), _DUPLICATE),
    **dict.fromkeys((1452, 1216), _REFERENCE),
    **dict.fromkeys((1451, 1217), _REFERENCED),
    **dict.fromkeys((3819, 4025, 1369, 1644, 1906, 3105), _CONSTRAINT),
    **dict.fromkeys(
        (1264, 1265, 1292, 1366, 1406, 1411, 1416, 1441, 3140, *range(4034, 4046), 1525, 1690, 3903), _VALUE
    ),
    1071: _Entry("OSI-R102", "the key is too long for an index: choose a shorter key column", kind="data"),
    1118: _Entry("OSI-R102", "the row is too long for a table: leave columns out", kind="data"),
}


def fault_of(error: BaseException) -> Fault | None:
    """``error`` as a Fault when it is PyMySQL's, the server's or the socket's; None for anybody else's."""
    import pymysql

    if isinstance(error, pymysql.err.MySQLError):
        return _mysql_fault(error)
    if isinstance(error, ssl.SSLError):
        return _fault(_TABLE[2026], f"TLS failed: {error}")
    if isinstance(error, socket.gaierror):
        return _fault(_Entry("OSI-C040", "check the spelling of host and the DNS", True, "connection"), str(error))
    if isinstance(error, TimeoutError):
        return _fault(_LOST, "the server did not answer in time (read_timeout)")
    if isinstance(error, OSError) and error.errno in (
        errno.ECONNRESET,
        errno.EPIPE,
        errno.ECONNREFUSED,
        errno.ECONNABORTED,
    ):
        return _fault(_LOST, f"the connection broke: {error.strerror}")
    return None


def _mysql_fault(error: BaseException) -> Fault:
    number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    text = str(error.args[1] if len(error.args) > 1 else error) or "the connection is closed"
    cause = getattr(error, "original_exception", None)
    if isinstance(cause, socket.gaierror | ssl.SSLError):
        inner = fault_of(cause)
        return replace(inner, message=text) if inner else _fault(_UNREACHABLE, text)
    entry = _TABLE.get(number)
    if entry is None:
        entry = _LOST if number == 0 else _Entry("OSI-R001", "")
    return _fault(entry, f"{text} (MySQL error {number})" if number else text)


def _fault(entry: _Entry, message: str) -> Fault:
    return Fault(entry.code, message, entry.hint, entry.retryable, entry.kind)


@contextmanager
def connecting(where: str) -> Iterator[None]:
    """Turn errors of connecting and of looking around into ConnectError; ``where`` is ``user@host:port``."""
    try:
        yield
    except OsirisError:
        raise
    except Exception as error:
        fault = fault_of(error)
        if fault is None:
            raise
        code = fault.code if fault.code.startswith("OSI-C") else "OSI-C041"
        raise ConnectError(
            f"{where}: {fault.message}", code=code, hint=fault.hint, retryable=fault.retryable
        ) from error


@contextmanager
def running(what: str) -> Iterator[None]:
    """Turn errors while rows move into RunError or DriftError; ``what`` is for example ``reading orders``."""
    try:
        yield
    except OsirisError:
        raise
    except Exception as error:
        fault = fault_of(error)
        if fault is None:
            raise
        kind = DriftError if fault.kind == "drift" else RunError
        raise kind(f"{what}: {fault.message}", code=fault.code, hint=fault.hint, retryable=fault.retryable) from error
