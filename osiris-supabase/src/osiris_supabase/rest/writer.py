"""Writing over REST: each request is atomic by itself, so a step happens at least once.

Rows are kept on disk until the whole source has been read: a source that fails midway leaves the target alone. Then
they go out in requests of up to 1,000 rows or 512 KB, halved where the API runs out of time. A run that is killed in
between has written some of them: run again, a merge changes nothing twice, an append may add rows twice.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import ipc

from osiris_core import CommitResult, DriftError, ReconciliationError, RunError, StepContext
from osiris_core.data import Coercions, rebatch
from osiris_postgres.relations import Relation
from osiris_postgres.staging import Loader
from osiris_postgres.target import Slot, check_keys, check_writable, new_columns, slots
from osiris_supabase.rest.catalog import find
from osiris_supabase.rest.client import client, close, plain_name, quoted, refuse_anonymous
from osiris_supabase.rest.errors import is_passing, is_stale, is_too_much
from osiris_supabase.rest.values import first_difference, to_json
from osiris_supabase.settings import RestPlace

if TYPE_CHECKING:
    from supabase import Client

REQUEST_ROWS = 1000
REQUEST_BYTES = 512 * 1024
#: Waits between tries, in seconds: for a schema cache to be read again, or for a busy API.
_ROUNDED = frozenset({"numeric", "time", "timestamp", "timestamptz"})
_WAITS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)


class RestWriter:
    """Writes one table over REST."""

    delivery = "at_least_once"

    def __init__(self, place: RestPlace, config: Mapping[str, Any], context: StepContext) -> None:
        self._place = place
        self._config = config
        self._context = context
        self._coercions = Coercions()
        self._relation: Relation | None = None
        self._client: Client | None = None
        self._spool: Path = context.work_dir / f"{context.step}.rest.arrow"
        self._sink: Any = None
        self._loader: Loader | None = None
        self._slots: Sequence[Slot] = ()
        self._keys = tuple(config.get("merge_keys", ()))
        self._named_by: tuple[str, ...] = ()
        self._echoed: Sequence[Slot] = ()
        self._hashes: set[int] = set()

    # -- the protocol ----------------------------------------------------------------------------------
    def begin(self) -> CommitResult | None:
        """Look at the key and the table. Raises ConnectError for a key that may not write, DriftError."""
        refuse_anonymous(self._place)
        table = plain_name(self._config["table"], "the table's name")
        relation = self._relation = find(self._place, table)
        if relation is None:
            raise DriftError(
                f'the API exposes no table "{table}"', code="OSI-R002", hint="create it; the REST channel makes none"
            )
        check_writable(relation, table)
        self._client = client(self._place)
        return None

    def read_state(self) -> Any:
        """Raise RunError: there is no ledger over REST."""
        raise RunError(
            "the REST channel keeps no ledger, so it cannot be the target of an incremental read",
            code="OSI-V219",
            hint="use the SQL channel",
        )

    def stage(self, stream: Any, partition: int = 0) -> int:
        """Check a stream's rows and keep them on disk; returns their number."""
        schema = stream.schema if isinstance(stream.schema, pa.Schema) else pa.schema(stream.schema)
        if self._loader is None:
            self._prepare(schema)
        assert self._loader is not None
        before = self._loader.rows
        batches = (b if isinstance(b, pa.RecordBatch) else pa.record_batch(b, schema=schema) for b in stream)
        for batch in rebatch(batches, self._context.batch_bytes):
            converted = self._loader.convert(batch)
            self._refuse_repeated(converted)
            self._sink.write_batch(self._mended(batch, converted))
        return self._loader.rows - before

    def commit(self, *, state: Any = None, coerced: Mapping[str, int] | None = None) -> CommitResult:
        """Send every row. Raises what the API says, after the requests before it have been done."""
        if self._loader is None or self._sink is None:
            raise RunError("commit before stage", code="OSI-X001")
        self._sink.close()
        written = 0
        for rows in self._requests():
            if self._context.cancelled():
                raise RunError(f"cancelled after {written} rows, which stay", code="OSI-R090")
            self._send(rows)
            written += len(rows)
        if written != self._loader.rows:
            raise ReconciliationError(f"{self._loader.rows} rows came and {written} were sent")
        counts = dict(coerced or {})
        for name, count in self._coercions.counts().items():
            counts[name] = counts.get(name, 0) + count
        return CommitResult(written=written, coerced=counts)

    def abort(self) -> None:
        """Forget what was staged. What was sent stays. Idempotent, never raises."""
        with suppress(Exception):
            if self._sink is not None:
                self._sink.close()
        self._spool.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the client and remove the file. Idempotent, never raises."""
        self.abort()
        opened, self._client = self._client, None
        if opened is not None:
            with suppress(Exception):
                close(opened)

    # -- staging ---------------------------------------------------------------------------------------
    def _prepare(self, schema: pa.Schema) -> None:
        relation = self._relation
        if relation is None:
            raise RunError("stage before begin", code="OSI-X001")
        new_columns(schema, relation, self._config)
        self._slots = slots(schema, relation, self._config)
        check_keys(self._keys, self._slots, relation)
        for slot in self._slots:
            plain_name(slot.name, "a column's name")
        self._named_by = self._keys or tuple(k for k in relation.primary_key if k in schema.names)
        self._echoed = _risky(self._slots, self._config.get("verify", "count"))
        on_nul = self._config.get("on_nul", "error")
        self._loader = Loader(self._slots, self._keys, self._named_by, on_nul, self._coercions)
        kept = pa.schema([schema.field(slot.index) for slot in self._slots])
        self._spool.parent.mkdir(parents=True, exist_ok=True)
        self._sink = ipc.new_stream(str(self._spool), kept)

    def _mended(self, batch: pa.RecordBatch, converted: pa.RecordBatch) -> pa.RecordBatch:
        """The source's own values, except texts from which U+0000 was taken."""
        kept = []
        for position, slot in enumerate(self._slots):
            source = batch.column(slot.index)
            kept.append(converted.column(position).cast(source.type) if slot.conversion.text else source)
        return pa.RecordBatch.from_arrays(kept, schema=pa.schema([batch.schema.field(s.index) for s in self._slots]))

    def _refuse_repeated(self, batch: pa.RecordBatch) -> None:
        """Raise RunError for a merge key that comes twice: in two requests the API would not notice."""
        if not self._keys:
            return
        columns = [batch.column(batch.schema.get_field_index(key)).to_pylist() for key in self._keys]
        for key in zip(*columns, strict=True):
            known = len(self._hashes)
            self._hashes.add(hash(key))
            if len(self._hashes) == known:
                shown = ", ".join(f"{name}={value!r}" for name, value in zip(self._keys, key, strict=True))
                raise RunError(
                    f"a merge key comes twice, for example {shown}",
                    code="OSI-R109",
                    hint="make the source unique, or use the SQL channel with dedupe",
                )

    # -- requests --------------------------------------------------------------------------------------
    def _requests(self) -> Iterator[list[dict[str, Any]]]:
        with pa.memory_map(str(self._spool)) as source, ipc.open_stream(source) as reader:
            for batch in reader:
                step = max(1, min(REQUEST_ROWS, batch.num_rows * REQUEST_BYTES // max(1, batch.nbytes)))
                for start in range(0, batch.num_rows, step):
                    yield self._rows(batch.slice(start, step))

    def _rows(self, batch: pa.RecordBatch) -> list[dict[str, Any]]:
        """Rows with every column in each: a row that lacks one would set it to NULL in an upsert."""
        names = [slot.name for slot in self._slots]
        columns = []
        for slot, array, arrow in zip(self._slots, batch.columns, batch.schema, strict=True):
            try:
                columns.append(to_json(array, arrow, slot.column.base))
            except ValueError as error:
                raise RunError(f'column "{slot.name}": {error}', code="OSI-R102", hint="use the SQL channel") from error
        return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]

    def _send(self, rows: list[dict[str, Any]]) -> None:
        """One request; two halves where the API runs out of time. Raises what the API says in the end."""
        from postgrest.exceptions import APIError

        try:
            self._request(rows)
        except APIError as error:
            if not is_too_much(error) or len(rows) == 1:
                raise
            middle = len(rows) // 2
            self._send(rows[:middle])
            self._send(rows[middle:])

    def _request(self, rows: list[dict[str, Any]]) -> None:
        """Send one request, again after a while where nothing can have happened."""
        from postgrest.exceptions import APIError

        for wait in (*_WAITS, None):
            try:
                self._post(rows)
            except APIError as error:
                if wait is None or not (is_stale(error) or is_passing(error)) or self._context.cancelled():
                    raise
                time.sleep(wait)
            else:
                return

    def _post(self, rows: list[dict[str, Any]]) -> None:
        from postgrest.types import CountMethod, ReturnMethod

        assert self._client is not None
        table = self._client.table(self._config["table"])
        counted: dict[str, Any] = {"returning": ReturnMethod.minimal, "count": CountMethod.exact}
        if self._keys:
            query = table.upsert(rows, on_conflict=",".join(quoted(key) for key in self._keys), **counted)
        else:
            query = table.insert(rows, **counted)
        if self._echoed:
            # Only these columns come back; without this, every row would come back whole.
            query = query.select(*(f"{quoted(slot.name)}::text" for slot in self._echoed))
        answer = query.execute()
        if self._config.get("verify", "count") != "none":
            self._check(rows, answer)

    def _check(self, rows: list[dict[str, Any]], answer: Any) -> None:
        """Raise when the API wrote fewer rows, or other values, than were sent. The request stays."""
        if answer.count is not None and answer.count != len(rows):
            raise ReconciliationError(
                f"the API wrote {answer.count} of {len(rows)} rows of a request, which stay",
                hint="a trigger or row level security may leave rows out",
            )
        for slot in self._echoed:
            sent, kept = ([row[slot.name] for row in side] for side in (rows, answer.data))
            at = first_difference(slot.column, sent, kept)
            if at is not None:
                named = ", ".join(f"{key}={rows[at].get(key)!r}" for key in self._named_by) or f"row {at + 1}"
                raise RunError(
                    f'column "{slot.name}" ({slot.column.type}) did not keep a value, first at {named}; '
                    "the request stays",
                    code="OSI-R102",
                    hint="the API rounds to the column's own precision: widen it, or use the SQL channel",
                )


def _risky(slots: Sequence[Slot], verify: str) -> list[Slot]:
    """Columns to ask back: those the server may round, whose precision the API does not tell; all for a checksum."""
    if verify == "none":
        return []
    return [slot for slot in slots if verify == "checksum" or slot.column.base in _ROUNDED]
