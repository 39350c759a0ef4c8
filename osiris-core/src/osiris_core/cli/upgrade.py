"""``osiris upgrade``: rewrites a pipeline of keboola/osiris (oml_version 0.1.0), keeping comments and layout."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from osiris_core.cli.output import emit_json, print_note, print_text
from osiris_core.errors import EXIT_INVALID, EXIT_OK, InvalidInputError

if TYPE_CHECKING:
    from osiris_core.oml.keboola import Upgrade


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("file", type=Path, metavar="FILE", help="the pipeline to upgrade")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--write", action="store_true", help="change the file itself")
    group.add_argument("--out", type=Path, metavar="NEW", help="write the result to this file, which must not exist")


def run(args: Namespace) -> int:
    """Print (or write) the new text, and say what a person should look at.

    Exit code 0 when everything was translated, 2 when something is left to do. Raises InvalidInputError for a file
    that cannot be read as YAML or is of another dialect.
    """
    from osiris_core.oml import load_file
    from osiris_core.oml.keboola import KEBOOLA_VERSION, upgrade

    document = load_file(args.file)
    if document.problems:
        first = document.problems[0]
        raise InvalidInputError(
            first.message, code=first.code, hint=first.hint, problems=document.problems, documents=[document]
        )
    version = document.value.get("oml_version") if isinstance(document.value, dict) else None
    if version != KEBOOLA_VERSION:
        raise InvalidInputError(
            f'{args.file}: oml_version is not "{KEBOOLA_VERSION}", so there is nothing to upgrade',
            code="OSI-V022",
            hint=f"osiris validate {args.file}",
        )
    upgraded = upgrade(document)
    _deliver(upgraded, args)
    return EXIT_INVALID if any(note.todo for note in upgraded.notes) else EXIT_OK


def _deliver(upgraded: Upgrade, args: Namespace) -> None:
    target = args.file if args.write else args.out
    if target is not None:
        _write(target, upgraded.text, replace=args.write)
    if args.json:
        notes = [{"line": note.line, "message": note.message, "todo": note.todo} for note in upgraded.notes]
        ok = not any(note.todo for note in upgraded.notes)
        emit_json({"ok": ok, "file": str(target) if target else None, "notes": notes, "text": upgraded.text})
        return
    if target is None:
        sys.stdout.write(upgraded.text)
    else:
        print_text(f"{target}: upgraded; next: osiris validate {target}")
    for note in upgraded.notes:
        print_note(f"{args.file}:{note.line}: {'to do: ' if note.todo else ''}{note.message}")


def _write(target: Path, text: str, *, replace: bool) -> None:
    from osiris_core import atomic

    if not replace and target.exists():
        raise InvalidInputError(f"{target} exists already", code="OSI-V052", hint="choose another --out")
    try:
        path = target.resolve()
        mode = path.stat().st_mode if replace else None
        atomic.write_text(path, text)
        if mode is not None:
            path.chmod(mode)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InvalidInputError(f"{target} cannot be written: {reason}", code="OSI-V001") from error
