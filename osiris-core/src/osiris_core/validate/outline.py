"""First phase: the document alone. Version, keys, types, ids; then who needs whom."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path as FilePath
from typing import Any

from osiris_core.json_schema import Codes, SchemaChecker
from osiris_core.oml.model import OML_VERSION, parameter_values
from osiris_core.oml.params import PARAM_TYPES, Param, ParamError, convert
from osiris_core.problems import Problem
from osiris_core.validate.draft import Draft, DraftStep
from osiris_core.validate.schema_problems import BY_KEYWORD, tidy
from osiris_core.validate.suggest import Suggester

SCHEMA_FILE = FilePath(__file__).parents[1] / "oml" / "oml.schema.json"
STEP_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
#: As ``oml.schema.json`` says; checked by hand, because a list of any length must be refused at once.
MAX_STEPS = 10_000
_KEBOOLA_VERSION = "0.1.0"
_CODES = Codes(unknown="OSI-V102", missing="OSI-V101", value="OSI-V106", by_keyword=BY_KEYWORD)


@cache
def oml_schema() -> dict[str, Any]:
    """The published JSON Schema of a pipeline's skeleton; configs are any mapping there."""
    schema: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return schema


@cache
def _checker() -> SchemaChecker:
    return SchemaChecker(oml_schema(), _CODES, name_missing=True)


def read_outline(draft: Draft) -> bool:
    """Fill ``draft`` from its document; False when there is nothing further to look at."""
    value = draft.document.value
    if value is None:
        if not draft.document.problems:
            draft.report(
                [Problem("OSI-V004", "the file is empty", hint="osiris new pipeline writes one to start from")]
            )
        return False
    if not isinstance(value, dict):
        kind = "a list" if isinstance(value, list) else "a single value"
        message = f"the file holds {kind}, not a mapping with oml_version, name and steps"
        draft.report([Problem("OSI-V005", message)])
        return False
    if value.get("oml_version") == _KEBOOLA_VERSION:
        message = f'oml_version "{_KEBOOLA_VERSION}" is the dialect of keboola/osiris'
        hint = f"osiris upgrade {draft.document.file}"
        draft.report([Problem("OSI-V021", message, ("oml_version",), hint=hint)])
        return False
    if not value.keys() & set(oml_schema()["properties"]):
        message = "this is not an Osiris pipeline: it has none of oml_version, name and steps"
        draft.report([Problem("OSI-V020", message)])
        return False
    steps = value.get("steps")
    if isinstance(steps, list) and len(steps) > MAX_STEPS:
        draft.report([Problem("OSI-V105", f'"steps" must have at most {MAX_STEPS:,} entries', ("steps",), on_key=True)])
        return False
    loaded = {problem.path for problem in draft.document.problems if problem.path}
    found = [problem for problem in tidy(_checker().problems(value), value) if problem.path not in loaded]
    draft.report(_recoded(problem, value, draft) for problem in found)
    draft.name = value["name"] if isinstance(value.get("name"), str) else ""
    _read_params(draft, value.get("params"))
    _read_steps(draft, steps)
    by_index = {step.index: step for step in draft.steps}
    for problem in draft.problems:
        if problem.path[:1] == ("steps",) and len(problem.path) > 1 and problem.path[1] in by_index:
            by_index[int(problem.path[1])].faulty.add(problem.path[2:])
    return True


def _recoded(problem: Problem, value: dict[str, Any], draft: Draft) -> Problem:
    """Give the faults of certain keys the codes, and the mends, that explain them best."""
    path = problem.path
    if path == ("oml_version",):
        missing = problem.code == "OSI-V101"
        message = '"oml_version" is missing' if missing else f'"oml_version" must be "{OML_VERSION}", in quotes'
        return replace(problem, code="OSI-V020", message=message, hint="", suggestion=None)
    if path == ("steps",) and not value.get("steps") and problem.code == "OSI-V105":
        return replace(problem, code="OSI-V110", message="there are no steps")
    if path == ("name",) and problem.code == "OSI-V105":
        plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", str(value["name"])).strip("-_.")[:63]
        return replace(problem, hint=f"write {plain}" if plain else "", suggestion=None)
    if path[:1] == ("params",):
        return replace(problem, code="OSI-V133")
    if path[:1] == ("steps",) and len(path) == 3:
        return _recoded_in_step(problem, draft)
    return problem


def _recoded_in_step(problem: Problem, draft: Draft) -> Problem:
    written = draft.document.at(problem.path)
    key = problem.path[2]
    if key == "id" and problem.code == "OSI-V105":
        return replace(problem, code="OSI-V111")
    if key == "connection" and problem.code == "OSI-V105":
        known = isinstance(written, str) and written in draft.session.connections.aliases()
        suggestion, hint = (f"@{written}", f'write "@{written}"') if known else (None, "")
        return replace(problem, code="OSI-V127", hint=hint, suggestion=suggestion)
    if key == "needs" and isinstance(written, str) and STEP_ID.fullmatch(written):
        return replace(problem, hint=f"write [{written}]", suggestion=f"[{written}]")
    return problem


def _read_params(draft: Draft, declared: Any) -> None:
    for name, item in (declared if isinstance(declared, dict) else {}).items():
        if not STEP_ID.fullmatch(name):
            message = f'"{name[:60]}" is no name for a parameter'
            hint = "use letters, digits and _"
            draft.report([Problem("OSI-V133", message, ("params", name), on_key=True, hint=hint)])
            continue
        kind = item.get("type") if isinstance(item, dict) else None
        if kind not in PARAM_TYPES:
            draft.params[name] = Param(name, "string")  # declared, so that its uses are not reported too
            continue
        param = Param(name, kind, item.get("default"), "default" in item)
        draft.params[name] = param
        if param.has_default:
            draft.report(_default_problems(param))
    broken = {problem.path[1] for problem in draft.problems if problem.path[:1] == ("params",) and problem.path[1:]}
    draft.values, problems = parameter_values(draft.params, draft.given)
    for name in broken & draft.values.keys():
        del draft.values[str(name)]
    draft.report(problem for problem in problems if problem.path[1:2] == () or problem.path[1] not in broken)


def _default_problems(param: Param) -> Iterator[Problem]:
    try:
        convert(param, param.default)
    except ParamError as error:
        yield Problem("OSI-V133", f"{error}, and its default is not", ("params", param.name, "default"))


def _read_steps(draft: Draft, steps: Any) -> None:
    for index, item in enumerate(steps if isinstance(steps, list) else ()):
        if isinstance(item, dict):
            draft.steps.append(_draft_step(index, item, draft.suggest))


def _draft_step(index: int, item: dict[str, Any], suggest: Suggester) -> DraftStep:
    needs = item.get("needs")
    named = [(at, need) for at, need in enumerate(needs if isinstance(needs, list) else ()) if isinstance(need, str)]
    config = item.get("config")
    identifier = _text(item.get("id"))
    return DraftStep(
        index=index,
        written_id=identifier,
        id=identifier if identifier and STEP_ID.fullmatch(identifier) else None,
        component=_text(item.get("component")),
        mode=_text(item.get("mode")),
        connection=_text(item.get("connection")),
        needs=[need for _, need in named],
        need_indexes=[at for at, _ in named],
        config=config if isinstance(config, dict) else {},
        suggest=suggest,
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
