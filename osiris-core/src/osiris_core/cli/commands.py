"""Commands that plugins add (entry-point group ``osiris.commands``), known without importing any of them.

An entry point is named ``"command: one line of help"`` and leads to a function that takes the arguments and returns
the exit code.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import NamedTuple

GROUP = "osiris.commands"


class PluginCommand(NamedTuple):
    """One declared command."""

    name: str
    help: str
    entry: EntryPoint


def plugin_commands(options: Sequence[str] = ()) -> list[PluginCommand]:
    """Every command whose plugin the policy allows, sorted by name."""
    allowed = _allowed_plugins(options)
    found = []
    for entry in entry_points(group=GROUP):
        name, _, line = entry.name.partition(":")
        if allowed is None or _owners(entry) & allowed:
            found.append(PluginCommand(name.strip(), line.strip(), entry))
    return sorted(found, key=lambda command: (command.name, command.entry.value))


def run_plugin_command(name: str, arguments: Sequence[str], known: Sequence[str], options: Sequence[str]) -> int:
    """Run command ``name`` of a plugin.

    Raises InvalidInputError when there is none, PluginError when two plugins offer it or it cannot be imported.
    """
    from osiris_core.errors import InvalidInputError, PluginError
    from osiris_core.problems import did_you_mean

    commands = plugin_commands(options)
    offered = [command for command in commands if command.name == name]
    if len(offered) > 1:
        owners = ", ".join(command.entry.value for command in offered)
        raise PluginError(f'the command "{name}" is offered more than once: {owners}', code="OSI-P002")
    if not offered:
        names = [*known, *(command.name for command in commands)]
        hint = did_you_mean(name, names) or "see osiris --help"
        raise InvalidInputError(f'there is no command "{name}"', code="OSI-V050", hint=hint)
    return _call(offered[0], arguments)


def _call(command: PluginCommand, arguments: Sequence[str]) -> int:
    from osiris_core.errors import PluginError

    try:
        function = command.entry.load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit included
        reason = f"{type(error).__name__}: {error}"
        raise PluginError(f'the command "{command.name}" ({command.entry.value}) is broken: {reason}') from error
    code = function(list(arguments))
    return code if isinstance(code, int) else 0


def _allowed_plugins(options: Sequence[str]) -> set[str] | None:
    if "--no-plugins" in options:
        return set()
    text = os.environ.get("OSIRIS_PLUGINS")
    return None if text is None else {name.strip() for name in text.split(",") if name.strip()}


def _owners(entry: EntryPoint) -> set[str]:
    """Names of the plugins in the distribution that declares ``entry``."""
    if entry.dist is None:
        return set()
    return {other.name for other in entry.dist.entry_points if other.group == "osiris"}
