"""The ledger: how a target remembers which run keys it has committed.

State machine of one (run key, pipeline, step), the same on every target:

    absent ──begin──► locked ──stage*──► staged ──commit──► recorded
                        │                  │
                        └──────abort───────┴──────────────► absent

``recorded`` becomes visible in the same atomic change as the rows. ``begin`` on ``recorded`` returns the
first result with ``already_committed`` set and nothing is written again. A kill anywhere leaves ``absent``
(the transaction is rolled back, the marker never renamed) or ``recorded``.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from osiris_core.drivers import CommitResult, LedgerEntry

#: Columns: run_key, pipeline, step, table_name, result (JSON text), state (JSON text), committed_at;
#: primary key (run_key, pipeline, step).
LEDGER_TABLE = "_osiris_commits"


def result_to_json(result: CommitResult) -> str:
    """The counts of a commit as canonical JSON text, for the ledger's ``result`` column."""
    value = {
        "written": result.written,
        "deduplicated": result.deduplicated,
        "skipped": result.skipped,
        "unchanged": result.unchanged,
        "deleted": result.deleted,
        "coerced": dict(result.coerced),
    }
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def result_from_json(text: str) -> CommitResult:
    """The counts back from the ledger, marked ``already_committed``."""
    value: dict[str, Any] = json.loads(text)
    return CommitResult(**value, already_committed=True)


def ledger_entry(row: tuple[str, str, str, str, datetime, str, bool]) -> LedgerEntry:
    """An entry from (pipeline, step, table_name, run_key, committed_at, result, whether there is state).

    A time without a zone is UTC.
    """
    pipeline, step, table, run_key, committed_at, result, holds_state = row
    moment = committed_at.replace(tzinfo=UTC) if committed_at.tzinfo is None else committed_at.astimezone(UTC)
    at = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return LedgerEntry(pipeline, step, table, run_key, at, result_from_json(result).written, bool(holds_state))
