"""The driver of ``supabase.table``: each call goes to the channel that its connection says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from osiris_core import (
    Connection,
    Fault,
    Finding,
    InvalidInputError,
    Partition,
    Problem,
    RunError,
    StepContext,
    StepView,
)
from osiris_postgres.driver import PostgresTable
from osiris_supabase.limits import over_rest, rest_problems
from osiris_supabase.settings import channel_of, rest_place, sql_place

if TYPE_CHECKING:
    from osiris_core import ArrowStream, Catalog, LedgerEntry, Scope, Spec, Writer
    from osiris_postgres.connect import Place


class SupabaseTable(PostgresTable):
    """Tables of a Supabase project, over SQL or REST."""

    component = "supabase.table"

    def place(self, connection: Connection) -> Place:
        return sql_place(connection)

    # -- control plane -------------------------------------------------------------------------------
    def discover(self, connection: Connection, scope: Scope) -> Catalog:
        if channel_of(connection) == "sql":
            return super().discover(connection, scope)
        from osiris_supabase.rest.catalog import discover

        return discover(rest_place(connection), self.component, scope)

    def probe(self, connection: Connection, scope: Scope) -> str:
        if channel_of(connection) == "sql":
            return super().probe(connection, scope)
        from osiris_supabase.rest.catalog import probe

        return probe(rest_place(connection), scope)

    def check(self, connection: Connection) -> list[Finding]:
        if channel_of(connection) == "sql":
            return super().check(connection)
        from osiris_supabase.rest.doctor import check

        return check(rest_place(connection))

    def validate_step(self, step: StepView, spec: Spec, catalog: Catalog | None) -> Iterable[Problem]:
        yield from super().validate_step(step, spec, catalog)
        yield from rest_problems(step, catalog)

    def compile_step(self, step: StepView, spec: Spec, catalog: Catalog | None) -> Mapping[str, Any] | None:
        pinned = super().compile_step(step, spec, catalog)
        if catalog is None or "channel" in step.config:
            return pinned
        return {**(pinned or step.config), "channel": "rest" if over_rest(step, catalog) else "sql"}

    def plan_step(self, step: StepView, spec: Spec, catalog: Catalog | None) -> list[str]:
        from osiris_supabase.limits import rest_notes

        return rest_notes(step) if over_rest(step, catalog) else super().plan_step(step, spec, catalog)

    def map_error(self, error: BaseException) -> Fault | None:
        from osiris_supabase.rest.errors import map_error

        return map_error(error) or super().map_error(error)

    # -- the ledger ----------------------------------------------------------------------------------
    def ledger_entries(self, connection: Connection, limit: int | None = None) -> list[LedgerEntry]:
        _refuse_rest_ledger(connection)
        return super().ledger_entries(connection, limit)

    def prune_ledger(self, connection: Connection, older_than_days: float, *, dry_run: bool = False) -> int:
        _refuse_rest_ledger(connection)
        return super().prune_ledger(connection, older_than_days, dry_run=dry_run)

    # -- data plane ----------------------------------------------------------------------------------
    def open_reader(
        self,
        connection: Connection,
        config: Mapping[str, Any],
        context: StepContext,
        partition: Partition | None = None,
    ) -> ArrowStream:
        if channel_of(connection) == "sql":
            return super().open_reader(connection, config, context, partition)
        from osiris_supabase.rest.reader import open_reader

        _refuse_beyond_rest("read", config)
        return open_reader(rest_place(connection), config, context)

    def plan_partitions(
        self, connection: Connection, config: Mapping[str, Any], context: StepContext
    ) -> list[Partition]:
        if channel_of(connection) == "sql":
            return super().plan_partitions(connection, config, context)
        _refuse_beyond_rest("read", config)
        return [Partition(0, 1)]

    def open_writer(self, connection: Connection, config: Mapping[str, Any], context: StepContext) -> Writer:
        if channel_of(connection) == "sql":
            return super().open_writer(connection, config, context)
        from osiris_supabase.rest.writer import RestWriter

        _refuse_beyond_rest("write", config)
        return RestWriter(rest_place(connection), config, context)


def _refuse_rest_ledger(connection: Connection) -> None:
    if channel_of(connection) == "rest":
        raise InvalidInputError(
            f"@{connection.alias} works over REST, which keeps no ledger: there is nothing to show or prune",
            code="OSI-V122",
            hint="the ledger is kept by the SQL channel; name a connection with a password",
        )


def _refuse_beyond_rest(mode: str, config: Mapping[str, Any]) -> None:
    """Raise RunError for what only the SQL channel does; validation says so earlier when it knows the channel."""
    step = StepView("step", "supabase.table", mode, None, (), {**config, "channel": "rest"})
    problems = list(rest_problems(step, None))
    if problems:
        raise RunError("; ".join(problem.message for problem in problems), code="OSI-V219", hint=problems[0].hint)
