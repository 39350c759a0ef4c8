"""``osiris new pipeline``: an example to change, or with ``--from`` and ``--to`` the copy of one table that exists."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from osiris_core.cli.options import add_session_options, open_session
from osiris_core.component import WRITE_MODES

if TYPE_CHECKING:
    from osiris_core.context import View


def add_copy_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that say what to copy."""
    parser.add_argument("--from", dest="source", metavar="@ALIAS.TABLE", help="the table to read")
    parser.add_argument("--to", dest="target", metavar="@ALIAS[.TABLE]", help="where to write; same name if left out")
    parser.add_argument(
        "--mode", dest="write_mode", choices=WRITE_MODES, default="append", help="how to write (default: append)"
    )
    parser.add_argument("--key", action="append", default=[], metavar="COLUMN", help="merge key (default: primary key)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where (default: pipelines/NAME.yaml)")
    add_session_options(parser)


def copy_of_a_table(args: argparse.Namespace) -> tuple[str, str]:
    """Name and OML of the pipeline that ``--from``, ``--to``, ``--mode`` and ``--key`` describe.

    Rendered as a model's answer is, and checked by the same validator, in strict mode.
    Raises InvalidInputError, ConfigurationError and ConnectError.
    """
    from osiris_core.context import Move, build_view, render_moves
    from osiris_core.errors import InvalidInputError
    from osiris_core.oml import load
    from osiris_core.validate import validate

    source, table = _named(args.source, "--from")
    target, wanted = _named(args.target, "--to")
    if not table:
        raise InvalidInputError(f'"{args.source}" names no table', code="OSI-V050", hint=f"--from @{source}.TABLE")
    session = open_session(args)
    view = build_view(session, list(dict.fromkeys((source, target))))
    move = Move(_readable(view, source, table), target, wanted or table, args.write_mode, keys=tuple(args.key))
    if args.write_mode == "merge" and not args.key and not view.tables[move.source].table.primary_key:
        raise InvalidInputError(
            f'"{table}" has no primary key', code="OSI-V050", hint="name the keys with --key COLUMN"
        )
    name = args.name or re.sub(r"[^A-Za-z0-9_-]+", "-", f"{Path(table).stem}-to-{target}").strip("-")
    oml = render_moves([move], view, name=name)
    document = load(oml, f"{name}.yaml")
    found = validate(document, session, mode="strict")
    if not found.ok:
        raise InvalidInputError(
            "the copy would not be valid; nothing was written", problems=found.errors, documents=[document]
        )
    return name, oml


def _named(text: str | None, option: str) -> tuple[str, str]:
    from osiris_core.errors import InvalidInputError

    if not text or not text.removeprefix("@"):
        raise InvalidInputError(f"{option} is missing", code="OSI-V050", hint="--from @shop.orders --to @warehouse")
    alias, _, table = text.removeprefix("@").partition(".")
    return alias, table


def _readable(view: View, alias: str, table: str) -> str:
    """The view's name of a table. Raises InvalidInputError with the nearest one that exists."""
    from osiris_core.errors import InvalidInputError
    from osiris_core.problems import did_you_mean

    names = {ref.table.name: name for name, ref in view.tables.items() if ref.source.alias == alias}
    if table not in names:
        hint = did_you_mean(table, names)
        raise InvalidInputError(f'there is no table "{table}" behind @{alias}', code="OSI-V201", hint=hint)
    return names[table]
