"""Faithful MySQL types for Arrow columns, and the CREATE and ALTER TABLE made from them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence

import pyarrow as pa

from osiris_core import RunError
from osiris_core.data import osiris_type, source_comment, source_type
from osiris_mysql.fitting import family_of, plain_type
from osiris_mysql.names import LAST, quote, quote_table, quote_text

#: Characters of a text column that is part of a key; InnoDB keys hold 3,072 bytes, utf8mb4 takes four each.
KEY_LENGTH = 255
#: A MySQL type as information_schema spells it. Metadata may come from a file, so nothing else reaches DDL.
_NATIVE = re.compile(
    r"^mysql:((?:[a-z0-9]+(?:\(\d+(?:,\d+)?\))?(?: unsigned)?(?: zerofill)?)"
    r"|(?:enum|set)\('(?:[^'\\]|'')*'(?:,'(?:[^'\\]|'')*')*\))$"
)
_BIT = re.compile(r"bit\((\d+)\)")
#: Types that need their own words on servers that do not have them.
_MARIADB_ONLY = re.compile(r"^(uuid|inet4|inet6)\b")
#: Characters of a comment; a longer one is an error of the server.
_TABLE_COMMENT, _COLUMN_COMMENT = 2048, 1024
_INTEGERS = {8: "TINYINT", 16: "SMALLINT", 32: "INT", 64: "BIGINT"}


def column_type(field: pa.Field, *, key: bool, mariadb: bool) -> str:
    """The MySQL type of a new column for ``field``; a MySQL source's own type is taken as it was.

    Args:
        field: Arrow field with its metadata.
        key: the column is part of the table's key, so text and bytes get a length and compare exactly.
        mariadb: MariaDB's words, not MySQL's.
    """
    native = _NATIVE.match(source_type(field))
    if native and not (_MARIADB_ONLY.match(native[1]) and not mariadb) and not (key and _is_long(native[1])):
        text = _json(mariadb) if osiris_type(field) == "json" and native[1] != "json" else native[1]
        return f"{text} COLLATE {_exact(mariadb)}" if key and family_of(field) == "text" else text
    marked = osiris_type(field)
    if marked == "json":
        return _json(mariadb)
    if marked == "bit":
        bits = _BIT.search(source_type(field))
        return f"BIT({bits[1]})" if bits and int(bits[1]) <= 64 else "LONGTEXT"
    if marked == "uuid":
        return "CHAR(36) CHARACTER SET ascii"
    if marked == "wkb":
        return "GEOMETRY"
    return _plain(field, key=key, mariadb=mariadb)


def _plain(field: pa.Field, *, key: bool, mariadb: bool) -> str:
    kind, family = plain_type(field.type), family_of(field)
    makers: dict[str, Callable[[], str]] = {
        "int": lambda: _INTEGERS[kind.bit_width] + ("" if pa.types.is_signed_integer(kind) else " UNSIGNED"),
        "float": lambda: "DOUBLE" if kind.bit_width == 64 else "FLOAT",
        "decimal": lambda: _decimal(field),
        "binary": lambda: _binary(kind, key),
        "timestamp": lambda: "TIMESTAMP(6)" if kind.tz else "DATETIME(6)",
        "bool": lambda: "BIT(1)",
        "date": lambda: "DATE",
        "time": lambda: "TIME(6)",
    }
    if family in ("text", "null"):
        return f"VARCHAR({KEY_LENGTH}) COLLATE {_exact(mariadb)}" if key else "LONGTEXT"
    if family not in makers:
        raise RunError(
            f"column {field.name}: MySQL has no type for {kind} {osiris_type(field)}".rstrip(),
            code="OSI-R101",
            hint="cast it in a query or transform, or leave it out",
        )
    return makers[family]()


def _binary(kind: pa.DataType, key: bool) -> str:
    if pa.types.is_fixed_size_binary(kind) and kind.byte_width <= 255:
        return f"BINARY({kind.byte_width})"
    return f"VARBINARY({KEY_LENGTH})" if key else "LONGBLOB"


def _decimal(field: pa.Field) -> str:
    precision, scale = field.type.precision, field.type.scale
    if precision > 65 or not 0 <= scale <= 30:
        raise RunError(
            f"column {field.name}: DECIMAL({precision},{scale}) is beyond MySQL's DECIMAL(65,30)",
            code="OSI-R101",
            hint="cast it in a query or transform",
        )
    return f"DECIMAL({precision},{scale})"


def _json(mariadb: bool) -> str:
    """JSON text as it came: MySQL's own JSON type would rewrite numbers and the order of keys."""
    return "JSON" if mariadb else "LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"


def _exact(mariadb: bool) -> str:
    """A collation in which only equal bytes are equal, trailing blanks included."""
    return "utf8mb4_nopad_bin" if mariadb else "utf8mb4_0900_bin"


def _is_long(native: str) -> bool:
    return re.match(r"^(tiny|medium|long)?(text|blob)", native) is not None


def create_table(database: str, table: str, schema: pa.Schema, keys: Collection[str], *, mariadb: bool) -> str:
    """CREATE TABLE for ``schema``, with its comments; ``keys`` become its primary key."""
    lines = [_definition(field, key=field.name in keys, mariadb=mariadb) for field in schema]
    if keys:
        lines.append(f"PRIMARY KEY ({', '.join(quote(name) for name in keys)})")
    body = ",\n  ".join(lines)
    comment = _comment(schema, _TABLE_COMMENT)
    return f"CREATE TABLE {quote_table(database, table)} (\n  {body}\n) ENGINE=InnoDB CHARACTER SET utf8mb4{comment}"


def add_columns(database: str, table: str, fields: Sequence[pa.Field], *, mariadb: bool) -> str:
    """ALTER TABLE that adds ``fields``, all of them nullable because the rows that are there have no value."""
    added = ", ".join(
        f"ADD COLUMN {_definition(field.with_nullable(True), key=False, mariadb=mariadb)}" for field in fields
    )
    return f"ALTER TABLE {quote_table(database, table)} {added}"


def unkept_comments(fields: Iterable[pa.Field], schema: pa.Schema | None = None) -> list[str]:
    """Whose comments MySQL cannot keep, in words; ``schema`` where the table's own is to be made too."""
    unkept = [f"column {field.name}" for field in fields if _unkept(source_comment(field), _COLUMN_COMMENT)]
    table = schema is not None and _unkept(source_comment(schema), _TABLE_COMMENT)
    return ["the table", *unkept] if table else unkept


def _unkept(comment: str, longest: int) -> bool:
    # Its dictionary is in utf8mb3: an emoji would become a question mark, without a word. NUL is dropped or worse.
    return len(comment) > longest or "\0" in comment or any(ord(char) > LAST for char in comment)


def _comment(described: pa.Schema | pa.Field, longest: int) -> str:
    comment = source_comment(described)
    return f" COMMENT {quote_text(comment)}" if comment and not _unkept(comment, longest) else ""


def _definition(field: pa.Field, *, key: bool, mariadb: bool) -> str:
    text = column_type(field, key=key, mariadb=mariadb)
    # NULL is said aloud: without it TIMESTAMP columns are NOT NULL with a default of their own on older servers.
    required = key or not (field.nullable or text.lower().startswith("timestamp"))
    line = f"{quote(field.name)} {text} {'NOT NULL' if required else 'NULL'}{_comment(field, _COLUMN_COMMENT)}"
    if osiris_type(field) == "json" and not mariadb and text != "json":
        line += f" CHECK (json_valid({quote(field.name)}))"
    return line
