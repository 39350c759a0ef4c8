"""What rows look like on their way: the fields that each step hands on, as far as they are known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from osiris_core.catalog.model import Column, Table


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a step's rows. ``column`` is the catalogue's, when the field comes straight from one."""

    name: str
    column: Column | None = None

    @property
    def arrow(self) -> str:
        """Arrow type in pyarrow's spelling, or ``""`` when it is not known."""
        return self.column.arrow if self.column is not None else ""


@dataclass(frozen=True, slots=True)
class Relation:
    """Fields in order. ``complete``: there are no others."""

    fields: tuple[Field, ...]
    complete: bool = True

    def field(self, name: str) -> Field | None:
        """The field called exactly ``name``."""
        return next((field for field in self.fields if field.name == name), None)

    def fields_like(self, name: str, *, fold: bool) -> list[Field]:
        """Fields called ``name``; ``fold``: without regard to case, as SQL does."""
        if not fold:
            return [field for field in self.fields if field.name == name]
        lower = name.lower()
        return [field for field in self.fields if field.name.lower() == lower]

    def names(self) -> list[str]:
        """Names of all known fields."""
        return [field.name for field in self.fields]

    def renamed(self, names: Iterable[str]) -> Relation:
        """The same fields under ``names``."""
        named = zip(self.fields, names, strict=True)
        return Relation(tuple(Field(name, field.column) for field, name in named), self.complete)


UNKNOWN = Relation((), complete=False)


def relation_of_table(table: Table, names: Iterable[str] | None = None) -> Relation:
    """Rows of ``table``: the columns called ``names`` in that order, or all of them."""
    if names is None:
        return Relation(tuple(Field(column.name, column) for column in table.columns))
    return Relation(tuple(Field(name, table.column(name)) for name in names))
