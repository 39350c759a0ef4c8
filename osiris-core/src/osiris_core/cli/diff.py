"""``osiris diff``: what changed between two pipelines, compiled or not."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from osiris_core.cli.options import add_pipeline_options, open_session
from osiris_core.cli.output import emit_json, print_text
from osiris_core.cli.pipeline import load_any
from osiris_core.cli.text import aligned
from osiris_core.errors import EXIT_OK


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("old", type=Path, metavar="OLD", help="a compiled directory, or a pipeline file")
    parser.add_argument("new", type=Path, metavar="NEW", help="the same, to compare it with")
    add_pipeline_options(parser)


def run(args: Namespace) -> int:
    """Print every difference; a pipeline file is compiled in memory first. 0 whether or not there are any."""
    from osiris_core.compile.diff import diff

    session = open_session(args)
    old, new = (load_any(path, session, args) for path in (args.old, args.new))
    found = diff(old, new)
    if args.json:
        emit_json({"equal": not found, "differences": [difference.to_json() for difference in found]})
    else:
        rows = [[difference.what, difference.where, difference.message] for difference in found]
        print_text("\n".join(aligned(rows)) or "no difference")
    return EXIT_OK
