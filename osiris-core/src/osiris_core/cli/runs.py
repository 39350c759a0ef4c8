"""List past runs, show one, write its report again, remove old ones."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from osiris_core.cli.options import days, open_session
from osiris_core.cli.output import emit_json, print_note, print_table, print_text
from osiris_core.errors import EXIT_CONFIGURATION, EXIT_OK

if TYPE_CHECKING:
    from osiris_core.run.record import RunRecord

RETENTION_DAYS = 90


def add_arguments(parser: ArgumentParser) -> None:
    """``osiris runs list|show|report|prune``."""
    commands = parser.add_subparsers(dest="command", required=True, metavar="list|show|report|prune")
    listing = commands.add_parser("list", help="runs of this project, the newest first")
    listing.add_argument("--limit", type=int, default=20, metavar="N", help="at most this many (default 20; 0: all)")
    for name, text in (("show", "the result and events of one run"), ("report", "write report.html and say where")):
        command = commands.add_parser(name, help=text)
        command.add_argument("run", nargs="?", default="last", help="a run id or a beginning of it (default: last)")
    prune = commands.add_parser(
        "prune", help="remove records of old runs", description="Remove the records of finished runs but the newest."
    )
    prune.add_argument(
        "--older-than",
        type=days,
        default=RETENTION_DAYS,
        metavar="DAYS",
        help=f"runs that began longer ago (default {RETENTION_DAYS})",
    )
    prune.add_argument("--dry-run", action="store_true", help="say how many would go, and remove none")


def run(args: Namespace) -> int:
    """List, show, report or prune."""
    state_dir = open_session(args).project.state_dir
    if args.command == "list":
        return _list(state_dir, args)
    if args.command == "prune":
        return _prune(state_dir, args)
    from osiris_core.run.record import find_record

    record = find_record(state_dir, args.run)
    return _show(record, args) if args.command == "show" else _report(record, args)


def _list(state_dir: Path, args: Namespace) -> int:
    from osiris_core.run.record import all_records

    records = all_records(state_dir)[::-1]
    rows = [_overview(record) for record in (records[: args.limit] if args.limit else records)]
    if args.json:
        emit_json(rows)
    else:
        heads = ("RUN", "PIPELINE", "STATUS", "EXIT", "WRITTEN")
        print_table(
            heads, ([row[head.lower()] if row[head.lower()] is not None else "" for head in heads] for row in rows)
        )
    return 0


def _overview(record: RunRecord) -> dict[str, Any]:
    result = record.result()
    if result is None:
        # No result: it goes on, or it was killed; the record cannot tell which.
        started: dict[str, Any] = next(iter(record.events()), {})
        pipeline = started.get("pipeline", "")
        return {"run": record.run_id, "pipeline": pipeline, "status": "unfinished", "exit": None, "written": None}
    return {
        "run": record.run_id,
        "pipeline": result["pipeline"],
        "status": result["status"],
        "exit": result["exit_code"],
        "written": sum(step.get("written", 0) for step in result["steps"].values()),
    }


def _show(record: RunRecord, args: Namespace) -> int:
    from osiris_core.cli.run_summary import summary

    result = record.result()
    if args.json:
        emit_json({"run_dir": str(record.path), "result": result, "events": record.events()})
        return 0
    print_text(f"run {record.run_id} in {record.path}")
    if result is None:
        print_text("it is not finished: it goes on, or it was killed; running the same again continues it")
    for line in summary(result) if result else ():
        print_text(line)
    return 0


def _report(record: RunRecord, args: Namespace) -> int:
    from osiris_core.report import render_report

    result = record.result() or _unfinished(record)
    path = record.write_report(render_report(result, record.events()))
    if args.json:
        emit_json({"run_id": record.run_id, "report": str(path)})
    else:
        print_text(str(path))
    return 0


def _prune(state_dir: Path, args: Namespace) -> int:
    """Remove finished runs; one without a result may go on. Run keys and ledgers stay as they are."""
    from osiris_core.run.record import all_records

    before = datetime.now(UTC) - timedelta(days=args.older_than)
    old = [record for record in all_records(state_dir)[:-1] if record.started and record.started < before]
    finished = [record for record in old if record.result() is not None]
    removed, failed = (finished, []) if args.dry_run else removed_runs(finished)
    if args.json:
        done = {"older_than_days": args.older_than, "dry_run": args.dry_run}
        emit_json({**done, "removed": [record.run_id for record in removed], "failed": failed})
        return EXIT_CONFIGURATION if failed else EXIT_OK
    verb, kept = "would be" if args.dry_run else "were", len(old) - len(finished)
    print_text(f"{len(removed):,} of the runs older than {args.older_than:g} days {verb} removed")
    if kept:
        print_text(f"kept {kept:,} without a result: a run that goes on, or was killed")
    for reason in failed:
        print_note(f"not removed: {reason}")
    return EXIT_CONFIGURATION if failed else EXIT_OK


def removed_runs(records: Sequence[RunRecord]) -> tuple[list[RunRecord], list[str]]:
    """Remove records: those that are gone now, and why others are not."""
    gone, failed = [], []
    for record in records:
        try:
            record.remove()
        except OSError as error:
            failed.append(f"{record.run_id}: {error}")
        else:
            gone.append(record)
    return gone, failed


def _unfinished(record: RunRecord) -> dict[str, Any]:
    """A result for a run that left none."""
    started: dict[str, Any] = next(iter(record.events()), {})
    return {
        "run_id": record.run_id,
        "run_key": started.get("run_key", ""),
        "pipeline": started.get("pipeline", ""),
        "status": "unfinished",
        "order": [],
        "steps": {},
        "error": None,
    }
