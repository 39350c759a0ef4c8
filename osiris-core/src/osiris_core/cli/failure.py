"""The one place where an error becomes a message and an exit code."""

from __future__ import annotations

import os
import traceback
from typing import TYPE_CHECKING, Any

from osiris_core.cli.output import emit_json, print_note, print_problems
from osiris_core.errors import EXIT_BUG, OsirisError
from osiris_core.secrets import Redactor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osiris_core.connection_file import MaskedSource
    from osiris_core.problems import Problem

DEBUG_VARIABLE = "OSIRIS_DEBUG"
BUG_CODE = "OSI-X001"


def report(error: Exception, *, as_json: bool, debug: bool) -> int:
    """Tell of ``error``, secrets masked, and return the exit code it asks for."""
    redactor = Redactor.of_process()
    debug = debug or os.environ.get(DEBUG_VARIABLE, "") not in ("", "0")
    if debug:
        lines = traceback.format_exception(error)
        print_note(redactor.text("".join(lines).rstrip("\n")))
    if isinstance(error, OsirisError):
        code, message, hint, exit_code = error.code, error.message, error.hint, error.exit_code
    else:
        code, exit_code = BUG_CODE, EXIT_BUG
        message = f"{type(error).__name__}: {error}; this is a bug in Osiris or in a plugin, please report it"
        hint = "" if debug else "run again with --debug to see the traceback"
    problems: Sequence[Problem] = getattr(error, "problems", ())
    if as_json:
        emit_json(redactor.value(_as_json(code, message, hint, exit_code, problems)))
        return exit_code
    if problems:
        documents = [*_masked_sources(problems), *getattr(error, "documents", ())]
        print_problems(problems, documents, redactor=redactor)
    else:
        print_note(redactor.text(f"error {code}: {message}"))
        if hint:
            print_note(redactor.text(f"  {hint}"))
    return exit_code


def error_json(error: OsirisError) -> dict[str, Any]:
    """The same object that ``report`` prints with ``--json``, for a command that has results besides."""
    return _as_json(error.code, error.message, error.hint, error.exit_code, ())


def _as_json(code: str, message: str, hint: str, exit_code: int, problems: Sequence[Problem]) -> dict[str, Any]:
    return {
        "ok": False,
        "exit_code": exit_code,
        "error": {"code": code, "message": message, "hint": hint},
        "problems": [problem.to_json() for problem in problems],
    }


def _masked_sources(problems: Sequence[Problem]) -> list[MaskedSource]:
    """The files the problems are in, all values masked: what raised may have been a file with secrets."""
    from pathlib import Path

    from osiris_core.connection_file import MaskedSource
    from osiris_core.oml import load_file

    files = {problem.file for problem in problems if problem.file and problem.span}
    return [MaskedSource(load_file(Path(file), file)) for file in sorted(files) if Path(file).is_file()]
