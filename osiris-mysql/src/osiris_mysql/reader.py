"""A read step: one snapshot, one SELECT, a stream of Arrow batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from osiris_core import Connection, DriftError, Partition, StepContext
from osiris_core.data import BatchStream
from osiris_mysql.columns import ReadColumn
from osiris_mysql.connect import open_session
from osiris_mysql.dates import InvalidDates
from osiris_mysql.faults import running
from osiris_mysql.incremental import Cursor
from osiris_mysql.selection import Selection, select
from osiris_mysql.typemap import wire_of

if TYPE_CHECKING:
    import pyarrow as pa
    import pymysql

    from osiris_mysql.verify_source import SourceChecksum

SNAPSHOT = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"


def open_reader(
    connection: Connection,
    config: Mapping[str, Any],
    context: StepContext,
    partition: Partition | None = None,
    *,
    bulk: bool = True,
) -> BatchStream:
    """Open a read-only snapshot and stream what ``config`` selects.

    ``bulk=False`` takes the plain cursor, for comparison; so does a server that prepares no statements. Closing the
    stream early cuts the connection, which ends the statement.

    Raises ConnectError before the first row; then RunError or DriftError.
    """
    session = open_session(connection, context=context)
    try:
        cursor = Cursor.of(config, context.state)
        what = f"reading @{connection.alias}.{config.get('table', 'query')}"
        with running(what):
            with session.cursor() as control:
                control.execute(SNAPSHOT)
            selection = select(session, connection.text("database"), config, partition, cursor)
            _warn(selection, context)
            dates = InvalidDates(selection.title, selection.keys, to_null=_dates_to_null(config))
            sql = statement(session, selection.sql, selection.values)
            checksum = _source_checksum(session, selection, config, context)
            rows = run_select(
                session, sql, selection.columns, dates, context.batch_bytes, bulk=bulk, schema=selection.schema
            )
    except BaseException:
        discard(session)
        raise
    batches = dates.guard(rows)
    if checksum is not None:
        batches = checksum.watch(batches)
    if cursor is not None:
        batches = cursor.watch(batches)
    return BatchStream(
        selection.schema,
        _guarded(what, batches),
        on_close=lambda: release(session),
        coerced=dates.coercions.counts,
        state=cursor.state if cursor is not None else lambda: None,
    )


def discard(session: pymysql.Connection[Any]) -> None:
    """Cut the connection without asking for the rest of the rows; never raises.

    ``SSCursor.close`` and ``Connection.close`` would read the result to its end, and raise when the
    connection is gone, which hides the true error.
    """
    if session._result is not None:
        session._result.unbuffered_active = False
        session._result = None
    session._force_close()


def release(session: pymysql.Connection[Any]) -> None:
    """Take leave of the server when the rows have ended, else cut the connection; never raises."""
    if session._result is None or not session._result.unbuffered_active:
        with suppress(Exception):
            session.close()
    discard(session)


def run_select(
    session: Any,
    sql: bytes,
    columns: list[ReadColumn],
    dates: InvalidDates,
    max_bytes: int,
    *,
    bulk: bool = True,
    schema: pa.Schema | None = None,
) -> Iterator[pa.RecordBatch]:
    """Send a SELECT and give its rows as batches; an error of the server is raised here, before the first row.

    ``schema`` is the batches'; when left out, what ``columns`` say. From then on the session hands out bytes: whoever
    uses it for more puts its decoders back.
    """
    from osiris_mysql.malformed import sane_answers
    from osiris_mysql.packets import RowPackets, supported
    from osiris_mysql.plain import read_rows
    from osiris_mysql.prepared import start

    session.use_unicode = False
    session.decoders = {}
    with sane_answers():
        binary = bulk and supported(session) and start(session, sql)
        if not binary:
            session.query(sql, unbuffered=True)
        fields = session._result.fields
    names = [item.name for item in fields]
    if names != [column.name for column in columns]:
        raise DriftError(f"the result has other columns than a moment ago: {', '.join(names)}", hint="run again")
    if binary:
        from osiris_mysql.decode import Decoder

        decoder = Decoder(columns, [wire_of(item) for item in fields], dates, schema)
        most = max(1, max_bytes // decoder.row_bytes)
        return (decoder.decode(part) for rows in RowPackets(session, max_bytes) for part in rows.parts(most))
    return read_rows(_plain_rows(session), columns, dates, max_bytes, schema)


def statement(session: Any, sql: str, values: Any) -> bytes:
    """A SELECT with its values bound by PyMySQL's own escaping."""
    with session.cursor() as cursor:
        text: str = cursor.mogrify(sql, values)
    return text.encode()


def _source_checksum(
    session: Any, selection: Selection, config: Mapping[str, Any], context: StepContext
) -> SourceChecksum | None:
    """What compares the rows with the server's, when the write wants it and the server can be asked twice."""
    if not context.checksum:
        return None
    if "query" in config or "limit" in config:
        what = "query" if "query" in config else "limit"
        context.warn("OSI-R115", f"{selection.title}: a read with {what} is not compared with its source")
        return None
    from osiris_mysql.verify_source import SourceChecksum

    return SourceChecksum(session, selection, config, dates_to_null=_dates_to_null(config))


def _plain_rows(session: Any) -> Iterator[Sequence[bytes | None]]:
    result = session._result
    while (row := result._read_rowdata_packet_unbuffered()) is not None:
        yield row


def _guarded(what: str, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    with running(what):
        yield from batches


def _dates_to_null(config: Mapping[str, Any]) -> bool:
    return "on_invalid_date" in config and config["on_invalid_date"] in (None, "null")


def _warn(selection: Selection, context: StepContext) -> None:
    for code, message in selection.warnings:
        context.warn(code, message)
