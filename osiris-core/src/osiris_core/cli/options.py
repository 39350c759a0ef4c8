"""Options that several commands share, and the session they ask for."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from osiris_core.plugins import Plugins
    from osiris_core.registry import Registry
    from osiris_core.session import Session

LONGEST_DAYS = 36_500


def add_session_options(parser: ArgumentParser) -> None:
    """``--profile`` and ``--secrets-file``."""
    parser.add_argument("--profile", metavar="NAME", help="profile of osiris.yaml and osiris_connections.yaml")
    parser.add_argument("--secrets-file", type=Path, metavar="FILE", help="NAME=value lines, over the environment")


def add_catalog_options(parser: ArgumentParser) -> None:
    """``--refresh`` and ``--offline``."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--refresh", action="store_true", help="ask the systems again, whatever is cached")
    group.add_argument("--offline", action="store_true", help="ask no system; use what is cached and say so")


def add_pipeline_options(parser: ArgumentParser) -> None:
    """What every command that reads a pipeline takes: parameters, validation mode, session and catalog options."""
    parser.add_argument(
        "--param", type=parameter, action="append", default=[], metavar="NAME=VALUE", help="bind a parameter"
    )
    parser.add_argument("--mode", choices=("strict", "warn", "off"), help="what problems against the catalog do")
    add_session_options(parser)
    add_catalog_options(parser)


def parameter(text: str) -> tuple[str, str]:
    """``NAME=VALUE`` taken apart. Raises ArgumentTypeError."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ArgumentTypeError(f'"{text}" is not NAME=VALUE')
    return name, value


def load_plugins(args: Namespace) -> Plugins:
    """Every plugin that the policy allows, for commands that need no project."""
    from osiris_core.plugins import Plugins

    return Plugins.load(() if args.no_plugins else None)


def load_registry(args: Namespace) -> Registry:
    """The registry over ``load_plugins``; plugins that are not as they should be are named on stderr."""
    from osiris_core.cli.output import print_note
    from osiris_core.registry import Registry

    plugins = load_plugins(args)
    registry = Registry(plugins)
    for complaint in plugins.complaints():
        print_note(f"warning: {complaint}")
    return registry


def days(text: str) -> float:
    """A number of days above 0, as an age. Raises ArgumentTypeError."""
    try:
        number = float(text)
    except ValueError:
        number = 0
    if not 0 < number <= LONGEST_DAYS:  # NaN is in no range
        raise ArgumentTypeError(f'"{text}" is not a number of days above 0 and up to {LONGEST_DAYS}')
    return number


def open_session(args: Namespace) -> Session:
    """The session that a command's options ask for; options it does not have count as not given."""
    from osiris_core.session import Session

    return Session.open(
        getattr(args, "project", None),
        plugins=() if getattr(args, "no_plugins", False) else None,
        secrets_file=getattr(args, "secrets_file", None),
        profile=getattr(args, "profile", None),
        validation_mode=getattr(args, "mode", None),
        refresh=getattr(args, "refresh", False),
        offline=getattr(args, "offline", False),
    )
