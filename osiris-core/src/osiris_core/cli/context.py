"""``osiris context``: what a model is told, and the schema its answer is held to."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from osiris_core.cli.options import add_catalog_options, add_session_options, open_session
from osiris_core.cli.output import emit_json, print_note
from osiris_core.cli.text import alias_name


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--connection", action="append", default=[], metavar="@ALIAS", help="only these connections")
    parser.add_argument("--request", default="", help="the user's words; they choose tables beyond the budget")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="json holds brief and schema")
    parser.add_argument("--schema", action="store_true", help="print the closed JSON Schema instead of the brief")
    parser.add_argument("--tokens", action="store_true", help="print about how many tokens brief and schema cost")
    parser.add_argument("--budget", type=int, default=None, metavar="TOKENS", help="most tokens for the brief")
    parser.add_argument("--comments", action="store_true", help="include table comments, quoted and shortened")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write to a file instead of standard output")
    add_session_options(parser)
    add_catalog_options(parser)


def run(args: Namespace) -> int:
    """Print the brief, or the closed schema, or both as JSON; no secret, no row."""
    from osiris_core.context import (
        DEFAULT_BUDGET,
        ContextRequest,
        approximate_tokens,
        brief,
        build_view,
        closed_schema,
        shortlist,
        view_fingerprint,
    )

    session = open_session(args)
    request = ContextRequest(args.request, args.comments)
    view = build_view(session, [alias_name(alias) for alias in args.connection], request)
    for remark in session.catalogs.notes:
        print_note(remark)
    tables = shortlist(view, args.request, DEFAULT_BUDGET if args.budget is None else args.budget)
    if tables.left_out:
        print_note(f"{len(tables.left_out):,} of {len(view.tables):,} tables are over the budget and left out")
    text = brief(view, only=set(tables.chosen), comments=args.comments)
    schema = closed_schema(view)
    value: dict[str, Any] = {
        "fingerprint": view_fingerprint(session, view),
        "brief": text,
        "schema": schema,
        "left_out": list(tables.left_out),
        "tokens": {"brief": approximate_tokens(text), "schema": approximate_tokens(json.dumps(schema))},
    }
    if args.tokens:
        text = f"brief {value['tokens']['brief']:,}\nschema {value['tokens']['schema']:,}\n"
    elif args.schema:
        text = json.dumps(schema, indent=2, ensure_ascii=False)  # property order is the order a model answers in
    _deliver(value if args.json or args.format == "json" else text, args.out)
    return 0


def _deliver(value: Any, out: Path | None) -> None:
    if out is not None:
        from osiris_core.atomic import write_text

        write_text(out, value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False) + "\n")
    elif isinstance(value, str):
        print(value, end="" if value.endswith("\n") else "\n")
    else:
        emit_json(value)
