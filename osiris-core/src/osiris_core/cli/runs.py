"""List past runs, show one, write its report again."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from osiris_core.cli.options import open_session
from osiris_core.cli.output import emit_json, print_table, print_text

if TYPE_CHECKING:
    from osiris_core.run.record import RunRecord


def add_arguments(parser: ArgumentParser) -> None:
    """``osiris runs list|show|report``."""
    commands = parser.add_subparsers(dest="command", required=True, metavar="list|show|report")
    listing = commands.add_parser("list", help="runs of this project, the newest first")
    listing.add_argument("--limit", type=int, default=20, metavar="N", help="at most this many (default 20; 0: all)")
    for name, text in (("show", "the result and events of one run"), ("report", "write report.html and say where")):
        command = commands.add_parser(name, help=text)
        command.add_argument("run", nargs="?", default="last", help="a run id or a beginning of it (default: last)")


def run(args: Namespace) -> int:
    """List, show or report."""
    state_dir = open_session(args).project.state_dir
    if args.command == "list":
        return _list(state_dir, args)
    from osiris_core.run.record import find_record

    record = find_record(state_dir, args.run)
    return _show(record, args) if args.command == "show" else _report(record, args)


def _list(state_dir: Any, args: Namespace) -> int:
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
