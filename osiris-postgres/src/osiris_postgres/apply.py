"""How rows get into the target: straight, or by a staging table; and what that did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from osiris_core import ReconciliationError, RunError
from osiris_postgres import merge
from osiris_postgres.names import fresh_name, qualified, quote
from osiris_postgres.relations import Relation
from osiris_postgres.target import Slot, check_keys, slots

if TYPE_CHECKING:
    import psycopg

#: Foreign keys whose ON DELETE would carry a DELETE of all rows over to other tables.
_CARRIES_DELETE = frozenset("cnd")


@dataclass(frozen=True)
class Plan:
    """What one write does.

    Attributes:
        mode: write mode.
        target: quoted and qualified.
        staging: name of the staging table, or ``""`` when rows go straight into the target.
        slots: the columns written.
        keys: merge keys; for a replace that must keep rows others refer to, the key it goes by.
        arbiter: whether a unique index over exactly ``keys`` lets ON CONFLICT decide.
        named_by: columns that name a row in messages.
        dedupe: the config's rule, or None.
        drop_missing: delete target rows whose key was not staged.
        plain: nothing of the table's own can make the server's counts differ from what happened.
        warnings: what the user should know.
    """

    mode: str
    target: str
    staging: str
    slots: Sequence[Slot]
    keys: tuple[str, ...] = ()
    arbiter: bool = False
    named_by: tuple[str, ...] = ()
    dedupe: Mapping[str, Any] | None = None
    drop_missing: bool = False
    plain: bool = False
    warnings: Sequence[str] = ()

    @property
    def copy_target(self) -> str:
        """Where COPY goes."""
        return quote(self.staging) if self.staging else self.target


@dataclass(frozen=True)
class Copied:
    """What COPY brought.

    Attributes:
        rows: how many, in all.
        straight: how many of them are in the target already, though the plan has a staging table.
        may_repeat_keys: one key may have come twice.
    """

    rows: int
    straight: int
    may_repeat_keys: bool


@dataclass
class Outcome:
    """What a write did."""

    written: int = 0
    deduplicated: int = 0
    unchanged: int = 0
    deleted: int = 0


def make_plan(schema: pa.Schema, relation: Relation, schema_name: str, config: Mapping[str, Any]) -> Plan:
    """Decide how rows of ``schema`` go into ``relation``. Raises RunError or DriftError when they cannot."""
    found = slots(schema, relation, config)
    mode = config["write_mode"]
    keys = tuple(config.get("merge_keys", ()))
    check_keys(keys, found, relation)
    by_key = mode == "merge"
    if mode == "replace" and is_referenced(relation):
        keys, by_key = replace_key(relation, [slot.name for slot in found]), True
    casts = any(slot.conversion.cast for slot in found)
    staged = by_key or casts or relation.row_security or config.get("verify") == "checksum"
    _check_dedupe(config.get("dedupe"), found, relation)
    names = {slot.name for slot in found}
    own = next((key.columns for key in relation.keys if set(key.columns) <= names), ())
    return Plan(
        mode=mode,
        target=qualified(schema_name, relation.name),
        staging=fresh_name("stage") if staged else "",
        slots=found,
        keys=keys,
        arbiter=bool(keys) and relation.arbiter(keys),
        named_by=keys or own,
        dedupe=config.get("dedupe"),
        drop_missing=mode == "replace" or bool(config.get("delete_missing", False)),
        plain=relation.plain and not relation.row_security,
        warnings=_warnings(relation),
    )


def is_referenced(relation: Relation) -> bool:
    """Whether foreign keys of other tables point here, so that rows cannot simply be deleted and put back."""
    return any(key.incoming and key.ref_table != relation.name for key in relation.foreign_keys)


def replace_key(relation: Relation, written: Sequence[str]) -> tuple[str, ...]:
    """The key a replace of a referenced table goes by. Raises RunError (OSI-R123) when there is none."""
    for key in relation.keys:
        columns = [relation.column(name) for name in key.columns]
        usable = all(c is not None and not c.nullable and c.name in written for c in columns)
        if key.immediate and usable:
            return key.columns
    others = ", ".join(sorted({key.ref_table for key in relation.foreign_keys if key.incoming}))
    raise RunError(
        f'other tables refer to "{relation.name}" ({others}), and the source lacks the key to replace row by row',
        code="OSI-R123",
        hint="read the columns of its primary key too",
    )


def _check_dedupe(dedupe: Mapping[str, Any] | None, found: Sequence[Slot], relation: Relation) -> None:
    if dedupe is not None:
        check_keys([item["column"] for item in dedupe["order_by"]], found, relation, what="dedupe.order_by")


def _warnings(relation: Relation) -> list[str]:
    if not relation.row_security:
        return []
    return [f'row level security of "{relation.name}" applies to this user: rows it hides are neither seen nor changed']


# -- applying ----------------------------------------------------------------------------------------------
def prepare(connection: psycopg.Connection[Any], plan: Plan) -> int:
    """What has to happen before the first row is copied; returns the number of rows deleted."""
    if plan.staging:
        connection.execute(merge.create_staging(plan.staging, plan.slots))
        return 0
    return _clear(connection, plan) if plan.mode == "replace" else 0


def apply(connection: psycopg.Connection[Any], plan: Plan, copied: Copied, *, deleted: int, count: bool) -> Outcome:
    """Bring the rows that were copied into the target.

    Args:
        connection: in the transaction that copied.
        plan: what was decided.
        copied: what was copied.
        deleted: what ``prepare`` returned.
        count: check by counting that the rows are there.

    Raises RunError for keys that come twice, ReconciliationError when rows are missing afterwards.
    """
    outcome = Outcome(deleted=deleted)
    if not plan.staging:
        outcome.written = copied.rows
        _count_replaced(connection, plan, outcome, count)
        return outcome
    if not _is_one_upsert(plan, copied.may_repeat_keys, count):  # which joins nothing, so it needs no statistics
        connection.execute(f"ANALYZE {quote(plan.staging)}")
    _check_texts(connection, plan)
    if plan.keys and copied.may_repeat_keys:
        outcome.deduplicated = _one_row_per_key(connection, plan, copied)
    outcome.written = copied.rows - outcome.deduplicated
    if plan.keys:
        _by_key(connection, plan, outcome, outcome.written - copied.straight)
        if count and not (plan.plain and plan.arbiter):
            _count_matched(connection, plan, outcome)
        return outcome
    if plan.mode == "replace":
        outcome.deleted = _clear(connection, plan)
    inserted = connection.execute(merge.insert_all(plan.target, quote(plan.staging), plan.slots)).rowcount
    _expect(outcome.written, inserted, plan)
    _count_replaced(connection, plan, outcome, count)
    return outcome


def _is_one_upsert(plan: Plan, may_repeat_keys: bool, count: bool) -> bool:
    """Whether INSERT … ON CONFLICT is all that happens to the staged rows.

    With a unique index each staged row is then inserted, updated or left equal, and the server's own count says how
    many were not left; only triggers, rules and policies can leave a row out, and then the rows are looked for.
    """
    return plan.arbiter and not (may_repeat_keys or plan.drop_missing or (count and not plan.plain))


def _clear(connection: psycopg.Connection[Any], plan: Plan) -> int:
    """Delete every row of the target; returns how many. Writers wait, readers see the old rows until COMMIT.

    DELETE and not TRUNCATE: it takes no lock that readers would wait for, and it is seen by snapshots.
    """
    connection.execute(f"LOCK TABLE {plan.target} IN SHARE ROW EXCLUSIVE MODE")
    return connection.execute(f"DELETE FROM {plan.target}").rowcount


def _check_texts(connection: psycopg.Connection[Any], plan: Plan) -> None:
    """Every value that was staged as text must print as that text again."""
    for slot in plan.slots:
        if not slot.conversion.same_text:
            continue
        row = connection.execute(merge.changed_text(quote(plan.staging), slot, plan.named_by)).fetchone()
        if row:
            at = f"; first at {row[0]}" if row[0] else ""
            raise RunError(
                f'column "{slot.name}" ({slot.column.type}) cannot hold a value unchanged, it prints otherwise{at}',
                code="OSI-R102",
                hint="write it in the type's own form, or into a text column",
            )


def _one_row_per_key(connection: psycopg.Connection[Any], plan: Plan, copied: Copied) -> int:
    """Refuse or remove repeated keys; returns the number of rows removed."""
    staging = quote(plan.staging)
    if plan.dedupe is not None:
        return connection.execute(merge.keep_one(staging, plan.keys, plan.dedupe)).rowcount
    _refuse_repeats(connection, merge.repeated_keys(staging, plan.keys))
    if copied.straight:
        _refuse_repeats(connection, merge.added_already(plan.target, staging, plan.slots, plan.keys))
    return 0


def _refuse_repeats(connection: psycopg.Connection[Any], statement: str) -> None:
    repeats, shown = connection.execute(statement).fetchone() or (0, None)
    if repeats:
        raise RunError(
            f"{repeats} row(s) repeat a merge key, for example {'; '.join(shown or ())}",
            code="OSI-R109",
            hint="set dedupe with keep and order_by, or choose keys that are unique in the source",
        )


def _by_key(connection: psycopg.Connection[Any], plan: Plan, outcome: Outcome, staged: int) -> None:
    staging, keys = quote(plan.staging), plan.keys
    if plan.mode == "replace" or not plan.arbiter:
        connection.execute(f"LOCK TABLE {plan.target} IN SHARE ROW EXCLUSIVE MODE")
    if plan.drop_missing:
        outcome.deleted = connection.execute(merge.delete_missing(plan.target, staging, plan.slots, keys)).rowcount
    if plan.arbiter:
        changed = connection.execute(merge.upsert(plan.target, staging, plan.slots, keys)).rowcount
    else:
        changed = 0
        update = merge.update_matching(plan.target, staging, plan.slots, keys)
        if update is not None:
            row = connection.execute(update).fetchone()
            changed = int(row[0]) if row else 0
        changed += connection.execute(merge.insert_unmatched(plan.target, staging, plan.slots, keys)).rowcount
    if changed > staged:
        _expect(staged, changed, plan)
    outcome.unchanged = staged - changed


def _count_matched(connection: psycopg.Connection[Any], plan: Plan, outcome: Outcome) -> None:
    row = connection.execute(merge.count_matched(plan.target, quote(plan.staging), plan.slots, plan.keys)).fetchone()
    _expect(outcome.written, int(row[0]) if row else 0, plan)


def _count_replaced(connection: psycopg.Connection[Any], plan: Plan, outcome: Outcome, count: bool) -> None:
    """After a replace the table holds what was written and nothing else."""
    if count and plan.mode == "replace":
        row = connection.execute(f"SELECT count(*) FROM {plan.target}").fetchone()
        _expect(outcome.written, int(row[0]) if row else 0, plan)


def _expect(expected: int, found: int, plan: Plan) -> None:
    if expected != found:
        raise ReconciliationError(
            f"{expected} rows were to be in {plan.target}, and {found} are; nothing was written",
            hint="a trigger, a rule or row level security of the table may leave rows out",
        )
