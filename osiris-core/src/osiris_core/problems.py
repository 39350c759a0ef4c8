"""A problem is one finding about an input: what, where, why and how to mend it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

Path = tuple[str | int, ...]
Severity = Literal["error", "warning"]


class Span(NamedTuple):
    """A place in a source text. Lines and columns count from 1, in characters; ``end`` is exclusive.

    ``start_index`` and ``end_index`` are character offsets into the text, for span edits.
    """

    line: int
    column: int
    end_line: int
    end_column: int
    start_index: int
    end_index: int


@dataclass(frozen=True, slots=True)
class Fix:
    """A certain mend: replace the characters ``[start_index, end_index)`` by ``text``."""

    start_index: int
    end_index: int
    text: str


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding.

    Attributes:
        code: a code of ``problem_codes.CODES``; its category decides when it refuses.
        message: what is wrong, in one sentence, naming the offending thing; never a secret value.
        path: where, as keys and indexes. What a driver returns is relative to its step
            (``("config", "table")``); everything else counts from the root of the document.
        on_key: the caret goes under the key at ``path``, not under its value.
        hint: how to mend it, for example ``did you mean "orders"?``.
        example: right YAML for this very file: an entry ``key: value`` of the mapping concerned, a list item
            ``- …``, or a whole file. What it shows passes this check.
        severity: filled in by the validator's one deciding function.
        span: filled in by whoever knows the document.
        fix: set only where one mend is certain.
        suggestion: the one replacement value that is certain; the validator turns it into ``fix``.
    """

    code: str
    message: str
    path: Path = ()
    on_key: bool = False
    hint: str = ""
    severity: Severity = "error"
    span: Span | None = None
    fix: Fix | None = None
    suggestion: str | None = None
    file: str | None = None
    example: str = ""

    def at(self, *prefix: str | int) -> Problem:
        """The same problem with ``prefix`` put before its path."""
        return replace(self, path=(*prefix, *self.path))

    def to_json(self) -> dict[str, Any]:
        """``{code, severity, message, file, path, line, column, hint, example, docs_url}``, as ``--json`` prints it."""
        return {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "file": self.file,
            "path": "/" + "/".join(str(part) for part in self.path) if self.path else "",
            "line": self.span.line if self.span else None,
            "column": self.span.column if self.span else None,
            "hint": self.hint,
            "example": self.example,
            "docs_url": docs_url(self.code),
        }


def docs_url(code: str) -> str:
    """Where the documentation explains a problem code."""
    return f"https://osiris-data.readthedocs.io/reference/problem-codes/#{code.lower()}"


def did_you_mean(word: object, known: Iterable[object]) -> str:
    """``'did you mean "orders"?'`` for the nearest of ``known``, or the list when it is short, or ``""``."""
    nearest = closest(word, known)
    if nearest is not None:
        return f'did you mean "{nearest}"?'
    names = sorted(str(name) for name in known)
    if names and len(names) <= 12:
        return "known: " + ", ".join(names)
    return ""


def closest(word: object, known: Iterable[object]) -> str | None:
    """The one of ``known`` nearest to ``word`` (case-insensitively), or None when nothing is near."""
    from difflib import get_close_matches

    by_lower = {str(name).lower(): str(name) for name in known}
    matches = get_close_matches(str(word).lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[matches[0]] if matches else None
