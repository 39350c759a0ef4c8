"""The conversation on a terminal: follow-ups amend the draft, and it is saved only when asked."""

from __future__ import annotations

import sys
from pathlib import Path

from osiris_core import OsirisError
from osiris_llm.author import Author, Authored
from osiris_llm.chat import save, tell

HELP = """\
Say what to copy, then amend it: "only paid ones, and merge on order_id".
/save [FILE]  keep the pipeline      /show  print it again      /new  start over      /quit  leave"""


def converse(author: Author, out: Path | None) -> int:
    """Talk until the user leaves (exit 0). Ctrl-C drops the line, Ctrl-D leaves."""
    _line_editing()
    print(HELP, file=sys.stderr)
    current: Authored | None = None
    heard = ""
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
        if line.startswith("/"):
            current, heard = _command(line, current, heard, out)
        elif line:
            current, heard = _turn(author, line, current, heard)


def _turn(author: Author, line: str, current: Authored | None, heard: str) -> tuple[Authored | None, str]:
    request = f"{heard}\n{line}" if heard else line
    print("thinking …", end="\r", file=sys.stderr, flush=True)
    try:
        result = author.write(request, current.form if current else "")
    except OsirisError as error:
        print(f"error {error.code}: {error.message}\n  {error.hint}", file=sys.stderr)
        return current, heard
    tell(result)
    if result.status != "written":
        return current, request
    print(result.oml)
    print("/save FILE keeps it; osiris plan FILE shows what would happen, osiris run FILE does it.", file=sys.stderr)
    return result, request


def _command(line: str, current: Authored | None, heard: str, out: Path | None) -> tuple[Authored | None, str]:
    name, _, rest = line.partition(" ")
    if name == "/new":
        return None, ""
    if current is None or name not in ("/save", "/show"):
        print(HELP if current is not None or name == "/help" else "there is no pipeline yet", file=sys.stderr)
    elif name == "/show":
        print(current.oml)
    else:
        _save(current, Path(rest.strip()) if rest.strip() else out or Path("pipeline.yaml"))
    return current, heard


def _save(current: Authored, path: Path) -> None:
    if path.exists() and input(f"{path} exists; overwrite? [y/N] ").strip().lower() not in ("y", "yes"):
        return
    try:
        save(current, path)
    except OSError as error:
        print(f"cannot write {path}: {error.strerror}", file=sys.stderr)


def _line_editing() -> None:
    """Arrow keys and history, where the platform has readline."""
    try:
        import readline
    except ImportError:
        return
    readline.set_history_length(200)
