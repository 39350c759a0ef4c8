"""``osiris demo [DIR]``: make a small shop, then do in front of the user what a user does.

Every result it shows comes from a public ``osiris`` command that runs as a process of its own in that directory.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from osiris_core import ConfigurationError, InvalidInputError, OsirisError

_PIPELINE = "order_facts.yaml"
_BROKEN = "broken.yaml"
#: What the demo breaks: the table's name loses a letter.
_SOUND_LINE, _BROKEN_LINE = "      table: orders\n", "      table: ordrs\n"


def main(arguments: Sequence[str]) -> int:
    """Run the command; the exit code is 0 when every step did what it says, else that of the failed command."""
    options = _parser().parse_args(arguments)
    directory = Path(options.directory)
    try:
        return _Demo(directory, as_json=options.json).run()
    except OsirisError as error:
        print(f"osiris demo: {error.message}" + (f"\n  {error.hint}" if error.hint else ""), file=sys.stderr)  # noqa: T201
        return error.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="osiris demo", description="Create a small shop and copy, transform and merge its orders."
    )
    parser.add_argument(
        "directory",
        nargs="?",
        default="osiris-demo",
        metavar="DIR",
        help="a new or empty directory (default: osiris-demo)",
    )
    parser.add_argument("--json", action="store_true", help="print what was run as JSON on stdout, the rest on stderr")
    return parser


class _Demo:
    """The demo in one directory. With ``as_json`` people read stderr, and stdout gets one JSON object."""

    def __init__(self, directory: Path, *, as_json: bool = False) -> None:
        self._directory = directory
        self._as_json = as_json
        self._out = sys.stderr if as_json else sys.stdout
        self._commands: list[dict[str, object]] = []
        self._bold, self._plain = ("\033[1m", "\033[0m") if _wants_colour() else ("", "")

    def run(self) -> int:
        """All of it. Raises InvalidInputError for a directory that is in use, ConfigurationError."""
        started = time.monotonic()
        self._make()
        for title, command, expected in _STEPS:
            self._say(f"\n{self._bold}{title}{self._plain}")
            if command[0] == "break":
                self._break()
                continue
            code = self._osiris(*command) if command[0] != "show" else self._show(command[1])
            if code != expected:
                self._say(f"\nThe demo stops here: this should have ended with exit code {expected}, not {code}.")
                return self._end(code or 1)
        self._say(_FAREWELL.format(seconds=time.monotonic() - started, directory=self._directory))
        return self._end(0)

    def _end(self, code: int) -> int:
        if self._as_json:
            value = {"directory": str(self._directory), "exit_code": code, "commands": self._commands}
            print(json.dumps(value, ensure_ascii=False))  # noqa: T201 - what the option is for
        return code

    def _make(self) -> None:
        from osiris_duckdb.demo.shop import make_shop

        if self._directory.exists() and (not self._directory.is_dir() or any(self._directory.iterdir())):
            raise InvalidInputError(
                f"{self._directory} is not an empty directory", hint=f"name another: osiris demo {self._directory}-2"
            )
        try:
            make_shop(self._directory)
        except OSError as error:
            raise ConfigurationError(f"the shop cannot be made in {self._directory}: {error.strerror}") from error
        self._say(
            f"{self._bold}A shop in {self._directory}/{self._plain}: "
            "shop.duckdb, files/rates.csv, files/shipments.parquet"
        )

    def _osiris(self, *arguments: str) -> int:
        """Run a public command and let its output through."""
        self._say(f"$ osiris {' '.join(arguments)}")
        command = [sys.executable, "-m", "osiris_core", *arguments]
        done = subprocess.run(command, cwd=self._directory, stdin=subprocess.DEVNULL, stdout=self._out, check=False)
        self._commands.append({"command": ["osiris", *arguments], "exit_code": done.returncode})
        return done.returncode

    def _show(self, name: str) -> int:
        self._say(f"$ cat {name}")
        self._say((self._directory / name).read_text(encoding="utf-8").rstrip())
        return 0

    def _break(self) -> None:
        text = (self._directory / _PIPELINE).read_text(encoding="utf-8")
        (self._directory / _BROKEN).write_text(text.replace(_SOUND_LINE, _BROKEN_LINE, 1), encoding="utf-8")
        self._say(f"$ sed 's/table: orders/table: ordrs/' {_PIPELINE} > {_BROKEN}")

    def _say(self, text: str) -> None:
        print(text, file=self._out, flush=True)


#: Title, command ("show FILE", "break", or arguments of osiris), and the exit code it must have.
_STEPS: tuple[tuple[str, tuple[str, ...], int], ...] = (
    ("What is there?", ("discover", "@shop"), 0),
    ("And in the files?", ("discover", "@files"), 0),
    ("A pipeline: read, join in SQL, merge", ("show", _PIPELINE), 0),
    ("Can it be true?", ("validate", _PIPELINE), 0),
    ("One canonical manifest, no secrets in it", ("compile", _PIPELINE, "--out", "build"), 0),
    ("Run the compiled manifest", ("run", "build"), 0),
    ("Run it again: a merge finds every row in place", ("run", "build"), 0),
    ("Now break one line", ("break",), 0),
    ("It is refused before a row is read", ("validate", _BROKEN), 2),
)
_FAREWELL = """
That was {seconds:.1f} s. Type next:

  cd {directory}
  osiris validate --fix broken.yaml         # mend what can be mended for certain
  osiris plan order_facts.yaml              # what a run would do
  osiris run order_facts.yaml --param since=2026-06-01
  osiris runs list                          # every run has its record
  osiris init ../my-project                 # then name your own systems"""


def _wants_colour() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
