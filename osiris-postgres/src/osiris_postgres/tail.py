"""The rows behind a table's last key, which a merge may add without looking for each of them.

A source read in the order of its key ends with the rows that the target lacks: all of them the first time, the newest
ever after. COPY straight into the table takes half of what a staging table and ON CONFLICT take. Nothing else changes:
it is one transaction, and a key that somebody else adds meanwhile is a conflict that a retry sees as an update.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from osiris_core import RunError
from osiris_postgres.apply import Plan
from osiris_postgres.names import quote
from osiris_postgres.relations import Relation

if TYPE_CHECKING:
    import psycopg

_INTEGERS = frozenset({"int2", "int4", "int8"})
#: Not where a foreign key leads back to the table, or from a partition to what it is part of. Nor for a user who may
#: see no system column: which rows this transaction added, ``xmin`` tells.
_UNIQUE_INDEXES = """
SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = %(table)s::regclass AND (i.indisunique OR i.indisexclusion)
  AND has_table_privilege(i.indrelid, 'SELECT')
  AND NOT EXISTS (
      SELECT 1 FROM pg_constraint f WHERE f.contype = 'f' AND f.conrelid = i.indrelid
      AND (f.confrelid = i.indrelid OR f.confrelid IN (SELECT relid FROM pg_partition_ancestors(i.indrelid))))
"""


@dataclass(frozen=True)
class Tail:
    """What lies behind ``last``, the greatest value of ``key`` before the merge; all of it when ``last`` is None.

    ``index`` is the one unique index of ``target``.
    """

    target: str
    key: str
    index: str
    last: int | None

    def has(self, key: int) -> bool:
        """Whether a row with this key is behind the last."""
        return self.last is None or key > self.last

    @contextmanager
    def explaining_conflicts(self) -> Iterator[None]:
        """Raise RunError (OSI-R021), worth a retry, when somebody else's row has the key of one that is added."""
        import psycopg.errors

        try:
            yield
        except psycopg.errors.UniqueViolation as error:
            if error.diag.constraint_name != self.index:
                raise
            raise RunError(
                f'another program added rows to {self.target} that this run was adding too (by "{self.key}")',
                code="OSI-R021",
                hint="a plain re-run is safe",
                retryable=True,
            ) from error


def find_tail(
    connection: psycopg.Connection[Any], plan: Plan, relation: Relation, config: Mapping[str, Any]
) -> Tail | None:
    """The tail of the table that ``plan`` merges into; None where rows cannot be added ahead of the rest.

    They cannot where their order among the others could matter: other unique indexes, exclusion constraints and
    references of the table to itself look at all rows that are there. Nor where staging has more to do than to merge.
    """
    if not _is_simple(plan, config):
        return None
    (key,) = plan.keys
    column = relation.column(key)
    if column is None or column.base not in _INTEGERS:
        return None
    indexes = connection.execute(_UNIQUE_INDEXES, {"table": plan.target}).fetchall()
    if len(indexes) != 1:
        return None
    row = connection.execute(f"SELECT max({quote(key)}) FROM {plan.target}").fetchone()
    return Tail(plan.target, key, indexes[0][0], row[0] if row else None)


def _is_simple(plan: Plan, config: Mapping[str, Any]) -> bool:
    """Whether the merge is one upsert by one column, of a table of which the server's counts are the truth."""
    upsert = plan.mode == "merge" and plan.arbiter and plan.plain and len(plan.keys) == 1
    more = plan.dedupe is not None or plan.drop_missing or config.get("verify") == "checksum"
    return upsert and not more and not any(slot.conversion.cast for slot in plan.slots)
