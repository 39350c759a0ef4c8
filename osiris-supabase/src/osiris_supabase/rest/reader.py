"""Reading over REST: page by page in the order of the primary key, and the rows counted.

PostgREST ends an answer at its ``max-rows`` without a word, so a page says nothing about the end: reading goes on
until a page is empty, and the number of rows is compared with the count that the API gives.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from osiris_core import DriftError, ReconciliationError, RunError, StepContext
from osiris_core.data import BatchStream, with_source_table
from osiris_postgres.relations import PgColumn, Relation
from osiris_postgres.types import read_column
from osiris_supabase.rest.catalog import find
from osiris_supabase.rest.client import client, close, key_role, plain_name, quoted
from osiris_supabase.rest.filters import RestCursor, add_conditions, after_key
from osiris_supabase.rest.values import asked_as_text, from_json
from osiris_supabase.settings import RestPlace

if TYPE_CHECKING:
    from supabase import Client

PAGE_ROWS = 1000


def open_reader(place: RestPlace, config: Mapping[str, Any], context: StepContext) -> BatchStream:
    """Open the read a config describes. Raises DriftError, or RunError for a table without a primary key."""
    relation = find(place, config["table"])
    if relation is None:
        raise DriftError(f'the API exposes no table "{config["table"]}"', code="OSI-R002")
    if key_role(place.key) == "anon":
        context.warn("OSI-R124", "the key is a publishable (anon) key: row level security may hide rows from it")
    if context.checksum:
        context.warn("OSI-R115", f"{relation.name}: a read over REST is not compared with its source")
    pages = _Pages(client(place), config, context, relation)
    return BatchStream(pages.schema, pages.batches(), on_close=pages.close, state=pages.cursor.state)


class _Pages:
    def __init__(self, opened: Client, config: Mapping[str, Any], context: StepContext, relation: Relation) -> None:
        self._client = opened
        self._config = config
        self._context = context
        self._table = plain_name(relation.name, "the table's name")
        self.cursor = RestCursor(relation, config, context.state)
        columns = relation.chosen(config.get("columns"))
        self._keys = _key(relation)
        # Paging goes by the key, so it is asked for in any case.
        asked = [*columns, *(column for column in self._keys if column not in columns)]
        for column in asked:
            plain_name(column.name, "a column's name")
        self._reads = [read_column(column) for column in asked]
        self._handed_on = self._reads[: len(columns)]
        self.schema = with_source_table(
            pa.schema([read.field for read in self._handed_on]),
            primary_key=relation.primary_key,
            comment=relation.comment,
            comments={column.name: column.comment for column in columns},
        )

    def batches(self) -> Iterator[pa.RecordBatch]:
        """One batch a page, until a page is empty or the limit is reached."""
        expected, rows = self._count(), 0
        last: list[Any] | None = None
        limit = self._config.get("limit")
        while limit is None or rows < limit:
            page = self._page(last, PAGE_ROWS if limit is None else min(PAGE_ROWS, limit - rows))
            if not page:
                break
            last = [page[-1][column.name] for column in self._keys]
            rows += len(page)
            batch = self._batch(page)
            self.cursor.see(batch)
            yield batch
        self._check_count(rows, expected)

    def close(self) -> None:
        """Close the client."""
        close(self._client)

    # -- requests --------------------------------------------------------------------------------------
    def _page(self, last: Sequence[Any] | None, size: int) -> list[dict[str, Any]]:
        names = [column.name for column in self._keys]
        selected = [quoted(r.field.name) + ("::text" if asked_as_text(r) else "") for r in self._reads]
        query = self._conditions(self._client.table(self._table).select(*selected))
        if last is not None:
            query = query.or_(after_key(names, last))
        for name in names:
            query = query.order(quoted(name))
        return list(query.limit(size).execute().data)

    def _count(self) -> int:
        from postgrest.types import CountMethod

        selected = quoted(self._keys[0].name)
        query = self._client.table(self._table).select(selected, count=CountMethod.exact, head=True)
        count = self._conditions(query).execute().count
        if count is None:
            raise RunError("the API gives no count of the rows, so a read could end early unseen", code="OSI-R026")
        return int(count)

    def _conditions(self, query: Any) -> Any:
        return self.cursor.add(add_conditions(query, self._config.get("where", ())))

    def _check_count(self, rows: int, expected: int) -> None:
        """Rows may come and go while pages are read; but a read that ends early must not pass for the whole."""
        limit = self._config.get("limit")
        bounds = [expected] if expected == rows else [expected, self._count()]
        if limit is not None:
            bounds = [min(bound, limit) for bound in bounds]
        if not min(bounds) <= rows <= max(bounds):
            raise ReconciliationError(
                f'the API counts {bounds[-1]} rows of "{self._table}" and gave {rows}',
                hint="run again; use the SQL channel for a table that changes while it is read",
            )

    def _batch(self, page: list[dict[str, Any]]) -> pa.RecordBatch:
        arrays = [from_json(read, [row[read.field.name] for row in page]) for read in self._handed_on]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)


def _key(relation: Relation) -> list[PgColumn]:
    key = [column for name in relation.primary_key if (column := relation.column(name)) is not None]
    if not key:
        raise RunError(
            f'"{relation.name}" has no primary key to page by, so a read over REST could lose rows',
            code="OSI-V219",
            hint="use the SQL channel, or give the table a primary key",
        )
    return key
