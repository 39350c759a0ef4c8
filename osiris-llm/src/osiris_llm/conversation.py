"""The conversation on a terminal: follow-ups amend the draft, and it is saved only when asked."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from osiris_core import OsirisError, Redactor, print_note, print_text, shown
from osiris_llm.author import Author, Authored
from osiris_llm.chat import save, tell

HELP = """\
Say what to copy, then amend it: "only paid ones, and merge on order_id".
/save [FILE]  keep the pipeline      /show  print it again      /new  start over      /quit  leave"""


def converse(author: Author, out: Path | None) -> int:
    """Talk until the user leaves (exit 0). Ctrl-C drops the line, Ctrl-D leaves."""
    _line_editing()
    print(HELP, file=sys.stderr)
    earlier: Authored | None = None
    while True:
        try:
            line = input("› ").strip()
        except EOFError:
            return 0
        except KeyboardInterrupt:
            print(file=sys.stderr)
            continue
        if line in ("/quit", "/q", "quit", "exit"):
            return 0
        if line == "/new":
            earlier = None
        elif line.startswith("/"):
            _command(line, earlier, out)
        elif line:
            earlier = _turn(author, line, earlier)


def _turn(author: Author, line: str, earlier: Authored | None) -> Authored | None:
    print("thinking …", end="\r", file=sys.stderr, flush=True)
    try:
        result = author.write(line, earlier)
    except OsirisError as error:
        redacted = Redactor.of_process().text
        print_note(redacted(f"error {error.code}: {error.message}"))
        if error.hint:
            print_note(redacted(f"  {error.hint}"))
        return earlier
    tell(result)
    if result.status == "written":
        print_text(result.oml)
        print("/save FILE keeps it; osiris plan FILE shows what it would do, osiris run FILE does it.", file=sys.stderr)
        return result
    # The pipeline so far stays; what was said counts for the next line.
    return replace(result, oml=earlier.oml if earlier else "", problems=())


def _command(line: str, earlier: Authored | None, out: Path | None) -> None:
    name, _, rest = line.partition(" ")
    if name not in ("/save", "/show"):
        print(HELP, file=sys.stderr)
    elif earlier is None or not earlier.oml:
        print("there is no pipeline yet", file=sys.stderr)
    elif name == "/show":
        print_text(earlier.oml)
    else:
        _save(earlier, Path(rest.strip()) if rest.strip() else out or Path("pipeline.yaml"))


def _save(current: Authored, path: Path) -> None:
    if path.exists() and input(f"{shown(str(path))} exists; overwrite? [y/N] ").strip().lower() not in ("y", "yes"):
        return
    try:
        save(current, path)
    except OSError as error:
        print_note(f"cannot write {path}: {error.strerror}")


def _line_editing() -> None:
    """Arrow keys and history, where the platform has readline."""
    try:
        import readline
    except ImportError:
        return
    readline.set_history_length(200)
