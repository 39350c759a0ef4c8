"""What a file looks like to a SELECT: columns in DuckDB's types, and where the rows come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from osiris_core import InvalidInputError, did_you_mean
from osiris_duckdb.instances import quote
from osiris_duckdb.streams import Column

#: The view that rows of ``Relation.batches`` are registered under.
ROWS = "_osiris_file_rows"


@dataclass(frozen=True)
class Options:
    """How to read a file; the fields of ``config`` with their defaults."""

    format: str
    delimiter: str = ","
    header: bool = True
    null_text: str = ""
    encoding: str = "utf-8"
    types: Mapping[str, str] | None = None

    @classmethod
    def of(cls, config: Mapping[str, Any], format_name: str) -> Options:
        """From a step's config."""
        default = "\t" if str(config["table"]).lower().endswith(".tsv") else ","
        return cls(
            format_name,
            config.get("delimiter", default),
            config.get("header", True),
            config.get("null_text", ""),
            config.get("encoding", "utf-8"),
            config.get("types"),
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
    """The type of each column: what the config says, else what was inferred.

    Raises InvalidInputError for a type of a column that is not there.
    """
    given = given or {}
    for name in given:
        if name not in names:
            raise InvalidInputError(
                f'types names the column "{name}", which the file does not have',
                code="OSI-V202",
                hint=did_you_mean(name, names),
            )
    return [given.get(name) or inferred.get(name, "VARCHAR") for name in names]
