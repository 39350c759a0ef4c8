"""``verify: checksum`` at the source: what was read is what the server has.

The server makes a text of every row, hashes it and adds the hashes up in buckets by key, in the snapshot that was
read; we do the same with the rows that are handed out. Values are compared where both texts are the same by their
type's definition. That leaves out floating point, whose decimal text is the server's own affair, and dates that may
become NULL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any
from zlib import crc32

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from osiris_core.data import BucketSums, DifferingRows
from osiris_mysql.columns import ReadColumn
from osiris_mysql.connect import PATIENCE
from osiris_mysql.dates import InvalidDates
from osiris_mysql.names import quote_pyformat
from osiris_mysql.reader import run_select, statement
from osiris_mysql.selection import Selection, over
from osiris_mysql.typemap import TEMPORAL, MySQLType, parse

BUCKETS = 256
#: Hexadecimal digits of a row's hash: 56 bits, of which 256 rows fit into 64.
_DIGITS = 14
_SEPARATOR = b"\x1f"
_CHECK_BYTES = 2 * 1024 * 1024
#: What both hash where no column can be compared; the empty text is NULL in one of MariaDB's SQL modes.
_NOTHING = b"-"
#: Types whose values may be long: the hash of their bytes stands for them. A text that outgrows max_allowed_packet, as
#: hexadecimal digits do at half of it, is NULL.
_LONG = frozenset({"text", "mediumtext", "longtext", "json", "blob", "mediumblob", "longblob"})


class SourceChecksum:
    """Sums up the rows of one read, and has the server do the same.

    Args:
        session: the reader's, in its snapshot.
        selection: what is read; a table without limit.
        config: the read step's.
        dates_to_null: dates that do not exist become NULL.
    """

    def __init__(self, session: Any, selection: Selection, config: Mapping[str, Any], *, dates_to_null: bool) -> None:
        self._session = session
        self._usual = session.use_unicode, session.decoders
        self._selection = selection
        self._config = config
        left_out = {"float"} | (TEMPORAL if dates_to_null else frozenset())
        self._compared = [column for column in selection.columns if column.type.kind not in left_out]
        by_name = {column.name: column for column in self._compared}
        keys = [by_name.get(key) for key in selection.keys]
        self._keys = [key for key in keys if key is not None] if all(keys) else []
        self._sums = BucketSums(BUCKETS)

    def watch(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The batches. Before they end, raises ReconciliationError naming the first rows the server has otherwise."""
        for batch in batches:
            self._add(batch)
            yield batch
        wrong = self._differing_buckets()
        if wrong:
            raise self._differing_rows(wrong).error(
                "a table without transactions may have changed meanwhile, and a view over NOW() or RAND() never reads "
                "alike: leave such columns out, or write verify: count; otherwise please report it"
            )

    # -- our side --------------------------------------------------------------------------------------
    def _add(self, batch: pa.RecordBatch) -> None:
        self._sums.add(np.array(self._buckets_of(batch), np.int64), np.array(self._hashes_of(batch), np.uint64))

    def _hashes_of(self, batch: pa.RecordBatch) -> list[int]:
        rows = _joined([batch.column(column.name) for column in self._compared], self._compared, batch.num_rows)
        return [int(sha256(row).hexdigest()[:_DIGITS], 16) for row in rows]

    def _buckets_of(self, batch: pa.RecordBatch) -> list[int]:
        if not self._keys:
            return [0] * batch.num_rows
        rows = _joined([batch.column(key.name) for key in self._keys], self._keys, batch.num_rows)
        return [crc32(row) % BUCKETS for row in rows]

    # -- the server's ----------------------------------------------------------------------------------
    def _differing_buckets(self) -> list[int]:
        selected = [f"{self._bucket()} AS bucket", "COUNT(*)", f"SUM({_hash(self._compared)})"]
        self._session.use_unicode, self._session.decoders = self._usual
        self._session._read_timeout = PATIENCE  # of the whole table's sums nothing comes before all are there
        with self._session.cursor() as cursor:
            cursor.execute(statement(self._session, *over(self._config, self._selection, selected)) + b" GROUP BY 1")
            return self._sums.differing(cursor.fetchall())

    def _bucket(self) -> str:
        return f"MOD(CRC32({_concatenated(self._keys)}), {BUCKETS})" if self._keys else "0"

    def _differing_rows(self, wrong: Sequence[int]) -> DifferingRows:
        """The rows that differ, read once more with the server's own hash beside each."""
        differing = DifferingRows(self._selection.title, [key.name for key in self._keys])
        if not self._keys:
            return differing
        among = f"{self._bucket()} IN ({', '.join(map(str, wrong))})"
        check = ReadColumn(_free_name(self._selection.columns), parse("bigint unsigned"))
        columns = [*self._selection.columns, check]
        selected = [column.selected(quote_pyformat(column.name)) for column in self._selection.columns]
        selected.append(f"{_hash(self._compared)} AS {quote_pyformat(check.name)}")
        sql = statement(self._session, *over(self._config, self._selection, selected, [among]))
        dates = InvalidDates(self._selection.title, (), to_null=True)
        for batch in run_select(self._session, sql, columns, dates, _CHECK_BYTES):
            differing.compare(batch, self._hashes_of(batch), batch.column(check.name))
        return differing


