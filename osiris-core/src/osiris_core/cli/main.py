"""The ``osiris`` command: finds the command, parses its arguments, and turns every error into an exit code.

Start-up is kept cheap: help is a static table, a command's module is imported when it is called.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from types import FrameType

#: Name: one line of help, and the module, which has ``add_arguments(parser)`` and ``run(args) -> int``.
COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("make a project in a directory", "osiris_core.cli.init"),
    "new": ("write a new pipeline or connector package", "osiris_core.cli.new"),
    "doctor": ("check the installation and every connection", "osiris_core.cli.doctor"),
    "components": ("list, print and check component specs", "osiris_core.cli.components"),
    "connections": ("list and test connections", "osiris_core.cli.connections"),
    "discover": ("show the tables and columns behind a connection", "osiris_core.cli.discover"),
    "context": ("show what a model is told, and the schema it answers in", "osiris_core.cli.context"),
    "prompts": ("another name: prompts build-context is context", "osiris_core.cli.prompts"),
    "validate": ("check a pipeline against specs and what really exists", "osiris_core.cli.validate"),
    "upgrade": ("rewrite a pipeline of an older dialect", "osiris_core.cli.upgrade"),
    "compile": ("compile a pipeline to a canonical manifest", "osiris_core.cli.compile"),
    "diff": ("compare two compiled pipelines", "osiris_core.cli.diff"),
    "plan": ("say what a run would do, without doing it", "osiris_core.cli.plan"),
    "run": ("run a pipeline or a compiled manifest", "osiris_core.cli.run"),
    "runs": ("list and show past runs, and report on them", "osiris_core.cli.runs"),
    "ledger": ("show and prune what targets remember of past commits", "osiris_core.cli.ledger"),
    "plugins": ("list plugins and what became of each", "osiris_core.cli.plugins"),
    "engines": ("list engines that can run a manifest", "osiris_core.cli.engines"),
    "schema": ("print one JSON Schema for pipelines, for editors", "osiris_core.cli.schema"),
    "explain": ("explain a problem code", "osiris_core.cli.explain"),
}
EXIT_BROKEN_PIPE = 141


def main(argv: Sequence[str]) -> int:
    """Run one command; returns the process's exit code."""
    arguments = list(argv)
    _terminate_politely()
    try:
        code = _dispatch(arguments)
        sys.stdout.flush()
        return code
    except SystemExit as stop:  # argparse, after --help or a usage error
        return stop.code if isinstance(stop.code, int) else 0
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Nobody reads any more: keep the interpreter from complaining when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    except Exception as error:
        from osiris_core.cli.failure import report

        return report(error, as_json="--json" in arguments, debug="--debug" in arguments)


def _terminate_politely() -> None:
    """Make SIGTERM an exception, so that everything is cleaned up on the way out."""
    import signal
    import threading

    if threading.current_thread() is not threading.main_thread():
        return

    def terminated(number: int, frame: FrameType | None) -> None:
        from osiris_core.errors import CancelledError

        raise CancelledError("terminated", signal_number=number)

    signal.signal(signal.SIGTERM, terminated)


def _dispatch(arguments: list[str]) -> int:
    options, name, rest = _split(arguments)
    if name == "help" and rest:
        name, rest = rest[0], ["--help"]
    if "--version" in options:
        from osiris_core import __version__

        print(f"osiris {__version__}")
        return 0
    if name in ("", "help") or {"-h", "--help"} & set(options):
        from osiris_core.cli.help import print_help

        return print_help(COMMANDS, options)
    if name in COMMANDS:
        return _run(name, [*options, *rest])
    from osiris_core.cli.commands import run_plugin_command

    return run_plugin_command(name, rest, list(COMMANDS), [*options, *rest])


def _split(arguments: list[str]) -> tuple[list[str], str, list[str]]:
    """Options before the command, the command, and what follows it."""
    at = 0
    while at < len(arguments) and arguments[at].startswith("-"):
        at += 2 if arguments[at] == "--project" else 1
    name = arguments[at] if at < len(arguments) else ""
    return arguments[:at], name, arguments[at + 1 :]


def _run(name: str, arguments: list[str]) -> int:
    from importlib import import_module

    from osiris_core.cli.parser import CommandParser, defaults

    help_line, module_name = COMMANDS[name]
    module = import_module(module_name)
    parser = CommandParser(prog=f"osiris {name}", description=module.__doc__ or help_line)
    module.add_arguments(parser)
    parsed: argparse.Namespace = parser.parse_args(arguments, namespace=defaults())
    code: int = module.run(parsed)
    return code
