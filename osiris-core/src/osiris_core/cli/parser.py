"""The argument parser of every command: common options, and usage errors that say what was meant."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any, NoReturn

_CHOICE = re.compile(r"invalid choice: '(?P<word>[^']*)' \(choose from (?P<choices>.*)\)")


def defaults() -> argparse.Namespace:
    """What the common options are when they are not given."""
    return argparse.Namespace(json=False, project=None, no_plugins=False, debug=False)


class CommandParser(argparse.ArgumentParser):
    """A parser that knows ``--json --project --no-plugins --debug``, before and after a subcommand."""

    def __init__(self, **settings: Any) -> None:
        settings.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        settings.setdefault("description", settings.get("help"))
        super().__init__(allow_abbrev=False, **settings)
        # SUPPRESS: a subcommand's default must not overwrite what stood before it.
        common = self.add_argument_group("common options")
        common.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON on stdout")
        common.add_argument(
            "--project", type=Path, metavar="DIR", default=argparse.SUPPRESS, help="project directory (default: here)"
        )
        common.add_argument(
            "--no-plugins", action="store_true", default=argparse.SUPPRESS, help="load none but core's own"
        )
        common.add_argument(
            "--debug", action="store_true", default=argparse.SUPPRESS, help="show tracebacks, secrets masked"
        )

    def error(self, message: str) -> NoReturn:
        """Refuse the arguments with exit code 2."""
        from osiris_core.errors import InvalidInputError

        hint = f"see {self.prog} --help"
        match = _CHOICE.search(message)
        if match is not None:
            from osiris_core.problems import did_you_mean

            message = f'"{match["word"]}" is not known'
            hint = did_you_mean(match["word"], re.findall(r"[^\s',]+", match["choices"])) or hint
        raise InvalidInputError(f"{self.prog}: {message}", code="OSI-V050", hint=hint)
