"""The columns a read hands out: what is selected for each, and its Arrow field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from osiris_mysql.typemap import MySQLType

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class ReadColumn:
    """One column of the result, by its name and type; ``comment`` is the source's."""

    name: str
    type: MySQLType
    nullable: bool = True
    comment: str = ""

    def selected(self, quoted: str) -> str:
        """The column in a SELECT list, under its own name; ``quoted`` is that name, quoted."""
        expression = self.type.expression(quoted)
        return expression if expression == quoted else f"{expression} AS {quoted}"

    def field(self) -> pa.Field:
        """The Arrow field, with what Arrow cannot say as metadata."""
        from osiris_core.data import field

        return field(self.name, self.type.storage(), self.nullable, self.type.osiris, f"mysql:{self.type.source}")


def schema_of(columns: Sequence[ReadColumn], primary_key: Sequence[str] = (), comment: str = "") -> pa.Schema:
    """The Arrow schema of a read, with what a writer needs to make an equal table."""
    import pyarrow as pa

    from osiris_core.data import with_source_table

    return with_source_table(
        pa.schema([column.field() for column in columns]),
        primary_key=primary_key,
        comment=comment,
        comments={column.name: column.comment for column in columns},
    )
