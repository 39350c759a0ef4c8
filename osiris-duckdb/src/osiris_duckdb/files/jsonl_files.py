"""JSON Lines: one object a line. Values keep every digit; what a column is follows from all of its values.

Only true and false: BOOLEAN. Only whole numbers: BIGINT, or DECIMAL(38,0). Numbers with fractions: DECIMAL of the
greatest scale; with exponents: DOUBLE where that keeps every digit. Only text: VARCHAR. Objects, lists and mixtures:
JSON, as it was written but for white space. Numbers that fit none of it stay text. A missing key is NULL. ``types``
overrules.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from osiris_core import DriftError, RunError
from osiris_duckdb.files.csv_files import known_type
from osiris_duckdb.files.relation import ROWS, Options, Relation, text_value, typed
from osiris_duckdb.streams import Column

_BATCH_ROWS = 8_192
_LARGEST_BIGINT = 2**63 - 1
_LARGEST_IN_DOUBLE = 2**53


class _Number(str):
    """A number with a fraction or an exponent, as it was written."""

    __slots__ = ()


@dataclass
class _Kind:
    """What the values of one key are."""

    seen: set[str] = field(default_factory=set)
    scale: int = 0
    digits: int = 0
    wide: bool = False
    inexact: bool = False

    def add(self, value: Any) -> None:
        """Take one value that is not null into account."""
        if isinstance(value, bool):
            self.seen.add("boolean")
        elif isinstance(value, int):
            self.seen.add("integer")
            self.digits = max(self.digits, len(str(abs(value))))
            self.wide = self.wide or abs(value) > _LARGEST_BIGINT
            self.inexact = self.inexact or abs(value) > _LARGEST_IN_DOUBLE
        elif isinstance(value, _Number):
            self._add_number(value)
        else:
            self.seen.add("text" if isinstance(value, str) else "json")

    def _add_number(self, text: _Number) -> None:
        self.inexact = self.inexact or Decimal(repr(float(text))) != Decimal(text)
        if "e" in text or "E" in text:
            self.seen.add("exponent")
            return
        self.seen.add("fraction")
        whole, _, fraction = text.lstrip("-").partition(".")
        self.scale, self.digits = max(self.scale, len(fraction)), max(self.digits, len(whole))

    def type(self) -> str:
        """The DuckDB type that holds every value as it is."""
        if self.seen == {"boolean"}:
            return "BOOLEAN"
        if self.seen == {"integer"}:
            return "BIGINT" if not self.wide else "DECIMAL(38,0)" if self.digits <= 38 else "VARCHAR"
        if self.seen and self.seen <= {"integer", "fraction"}:
            room = self.digits + self.scale
            return f"DECIMAL({18 if room <= 18 else 38},{self.scale})" if room <= 38 else "VARCHAR"
        if self.seen <= {"integer", "fraction", "exponent"}:
            return "VARCHAR" if self.inexact or not self.seen else "DOUBLE"
        return "VARCHAR" if self.seen == {"text"} else "JSON"


def open_jsonl(connection: duckdb.DuckDBPyConnection, paths: Sequence[Path], options: Options) -> Relation:
    """JSON Lines files as a relation. Raises DriftError, InvalidInputError; RunError for a line that is no object."""
    stamps = tuple((path, path.stat().st_mtime_ns, path.stat().st_size) for path in paths)
    inferred, rows = _inferred(stamps)
    names = list(inferred)
    _refuse_twins(names, paths[0].name)
    kinds = [
        known_type(connection, name, kind)
        for name, kind in zip(names, typed(names, inferred, options.types), strict=True)
    ]
    values = [text_value(name, kind) for name, kind in zip(names, kinds, strict=True)]
    columns = [Column(name, kind) for name, kind in zip(names, kinds, strict=True)]
    schema = pa.schema([(name, pa.string()) for name in names])
    is_json = [kind == "JSON" for kind in kinds]
    return Relation(
        columns, values, ROWS, schema=schema, batches=lambda: _batches(paths, names, is_json, schema), rows=rows
    )


@lru_cache(maxsize=64)
def _inferred(stamps: tuple[tuple[Path, int, int], ...]) -> tuple[dict[str, str], int]:
    """The type of every key, in order of appearance, and the number of rows; kept as long as no file changes."""
    kinds: dict[str, _Kind] = {}
    rows = 0
    for path, _, _ in stamps:
        for record in _records(path):
            rows += 1
            for name, value in record.items():
                kind = kinds.setdefault(name, _Kind())
                if value is not None:
                    kind.add(value)
    if not kinds:
        raise DriftError(f"{stamps[0][0].name} has no columns: it holds no object with a key")
    return {name: kind.type() for name, kind in kinds.items()}, rows


def _records(path: Path) -> Iterator[dict[str, Any]]:
    number = 0
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _record(line, number, path)
    except UnicodeError as error:
        raise RunError(f"{path.name}: a line after {number} is not UTF-8", code="OSI-R102") from error


def _record(line: str, number: int, path: Path) -> dict[str, Any]:
    try:
        value = json.loads(line, parse_float=_Number, parse_constant=_refuse, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path.name}:{number} is not one JSON value: {error}", code="OSI-R102") from error
    if not isinstance(value, dict):
        raise RunError(f"{path.name}:{number} is not a JSON object", code="OSI-R102")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key comes twice in one object")
    return value


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _batches(
    paths: Sequence[Path], names: Sequence[str], is_json: Sequence[bool], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    rows: list[list[str | None]] = []
    for path in paths:
        for record in _records(path):
            rows.append([_text(record.get(name), json_text) for name, json_text in zip(names, is_json, strict=True)])
            if len(rows) == _BATCH_ROWS:
                yield _batch(rows, schema)
                rows = []
    if rows:
        yield _batch(rows, schema)


def _batch(rows: Sequence[Sequence[str | None]], schema: pa.Schema) -> pa.RecordBatch:
    columns = zip(*rows, strict=True)
    return pa.RecordBatch.from_arrays([pa.array(column, pa.string()) for column in columns], schema=schema)


def _text(value: Any, as_json: bool) -> str | None:
    if value is None:
        return None
    if isinstance(value, str) and not (as_json and not isinstance(value, _Number)):
        return str(value)
    return json_text(value)


def json_text(value: Any) -> str:
    """``value`` as JSON with every number as it was written."""
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict):
        return (
            "{"
            + ",".join(f"{json.dumps(key, ensure_ascii=False)}:{json_text(item)}" for key, item in value.items())
            + "}"
        )
    if isinstance(value, list):
        return "[" + ",".join(json_text(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _refuse_twins(names: Sequence[str], file: str) -> None:
    seen: dict[str, str] = {}
    for name in names:
        if name.lower() in seen:
            raise DriftError(
                f'{file} has the keys "{seen[name.lower()]}" and "{name}"; letter case makes no difference'
            )
        seen[name.lower()] = name
