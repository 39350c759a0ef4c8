"""Printing: results on stdout, what is for people's eyes on stderr.

Names and messages come from files, servers and plugins. Whatever they hold, a terminal gets no control character and
none that turns the direction of writing from here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from osiris_core.cli.text import shown, shown_lines

if TYPE_CHECKING:
    from osiris_core.problems import Problem, Span
    from osiris_core.secrets import Redactor


class Source(Protocol):
    """A text that can show a piece of itself."""

    @property
    def file(self) -> str: ...
    def snippet(self, span: Span) -> str: ...


def emit_json(value: Any) -> None:
    """Print ``value`` as JSON on stdout: the only thing a command with ``--json`` puts there."""
    text = json.dumps(value, indent=2, ensure_ascii=not _prints_unicode())
    print("\n".join(line if line.isprintable() else _escaped(line) for line in text.split("\n")))


def print_text(text: str) -> None:
    """Print a result for people on stdout."""
    print(shown_lines(text))


def print_note(message: str) -> None:
    """Tell a person something that is no result."""
    print(shown_lines(message), file=sys.stderr)


def print_problems(
    problems: Iterable[Problem],
    documents: Iterable[Source] = (),
    *,
    redactor: Redactor | None = None,
) -> None:
    """Print problems on stderr, each with its source line and caret when its document is known, and a summary."""
    problems = list(problems)
    sources = {document.file: document for document in documents}
    for problem in problems:
        text = format_problem(problem, sources.get(problem.file or ""))
        print(redactor.text(text) if redactor else text, file=sys.stderr)
    errors = sum(problem.severity == "error" for problem in problems)
    counts = [_count(errors, "error"), _count(len(problems) - errors, "warning")]
    if problems:
        print_note(f"\n{', '.join(filter(None, counts))}. osiris explain CODE tells more.")


def format_problem(problem: Problem, document: Source | None = None) -> str:
    """``file:line:column: error CODE: message``, the source with a caret, why, the mend, and where to read on.

    It is safe to print: the source's piece sees to that itself, and keeps the caret where it belongs.
    """
    from osiris_core.problem_codes import CODES
    from osiris_core.problems import docs_url

    known = CODES.get(problem.code)
    place = problem.file or ""
    if problem.span is not None:
        place += f":{problem.span.line}:{problem.span.column}"
    lines = [shown_lines(f"{place + ': ' if place else ''}{problem.severity} {problem.code}: {problem.message}")]
    if document is not None and problem.span is not None:
        lines.append(document.snippet(problem.span))
    hint = problem.hint or (known.mend if known else "")
    lines += [f"  why:  {known.why}"] if known else []
    lines += [shown_lines(f"  mend: {hint}")] if hint else []
    lines += [shown_lines(_example(problem.example))] if problem.example else []
    lines += [f"  docs: {docs_url(problem.code)}"] if known else []
    return "\n".join(lines)


def _example(text: str) -> str:
    """One line beside its label; several below it, so that they can be copied with their indentation."""
    if "\n" not in text:
        return f"  example: {text}"
    return "\n".join(["  example:", *(f"    {line}" for line in text.splitlines())])


def print_table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows in columns on stdout."""
    cells = [[shown(str(cell)) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    for row in ([*heads], *cells):
        print("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}" if number else ""


def _escaped(line: str) -> str:
    """A line of JSON with escapes for what JSON leaves as it is and a terminal must not get."""
    return "".join(sign if sign.isprintable() else _unit(sign) for sign in line)


def _unit(sign: str) -> str:
    return json.dumps(sign)[1:-1] if ord(sign) > 0xFFFF else f"\\u{ord(sign):04x}"  # JSON has pairs for the higher ones


def _prints_unicode() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
