"""One table maps the server's numbers and the network's errors."""

from __future__ import annotations

import socket
import ssl

import pymysql
import pytest

from osiris_core.problem_codes import CODES
from osiris_core.testing import Connector
from osiris_mysql.faults import _TABLE, fault_of


def test_every_code_is_registered() -> None:
    assert {entry.code for entry in _TABLE.values()} - set(CODES) == set()


@pytest.mark.parametrize(
    ("error", "code", "retryable", "kind"),
    [
        (pymysql.err.OperationalError(1045, "Access denied"), "OSI-C043", False, "connection"),
        (pymysql.err.OperationalError(1040, "Too many connections"), "OSI-C047", True, "connection"),
        (pymysql.err.OperationalError(2013, "Lost connection"), "OSI-R020", True, "run"),
        (pymysql.err.InterfaceError(0, ""), "OSI-R020", True, "run"),
        (pymysql.err.OperationalError(1213, "Deadlock found"), "OSI-R021", True, "run"),
        (pymysql.err.OperationalError(1114, "The table is full"), "OSI-R022", False, "run"),
        (pymysql.err.OperationalError(1290, "--read-only"), "OSI-R023", True, "run"),
        (pymysql.err.ProgrammingError(1146, "no table"), "OSI-R002", False, "drift"),
        (pymysql.err.IntegrityError(1062, "Duplicate entry"), "OSI-R104", False, "data"),
        (pymysql.err.InternalError(4242, "never heard of"), "OSI-R001", False, "run"),
        (ssl.SSLError(1, "bad certificate"), "OSI-C042", False, "connection"),
        (socket.gaierror(-2, "unknown"), "OSI-C040", True, "connection"),
        (TimeoutError("timed out"), "OSI-R020", True, "run"),
        (ConnectionResetError(104, "reset"), "OSI-R020", True, "run"),
    ],
)
def test_errors_are_mapped(error: Exception, code: str, retryable: bool, kind: str) -> None:
    fault = fault_of(error)
    assert fault is not None
    assert (fault.code, fault.retryable, fault.kind) == (code, retryable, kind)
    assert fault.message


def test_what_is_not_theirs_is_left_to_others(connector: Connector) -> None:
    assert connector.driver.map_error(ValueError("x")) is None
    assert connector.driver.map_error(FileNotFoundError(2, "no file")) is None
