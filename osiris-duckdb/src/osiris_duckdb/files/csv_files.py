"""CSV: every field is text until it is proved to be more.

A column's type is inferred only where the type keeps all the text says: whole numbers without leading zeros,
decimals, ISO dates and timestamps, true and false, and floats only where their text is just what a double is written
as. Anything else stays text. Files of
up to 64 MB are looked at whole, of larger ones the first 200,000 rows; a later value of another kind is an error
when it is read, never altered. ``types`` in the config overrules all of it.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path

import duckdb

from osiris_core import DriftError, InvalidInputError
from osiris_duckdb.files.relation import Options, Relation, text_value, typed
from osiris_duckdb.instances import literal, one, quote
from osiris_duckdb.streams import Column
from osiris_duckdb.writing_types import spelled_type

WHOLE_FILE_BYTES = 64 * 1024 * 1024
SAMPLE_ROWS = 200_000
_LONGEST_LINE = 16 * 1024 * 1024
_BUFFER = 2 * _LONGEST_LINE
#: Values per column that choose the candidate type; all others only confirm it.
_FIRST_ROWS = 1_000

_INTEGER = r"-?(0|[1-9][0-9]{0,17})"
_NUMBER = r"-?(0|[1-9][0-9]*)(\.[0-9]+)?"
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIMESTAMP = _DATE + r"[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
_FLOAT = r"-?([0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?|inf)|nan"
_ZONED = _TIMESTAMP + r" ?(Z|[+-][0-9]{2}(:?[0-9]{2})?)"
#: In the order in which they are tried.
_KINDS = (
    ("BOOLEAN", "true|false"),
    ("BIGINT", _INTEGER),
    ("DECIMAL", _NUMBER),
    ("DATE", _DATE),
    ("TIMESTAMP", _TIMESTAMP),
    ("TIMESTAMP WITH TIME ZONE", _ZONED),
    ("DOUBLE", _FLOAT),
)


def open_csv(connection: duckdb.DuckDBPyConnection, paths: Sequence[Path], options: Options) -> Relation:
    """CSV files of one header as a relation. ``connection`` may read them. Raises DriftError, InvalidInputError."""
    names = column_names(paths, options)
    source = _read_csv(paths, names, options)
    left = [name for name in names if name not in (options.types or {})]
    kinds = typed(names, _inferred(connection, source, left, paths), options.types)
    kinds = [known_type(connection, name, kind) for name, kind in zip(names, kinds, strict=True)]
    values = [text_value(name, kind) for name, kind in zip(names, kinds, strict=True)]
    columns = [Column(name, kind) for name, kind in zip(names, kinds, strict=True)]
    return Relation(columns, values, source, tuple(paths))


def column_names(paths: Sequence[Path], options: Options) -> list[str]:
    """The columns of CSV files, which must be the same in all. Raises DriftError."""
    first = _first_row(paths[0], options)
    for path in paths[1:]:
        row = _first_row(path, options)
        if (row != first) if options.header else (len(row) != len(first)):
            raise DriftError(f"{path.name} does not have the columns of {paths[0].name}")
    if not options.header:
        return [f"column{index}" for index in range(1, len(first) + 1)]
    lower = [name.lower() for name in first]
    for index, name in enumerate(first):
        if not name:
            raise DriftError(f"column {index + 1} of {paths[0].name} has no name", hint="name it, or say header: false")
        if lower.index(name.lower()) != index:
            raise DriftError(f'{paths[0].name} has two columns "{name}"; letter case makes no difference')
    return first


def _first_row(path: Path, options: Options) -> list[str]:
    encoding = "utf-8-sig" if options.encoding == "utf-8" else options.encoding
    try:
        with path.open(encoding=encoding, newline="") as file:
            row = next(csv.reader(file, delimiter=options.delimiter, strict=True), None)
    except (UnicodeError, csv.Error) as error:
        raise DriftError(f"{path.name} does not begin like a CSV file in {options.encoding}: {error}") from error
    if not row:
        raise DriftError(f"{path.name} is empty: it does not even name its columns")
    return row


def count_rows(connection: duckdb.DuckDBPyConnection, path: Path, options: Options, names: Sequence[str]) -> int:
    """The rows of a file as a reader will find them."""
    if not names:
        return 0
    return int(one(connection, f"SELECT count(*) FROM {_read_csv([path], names, options)}")[0])


def _read_csv(paths: Sequence[Path], names: Sequence[str], options: Options) -> str:
    files = ", ".join(literal(str(path)) for path in paths)
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names)
    return (
        f"read_csv([{files}], auto_detect = false, header = {str(options.header).lower()}, "
        f"delim = {literal(options.delimiter)}, quote = '\"', escape = '\"', nullstr = {literal(options.null_text)}, "
        f"allow_quoted_nulls = false, max_line_size = {_LONGEST_LINE}, buffer_size = {_BUFFER}, "
        f"encoding = {literal(options.encoding)}, columns = {{{columns}}})"
    )


def _inferred(
    connection: duckdb.DuckDBPyConnection, source: str, names: Sequence[str], paths: Sequence[Path]
) -> dict[str, str]:
    """The type of each of ``names`` for which one is proved."""
    if not names:
        return {}
    small = sum(path.stat().st_size for path in paths) <= WHOLE_FILE_BYTES
    sample = f"SELECT {', '.join(quote(name) for name in names)} FROM {source}"
    first = connection.execute(f"{sample} LIMIT {_FIRST_ROWS}").fetchall()
    candidates = {name: kind for index, name in enumerate(names) if (kind := _candidate([row[index] for row in first]))}
    if not candidates:
        return {}
    checks = [part for name, kind in candidates.items() for part in _check(quote(name), kind)]
    row = one(connection, f"SELECT {', '.join(checks)} FROM ({sample}{'' if small else f' LIMIT {SAMPLE_ROWS}'})")
    proved = {}
    for index, (name, kind) in enumerate(candidates.items()):
        fits, scale, digits = row[3 * index : 3 * index + 3]
        if fits:
            proved[name] = _decimal(int(digits), int(scale)) if kind == "DECIMAL" else kind
    return {name: kind for name, kind in proved.items() if kind}


def _candidate(values: Sequence[str | None]) -> str:
    """The first kind that all values are of; ``""`` without any value."""
    texts = [value for value in values if value is not None]
    for kind, pattern in _KINDS if texts else ():
        compiled = re.compile(pattern, re.ASCII)
        if all(compiled.fullmatch(text) for text in texts):
            return kind
    return ""


def _check(column: str, kind: str) -> tuple[str, str, str]:
    """Three aggregates: whether every value is of ``kind``, and a decimal's greatest scale and whole digits."""
    spelled = f"regexp_full_match({column}, {literal(dict(_KINDS)[kind])})"
    if kind == "DOUBLE":  # only texts that a double would be written as: no digit is lost
        spelled += f" AND CAST(try_cast({column} AS DOUBLE) AS VARCHAR) = {column}"
    elif kind != "DECIMAL":
        spelled += f" AND try_cast({column} AS {kind}) IS NOT NULL"
    fits = f"coalesce(bool_and({spelled}) FILTER (WHERE {column} IS NOT NULL), true)"
    if kind != "DECIMAL":
        return fits, "0", "0"
    scale = f"max(CASE WHEN contains({column}, '.') THEN strlen({column}) - strpos({column}, '.') ELSE 0 END)"
    digits = f"max(strlen(split_part(ltrim({column}, '-'), '.', 1)))"
    return fits, f"coalesce({scale}, 0)", f"coalesce({digits}, 0)"


def _decimal(digits: int, scale: int) -> str:
    """The narrowest of the two decimals that hold it: a type that does not change with every new row."""
    if digits + scale <= 18:
        return f"DECIMAL(18,{scale})"
    return f"DECIMAL(38,{scale})" if digits + scale <= 38 else ""


def known_type(connection: duckdb.DuckDBPyConnection, name: str, kind: str) -> str:
    """``kind`` as DuckDB spells it. Raises InvalidInputError naming the column."""
    spelled = spelled_type(connection, kind)
    if spelled is None:
        raise InvalidInputError(
            f'the type "{kind}" of the column "{name}" is not known to DuckDB',
            code="OSI-V104",
            hint="for example bigint, decimal(10,2), date, timestamp, varchar",
        )
    return spelled
