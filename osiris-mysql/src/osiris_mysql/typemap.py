"""MySQL's types in Arrow's terms: one table, used by discovery, both readers and the writer.

``parse`` reads a ``COLUMN_TYPE`` of ``information_schema`` (``bigint(20) unsigned``); ``from_result``
reads the metadata of a result set. Both give a ``MySQLType``, which says how the column is selected,
what Arrow type its rows have, and by which ``kind`` its values are decoded. ``wire_of`` says how they are sent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pyarrow as pa

#: How a value becomes an Arrow value; decoders are tables over these.
KINDS = frozenset(
    {"int", "float", "decimal", "date", "time", "datetime", "timestamp", "bool", "bit", "text", "binary", "wkb"}
)
TEMPORAL = frozenset({"date", "datetime", "timestamp"})

_INTEGERS = {"tinyint": "int8", "smallint": "int16", "mediumint": "int32", "int": "int32", "bigint": "int64"}
_GEOMETRY = frozenset(
    {"geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon"}
    | {"geometrycollection", "geomcollection"}
)
_TEXT = frozenset({"char", "varchar", "tinytext", "text", "mediumtext", "longtext"})
_BINARY = frozenset({"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"})
#: Text types with a meaning of their own, and the ``osiris.type`` that carries it.
_MARKED_TEXT = {
    "json": "json",
    "enum": "enum",
    "set": "set",
    "uuid": "uuid",
    "inet4": "text_form",
    "inet6": "text_form",
}
_COLUMN_TYPE = re.compile(r"^(?P<base>[a-z0-9_]+)(?:\((?P<size>[0-9]+)(?:,(?P<scale>[0-9]+))?\))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class MySQLType:
    """One column's type.

    Attributes:
        source: the server's own text, for example ``decimal(10,2) unsigned``.
        base: its first word in lower case, without size.
        kind: one of ``KINDS``, or ``""`` when Osiris cannot represent it.
        arrow: Arrow type in pyarrow's spelling, or ``""``.
        osiris: its ``osiris.type``, or ``""``.
        scale: digits after the decimal point, of decimals.
        size: bits of a BIT, digits of seconds' fractions of temporal types, length of texts; 0 when unknown.
    """

    source: str
    base: str
    kind: str = ""
    arrow: str = ""
    osiris: str = ""
    scale: int = 0
    size: int = 0

    @property
    def readable(self) -> bool:
        """Whether Osiris can represent its values."""
        return bool(self.kind)

    def expression(self, quoted: str) -> str:
        """What to select for the quoted column, so that neither protocol alters anything."""
        if self.base == "float":
            return f"CAST({quoted} AS DOUBLE)"  # FLOAT is printed with six digits
        if self.base == "bit":
            return f"CAST({quoted} AS UNSIGNED)"  # MariaDB sends of a column its bytes, of an expression digits
        if self.kind == "wkb":
            return f"ST_AsWKB({quoted})"
        return quoted

    def storage(self) -> pa.DataType:
        """The Arrow type itself."""
        return arrow_type(self.arrow)


def parse(column_type: str, *, json: bool = False) -> MySQLType:
    """The type that ``information_schema.columns.column_type`` spells.

    Args:
        column_type: for example ``tinyint(3) unsigned`` or ``enum('a','b')``.
        json: the column is text that a ``json_valid`` check makes JSON (MariaDB's JSON).
    """
    match = _COLUMN_TYPE.match(column_type)
    if match is None:
        return MySQLType(column_type, "")
    base = match["base"].lower()
    size, scale = int(match["size"] or 0), int(match["scale"] or 0)
    if json and base in _TEXT:
        return MySQLType(column_type, "json", "text", "string", "json")
    if base in _INTEGERS:
        arrow = _INTEGERS[base]
        return MySQLType(column_type, base, "int", f"u{arrow}" if "unsigned" in column_type.lower() else arrow)
    if base == "decimal":
        return _decimal(column_type, size or 10, scale)
    return _other(column_type, base, size)


def _other(source: str, base: str, size: int) -> MySQLType:
    simple = {
        "float": ("float", "float", ""),
        "double": ("float", "double", ""),
        "date": ("date", "date32[day]", ""),
        "time": ("time", "duration[us]", "time"),
        "datetime": ("datetime", "timestamp[us]", ""),
        "timestamp": ("timestamp", "timestamp[us, tz=UTC]", ""),
        "year": ("int", "int16", ""),
        "bit": ("bool", "bool", "") if size <= 1 else ("bit", "string", "bit"),
    }
    if base in simple:
        kind, arrow, osiris = simple[base]
    elif base in _TEXT:
        kind, arrow, osiris = "text", "string", ""
    elif base in _MARKED_TEXT:
        kind, arrow, osiris = "text", "string", _MARKED_TEXT[base]
    elif base in _BINARY:
        kind, arrow, osiris = "binary", "binary", ""
    elif base in _GEOMETRY:
        kind, arrow, osiris = "wkb", "binary", "wkb"
    else:
        return MySQLType(source, base)
    return MySQLType(source, base, kind, arrow, osiris, size=size)


def _decimal(source: str, precision: int, scale: int) -> MySQLType:
    width = 128 if precision <= 38 else 256
    arrow = f"decimal{width}({precision}, {scale})"
    return MySQLType(source, "decimal", "decimal", arrow, scale=scale, size=precision)


# -- result sets -------------------------------------------------------------------------------------------
_BINARY_CHARSET = 63
_UNSIGNED, _ENUM, _SET = 32, 256, 2048
_RESULT_INTEGERS = {1: "tinyint", 2: "smallint", 3: "int", 8: "bigint", 9: "mediumint"}
_RESULT_SIMPLE = {
    4: "float",
    5: "double",
    7: "timestamp",
    10: "date",
    11: "time",
    12: "datetime",
    13: "year",
    245: "json",
}
_RESULT_OTHER = frozenset({6, 15, 16, 249, 250, 251, 252, 253, 254, 255})


def from_result(field: Any) -> MySQLType:
    """The type of one column of a result set, from its column definition packet (a PyMySQL field)."""
    code, unsigned = field.type_code, bool(field.flags & _UNSIGNED)
    if code in _RESULT_INTEGERS:
        return parse(_RESULT_INTEGERS[code] + (" unsigned" if unsigned else ""))
    if code in (0, 246):
        # The length counts the sign (unless unsigned) and the point (unless there is no scale).
        precision = field.length - (0 if unsigned else 1) - (1 if field.scale else 0)
        return parse(f"decimal({min(65, max(precision, field.scale, 1))},{field.scale})")
    if code in _RESULT_SIMPLE:
        base = _RESULT_SIMPLE[code]
        fraction = base in ("time", "datetime", "timestamp") and 0 < field.scale <= 6
        return parse(f"{base}({field.scale})" if fraction else base)
    return parse(_result_text(field)) if code in _RESULT_OTHER else MySQLType(f"type {code}", "")


#: Numbers of a fixed width, little-endian, in numpy's spelling.
_LAYOUTS = {1: "i1", 2: "<i2", 3: "<i4", 4: "<f4", 5: "<f8", 8: "<i8", 9: "<i4", 13: "<i2"}
_MOMENTS, _SPAN = frozenset({7, 10, 12}), 11


class Wire(NamedTuple):
    """How the binary protocol sends a column: ``number`` (of this layout), ``moment``, ``span`` or ``bytes``."""

    form: str
    layout: str = ""


def wire_of(field: Any) -> Wire:
    """How one column of a result set is sent, from its column definition packet (a PyMySQL field)."""
    code = field.type_code
    if code in _LAYOUTS:
        layout = _LAYOUTS[code]
        return Wire("number", layout.replace("i", "u") if field.flags & _UNSIGNED else layout)
    if code in _MOMENTS:
        return Wire("moment")
    return Wire("span" if code == _SPAN else "bytes")


def _result_text(field: Any) -> str:
    words = {16: f"bit({field.length})", 255: "geometry", 6: "varchar(0)"}  # 6: a column of NULL literals
    if field.type_code in words:
        return words[field.type_code]
    if field.flags & (_ENUM | _SET):
        return "enum" if field.flags & _ENUM else "set"
    return "longblob" if field.charsetnr == _BINARY_CHARSET else "longtext"


def arrow_type(text: str) -> pa.DataType:
    """The Arrow type that ``MySQLType.arrow`` spells."""
    import pyarrow as pa

    if text.startswith("decimal"):
        precision, scale = (int(part) for part in re.findall(r"\d+", text)[1:])
        return pa.decimal128(precision, scale) if text.startswith("decimal128") else pa.decimal256(precision, scale)
    if text == "timestamp[us, tz=UTC]":
        return pa.timestamp("us", "UTC")
    return pa.type_for_alias({"date32[day]": "date32", "binary": "binary"}.get(text, text))
