"""``osiris prompts build-context``: ``osiris context`` under the name that users of the older dialect know."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from osiris_core.cli import context


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of the command: those of ``osiris context``."""
    parser.add_argument("action", choices=("build-context",))
    context.add_arguments(parser)


def run(args: Namespace) -> int:
    """As ``osiris context``."""
    return context.run(args)
