"""The ledger (_osiris_commits) by which a target remembers what was committed: show it, or remove old entries.

An entry makes a re-run under its run key safe: without it the same rows would be written a second time. So entries
younger than the retention always stay, and it should be longer than any run may wait to be run again. The newest
entry that holds the state of an incremental read stays too, whatever its age, for each pipeline, step and table.
"""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from osiris_core.cli.failure import error_json
from osiris_core.cli.options import add_session_options, days, open_session
from osiris_core.cli.output import emit_json, print_table, print_text
from osiris_core.cli.text import alias_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from osiris_core.connections import Connection
    from osiris_core.drivers import Driver, LedgerEntry
    from osiris_core.errors import OsirisError
    from osiris_core.session import Session


def add_arguments(parser: ArgumentParser) -> None:
    """``osiris ledger show|prune``."""
    commands = parser.add_subparsers(dest="command", required=True, metavar="show|prune")
    show = commands.add_parser("show", help="entries of a target's ledger, the newest first")
    show.add_argument("alias", metavar="@ALIAS", help="a connection of osiris_connections.yaml")
    show.add_argument(
        "--limit", type=_count, default=20, metavar="N", help="at most this many entries (default 20; 0: all)"
    )
    add_session_options(show)
    prune = commands.add_parser("prune", help="remove old entries", description=__doc__)
    prune.add_argument("aliases", nargs="+", metavar="@ALIAS", help="connections of osiris_connections.yaml")
    prune.add_argument(
        "--older-than",
        type=days,
        metavar="DAYS",
        help="remove what was committed longer ago (default: ledger.retention_days of osiris.yaml, or 90)",
    )
    prune.add_argument("--dry-run", action="store_true", help="say how many entries would go, and remove none")
    add_session_options(prune)


def run(args: Namespace) -> int:
    """Show or prune."""
    session = open_session(args)
    return _show(session, args) if args.command == "show" else _prune(session, args)


def _show(session: Session, args: Namespace) -> int:
    from osiris_core.errors import LedgerError

    alias = alias_name(args.alias)
    driver, connection = _target(session, alias)
    entries: Sequence[LedgerEntry]
    fault: LedgerError | None = None
    try:
        entries = _asked(session, alias, driver, lambda: driver.ledger_entries(connection, args.limit or None))
    except LedgerError as error:  # what can be read is shown all the same
        entries, fault = error.entries, error
    if args.json:
        shown = {"alias": alias, "entries": [asdict(entry) for entry in entries]}
        emit_json(session.redactor.value({**shown, **(error_json(fault) if fault else {})}))
        return fault.exit_code if fault else 0
    if entries:
        heads = ("COMMITTED", "PIPELINE", "STEP", "TABLE", "ROWS", "STATE", "RUN KEY")
        print_table(heads, (session.redactor.value(_cells(entry)) for entry in entries))
    elif fault is None:
        print_text(f"the ledger of @{alias} has no entries")
    if fault is not None:
        raise fault
    return 0


def _cells(entry: LedgerEntry) -> list[str]:
    state = "yes" if entry.holds_state else ""
    at = entry.committed_at.partition(".")[0].replace("T", " ")
    return [at, entry.pipeline, entry.step, entry.table, str(entry.rows), state, entry.run_key]


def _prune(session: Session, args: Namespace) -> int:
    from osiris_core.errors import LedgerError

    age = session.project.ledger_retention_days if args.older_than is None else args.older_than
    aliases = list(dict.fromkeys(alias_name(alias) for alias in args.aliases))
    targets = {alias: _target(session, alias) for alias in aliases}  # all of them, before the first is changed
    removed: dict[str, int] = {}
    faults: list[OsirisError] = []
    for alias, (driver, connection) in targets.items():
        prune = partial(driver.prune_ledger, connection, age, dry_run=args.dry_run)
        try:
            removed[alias] = _asked(session, alias, driver, prune)
        except LedgerError as error:  # one bad part keeps no other from being pruned
            removed[alias] = error.removed
            faults += error.faults
        if not args.json:
            verb = "would be" if args.dry_run else "were"
            count = f"{removed[alias]:,} {'entry' if removed[alias] == 1 else 'entries'}"
            print_text(f"@{alias}: {count} older than {age:g} days {verb} removed")
    fault = LedgerError(faults) if faults else None
    if args.json:
        pruned = [{"alias": alias, "removed": count} for alias, count in removed.items()]
        done = {"older_than_days": age, "dry_run": args.dry_run, "ledgers": pruned}
        emit_json(session.redactor.value({**done, **(error_json(fault) if fault else {})}))
        return fault.exit_code if fault else 0
    if fault is not None:
        raise fault
    return 0


def _target(session: Session, alias: str) -> tuple[Driver, Connection]:
    """The driver that writes through ``alias``, and the connection. Raises InvalidInputError for a family that

    writes nothing, ConfigurationError for an alias that is wrong.
    """
    from osiris_core.errors import InvalidInputError

    family = session.connections.family(alias)
    connection = session.connections.resolve([alias])[alias]
    for component in session.registry.families().get(family, ()):
        if "write" in session.registry.spec(component).modes:
            return session.registry.driver(component), connection
    raise InvalidInputError(f"no component of {family} writes through @{alias}: it has no ledger", code="OSI-V122")


def _asked(session: Session, alias: str, driver: Driver, call: Callable[[], Any]) -> Any:
    """``call()``; the client library's own errors come out as ours."""
    from osiris_core.run.faults import StepFault, driver_call, explain

    try:
        with driver_call(f"@{alias}", driver):
            return call()
    except StepFault as fault:
        raise explain(fault, session.redactor, moved=False) from fault.cause


def _count(text: str) -> int:
    if not text.isdecimal():
        raise ArgumentTypeError(f'"{text}" is not a number of entries')
    return int(text)
