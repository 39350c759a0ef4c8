"""How each DuckDB type leaves DuckDB: the one table for reading. Needs neither DuckDB nor pyarrow.

==============================================  ==========================  ============  ======================
DuckDB                                          Arrow                       osiris.type   read as
==============================================  ==========================  ============  ======================
BOOLEAN, (U)TINYINT … (U)BIGINT, FLOAT, DOUBLE  the same                                  itself
DECIMAL(p,s)                                    decimal128(p, s)                          itself
VARCHAR, BLOB                                   string, binary                            itself
DATE, TIME, TIME_NS                             date32, time64[us, ns]                    itself
TIMESTAMP, _S, _MS, _NS                         timestamp[us, s, ms, ns]                  itself
TIMESTAMP WITH TIME ZONE                        timestamp[us, tz=UTC]                     itself
HUGEINT, UHUGEINT, BIGNUM of a table            string                      decimal       its digits
HUGEINT that a statement computed (sum, …)      decimal128(38, 0)                         checked cast
INTERVAL                                        month_day_nano_interval     interval      itself, range checked
JSON                                            string                      json          its text
UUID, BIT, ENUM                                 string                      uuid, bit,    its text
                                                                            enum
lists, arrays and structs of such               string                      json          ``to_json``
GEOMETRY                                        binary                      wkb           ``ST_AsWKB``
MAP, TIME WITH TIME ZONE, anything else         string                      text_form     DuckDB's text, which
                                                                                          DuckDB casts back
UNION, VARIANT                                  –                                         refused: their text does
                                                                                          not tell what they hold
==============================================  ==========================  ============  ======================
"""

from __future__ import annotations

import re
from typing import NamedTuple


class ReadType(NamedTuple):
    """How a column is read: ``sql`` with ``{}`` for the column, its Arrow type as pyarrow spells it, osiris.type.

    ``arrow`` is ``""`` for what cannot leave DuckDB unaltered.
    """

    sql: str
    arrow: str
    osiris: str = ""


_PLAIN = {
    "BOOLEAN": "bool",
    "TINYINT": "int8",
    "SMALLINT": "int16",
    "INTEGER": "int32",
    "BIGINT": "int64",
    "UTINYINT": "uint8",
    "USMALLINT": "uint16",
    "UINTEGER": "uint32",
    "UBIGINT": "uint64",
    "FLOAT": "float",
    "DOUBLE": "double",
    "VARCHAR": "string",
    "BLOB": "binary",
    "DATE": "date32[day]",
    "TIME": "time64[us]",
    "TIME_NS": "time64[ns]",
    "TIMESTAMP": "timestamp[us]",
    "TIMESTAMP_S": "timestamp[s]",
    "TIMESTAMP_MS": "timestamp[ms]",
    "TIMESTAMP_NS": "timestamp[ns]",
    "TIMESTAMP WITH TIME ZONE": "timestamp[us, tz=UTC]",
}
_TEXT = "CAST({} AS VARCHAR)"
_SPECIAL = {
    "HUGEINT": ReadType(_TEXT, "string", "decimal"),
    "UHUGEINT": ReadType(_TEXT, "string", "decimal"),
    "BIGNUM": ReadType(_TEXT, "string", "decimal"),
    # Arrow counts an interval's time in nanoseconds, DuckDB in microseconds: beyond 292 years it would wrap.
    "INTERVAL": ReadType(
        "CASE WHEN abs(hour({0})) < 2562047 THEN {0} "
        "WHEN {0} IS NOT NULL THEN error('osiris: an interval has more hours than Arrow can count') END",
        "month_day_nano_interval",
        "interval",
    ),
    "JSON": ReadType(_TEXT, "string", "json"),
    "UUID": ReadType(_TEXT, "string", "uuid"),
    "BIT": ReadType(_TEXT, "string", "bit"),
    '"NULL"': ReadType("CAST({} AS VARCHAR)", "string"),
}
_COMPUTED = {"HUGEINT": ReadType("CAST({} AS DECIMAL(38,0))", "decimal128(38, 0)")}
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")
_UNQUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"")
#: What ``to_json`` cannot say so that DuckDB gets the same value back.
_UNTOLD = re.compile(r"\b(UNION|VARIANT)\b")
_NOT_IN_JSON = re.compile(r"\b(MAP|BLOB|BIT|INTERVAL|TIME|TIME_NS|BIGNUM|GEOMETRY|JSON)\b")


def read_type(duckdb_type: str, *, computed: bool = False) -> ReadType:
    """How a column of ``duckdb_type`` (as DESCRIBE spells it) is read.

    ``computed``: a statement's result, where a HUGEINT is some sum and not a declared column.
    """
    kind = duckdb_type if "(" in duckdb_type else duckdb_type.upper()
    known = (_COMPUTED.get(kind) if computed else None) or _SPECIAL.get(kind)
    if known is not None:
        return known
    if plain := _plain(kind):
        return ReadType("{}", plain)
    return _nested_or_rare(kind)


def _nested_or_rare(kind: str) -> ReadType:
    names = _UNQUOTED.sub("", kind)
    if _UNTOLD.search(names):
        return ReadType("", "")
    if kind.startswith("GEOMETRY"):
        return ReadType("ST_AsWKB({})", "binary", "wkb")
    if kind.startswith("ENUM(") and not kind.endswith("]"):
        return ReadType(_TEXT, "string", "enum")
    is_nested = kind.endswith("]") or kind.startswith("STRUCT(")
    if is_nested and not _NOT_IN_JSON.search(names):
        return ReadType("CAST(to_json({}) AS VARCHAR)", "string", "json")
    return ReadType(_TEXT, "string", "text_form")


def _plain(kind: str) -> str:
    """The Arrow type of what leaves as it is, or ``""``."""
    if decimal := _DECIMAL.fullmatch(kind):
        return f"decimal128({decimal[1]}, {decimal[2]})"
    return _PLAIN.get(kind, "")
