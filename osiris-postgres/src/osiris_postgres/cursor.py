"""Incremental reads: only rows beyond what the target's ledger remembers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from osiris_core import RunError
from osiris_postgres.names import quote_pyformat
from osiris_postgres.relations import PgColumn

_NUMBERS = frozenset({"int2", "int4", "int8", "numeric"})
_TIMES = frozenset({"date", "timestamp", "timestamptz"})
#: Types whose largest value Arrow and PostgreSQL agree on; text has collations, floats have rounding.
CURSOR_TYPES = _NUMBERS | _TIMES
_DURATION = re.compile(r"P(?=.)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?")


class Cursor:
    """The cursor of one read; without ``incremental`` it adds nothing and remembers nothing."""

    def __init__(self, name: str = "", lag: int | str | None = None, known: str | None = None) -> None:
        self.name = name
        self._lag = lag
        self._known = known
        self._position = -1
        self._highest: Any = None

    @classmethod
    def of(cls, config: Mapping[str, Any], state: Any) -> Cursor:
        """The cursor a config asks for, continuing from ``state``."""
        wanted = config.get("incremental")
        if not wanted:
            return cls()
        return cls(wanted["cursor"], wanted.get("lag"), (state or {}).get("cursor"))

    def bind(self, columns: Sequence[PgColumn]) -> tuple[list[str], dict[str, Any]]:
        """``(conditions, values)`` for the SELECT over ``columns``.

        Raises RunError (OSI-R111) when the cursor is not read, or of a type without one common order.
        """
        if not self.name:
            return [], {}
        names = [column.name for column in columns]
        if self.name not in names:
            raise RunError(f'incremental.cursor "{self.name}" is not among the columns read', code="OSI-R111")
        self._position = names.index(self.name)
        column = columns[self._position]
        if column.base not in CURSOR_TYPES:
            raise RunError(
                f'incremental.cursor "{self.name}" is {column.type}; it must be a number, a date or a timestamp',
                code="OSI-R111",
            )
        if self._known is None:
            return [], {}
        return self._conditions(column)

    def _conditions(self, column: PgColumn) -> tuple[list[str], dict[str, Any]]:
        name = quote_pyformat(self.name)
        bound = f"CAST(%(osiris_cursor)s AS {column.base_type.replace('%', '%%')})"
        values: dict[str, Any] = {"osiris_cursor": self._known}
        if self._lag is None:
            return [f"{name} > {bound}"], values
        kind = "numeric" if column.base in _NUMBERS else "interval"
        _check_lag(self._lag, kind, column)
        values["osiris_lag"] = str(self._lag)
        return [f"{name} > {bound} - CAST(%(osiris_lag)s AS {kind})"], values

    def see(self, batch: pa.RecordBatch) -> None:
        """Remember the highest value of a batch that was read."""
        if self._position >= 0:
            highest = pc.max(batch.column(self._position))
            if highest.is_valid and (self._highest is None or pc.greater(highest, self._highest).as_py()):
                self._highest = highest

    def state(self) -> dict[str, str] | None:
        """What the next run continues from."""
        if not self.name:
            return None
        if self._highest is not None:
            return {"cursor": str(self._highest.cast(pa.string()).as_py())}
        return None if self._known is None else {"cursor": self._known}


def _check_lag(lag: int | str, kind: str, column: PgColumn) -> None:
    fits = isinstance(lag, int) if kind == "numeric" else isinstance(lag, str) and _DURATION.fullmatch(lag)
    if not fits:
        wanted = "a number" if kind == "numeric" else "an ISO 8601 duration such as PT1H"
        raise RunError(f"incremental.lag must be {wanted} for a cursor of type {column.type}", code="OSI-R111")
