"""Codes and good manners for problems that a JSON Schema found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from osiris_core.oml.masking import is_secret_key
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
    """Say each fault once: a misspelt key is not missing too, and a value under a secret's name is not repeated."""
    problems = [_without_clash(problem, value) for problem in problems]
    misspelt: dict[Path, set[str]] = {}
    for problem in problems:
        if problem.code == "OSI-V102" and problem.suggestion is not None:
            misspelt.setdefault(problem.path[:-1], set()).add(problem.suggestion)
    kept = [problem for problem in problems if not _follows(problem, misspelt)]
    return [_decent(_translated(problem, value), value) for problem in kept]


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


def _follows(problem: Problem, misspelt: dict[Path, set[str]]) -> bool:
    if problem.code == "OSI-V106":  # a rule between keys, one of which is misspelt
        return problem.path in misspelt
    return problem.code == "OSI-V101" and problem.path[-1] in misspelt.get(problem.path[:-1], set())


def _translated(problem: Problem, value: Any) -> Problem:
    """A word of another tool is answered with ours."""
    if problem.code != "OSI-V104" or not problem.path:
        return problem
    for part in problem.path:
        value = value[part]
    ours = SYNONYMS.get(str(problem.path[-1]), {}).get(str(value))
    if ours is None or f" {ours}" not in problem.message:
        return problem
    return replace(problem, hint=f'here it is called "{ours}"', suggestion=ours)


def _decent(problem: Problem, value: Any) -> Problem:
    if not any(is_secret_key(part) for part in problem.path) or problem.on_key:
        return problem
    return replace(problem, message=f'"{problem.path[-1]}" has a value that is not allowed', hint="", suggestion=None)
