"""``osiris --help``: a static table of core's commands, and plugin commands from entry-point metadata only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_USAGE = """\
usage: osiris [--version] COMMAND ...

Describe components once, discover what exists, and run only what can be true.
"""
_CLOSING = """
  osiris COMMAND --help    what a command takes
  osiris explain CODE      what a problem code means

every command takes --json, --project DIR, --no-plugins and --debug"""


def print_help(commands: Mapping[str, tuple[str, str]], options: Sequence[str]) -> int:
    """Print the overview on stdout."""
    from osiris_core.cli.commands import plugin_commands
    from osiris_core.cli.text import shown_lines

    core = {name: line for name, (line, _) in commands.items()}
    added = {command.name: command.help for command in plugin_commands(options) if command.name not in core}
    width = max(map(len, [*core, *added]))
    lines = [_USAGE, "commands:", *_table(core, width)]
    if added:
        lines += ["", "commands of plugins:", *_table(added, width)]
    print(shown_lines("\n".join([*lines, _CLOSING])))
    return 0


def _table(commands: Mapping[str, str], width: int) -> list[str]:
    return [f"  {name:{width}}  {line}" for name, line in commands.items()]
