"""Conditions of a read as PostgREST's filters, and the cursor of an incremental one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from osiris_core import RunError
from osiris_postgres.cursor import CURSOR_TYPES
from osiris_postgres.relations import PgColumn, Relation
from osiris_supabase.rest.client import plain_name, quoted

_COMPARED = {"=": "eq", "!=": "neq", "<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}
_NUMBERS = frozenset({"int2", "int4", "int8", "numeric"})
_DURATION = re.compile(r"P(?=.)(?:(\d+)W)?(?:(\d+)D)?(?:T(?=.)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")


def add_conditions(query: Any, conditions: Sequence[Mapping[str, Any]]) -> Any:
    """``query`` with every condition of a ``where``."""
    for item in conditions:
        name, operator = plain_name(item["column"], "the column's name"), item["op"]
        if operator in ("is_null", "is_not_null"):
            query = (query.not_ if operator == "is_not_null" else query).is_(name, None)
        elif operator in ("in", "not_in"):
            query = (query.not_ if operator == "not_in" else query).in_(name, item["value"])
        elif operator == "like":
            query = query.like(name, _pattern(item["value"]))
        else:
            query = getattr(query, _COMPARED[operator])(name, item["value"])
    return query


def _pattern(text: Any) -> str:
    if "*" in str(text):
        raise RunError(
            "where: like cannot look for * over REST, where it means any text", code="OSI-V219", hint="use channel: sql"
        )
    return str(text)


def after_key(names: Sequence[str], values: Sequence[Any]) -> str:
    """The rows beyond a key in its own order, for ``or_``: ``a.gt.1,and(a.eq.1,b.gt.2)``."""
    parts = []
    for index, name in enumerate(names):
        equal = [f"{quoted(n)}.eq.{_literal(v)}" for n, v in zip(names[:index], values[:index], strict=True)]
        beyond = f"{quoted(name)}.gt.{_literal(values[index])}"
        parts.append(f"and({','.join([*equal, beyond])})" if equal else beyond)
    return ",".join(parts)


def _literal(value: Any) -> str:
    text = ("true" if value else "false") if isinstance(value, bool) else str(value)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


class RestCursor:
    """The cursor of an incremental read; without ``incremental`` it adds and remembers nothing."""

    def __init__(self, relation: Relation, config: Mapping[str, Any], state: Any) -> None:
        wanted = config.get("incremental")
        self._column: PgColumn | None = None
        self._known: str | None = None
        self._lag: Any = None
        self._highest: Any = None
        if wanted:
            self._column = _cursor_column(relation, wanted["cursor"])
            self._lag = wanted.get("lag")
            self._known = (state or {}).get("cursor")

    def add(self, query: Any) -> Any:
        """``query`` beyond what is known."""
        if self._column is None or self._known is None:
            return query
        known = self._known if self._lag is None else _earlier(self._known, self._lag, self._column)
        return query.gt(plain_name(self._column.name, "the cursor's name"), known)

    def see(self, batch: pa.RecordBatch) -> None:
        """Remember the highest value of a page. Raises RunError when the cursor is not read."""
        if self._column is None:
            return
        position = batch.schema.get_field_index(self._column.name)
        if position < 0:
            raise RunError(f'incremental.cursor "{self._column.name}" is not among the columns read', code="OSI-R111")
        values = batch.column(position)
        if self._column.base == "numeric":  # its digits are not known over REST, so it comes as text
            values = values.cast(pa.decimal256(76, 30))
        highest = pc.max(values)
        if highest.is_valid and (self._highest is None or pc.greater(highest, self._highest).as_py()):
            self._highest = highest

    def state(self) -> dict[str, str] | None:
        """What the next run continues from."""
        if self._column is None:
            return None
        if self._highest is not None:
            return {"cursor": str(self._highest.cast(pa.string()).as_py())}
        return None if self._known is None else {"cursor": self._known}


def _cursor_column(relation: Relation, name: str) -> PgColumn:
    column = relation.column(name)
    if column is None or column.base not in CURSOR_TYPES:
        raise RunError(
            f'incremental.cursor "{name}" must be a number, a date or a timestamp of "{relation.name}"', code="OSI-R111"
        )
    return column


def _earlier(known: str, lag: int | str, column: PgColumn) -> str:
    """``known`` less ``lag``. Raises RunError when they do not go together."""
    if column.base in _NUMBERS and isinstance(lag, int):
        return str(Decimal(known) - lag)
    found = _DURATION.fullmatch(lag) if isinstance(lag, str) and column.base not in _NUMBERS else None
    if not found:
        wanted = "a number" if column.base in _NUMBERS else "a duration in weeks, days or time, such as PT1H"
        raise RunError(f"incremental.lag must be {wanted} for a cursor of type {column.type}", code="OSI-R111")
    weeks, days, hours, minutes = (int(part or 0) for part in found.groups()[:4])
    seconds = Decimal(found[5] or 0)
    span = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, microseconds=int(seconds * 1_000_000))
    moment = datetime.fromisoformat(known)
    earlier = (moment if moment.tzinfo or column.base != "timestamptz" else moment.replace(tzinfo=UTC)) - span
    return earlier.isoformat()
