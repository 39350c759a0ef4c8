"""What a person reads when a run has ended, and what a program reads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from osiris_core.cli.output import emit_json, print_note
from osiris_core.cli.text import aligned, shown
from osiris_core.run.record import REPORT_FILE, RESULT_FILE

if TYPE_CHECKING:
    from osiris_core.run.runner import RunOutcome


def print_outcome(outcome: RunOutcome, *, as_json: bool) -> None:
    """The result as JSON on stdout, or a summary on stderr."""
    result = json.loads((outcome.run_dir / RESULT_FILE).read_text(encoding="utf-8"))
    if as_json:
        emit_json({**result, "run_dir": str(outcome.run_dir)})
        return
    for line in summary(result):
        print_note(line)
    print_note(f"report: {outcome.run_dir / REPORT_FILE}")


def summary(result: Mapping[str, Any]) -> Iterator[str]:
    """Lines about every step, the error if there is one, and the end."""
    yield from aligned([_step(step, result["steps"][step]) for step in result["order"]], "  ")
    error = result["error"]
    if error:
        where = f"{error['step']}: " if error.get("step") else ""
        yield shown(f"error {error['code']}: {where}{error['message']}")
        if error["hint"]:
            yield shown(f"  mend: {error['hint']}")
    what = {"success": "done", "failed": "failed", "cancelled": "cancelled and rolled back"}[result["status"]]
    if result["dry_run"] and result["status"] == "success":
        what = "dry run: nothing was read or written"
    yield shown(f"{result['pipeline']}: {what} (run {result['run_id']})")


def _step(step: str, value: Mapping[str, Any]) -> list[str]:
    status = str(value.get("status", ""))
    if status == "skipped":
        return [step, "skipped", str(value["reason"]).replace("_", " ")]
    seconds = f"{value.get('duration_ms', 0) / 1000:,.2f} s"
    return [step, status, _rows(value), seconds, ", ".join(_counts(value))]


def _rows(value: Mapping[str, Any]) -> str:
    if value.get("fused"):
        return "read by the next step itself"
    if value.get("already_committed"):
        return "committed by an earlier run"
    return f"{value.get('rows', 0):,} rows"


def _counts(value: Mapping[str, Any]) -> Iterator[str]:
    for name in ("written", "unchanged", "deduplicated", "skipped", "deleted"):
        if value.get(name):
            yield f"{value[name]:,} {name}"
    for name, count in (value.get("coerced") or {}).items():
        yield f"{count:,} values changed by {name}"
