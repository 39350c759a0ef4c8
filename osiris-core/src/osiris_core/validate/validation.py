"""What validating finds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from osiris_core.errors import EXIT_OK
from osiris_core.problems import Fix, Problem, Severity
from osiris_core.validate.guard import Guard
from osiris_core.validate.severity import exit_code, severity

if TYPE_CHECKING:
    from osiris_core.catalog.model import Catalog
    from osiris_core.oml import Document, Pipeline

#: Advice that a mistake elsewhere brings about; said only when there is no mistake.
_CONSEQUENCES = frozenset({"OSI-V136", "OSI-V141", "OSI-V151"})


@dataclass(frozen=True)
class Validation:
    """All that is known about one pipeline.

    Attributes:
        problems: every one found, severity decided, in the order of the file.
        pipeline: ready to ``bind``; None when errors leave nothing to run.
        document: the text the spans of ``problems`` point into.
        catalogs: what exists behind each connection that was consulted, by alias.
        notes: what could not be checked, for people.
        step_catalogs: what each step sees, by step id; its connection may be changed by its config.
    """

    problems: list[Problem]
    pipeline: Pipeline | None
    document: Document
    catalogs: Mapping[str, Catalog] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    step_catalogs: Mapping[str, Catalog] = field(default_factory=dict)

    @property
    def errors(self) -> list[Problem]:
        """The problems that refuse."""
        return [problem for problem in self.problems if problem.severity == "error"]

    @property
    def ok(self) -> bool:
        """Whether nothing refuses."""
        return not self.errors

    @property
    def exit_code(self) -> int:
        """0, or the lowest exit code that any refusing problem asks for."""
        return min((exit_code(problem.code) for problem in self.errors), default=EXIT_OK)


def finished(problems: Iterable[Problem], document: Document, mode: str) -> list[Problem]:
    """Problems with severity, file, span and fix, each once, in the order of the file; none repeats a secret."""
    problems = list(problems)
    secrets = {problem.path for problem in problems if problem.code == "OSI-V301"}
    problems = [problem for problem in problems if problem.code == "OSI-V301" or problem.path not in secrets]
    if any(severity(problem.code, mode, problem.severity) == "error" for problem in problems):
        problems = [problem for problem in problems if problem.code not in _CONSEQUENCES]
    unique: dict[tuple[object, ...], Problem] = {}
    for problem in problems:
        done = _placed(problem, document, severity(problem.code, mode, problem.severity))
        unique.setdefault((done.code, done.message, done.path, done.span), done)
    guard = Guard(document)
    return sorted(map(guard.passed, unique.values()), key=_position)


def _placed(problem: Problem, document: Document, decided: Severity) -> Problem:
    own = problem.file is None or problem.file == document.file
    span = problem.span
    if span is None and own and document.text:
        span = document.span(problem.path, problem.on_key)
    fix = problem.fix or (_fix(problem, document) if own and problem.suggestion is not None else None)
    return replace(problem, severity=decided, file=problem.file or document.file, span=span, fix=fix)


def _fix(problem: Problem, document: Document) -> Fix | None:
    """The span edit that puts the suggestion where the faulty key or value stands; None for a text block."""
    place = document.places.get(problem.path)
    if place is None or problem.suggestion is None:
        return None
    from osiris_core.oml.edit import scalar_text
    from osiris_core.validate.suggest import SYNONYMS, is_slip

    if problem.code == "OSI-V103":
        return Fix(*place[2:], problem.suggestion)
    word = str(problem.path[-1]) if problem.on_key else str(document.at(problem.path))
    meant = SYNONYMS.get(str(problem.path[-1]), {}).get(word) == problem.suggestion
    if not meant and not is_slip(word, problem.suggestion):
        return None
    start, end = place[:2] if problem.on_key else place[2:]
    text = scalar_text(problem.suggestion, document.text[start:end])
    return None if text is None else Fix(start, end, text)


def _position(problem: Problem) -> tuple[bool, int, int, str]:
    if problem.span is None:
        return (False, 0, 0, problem.code)
    return (True, problem.span.start_index, problem.span.end_index, problem.code)
