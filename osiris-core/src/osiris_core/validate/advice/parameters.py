"""Mends for parameters and references to them."""

from __future__ import annotations

import re
from dataclasses import replace

from osiris_core.oml.editor import yaml_flow
from osiris_core.oml.masking import is_secret_key
from osiris_core.oml.params import PARAM_TYPES
from osiris_core.problems import Problem
from osiris_core.validate.advice.words import BY_PARAM_TYPE, condition_column, entry, identifier, param_type_for
from osiris_core.validate.draft import Draft, DraftStep


def _declaration(name: str, kind: str) -> str:
    return entry(name, {"type": kind, "default": BY_PARAM_TYPE[kind]})


def _kind(name: str, draft: Draft) -> str:
    """The declared type, or the one that the default has."""
    item = draft.document.at(("params", name))
    written = item.get("type") if isinstance(item, dict) else None
    if written in PARAM_TYPES:
        return str(written)
    if used := _used_with(name, draft):
        return used
    default = item.get("default") if isinstance(item, dict) else item
    kinds = ((bool, "boolean"), (int, "integer"), (float, "number"))
    return next((name for kind, name in kinds if isinstance(default, kind)), "string")


def _used_with(name: str, draft: Draft) -> str:
    """The type of the column that a condition compares the parameter with, or ``""``."""
    for step in draft.steps:
        conditions = step.raw.get("where")
        for index, condition in enumerate(conditions if isinstance(conditions, list) else ()):
            if isinstance(condition, dict) and condition.get("value") == f"${{params.{name}}}":
                path = (*step.path, "config", "where", index)
                column = condition_column(step, path, draft)
                return param_type_for(column) if column is not None else ""
    return ""


def declaration(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """The whole declaration, as it may be."""
    if problem.path == ("params",):
        return replace(problem, hint='remove "params", or write params: {since: {type: date, default: "2026-01-31"}}')
    if len(problem.path) < 2 or is_secret_key(problem.path[1]):
        return problem
    name = str(problem.path[1])
    plain = identifier(name, "value")
    if plain != name:
        return replace(problem, hint=f"write {plain}, here and wherever it is used", example="")
    hint = problem.hint if problem.suggestion else "write it like the example"
    if problem.on_key:
        known = problem.hint.removeprefix("known: ")
        kept = known == problem.hint
        return problem if kept else replace(problem, hint=f'remove "{problem.path[-1]}"; the keys here are: {known}')
    return replace(
        problem, hint=f"{hint}; types are {', '.join(PARAM_TYPES)}", example=_declaration(name, _kind(name, draft))
    )


def no_value(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """A value for the command line, or a default for the file."""
    name = str(problem.path[1])
    kind = _kind(name, draft)
    hint = f"give it, such as --param {name}={BY_PARAM_TYPE[kind]}, or add a default as the example does"
    return replace(problem, hint=hint, example="" if is_secret_key(name) else _declaration(name, kind))


def undeclared(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """What to declare, or the value itself."""
    if problem.hint.startswith("did you mean"):
        return problem
    text = str(draft.document.at(problem.path))
    reference = re.search(r"\$\{([\w.]*)", text)  # what follows a name, as in ${NAME:-value}, may be a secret
    found = reference[1] if reference is not None else ""
    name = identifier(found.removeprefix("params."), "value").lower()
    kind = param_type_for(condition_column(step, problem.path, draft))
    sample = yaml_flow(BY_PARAM_TYPE[kind])
    left = sorted(draft.params.keys() - draft.used_params)
    if problem.code == "OSI-V130" and len(left) == 1:
        return replace(problem, hint=f'write "${{params.{left[0]}}}", or add {_declaration(name, kind)} to params')
    declared = "params: {" + _declaration(name, kind) + "}"
    add = f"add {_declaration(name, kind)} to params" if draft.params else f"declare it above steps: {declared}"
    key = problem.path[-1]
    whole = isinstance(key, str) and text.strip() == f"${{{found}}}"
    hint = f'write the value itself, such as {sample}; or {add}, and write "${{params.{name}}}" here'
    return replace(problem, hint=hint, example=entry(str(key), BY_PARAM_TYPE[kind]) if whole and key == "value" else "")


def unused(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """Both ways out."""
    name = problem.path[-1]
    return replace(problem, hint=f'remove "{name}", or write "${{params.{name}}}" where it is meant')


ADVISERS = {
    "OSI-V130": undeclared,
    "OSI-V131": no_value,
    "OSI-V133": declaration,
    "OSI-V134": undeclared,
    "OSI-V136": unused,
}
