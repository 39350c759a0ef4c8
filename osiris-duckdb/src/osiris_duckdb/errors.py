"""DuckDB's errors in Osiris's terms: one table, by exception class and by what the message begins with."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, NamedTuple

import duckdb

from osiris_core import ConnectError, Fault


class _Rule(NamedTuple):
    kind: type[BaseException]
    pattern: str
    code: str
    hint: str
    retryable: bool = False
    fault: Literal["connection", "run", "drift", "data"] = "run"


#: What expressions of ours say with DuckDB's ``error()``.
OWN = "osiris: "

#: The first rule whose class and pattern match speaks.
_RULES = (
    # In COMMIT it is a TransactionException, and what follows it a FatalException.
    *(
        _Rule(kind, r"No space left|disk quota", "OSI-R022", "free some space and run again", retryable=True)
        for kind in (duckdb.IOException, duckdb.TransactionException, duckdb.FatalException)
    ),
    _Rule(
        duckdb.InvalidInputException,
        OWN,
        "OSI-R102",
        "convert the value in a query or a transform, or give the target a wider type",
        fault="data",
    ),
    _Rule(
        duckdb.IOException,
        r"Could not set lock|being used by another process|Conflicting lock",
        "OSI-C010",
        "another process has this file open; DuckDB lets one process write, or several read",
        retryable=True,
        fault="connection",
    ),
    _Rule(
        duckdb.IOException,
        r"not a valid DuckDB|serialized storage version|older version|newer version|storage version",
        "OSI-C010",
        "the file was not made by DuckDB, or by a version that this one cannot read",
        fault="connection",
    ),
    _Rule(
        duckdb.IOException,
        r"does not exist|No such file",
        "OSI-C010",
        "check the connection's path",
        fault="connection",
    ),
    _Rule(duckdb.OutOfMemoryException, r"", "OSI-R022", "raise memory_limit, or free some disk for spilling"),
    _Rule(duckdb.IOException, r"Permission denied", "OSI-C010", "check the file's permissions", fault="connection"),
    _Rule(
        duckdb.TransactionException, r"[Cc]onflict", "OSI-R021", "another step changed the same rows", retryable=True
    ),
    _Rule(duckdb.ConstraintException, r"NOT NULL", "OSI-R103", "the target column refuses NULL", fault="data"),
    _Rule(
        duckdb.ConstraintException,
        r"[Dd]uplicate key|unique constraint|primary key constraint",
        "OSI-R104",
        "use write_mode merge, or leave out the rows that are there already",
        fault="data",
    ),
    _Rule(
        duckdb.ConstraintException,
        r"still referenced",
        "OSI-R107",
        "DuckDB cannot delete or rewrite a row that another table refers to, not even in one transaction; "
        "merge without delete_missing, or drop the foreign key",
        fault="data",
    ),
    _Rule(duckdb.ConstraintException, r"foreign key", "OSI-R107", "load the referenced table first", fault="data"),
    _Rule(duckdb.ConstraintException, r"", "OSI-R102", "a constraint of the target refuses a row", fault="data"),
    _Rule(duckdb.ConversionException, r"", "OSI-R102", "a value does not fit its column", fault="data"),
    _Rule(duckdb.OutOfRangeException, r"", "OSI-R102", "a value does not fit its column", fault="data"),
    _Rule(duckdb.InvalidInputException, r"Cannot execute .* read-only mode", "OSI-R023", "open it without read_only"),
    _Rule(duckdb.InterruptException, r"", "OSI-R090", "the run was cancelled"),
    _Rule(
        duckdb.PermissionException, r"", "OSI-R026", "SQL in a pipeline reaches tables only, no files and no network"
    ),
    _Rule(duckdb.CatalogException, r"", "OSI-R002", "osiris discover shows what exists", fault="drift"),
    _Rule(duckdb.BinderException, r"", "OSI-R002", "osiris discover shows what exists", fault="drift"),
    _Rule(duckdb.ParserException, r"", "OSI-R026", "the statement is not valid SQL for DuckDB"),
    _Rule(duckdb.Error, r"", "OSI-R001", ""),
)


def fault(error: BaseException) -> Fault | None:
    """``error`` in Osiris's terms, or None when it is not DuckDB's."""
    text = str(error)
    for rule in _RULES:
        if isinstance(error, rule.kind) and re.search(rule.pattern, text):
            return Fault(rule.code, _first_line(text), rule.hint, rule.retryable, rule.fault)
    return None


#: What DuckDB puts before its messages, and the exception that it stands for.
_BY_PREFIX = {
    "Invalid Input Error": duckdb.InvalidInputException,
    "Conversion Error": duckdb.ConversionException,
    "Out of Range Error": duckdb.OutOfRangeException,
    "Constraint Error": duckdb.ConstraintException,
    "Out of Memory Error": duckdb.OutOfMemoryException,
    "IO Error": duckdb.IOException,
    "INTERRUPT Error": duckdb.InterruptException,
    "Permission Error": duckdb.PermissionException,
    "TransactionContext Error": duckdb.TransactionException,
}


def own_error(error: OSError) -> BaseException:
    """What DuckDB raised in the middle of a stream: Arrow's interface passes on its text as an OSError."""
    text = str(error)
    for prefix, kind in _BY_PREFIX.items():
        if text.startswith(prefix):
            return kind(text)
    return error


def connect_error(error: duckdb.Error, path: Path) -> ConnectError:
    """What opening ``path`` failed with."""
    found = fault(error)
    hint, retryable = (found.hint, found.retryable) if found else ("", False)
    return ConnectError(f"cannot open {path}: {_first_line(str(error))}", hint=hint, retryable=retryable)


def _first_line(text: str) -> str:
    """The message without DuckDB's picture of the statement; ours without what DuckDB puts before it."""
    line = text.strip().split("\n", 1)[0].strip()
    return line.partition(OWN)[2] or line