def _free_name(columns: Sequence[ReadColumn]) -> str:
    """A name that no column has."""
    name, taken = "_osiris_check", {column.name for column in columns}
    while name in taken:
        name += "_"
    return name


# -- a value's text, as the server writes it and as we do --------------------------------------------------
def _hash(columns: Sequence[ReadColumn]) -> str:
    return f"CAST(CONV(LEFT(SHA2({_concatenated(columns)}, 256), {_DIGITS}), 16, 10) AS UNSIGNED)"


def _concatenated(columns: Sequence[ReadColumn]) -> str:
    """``=text`` of each column, ``N`` for NULL, as bytes: whatever their collations, they go together."""
    parts = [f"IFNULL(CONCAT('=', CAST({_expression(column)} AS BINARY)), 'N')" for column in columns]
    return f"CONCAT({', CHAR(31), '.join(parts)})" if parts else f"'{_NOTHING.decode()}'"


def _expression(column: ReadColumn) -> str:
    quoted, kind = quote_pyformat(column.name), column.type
    if _is_long(kind) and kind.kind == "binary":
        return f"SHA2({quoted}, 256)"
    value = _EXPRESSIONS.get(kind.kind, "{value}").format(value=quoted, size=kind.size, scale=kind.scale)
    return f"SHA2({value}, 256)" if _is_long(kind) else value


def _is_long(kind: MySQLType) -> bool:
    return kind.base in _LONG or kind.kind == "wkb"


_MOMENT = "DATE_FORMAT({value}, '%%Y-%%m-%%d %%H:%%i:%%s.%%f')"
#: What the server is asked for, by kind; others are compared as it writes them anyway.
_EXPRESSIONS = {
    "int": "({value} + 0)",  # without the zeros of ZEROFILL and YEAR
    "bool": "({value} + 0)",
    "decimal": "CAST({value} AS DECIMAL({size}, {scale}))",
    "datetime": _MOMENT,
    "timestamp": _MOMENT,
    "time": "CAST({value} AS TIME(6))",
    "bit": "LPAD(BIN({value}), {size}, '0')",
    "text": "CAST({value} AS CHAR CHARACTER SET utf8mb4)",
    "binary": "HEX({value})",
    "wkb": "ST_AsWKB({value})",
}


def _joined(arrays: Sequence[pa.Array], columns: Sequence[ReadColumn], rows: int) -> list[bytes]:
    """The text of each row as ``_concatenated`` makes it."""
    if not columns:
        return [_NOTHING] * rows
    prefix, separator = pa.scalar(b"=", pa.binary()), pa.scalar(_SEPARATOR, pa.binary())
    texts = [
        pc.binary_join_element_wise(prefix, _text(array, column.type).cast(pa.binary()), pa.scalar(b"", pa.binary()))
        for array, column in zip(arrays, columns, strict=True)
    ]
    if len(texts) == 1:
        return list(texts[0].fill_null(b"N").to_pylist())
    joined = pc.binary_join_element_wise(*texts, separator, null_handling="replace", null_replacement=b"N")
    return list(joined.to_pylist())


def _text(array: pa.Array, kind: MySQLType) -> pa.Array:
    if _is_long(kind):
        return _each(array.cast(pa.binary()), lambda value: sha256(value).hexdigest())
    return _TEXTS.get(kind.kind, _by_arrow)(array)


def _by_arrow(array: pa.Array) -> pa.Array:
    return array.cast(pa.string())


def _decimal(array: pa.Array) -> pa.Array:
    text = array.cast(pa.string())
    if not pc.any(pc.match_substring(text, "E")).as_py():
        return text
    return _each(array, lambda value: f"{value:f}")  # Arrow writes 1E-7


def _moment(array: pa.Array) -> pa.Array:
    return array.view(pa.timestamp("us")).cast(pa.string())


def _span(array: pa.Array) -> pa.Array:
    def text(micros: int) -> str:
        seconds, fraction = divmod(abs(micros), 1_000_000)
        minutes, second = divmod(seconds, 60)
        hour, minute = divmod(minutes, 60)
        return f"{'-' if micros < 0 else ''}{hour:02}:{minute:02}:{second:02}.{fraction:06}"

    return _each(array.view(pa.int64()), text)


def _bool(array: pa.Array) -> pa.Array:
    return array.cast(pa.int8()).cast(pa.string())


def _hex(array: pa.Array) -> pa.Array:
    return _each(array, lambda value: value.hex().upper())


def _each(array: pa.Array, text: Callable[[Any], str]) -> pa.Array:
    return pa.array([None if value is None else text(value) for value in array.to_pylist()], pa.string())


_TEXTS: dict[str, Callable[[pa.Array], pa.Array]] = {
    "decimal": _decimal,
    "datetime": _moment,
    "timestamp": _moment,
    "time": _span,
    "bool": _bool,
    "binary": _hex,
}
