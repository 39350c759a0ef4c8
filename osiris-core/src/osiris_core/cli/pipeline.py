"""From a file on the command line to a compiled pipeline, with everything said on the way."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from osiris_core.cli.output import print_note, print_problems

if TYPE_CHECKING:
    from osiris_core.compile import Compiled
    from osiris_core.session import Session
    from osiris_core.validate import Validation


def validate_file(path: Path, session: Session, args: Namespace) -> Validation:
    """Validate with the command's options; warnings and notes are shown, errors are left to who raises them."""
    from osiris_core.validate import validate

    validation = validate(path, session, mode=getattr(args, "mode", None), params=dict(getattr(args, "param", ())))
    if validation.ok and not args.json:
        print_problems(validation.problems, [validation.document])
        for text in validation.notes:
            print_note(f"note: {text}")
    return validation


def compile_file(path: Path, session: Session, args: Namespace) -> Compiled:
    """Validate and compile. Raises InvalidInputError or ConfigurationError with all problems, CompileError."""
    from osiris_core.compile import compile_pipeline

    return compile_pipeline(validate_file(path, session, args), session)


def load_any(path: Path, session: Session, args: Namespace) -> Compiled:
    """A compiled directory verified, or a pipeline file compiled in memory. Raises as either does."""
    from osiris_core.compile import load_compiled

    return load_compiled(path) if path.is_dir() else compile_file(path, session, args)
