"""What a write does to which columns: decided once, from the source's schema and the table as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from osiris_core import DriftError, RunError, did_you_mean
from osiris_core.data import OSIRIS_TYPES, refuse_unknown_types
from osiris_postgres.convert import Conversion, MismatchError, conversion
from osiris_postgres.names import quote
from osiris_postgres.relations import PgColumn, Relation

_WRITABLE = frozenset("rpf")


@dataclass(frozen=True, slots=True)
class Slot:
    """One column that is written: where it comes from, where it goes and how."""

    index: int
    column: PgColumn
    conversion: Conversion

    @property
    def name(self) -> str:
        return self.column.name

    @property
    def staged_type(self) -> str:
        """Type of the column in the staging table."""
        return "text" if self.conversion.cast else self.column.base_type

    def from_staging(self, prefix: str) -> str:
        """The value for the target, from the staging table under ``prefix``."""
        value = prefix + quote(self.name)
        if not self.conversion.cast:
            return value
        # Without its modifier: an explicit cast to bit(3) would cut, the assignment that follows refuses.
        return f"CAST({value} AS {_without_modifier(self.column.base_type)})"

    @property
    def compared_as_text(self) -> bool:
        """Whether the type's own equality is missing, or calls different values equal (1 month = 30 days)."""
        column = self.column
        loose = column.base in ("interval", "json", "xml") or (column.base == "numeric" and column.typmod < 0)
        return loose or column.case_insensitive or self.conversion.cast or not column.equality

    def compared(self, prefix: str) -> str:
        """An expression that is distinct exactly when the value is."""
        value = prefix + quote(self.name)
        return f'{value}::text COLLATE "C"' if self.compared_as_text else value

    def compared_staged(self, prefix: str) -> str:
        """The same over the staging table, where a cast value is still text."""
        if not self.conversion.cast:
            return self.compared(prefix)
        return f'{self.from_staging(prefix)}::text COLLATE "C"'


def check_writable(relation: Relation, table: str) -> None:
    """Raise RunError (OSI-R122) when the relation is a view or the like."""
    if relation.kind not in _WRITABLE:
        raise RunError(
            f'"{table}" is a view; only tables are written',
            code="OSI-R122",
            hint="name the table below the view",
        )


def new_columns(schema: pa.Schema, relation: Relation, config: Mapping[str, Any]) -> list[pa.Field]:
    """Columns the source has and the table lacks.

    Raises DriftError unless ``on_drift`` says what to do with them: ``add_columns`` returns them, ``ignore_new``
    leaves them out.
    """
    known = {column.name for column in relation.columns}
    missing = [f for f in schema if f.name not in known]
    on_drift = config.get("on_drift", "fail")
    if missing and on_drift == "fail":
        names = ", ".join(f'"{f.name}"' for f in missing)
        raise DriftError(
            f'table "{relation.name}" has no column {names}',
            hint=_mend_missing(missing[0].name, sorted(known - set(schema.names))),
        )
    return missing if on_drift == "add_columns" else []


def _mend_missing(name: str, free: Sequence[str]) -> str:
    near = did_you_mean(name, free) if free else ""
    return "; ".join(
        filter(None, (near, "read only the columns that exist, or set on_drift: add_columns or ignore_new"))
    )


def slots(schema: pa.Schema, relation: Relation, config: Mapping[str, Any]) -> list[Slot]:
    """The columns to write, generated ones left out.

    Raises RunError (OSI-R101, OSI-R101) naming every column whose type does not fit, DriftError when nothing is
    left or a column that must have a value gets none.
    """
    refuse_unknown_types(schema, OSIRIS_TYPES, "postgres.table")
    repeated = sorted({name for name in schema.names if schema.names.count(name) > 1})
    if repeated:
        raise RunError(f"the source has two columns called {', '.join(repeated)}", code="OSI-R101")
    found, wrong = [], []
    utc = config.get("on_time_zone", "error") == "utc"
    for index, source in enumerate(schema):
        column = relation.column(source.name)
        if column is None or column.generated:
            continue
        try:
            found.append(Slot(index, column, conversion(source, column, utc=utc)))
        except MismatchError as mismatch:
            wrong.append(f'"{source.name}": {mismatch}')
    if wrong:
        raise RunError(
            f'columns do not fit table "{relation.name}": {"; ".join(wrong)}',
            code="OSI-R101",
            hint="change the column, or cast the value in a transform",
        )
    _check_complete(found, relation)
    return found


def _check_complete(found: Sequence[Slot], relation: Relation) -> None:
    written = {slot.name for slot in found}
    needed = [
        column.name
        for column in relation.columns
        if not (column.nullable or column.has_default or column.generated or column.name in written)
    ]
    if needed:
        names = ", ".join(f'"{name}"' for name in needed)
        raise DriftError(
            f'table "{relation.name}" needs a value for {names}, and the source has no such column',
            hint="read the column under that name, or give it a default",
        )
    if not found:
        raise DriftError(f'the source has none of the columns of table "{relation.name}"')


def check_keys(keys: Sequence[str], found: Sequence[Slot], relation: Relation, what: str = "merge_keys") -> None:
    """Raise RunError (OSI-R105) unless every key column is written."""
    written = {slot.name for slot in found}
    for key in keys:
        if key in written:
            continue
        column = relation.column(key)
        why = (
            "is generated by the server" if column is not None and column.generated else "is not a column of both sides"
        )
        raise RunError(f'{what}: "{key}" {why}', code="OSI-R105", hint=did_you_mean(key, sorted(written)))


def _without_modifier(type_text: str) -> str:
    head, bracket, tail = type_text.partition("(")
    return head + tail.partition(")")[2] if bracket and '"' not in type_text else type_text
