"""``osiris validate``: everything wrong with a pipeline at once, each with its place and its mend."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from osiris_core.cli.options import add_pipeline_options, open_session
from osiris_core.cli.output import emit_json, print_note, print_problems, print_text
from osiris_core.errors import EXIT_OK

if TYPE_CHECKING:
    from osiris_core.session import Session
    from osiris_core.validate import Validation
    from osiris_core.validate.mending import Mend


@dataclass(frozen=True)
class _Checked:
    file: Path
    validation: Validation
    mends: list[Mend]


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="pipelines to check")
    parser.add_argument(
        "--fix", action="store_true", help="apply the mends that are certain, keeping comments and layout"
    )
    parser.add_argument("--no-catalog", action="store_true", help="check nothing that needs to ask a system")
    add_pipeline_options(parser)


def run(args: Namespace) -> int:
    """Check every file; the exit code is the lowest that any of them asks for, 0 when all are right."""
    session = open_session(args)
    checked = [_check(file, session, args) for file in args.files]
    if args.json:
        emit_json(_json(checked))
    else:
        _print(checked, session)
    return min((one.validation.exit_code for one in checked if not one.validation.ok), default=EXIT_OK)


def _check(file: Path, session: Session, args: Namespace) -> _Checked:
    from osiris_core.validate import validate
    from osiris_core.validate.mending import mend

    def check() -> Validation:
        return validate(file, session, mode=args.mode, params=dict(args.param), use_catalog=not args.no_catalog)

    if args.fix:
        validation, mends = mend(file, check)
        return _Checked(file, validation, mends)
    return _Checked(file, check(), [])


def _print(checked: list[_Checked], session: Session) -> None:
    problems = [problem for one in checked for problem in one.validation.problems]
    documents = [one.validation.document for one in checked]
    secret = [session.connections.source] if any(problem.code.startswith("OSI-C") for problem in problems) else []
    for one in checked:
        for done in one.mends:
            print_text(f"{one.file}:{done.line}:{done.column}: {done.code} mended: {done.before} → {done.after}")
    print_problems(problems, [*documents, *filter(None, secret)])
    for one in checked:
        for note in one.validation.notes:
            print_note(f"note: {note}")
        if one.validation.ok:
            print_text(f"{one.file}: valid, {_steps(one.validation)}{_accepted(one.validation)}")


def _accepted(validation: Validation) -> str:
    """Warnings are read as refusals by who does not see the exit code."""
    count = len(validation.problems)
    return f"; accepted, with {count} warning{'' if count == 1 else 's'}" if count else ""


def _steps(validation: Validation) -> str:
    count = len(validation.pipeline.steps) if validation.pipeline else 0
    return f"{count} step{'' if count == 1 else 's'}"


def _json(checked: list[_Checked]) -> dict[str, Any]:
    files = [
        {
            "file": str(one.file),
            "ok": one.validation.ok,
            "exit_code": one.validation.exit_code,
            "notes": list(one.validation.notes),
            "mended": [done.to_json() for done in one.mends],
        }
        for one in checked
    ]
    return {
        "ok": all(one.validation.ok for one in checked),
        "exit_code": min((one.validation.exit_code for one in checked if not one.validation.ok), default=EXIT_OK),
        "problems": [problem.to_json() for one in checked for problem in one.validation.problems],
        "files": files,
    }
