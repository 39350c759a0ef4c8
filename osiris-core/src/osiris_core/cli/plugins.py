"""Show every installed plugin, and what became of it."""

from __future__ import annotations

import argparse

from osiris_core.cli.options import load_plugins
from osiris_core.cli.output import emit_json, print_table, print_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``osiris plugins list``."""
    commands = parser.add_subparsers(dest="command", required=True, metavar="list")
    commands.add_parser("list", help="every plugin, its state and its components")


def run(args: argparse.Namespace) -> int:
    """Print the states; a broken plugin is information here, not a failure."""
    statuses = load_plugins(args).statuses()
    if args.json:
        emit_json([status.to_json() for status in statuses])
        return 0
    print_table(
        ("PLUGIN", "STATE", "DISTRIBUTION", "COMPONENTS"),
        (
            (status.name, status.state, f"{status.distribution} {status.version}".strip(), ", ".join(status.components))
            for status in statuses
        ),
    )
    for status in statuses:
        if status.error:
            print_text(f"\n{status.name} ({status.state}): {status.error}")
    return 0
