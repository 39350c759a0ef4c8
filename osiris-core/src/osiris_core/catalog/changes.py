"""What changed between two looks at one table: the words behind every drift message and every diff."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from osiris_core.catalog.model import Column, Table

ChangeKind = Literal[
    "table_dropped",
    "table_created",
    "column_dropped",
    "column_added",
    "column_retyped",
    "column_altered",
    "key_dropped",
    "key_added",
    "kind_changed",
]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference.

    Attributes:
        table: name of the table.
        column: the column, ``""`` when it is about the table or a key.
        message: one clause, for example ``column "total" is now text, was numeric(10,2)``.
        hint: a guess that helps, for example the new name of a column that is gone.
    """

    kind: ChangeKind
    table: str
    column: str
    message: str
    hint: str = ""


def compare(old: Table | None, new: Table | None) -> list[Change]:
    """Every difference from ``old`` to ``new``, columns in their order; row counts and comments never differ."""
    if old is None or new is None:
        return _existence(old, new)
    if old.fingerprint == new.fingerprint:
        return []
    return [*_kind(old, new), *_columns(old, new), *_keys(old, new)]


def _existence(old: Table | None, new: Table | None) -> list[Change]:
    if old is not None:
        return [Change("table_dropped", old.name, "", f'table "{old.name}" is gone')]
    if new is not None:
        return [Change("table_created", new.name, "", f'table "{new.name}" is new')]
    return []


def _kind(old: Table, new: Table) -> Iterator[Change]:
    if old.kind != new.kind:
        yield Change("kind_changed", new.name, "", f'"{new.name}" is now a {new.kind}, was a {old.kind}')


def _columns(old: Table, new: Table) -> Iterator[Change]:
    before = {column.name: column for column in old.columns}
    after = {column.name: column for column in new.columns}
    added = [column for name, column in after.items() if name not in before]
    for name, column in before.items():
        if name not in after:
            yield Change("column_dropped", old.name, name, f'column "{name}" is gone', _renamed(column, added))
        else:
            yield from _column(new.name, column, after[name])
    for column in added:
        yield Change("column_added", new.name, column.name, f'column "{column.name}" ({column.type}) is new')
    kept_before = [name for name in before if name in after]
    kept_after = [name for name in after if name in before]
    if kept_before != kept_after:
        yield Change("column_altered", new.name, "", "the columns are in another order")


def _renamed(gone: Column, added: list[Column]) -> str:
    same = [column.name for column in added if (column.type, column.nullable) == (gone.type, gone.nullable)]
    return f'renamed to "{same[0]}"?' if len(same) == 1 else ""


def _column(table: str, old: Column, new: Column) -> Iterator[Change]:
    if (old.type, old.arrow, old.osiris_type) != (new.type, new.arrow, new.osiris_type):
        yield Change("column_retyped", table, new.name, f'column "{new.name}" is now {new.type}, was {old.type}')
    facts = [
        ("nullable", "now allows NULL", "no longer allows NULL"),
        ("generated", "is now generated", "is no longer generated"),
        ("has_default", "now has a default", "no longer has a default"),
        ("case_insensitive", "is now compared without regard to case", "is now compared with regard to case"),
    ]
    for name, gained, lost in facts:
        if getattr(old, name) != getattr(new, name):
            says = gained if getattr(new, name) else lost
            yield Change("column_altered", table, new.name, f'column "{new.name}" {says}')


def _keys(old: Table, new: Table) -> Iterator[Change]:
    before, after = _all_keys(old), _all_keys(new)
    for key, kind in before.items():
        if after.get(key) != kind:
            yield Change("key_dropped", old.name, "", f"the {kind} ({', '.join(key)}) is gone")
    for key, kind in after.items():
        if before.get(key) != kind:
            yield Change("key_added", new.name, "", f"the {kind} ({', '.join(key)}) is new")


def _all_keys(table: Table) -> dict[tuple[str, ...], str]:
    keys = dict.fromkeys(sorted(table.unique_keys), "unique key")
    return {**keys, table.primary_key: "primary key"} if table.primary_key else keys
