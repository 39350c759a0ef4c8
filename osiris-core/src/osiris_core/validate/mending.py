"""``--fix``: put certain mends into the file, a round at a time, until none is left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from osiris_core.errors import InvalidInputError
from osiris_core.oml import Document, load
from osiris_core.oml.edit import apply_fixes
from osiris_core.problems import Problem
from osiris_core.validate.validation import Validation

#: A mend may uncover the next fault; more rounds than this mean that mends undo each other.
_ROUNDS = 10


@dataclass(frozen=True, slots=True)
class Mend:
    """One edit that was made: where, because of which problem, and what was put in place of what."""

    line: int
    column: int
    code: str
    before: str
    after: str

    def to_json(self) -> dict[str, Any]:
        """JSON value."""
        return asdict(self)


def mend(file: Path, check: Callable[[], Validation]) -> tuple[Validation, list[Mend]]:
    """Apply every certain mend to ``file`` and validate again; what is left, and what was done.

    The file is replaced atomically, and only by a text with fewer problems in its document. Raises
    InvalidInputError when it cannot be written.
    """
    validation = check()
    done: list[Mend] = []
    for _ in range(_ROUNDS):
        document = validation.document
        fixable = [problem for problem in validation.problems if problem.fix and problem.file == document.file]
        text, applied = apply_fixes(document.text, [problem.fix for problem in fixable if problem.fix])
        if not applied or text == document.text or not _sound(text, document):
            break
        _write(file, text)
        done += [_described(problem, document) for problem in fixable if problem.fix in applied]
        validation = check()
    return validation, done


def _sound(text: str, before: Document) -> bool:
    """Whether the new text is no worse YAML than the old one (two misspelt keys may become one key twice)."""
    return len(load(text, before.file).problems) <= len(before.problems) if before.parsed else True


def _write(file: Path, text: str) -> None:
    from osiris_core import atomic

    target = file.resolve()
    try:
        mode = target.stat().st_mode
        atomic.write_text(target, text)
        target.chmod(mode)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InvalidInputError(f"{file} cannot be written: {reason}", code="OSI-V001") from error


def _described(problem: Problem, document: Document) -> Mend:
    fix = problem.fix
    assert fix is not None
    span = document.span_at(fix.start_index, fix.end_index)
    before = document.text[fix.start_index : fix.end_index]
    return Mend(span.line, span.column, problem.code, before, fix.text)
