"""Incremental reads: where the last committed run ended, how far to look back, where this one ends."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from osiris_core import RunError
from osiris_mysql.names import quote_pyformat
from osiris_mysql.typemap import TEMPORAL, MySQLType

if TYPE_CHECKING:
    import pyarrow as pa

NUMERIC = frozenset({"int", "decimal", "float"})
_DURATION = re.compile(
    r"^P(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?$"
)


class Cursor:
    """The cursor column of one incremental read.

    The state is ``{"cursor": name, "value": text}``: the greatest value that was handed out, in MySQL's
    own text form. It is stored with the target's commit, so it never runs ahead of the rows.
    """

    def __init__(self, column: str, lag: int | str | None, state: Any) -> None:
        self.column = column
        self._lag = lag
        self._last: str | None = None
        self._greatest: Any = None
        if state is None:
            return
        if not isinstance(state, Mapping) or state.get("cursor") != column:
            raise RunError(
                f"the target's ledger remembers another cursor than {column}",
                code="OSI-R111",
                hint="give the step a new id to start from the beginning",
            )
        self._last = state["value"]

    @classmethod
    def of(cls, config: Mapping[str, Any], state: Any) -> Cursor | None:
        """The cursor that ``config.incremental`` names, or None."""
        given = config.get("incremental")
        return None if given is None else cls(given["cursor"], given.get("lag"), state)

    def condition(self, kind: MySQLType) -> str | None:
        """SQL for the rows that are new, or None when all are; values are literals made here, `%` doubled."""
        if self._last is None:
            return None
        last = _value(self._last, kind)
        if self._lag:
            last = _back(last, self._lag)
        return f"{quote_pyformat(self.column)} > {_literal(last, kind)}"

    def watch(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The batches, noting the cursor's greatest value."""
        import pyarrow.compute as pc

        for batch in batches:
            greatest = pc.max(batch.column(self.column)).as_py()
            if greatest is not None and (self._greatest is None or greatest > self._greatest):
                self._greatest = greatest
            yield batch

    def state(self) -> Any:
        """What the next run should be given; the old state when no new row came."""
        if self._greatest is None:
            return None if self._last is None else {"cursor": self.column, "value": self._last}
        return {"cursor": self.column, "value": _text(self._greatest)}


def parse_duration(text: str) -> timedelta | None:
    """An ISO 8601 duration of weeks, days, hours, minutes and seconds; None for anything else."""
    match = _DURATION.match(text)
    if match is None or not any(match.groups()):
        return None
    return timedelta(**{name: int(value) for name, value in match.groupdict().items() if value})


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(" ", "microseconds")
    return repr(value) if isinstance(value, float) else str(value)


def _value(text: str, kind: MySQLType) -> Any:
    if kind.kind == "date":
        return date.fromisoformat(text)
    if kind.kind in TEMPORAL:
        return datetime.fromisoformat(text)
    return {"int": int, "decimal": Decimal, "float": float}[kind.kind](text)


def _back(value: Any, lag: int | str) -> Any:
    if isinstance(value, date):
        duration = parse_duration(str(lag))
        if duration is None:
            raise RunError(f"lag {lag} is no duration", code="OSI-R111", hint="write for example PT1H or P1D")
        return value - duration
    return value - type(value)(lag)


def _literal(value: Any, kind: MySQLType) -> str:
    text = _text(value)
    if kind.kind in TEMPORAL:
        return f"'{text}'"
    return f"CAST('{text}' AS DOUBLE)" if kind.kind == "float" else text
