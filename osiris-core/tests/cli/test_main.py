"""The command as a whole: finding commands, exit codes, help, streams."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from osiris_core import __version__
from osiris_core.cli.main import COMMANDS
from osiris_core.cli.parser import CommandParser, defaults
from osiris_core.testing.cli import Osiris, clean_environment, osiris_command

COMMON = {"--json", "--project", "--no-plugins", "--debug"}
PLUGIN = """\
import os, signal, sys, time
OSIRIS_API = "1.0"

def fine(argv):
    print("fine", argv)
    return 7

def bug(argv):
    from osiris_core import Secret
    password = Secret("canary-of-the-bug", "PW").reveal()
    raise KeyError(f"no key for {password}")

def wait(argv):
    print("ready", flush=True)
    time.sleep(60)

def flood(argv):
    while True:
        print("x" * 1000)
"""


@pytest.fixture
def osiris(tmp_path: Path) -> Osiris:
    return Osiris(tmp_path)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_table_exists(name: str) -> None:
    help_line, module_name = COMMANDS[name]
    module = import_module(module_name)
    parser = CommandParser(prog=f"osiris {name}")
    module.add_arguments(parser)
    assert callable(module.run)
    assert help_line[0].islower() and not help_line.endswith(".")
    for leaf in leaves(parser):
        options = {option for action in leaf._actions for option in action.option_strings}
        assert options >= COMMON, leaf.prog


def leaves(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """The parsers of the command, or of each of its subcommands."""
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return [leaf for group in groups for sub in group.choices.values() for leaf in leaves(sub)] or [parser]


def test_common_options_count_before_and_after_the_subcommand() -> None:
    parser = CommandParser(prog="osiris x")
    parser.add_subparsers(dest="command").add_parser("list")
    for arguments in (["--json", "list"], ["list", "--json"]):
        assert parser.parse_args(arguments, namespace=defaults()).json is True
    assert parser.parse_args(["list"], namespace=defaults()).json is False


def test_help_lists_core_and_plugin_commands_without_importing_them(osiris: Osiris, install: Any) -> None:
    add, env = install
    add("extra", "raise SystemExit('imported')", {"shiny: do something shiny": "run"})
    for arguments in ((), ("--help",), ("-h",), ("help",)):
        result = osiris(*arguments, env=env)
        assert result.returncode == 0
        assert all(f"  {name} " in result.stdout for name in COMMANDS)
        assert "shiny" in result.stdout and "do something shiny" in result.stdout
        assert result.stderr == ""
    assert "shiny" not in osiris("--help", env={**env, "OSIRIS_PLUGINS": "mysql"}).stdout
    assert "shiny" not in osiris("--no-plugins", "--help", env=env).stdout


def test_help_of_a_command_names_it(osiris: Osiris) -> None:
    for arguments in (("components", "--help"), ("help", "components")):
        result = osiris(*arguments)
        assert result.returncode == 0
        assert result.stdout.startswith("usage: osiris components")


def test_the_version_is_printed(osiris: Osiris) -> None:
    result = osiris("--version")
    assert (result.returncode, result.stdout) == (0, f"osiris {__version__}\n")


def test_the_module_is_the_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "osiris_core", "--version"]
    result = subprocess.run(command, cwd=tmp_path, env=clean_environment(), capture_output=True, text=True, check=True)
    assert result.stdout == f"osiris {__version__}\n"


def test_no_plugins_counts_after_the_command_too(osiris: Osiris, install: Any) -> None:
    add, env = install
    add("extra", "print('imported')", {"shiny: do something shiny": "run"})
    for arguments in (("--no-plugins", "shiny"), ("shiny", "--no-plugins")):
        result = osiris(*arguments, env=env)
        assert (result.returncode, result.stdout) == (2, "")
        assert 'there is no command "shiny"' in result.stderr


def test_the_module_takes_no_plugin_from_the_current_directory(tmp_path: Path, install: Any) -> None:
    add, env = install
    add("extra", "print('imported')", {"shiny: do something shiny": "run"})
    for words in (["shiny"], ["plugins", "list"]):
        result = subprocess.run(
            [sys.executable, "-m", "osiris_core", *words],
            cwd=env["PYTHONPATH"],
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert "imported" not in result.stdout
        assert "extra" not in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["valdate", "x.yaml"], 'did you mean "validate"?'),
        (["components", "lst"], 'did you mean "list"?'),
        (["components", "spec"], "the following arguments are required: NAME"),
        (["plugins", "list", "--bogus"], "unrecognized arguments: --bogus"),
        (["components", "spec", "x", "--mode", "raed"], 'did you mean "read"?'),
        (["components", "spec", "no.such"], 'unknown component "no.such"'),
    ],
)
def test_usage_errors_exit_with_2_and_say_what_was_meant(osiris: Osiris, arguments: list[str], words: str) -> None:
    result = osiris(*arguments)
    assert result.returncode == 2
    assert words in result.stderr
    assert result.stdout == ""

    as_json = osiris(*arguments, "--json")
    assert as_json.returncode == 2
    value = json.loads(as_json.stdout)
    assert (value["ok"], value["exit_code"]) == (False, 2)
    assert words in value["error"]["message"] + value["error"]["hint"]


def test_plugin_commands_get_their_arguments_and_give_the_exit_code(osiris: Osiris, install: Any) -> None:
    add, env = install
    add("extra", PLUGIN, {"fine: all is fine": "fine"})
    result = osiris("fine", "--json", "x", env=env)
    assert (result.returncode, result.stdout) == (7, "fine ['--json', 'x']\n")
    refused = osiris("fine", env={**env, "OSIRIS_PLUGINS": ""})
    assert refused.returncode == 2


def test_broken_and_doubled_plugin_commands_are_plugin_errors(osiris: Osiris, install: Any) -> None:
    add, env = install
    add("one", "raise SystemExit(0)", {"twice: a": "run", "once: b": "run"})
    add("two", "", {"twice: a": "run"})
    result = osiris("twice", env=env)
    assert result.returncode == 5
    assert "one:run, two:run" in result.stderr
    result = osiris("once", env=env)
    assert result.returncode == 5
    assert "SystemExit" in result.stderr


def test_a_bug_exits_with_1_and_a_redacted_traceback_only_when_asked(osiris: Osiris, install: Any) -> None:
    add, env = install
    add("extra", PLUGIN, {"bug: fails": "bug"})
    result = osiris("bug", env=env)
    assert result.returncode == 1
    assert "this is a bug" in result.stderr
    assert "--debug" in result.stderr
    assert "Traceback" not in result.stderr
    for arguments, more in ((["--debug"], {}), ([], {"OSIRIS_DEBUG": "1"})):
        debugged = osiris("bug", *arguments, env={**env, **more})
        assert debugged.returncode == 1
        assert "Traceback" in debugged.stderr
        assert "no key for ***" in debugged.stderr
        assert "canary-of-the-bug" not in debugged.stdout + debugged.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_a_command_with_their_codes(tmp_path: Path, install: Any, number: int, code: int) -> None:
    add, env = install
    add("extra", PLUGIN, {"wait: waits": "wait"})
    process = subprocess.Popen(
        [*osiris_command(), "wait"],
        env=clean_environment(env),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == code
    assert "Traceback" not in errors


def test_a_reader_that_stops_reading_is_no_bug(tmp_path: Path, install: Any) -> None:
    add, env = install
    add("extra", PLUGIN, {"flood: writes": "flood"})
    process = subprocess.Popen(
        [*osiris_command(), "flood"],
        env=clean_environment(env),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.read(10)
    process.stdout.close()
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert process.returncode == 141
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()


def test_output_without_utf8_is_still_json(osiris: Osiris, install: Any) -> None:
    result = osiris("components", "spec", "no.sûch", "--json", env={"PYTHONIOENCODING": "ascii:backslashreplace"})
    assert result.returncode == 2
    assert result.stdout.isascii()
    assert "no.sûch" in json.loads(result.stdout)["error"]["message"]


def test_faulty_projects_are_configuration_errors_with_places(osiris: Osiris, tmp_path: Path) -> None:
    tmp_path.joinpath("osiris.yaml").write_text("validation: srict\n")
    result = osiris("connections", "list")
    assert result.returncode == 5
    assert "   1 | validation: srict\n     |             ^^^^^" in result.stderr
    elsewhere = osiris("connections", "list", "--project", tmp_path, cwd=Path(os.sep))
    assert elsewhere.returncode == 5
