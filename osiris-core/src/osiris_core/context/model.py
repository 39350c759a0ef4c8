"""What context is made of: the view of what exists, and hints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from osiris_core.catalog.model import Catalog, Column, Table


@dataclass(frozen=True, slots=True)
class ContextRequest:
    """What the context is wanted for.

    Attributes:
        text: the user's words, or ``""`` when the context is built before there are any.
        comments: whether the user asked for table and column comments.
    """

    text: str = ""
    comments: bool = False


@dataclass(frozen=True, slots=True)
class ContextSection:
    """A hint a plugin adds to the brief: one short paragraph under ``title``."""

    title: str
    text: str


@dataclass(frozen=True)
class Source:
    """One connection as the model may use it."""

    alias: str
    component: str
    catalog: Catalog
    readable: bool
    write_modes: tuple[str, ...]
    creates: bool = False
    incremental: bool = False
    guidance: str = ""


@dataclass(frozen=True, slots=True)
class TableRef:
    """A table of a source, under the name the model uses for it."""

    name: str
    source: Source
    table: Table


@dataclass(frozen=True)
class View:
    """Everything a model may name: sources by alias, tables under unambiguous names.

    A table is called by its bare name, and ``name@alias`` only where two connections have it.
    """

    sources: tuple[Source, ...]
    hints: tuple[ContextSection, ...] = ()
    #: The transform component that can express renames and SQL, when one is installed.
    transform: str | None = None
    #: Whether plain copies are offered; not where only SQL can say what is asked for.
    copies: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def tables(self) -> dict[str, TableRef]:
        """Every readable table under its name."""
        return {ref.name: ref for ref in self._refs()}

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Every column name that exists anywhere, sorted."""
        return tuple(sorted({column.name for ref in self.tables.values() for column in ref.table.columns}))

    @cached_property
    def targets(self) -> tuple[str, ...]:
        """Aliases that can be written."""
        return tuple(source.alias for source in self.sources if source.write_modes)

    def source(self, alias: str) -> Source:
        """The source called ``alias``. Raises KeyError."""
        for source in self.sources:
            if source.alias == alias:
                return source
        raise KeyError(alias)

    def _refs(self) -> Iterator[TableRef]:
        counts: dict[str, int] = {}
        for source in self.sources:
            for table in source.catalog.tables:
                counts[table.name] = counts.get(table.name, 0) + 1
        for source in self.sources:
            if not source.readable:
                continue
            for table in source.catalog.tables:
                name = table.name if counts[table.name] == 1 else f"{table.name}@{source.alias}"
                yield TableRef(name, source, table)


def short_type(column: Column) -> str:
    """One or two letters for a column's type: i n f t d ts tm b bin j."""
    if column.osiris_type in ("json", "time", "interval"):
        return {"json": "j", "time": "tm", "interval": "tm"}[column.osiris_type]
    if column.osiris_type == "decimal":
        return "n"
    for prefix, letters in _SHORT:
        if column.arrow.startswith(prefix):
            return letters
    return "t"


_SHORT = (
    ("int", "i"),
    ("uint", "i"),
    ("decimal", "n"),
    ("double", "f"),
    ("float", "f"),
    ("half", "f"),
    ("date", "d"),
    ("timestamp", "ts"),
    ("time", "tm"),
    ("duration", "tm"),
    ("bool", "b"),
    ("binary", "bin"),
    ("large_binary", "bin"),
    ("list", "j"),
    ("struct", "j"),
)
