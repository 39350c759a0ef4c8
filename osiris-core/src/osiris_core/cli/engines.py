"""List the engines that can run a manifest."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from osiris_core.cli.options import load_plugins
from osiris_core.cli.output import emit_json, print_table


def add_arguments(parser: ArgumentParser) -> None:
    """``osiris engines list``."""
    commands = parser.add_subparsers(dest="command", required=True, metavar="list")
    commands.add_parser("list", help="every engine of every plugin")


def run(args: Namespace) -> int:
    """Print name and title; an engine's code is not imported."""
    engines = sorted(load_plugins(args).engines(), key=lambda engine: engine.name)
    if args.json:
        emit_json([{"name": engine.name, "title": engine.title, "target": engine.target} for engine in engines])
    else:
        print_table(("ENGINE", "WHAT IT DOES"), ((engine.name, engine.title) for engine in engines))
    return 0
