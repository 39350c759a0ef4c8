"""What a file looks like to a SELECT: columns in DuckDB's types, and where the rows come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from osiris_core import Connection
from osiris_duckdb.files.paths import format_of
from osiris_duckdb.instances import quote
from osiris_duckdb.streams import Column
from osiris_duckdb.writing_types import from_text

#: The view that rows of ``Relation.batches`` are registered under.
ROWS = "_osiris_file_rows"


@dataclass(frozen=True)
class Options:
    """How a file is read and written."""

    format: str
    delimiter: str = ","
    header: bool = True
    null_text: str = ""
    encoding: str = "utf-8"
    types: Mapping[str, str] | None = None

    @classmethod
    def of(cls, connection: Connection, table: str) -> Options:
        """From a connection, what the step overrides included. Raises InvalidInputError when no format is known."""
        fields = connection.fields
        return cls(
            format_of(table, fields.get("format")),
            fields.get("delimiter") or ("\t" if table.lower().endswith(".tsv") else ","),
            fields.get("header", True),
            fields.get("null_text", ""),
            fields.get("encoding", "utf-8"),
            fields.get("types"),
        )


@dataclass(frozen=True)
class Relation:
    """A file, or several of one shape, as something to select from.

    Attributes:
        columns: in DuckDB's types, as a SELECT sees them.
        values: for each column the expression over ``source`` that gives it.
        source: what stands after FROM: a table function over ``files``, or ``ROWS``.
        files: what DuckDB itself opens; empty when the rows come from ``batches``.
        schema, batches: Arrow rows for ``ROWS``.
        rows: how many, when the file says so.
    """

    columns: Sequence[Column]
    values: Sequence[str]
    source: str
    files: tuple[Path, ...] = ()
    schema: pa.Schema | None = None
    batches: Callable[[], Iterator[pa.RecordBatch]] | None = None
    rows: int | None = None

    def select(self) -> str:
        """All rows and columns, in DuckDB's own types."""
        items = (f"{value} AS {quote(c.name)}" for value, c in zip(self.values, self.columns, strict=True))
        return f"SELECT {', '.join(items)} FROM {self.source}"


def typed(names: Sequence[str], inferred: Mapping[str, str], given: Mapping[str, str] | None) -> list[str]:
    """The type of each column: what the connection or the step says, else what was inferred."""
    given = given or {}
    return [given.get(name) or inferred.get(name, "VARCHAR") for name in names]


def text_value(name: str, kind: str) -> str:
    """An expression for the text column ``name`` as ``kind``; bytes are written as hexadecimal digits."""
    return f"unhex({quote(name)})" if kind == "BLOB" else from_text(quote(name), name, kind)
