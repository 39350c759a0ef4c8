"""Codes and good manners for problems that a JSON Schema found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from osiris_core.oml.masking import is_secret_key
from osiris_core.oml.scalars import ScalarError, resolve
from osiris_core.problems import Path, Problem
from osiris_core.validate.suggest import SYNONYMS

#: Problem code by failing keyword; everything else is a rule between keys.
BY_KEYWORD = {
    "type": "OSI-V103",
    "enum": "OSI-V104",
    "const": "OSI-V104",
    "uniqueItems": "OSI-V107",
    **dict.fromkeys(
        (
            "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "pattern", "format",
            "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties",
        ),
        "OSI-V105",
    ),
}  # fmt: skip


def tidy(problems: Iterable[Problem], value: Any) -> list[Problem]:
    """Say each fault once, at its closest place, with a mend; and repeat no value that stands under a secret's name."""
    problems = [_without_clash(problem, value) for problem in problems]
    misspelt: dict[Path, set[str]] = {}
    wrong: set[Path] = set()
    for problem in problems:
        if problem.code == "OSI-V102" and problem.suggestion is not None:
            misspelt.setdefault(problem.path[:-1], set()).add(problem.suggestion)
        elif problem.code in ("OSI-V103", "OSI-V104"):
            wrong.add(problem.path[:-1])
    kept = [problem for problem in problems if not _follows(problem, misspelt, wrong)]
    return [_decent(_explained(problem, value), value) for problem in kept]


def _without_clash(problem: Problem, value: Any) -> Problem:
    """No suggestion of a key that is there already."""
    if problem.suggestion is None or not problem.on_key:
        return problem
    siblings = value
    for part in problem.path[:-1]:
        siblings = siblings[part]
    if problem.suggestion in siblings:
        return replace(problem, suggestion=None, hint=f'"{problem.suggestion}" is set already')
    return problem


def _follows(problem: Problem, misspelt: dict[Path, set[str]], wrong: set[Path]) -> bool:
    """Whether a problem only follows from a misspelt key or a wrong value beside it."""
    path = problem.path
    if problem.code == "OSI-V106":  # a rule between keys
        return path in misspelt or path in wrong or path[:-1] in wrong
    return problem.code == "OSI-V101" and path[-1] in misspelt.get(path[:-1], set())


def _explained(problem: Problem, value: Any) -> Problem:
    """The problem with the best that can be said about this very value."""
    if not problem.path:
        return problem
    if problem.code == "OSI-V101":
        return problem if problem.hint else replace(problem, hint=f'add "{problem.path[-1]}"')
    for part in problem.path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return problem
    explain = {"OSI-V103": _retyped, "OSI-V104": _translated, "OSI-V107": _repeated}.get(problem.code)
    return explain(problem, value) if explain is not None else problem


def _retyped(problem: Problem, value: Any) -> Problem:
    """Text that is a number in quotes, and the reverse, needs only its quotes taken away or put there."""
    if isinstance(value, str) and "number" in problem.message:
        try:
            number = resolve(value)
        except ScalarError:
            return problem
        whole = "a number" in problem.message or isinstance(number, int)
        if isinstance(number, int | float) and not isinstance(number, bool) and whole:
            return replace(problem, hint=f"without quotes: {value}", suggestion=value)
    if isinstance(value, str) and "true or false" in problem.message and value in ("true", "false"):
        return replace(problem, hint=f"without quotes: {value}", suggestion=value)
    return problem


def _repeated(problem: Problem, value: Any) -> Problem:
    """Point at the second of two equal values."""
    seen: set[str] = set()
    for index, item in enumerate(value if isinstance(value, list) else ()):
        if repr(item) in seen:
            shown = f'"{item}"' if isinstance(item, str) and len(item) <= 80 else "the same value"
            message = f'{shown} stands twice in "{problem.path[-1]}"'
            return replace(problem, message=message, path=(*problem.path, index))
        seen.add(repr(item))
    return problem


def _translated(problem: Problem, value: Any) -> Problem:
    """A word of another tool is answered with ours."""
    ours = SYNONYMS.get(str(problem.path[-1]), {}).get(str(value))
    if ours is None or f" {ours}" not in problem.message:
        return problem
    return replace(problem, hint=f'here it is called "{ours}"', suggestion=ours)


def _decent(problem: Problem, value: Any) -> Problem:
    if not any(is_secret_key(part) for part in problem.path) or problem.on_key:
        return problem
    return replace(problem, message=f'"{problem.path[-1]}" has a value that is not allowed', hint="", suggestion=None)
