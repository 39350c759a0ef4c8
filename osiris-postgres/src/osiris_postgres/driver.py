"""The driver of ``postgres.table``: every promise of its spec, delegated to the module that keeps it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from osiris_core import Connection, Driver, Fault, Finding, Partition, Problem, StepContext, StepView

if TYPE_CHECKING:
    import psycopg

    from osiris_core import ArrowStream, Catalog, LedgerEntry, Scope, Spec, Writer
    from osiris_postgres.connect import Place


class PostgresTable(Driver):
    """Tables of PostgreSQL 12 and later. A subclass says where (``place``) and under which name."""

    component = "postgres.table"

    def place(self, connection: Connection) -> Place:
        """Where a connection leads."""
        from osiris_postgres.connect import place_of

        return place_of(connection)

    # -- control plane -------------------------------------------------------------------------------
    def discover(self, connection: Connection, scope: Scope) -> Catalog:
        from osiris_postgres import catalog

        place = self.place(connection)
        with _snapshot(place) as session:
            return catalog.discover(session, self.component, place.schema, scope)

    def probe(self, connection: Connection, scope: Scope) -> str:
        from osiris_postgres.catalog import exact_names
        from osiris_postgres.relations import probe

        place = self.place(connection)
        with _snapshot(place) as session:
            return probe(session, place.schema, exact_names(scope))

    def check(self, connection: Connection) -> list[Finding]:
        from osiris_postgres.doctor import check

        return check(self.place(connection))

    def validate_step(self, step: StepView, spec: Spec, catalog: Catalog | None) -> Iterable[Problem]:
        from osiris_postgres.steps import validate_step

        return validate_step(step, catalog)

    def compile_step(self, step: StepView, spec: Spec, catalog: Catalog | None) -> Mapping[str, Any] | None:
        from osiris_postgres.steps import pin_columns

        return pin_columns(step, catalog)

    def plan_step(self, step: StepView, spec: Spec, catalog: Catalog | None) -> list[str]:
        from osiris_postgres.steps import plan_notes

        return plan_notes(step, catalog)

    def map_error(self, error: BaseException) -> Fault | None:
        from osiris_postgres.errors import map_error

        return map_error(error)

    # -- the ledger ----------------------------------------------------------------------------------
    def ledger_entries(self, connection: Connection, limit: int | None = None) -> list[LedgerEntry]:
        from osiris_postgres.ledger import Ledger

        place = self.place(connection)
        with _snapshot(place) as session:
            return Ledger(session, place).entries(limit)

    def prune_ledger(self, connection: Connection, older_than_days: float, *, dry_run: bool = False) -> int:
        from osiris_postgres.connect import connect, set_local
        from osiris_postgres.ledger import Ledger

        place = self.place(connection)
        with connect(place) as session:
            set_local(session, place)
            return Ledger(session, place).prune(older_than_days, dry_run=dry_run)

    # -- data plane ----------------------------------------------------------------------------------
    def open_reader(
        self,
        connection: Connection,
        config: Mapping[str, Any],
        context: StepContext,
        partition: Partition | None = None,
    ) -> ArrowStream:
        from osiris_postgres.reader import open_reader

        return open_reader(self.place(connection), config, context, partition)

    def plan_partitions(
        self, connection: Connection, config: Mapping[str, Any], context: StepContext
    ) -> list[Partition]:
        from osiris_postgres.reader import plan_partitions

        partitions = plan_partitions(self.place(connection), config)
        if len(partitions) > 1:
            context.warn("OSI-R126", f"each of the {len(partitions)} ranges is read from a snapshot of its own")
        return partitions

    def open_writer(self, connection: Connection, config: Mapping[str, Any], context: StepContext) -> Writer:
        from osiris_postgres.writer import TableWriter

        return TableWriter(self.place(connection), config, context)


@contextmanager
def _snapshot(place: Place) -> Iterator[psycopg.Connection[Any]]:
    """A connection inside a read-only transaction."""
    from osiris_postgres.connect import begin_snapshot, connect

    with connect(place) as session:
        begin_snapshot(session, place)
        yield session
