"""``verify: checksum``: the table holds what was sent, value by value.

Every row is hashed on its way out and the hashes are added up, so order does not matter. The rows are then read
back through the same decoder as any read and hashed again: for a merge those that were staged, which the server
compares with the target's to name the first keys that differ; otherwise the target's, less those it had before.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from hashlib import blake2b
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from osiris_core import ReconciliationError
from osiris_mysql.columns import ReadColumn
from osiris_mysql.connect import is_mariadb
from osiris_mysql.dates import InvalidDates
from osiris_mysql.loading import lines
from osiris_mysql.merge import STAGING
from osiris_mysql.names import quote, quote_table
from osiris_mysql.reader import run_select
from osiris_mysql.target import Placement, Target
from osiris_mysql.typemap import MySQLType

_BATCH_BYTES = 2 * 1024 * 1024
_ROUND = 1 << 64


class Checksum:
    """The sum of the hashes of what was sent, and what it is compared with."""

    def __init__(self, session: Any, target: Target, *, replaces: bool) -> None:
        self._session = session
        self._target = target
        self._sent = 0
        places = target.placements
        # MySQL's own JSON type orders keys and rewrites numbers; MariaDB keeps the text.
        self._json = (
            set() if is_mariadb(session) else {i for i, place in enumerate(places) if place.type.base == "json"}
        )
        self._before = 0 if replaces or target.keys else self._held(self._table)

    def add(self, arrays: Sequence[pa.Array]) -> None:
        """A batch on its way out, one array for each column of the target."""
        stored = [as_stored(array, place.type) for array, place in zip(arrays, self._target.placements, strict=True)]
        self._sent += self._digest(stored)

    def check_staged(self) -> None:
        """Before a merge: what arrived is what was sent. Raises ReconciliationError."""
        self._compare(self._held(STAGING), "what arrived in the staging table of")

    def check_target(self) -> None:
        """After all is written: the target holds it. Raises ReconciliationError, with the first keys of a merge."""
        if not self._target.keys:
            self._compare(self._held(self._table) - self._before, "what was written to")
            return
        with self._session.cursor() as cursor:
            cursor.execute(_differing(self._target))
            found = ["(" + ", ".join(map(str, row)) + ")" for row in cursor.fetchall()]
        if found:
            raise self._error(f"rows of {self._target.name} are not what was sent, first {', '.join(found)}")

    @property
    def _table(self) -> str:
        return quote_table(self._target.database, self._target.name)

    def _compare(self, found: int, what: str) -> None:
        if (found - self._sent) % _ROUND:
            raise self._error(f"{what} {self._target.name} is not what was sent")

    def _error(self, message: str) -> ReconciliationError:
        hint = "a trigger of the table may change values; verify: count does not compare them"
        return ReconciliationError(f"{message}; nothing was committed", hint=hint)

    def _held(self, table: str) -> int:
        columns = [ReadColumn(place.name, place.type) for place in self._target.placements]
        selected = ", ".join(column.selected(quote(column.name)) for column in columns)
        dates = InvalidDates(self._target.name, (), to_null=True)
        batches = self._read(f"SELECT {selected} FROM {table}".encode(), columns, dates)
        return sum(self._digest(batch.columns) for batch in batches)

    def _digest(self, arrays: Sequence[pa.Array]) -> int:
        return digest([canonical_json(array) if i in self._json else array for i, array in enumerate(arrays)])

    def _read(self, sql: bytes, columns: list[ReadColumn], dates: InvalidDates) -> Iterator[pa.RecordBatch]:
        """Rows over the writer's own session, which goes on being used."""
        usual = self._session.use_unicode, self._session.decoders
        try:
            yield from run_select(self._session, sql, columns, dates, _BATCH_BYTES)
        finally:
            self._session.use_unicode, self._session.decoders = usual


def digest(arrays: Sequence[pa.Array]) -> int:
    """The sum of the rows' hashes: equal for equal rows in any order."""
    rows = lines([_without_negative_zero(array) for array in arrays])
    return sum(int.from_bytes(blake2b(row, digest_size=8).digest(), "big") for row in rows.to_pylist())


def _without_negative_zero(array: pa.Array) -> pa.Array:
    """-0.0 as 0.0: they are equal, and MariaDB stores the one as the other."""
    return pc.add(array, pa.scalar(0.0, array.type)) if pa.types.is_floating(array.type) else array


def canonical_json(array: pa.Array) -> pa.Array:
    """JSON texts with keys in order and numbers by their value."""

    def number(text: str) -> str:
        return f"n{Decimal(text).normalize()}"

    def canonical(text: str | None) -> str | None:
        value = None if text is None else json.loads(text, parse_float=number, parse_int=number)
        return None if text is None else json.dumps(value, sort_keys=True)

    return pa.array([canonical(text) for text in array.to_pylist()], pa.string())


def as_stored(array: pa.Array, kind: MySQLType) -> pa.Array:
    """``array`` as a read of the column would give it; its values fit, so nothing is lost."""
    storage = kind.storage()
    if kind.kind == "bool" and pa.types.is_string(array.type):  # a bit string of one bit
        return pc.equal(array, "1")
    if array.type == storage:
        return array
    return _bridged(array, storage).cast(storage)


def _bridged(array: pa.Array, storage: pa.DataType) -> pa.Array:
    """What Arrow casts to ``storage`` without a thought of zones, or of times being spans."""
    if pa.types.is_timestamp(storage):
        zone = array.type.tz if pa.types.is_timestamp(array.type) else None
        return array.cast(pa.timestamp("us", zone)).view(storage)
    if pa.types.is_time(array.type):
        return array.cast(pa.time64("us")).cast(pa.int64())
    return array.cast(pa.int8()) if pa.types.is_boolean(array.type) else array


def _differing(target: Target) -> str:
    keys = ", ".join(f"s.{quote(key)}" for key in target.keys)
    matching = " AND ".join(f"t.{quote(key)} = s.{quote(key)}" for key in target.keys)
    values = [place for place in target.placements if place.name not in target.keys]
    equal = " AND ".join(f"{_compared('s', place)} <=> {_compared('t', place)}" for place in values) or "TRUE"
    table = quote_table(target.database, target.name)
    return f"SELECT {keys} FROM {STAGING} AS s JOIN {table} AS t ON {matching} WHERE NOT ({equal}) LIMIT 3"


def _compared(side: str, place: Placement) -> str:
    """Text by its bytes: under its collation 'a' and 'A' may be equal."""
    column = f"{side}.{quote(place.name)}"
    return f"CAST({column} AS BINARY)" if place.type.kind == "text" else column
