"""Mends for keys and values: what is missing, unknown, of another type or out of bounds."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from osiris_core.oml.editor import yaml_flow
from osiris_core.oml.masking import is_secret_key
from osiris_core.problems import Problem
from osiris_core.validate.advice.rows import merge_keys_of
from osiris_core.validate.advice.values import (
    Choice,
    Text,
    alternatives,
    config_for,
    id_for,
    in_config,
    modes_of,
    names_for,
    value_for,
)
from osiris_core.validate.advice.whole import name_of, skeleton
from osiris_core.validate.advice.words import (
    choose,
    entry,
    identifier,
    listed,
)
from osiris_core.validate.draft import Draft, DraftStep

_ALLOWED = re.compile(r"must be one of (?P<values>.+?)(?:, not \".*)?$", re.DOTALL)
_WHOLE_TABLE = re.compile(r"\s*select\s+\*\s+from\s+[\"`]?(\w+)[\"`]?", re.IGNORECASE)
_BOUND = re.compile(r"must be (at least|at most|more than|less than) (-?[\d.]+)$")
_BOUND_WORDS = {"at least": "or more", "at most": "or less"}
#: Keys whose values are names that exist, so that no other text will do.
_NAMED = frozenset(
    {
        "name", "id", "component", "mode", "connection", "config", "needs", "table", "merge_keys", "columns", "column",
        "cursor", "where", "sql", "query",
    }
)  # fmt: skip
#: What leaving out a list, or a limit, means.
_WITHOUT = {
    "limit": "there is no limit", "columns": "all columns are read", "where": "all rows are read",
    "order_by": "any order will do",
}  # fmt: skip


# -- missing -----------------------------------------------------------------------------------------------
def missing(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """The line to add, with a value that is right here as far as that can be known."""
    if not problem.path:
        return problem
    if step is not None and len(problem.path) == 4 and not _is_filled(draft.document.at(problem.path[:3])):
        least = config_for(step, draft)
        example = entry("config", least)
        return replace(problem, hint=f"write {example}", example=example) if least else problem
    key = str(problem.path[-1])
    value = value_for(problem, step, draft)
    message = problem.message
    if step is not None and step.id is not None and len(problem.path) == 3:
        message = f'{message} in the step "{step.id}"'
    if isinstance(value, Choice):
        hint = f"add {key}, one of: {listed(value.values)}" if len(value.values) > 1 else f"add {key}"
        return replace(problem, message=message, hint=hint, example=entry(key, value.values[0]))
    if value is None:
        return replace(problem, message=message)
    example = value.text if isinstance(value, Text) else entry(key, value)
    shown = "the lines of the example" if "\n" in example else example
    return replace(problem, message=message, hint=f"add {shown}", example=example)


def _is_filled(value: Any) -> bool:
    return isinstance(value, dict) and bool(value)


# -- unknown and forbidden ---------------------------------------------------------------------------------
def unknown(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """A key that is no slip of another is to be removed."""
    key = str(problem.path[-1]) if problem.path else ""
    known = problem.hint.removeprefix("known: ")
    if problem.hint.startswith("known: ") or not problem.hint:
        others = f"; the keys here are: {known}" if known else ""
        return replace(problem, hint=f'remove "{key[:60]}"{others}')
    if problem.suggestion is None or problem.hint.endswith("is set already"):
        return replace(problem, hint=f'{problem.hint}: remove "{key[:60]}"' if "set" in problem.hint else problem.hint)
    return problem


def rule(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """Keys that exclude each other, or one of which must be there."""
    if step is None or step.spec is None or problem.hint:
        return problem
    if len(problem.path) > 3 and problem.on_key:
        key = problem.path[-1]
        merging = key in ("merge_keys", "dedupe", "delete_missing") and "merge" in problem.message
        return replace(problem, hint=f'remove "{key}"' + (", or write write_mode: merge" if merging else ""))
    for names in alternatives(step):
        present = [name for name in names if name in step.config]
        if len(present) > 1:
            return replace(problem, hint=_one_of(present, step))
        if not present:
            value = in_config(names[0], (names[0],), step, draft)
            choice = isinstance(value, Choice)
            shown = f", one of: {listed(value.values)}" if choice and len(value.values) > 1 else ""
            example = entry(names[0], value.values[0] if choice else value)
            if not draft.document.at((*step.path, "config")):
                example = entry("config", config_for(step, draft))
                return replace(problem, hint=f"write {example}", example=example)
            return replace(problem, hint=f"add {names[0]}{shown}", example=example)
    return problem


def _one_of(present: list[str], step: DraftStep) -> str:
    """Which of several keys that exclude each other is to go."""
    if set(present) == {"table", "query"}:
        table = str(step.config["table"])
        whole = _WHOLE_TABLE.fullmatch(str(step.config["query"]).rstrip(" ;\n\t"))
        if whole and whole[1].lower() == table.lower():
            return f'remove "query": it reads all of {table[:60]}, as "table" does'
        return 'remove "table": the query itself says what is read'
    rest = " or ".join(f'"{name}"' for name in present[:-1])
    return f'remove "{present[-1]}", or keep it and remove {rest}'


# -- values ------------------------------------------------------------------------------------------------
def unbounded(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """A bound that is none was perhaps meant to be none."""
    path = problem.path
    if step is None or "where" not in path or not problem.hint.startswith("write a finite"):
        return problem
    conditions = draft.document.at(path[: path.index("where") + 1])
    alone = isinstance(conditions, list) and len(conditions) == 1
    what = "where" if alone else "this condition, all of {…}"
    return replace(problem, hint=f"{problem.hint}, or remove {what}, if there is no bound")


def wrong_type(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """The value as the type that is wanted, or a sample of it."""
    problem = _named(problem, step)
    if problem.hint or not problem.path or any(is_secret_key(part) for part in problem.path):
        return problem
    if problem.path[:1] == ("steps",) and len(problem.path) == 2:
        item = skeleton(draft).splitlines()[3].strip()
        return replace(problem, hint="remove it, or write a step such as the example", example=item)
    if isinstance(problem.path[-1], int):
        return _entry_of_list(problem, step, draft) if step is not None else problem
    return _retyped(problem, problem.path[-1], step, draft)


def _retyped(problem: Problem, key: str, step: DraftStep | None, draft: Draft) -> Problem:
    wanted = _of_type(problem.message, draft.document.at(problem.path))
    better = value_for(problem, step, draft)
    if isinstance(better, Text):
        return replace(problem, hint="write the lines of the example", example=better.text)
    if better is not None and (wanted is None or isinstance(better, Choice) or key in _NAMED):
        values = better.values if isinstance(better, Choice) else [better]
        hint = choose([str(item) for item in values]) if isinstance(better, Choice) else f"write {yaml_flow(better)}"
        return replace(problem, hint=hint, example=entry(key, values[0]))
    if wanted is None:
        return problem
    return replace(problem, hint=f"write {yaml_flow(wanted)}", example=entry(key, wanted))


def _entry_of_list(problem: Problem, step: DraftStep, draft: Draft) -> Problem:
    """The names that the list may hold, and does not hold yet."""
    written = draft.document.at(problem.path[:-1])
    key = str(problem.path[-2])
    if key in ("merge_keys", "needs", "where"):
        value = value_for(replace(problem, path=problem.path[:-1]), step, draft)
        return replace(problem, hint=f"write {entry(key, value)}", example=entry(key, value)) if value else problem
    names = names_for(key, step, draft) if problem.path[2:3] == ("config",) else []
    left = [name for name in names if not isinstance(written, list) or name not in written]
    return replace(problem, hint=f"remove it, or {choose(left)}" if left else "remove it")


def _of_type(message: str, value: Any) -> Any:
    """``value`` as what ``message`` says it must be; None when it cannot be made."""
    wanted = message.partition(" must be ")[2].partition(", not ")[0]
    if wanted.startswith("text") and isinstance(value, int | float | bool):
        return str(value).lower() if isinstance(value, bool) else str(value)
    if wanted.startswith("a list") and isinstance(value, str | int | float) and not isinstance(value, bool):
        return [item.strip() for item in value.split(",")] if isinstance(value, str) else [value]
    samples = {"a whole number": 10, "a number": 10, "true or false": True, "text": "abc"}
    return samples.get(wanted) if value is not None else None


def not_allowed(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """The values that are, and the likeliest of them in its line."""
    problem = _named(problem, step)
    found = _ALLOWED.search(problem.message)
    if problem.suggestion == "merge" and step is not None and "merge_keys" not in step.config:
        keys = merge_keys_of(step)
        wanted = entry("merge_keys", keys) if keys else "merge_keys, a unique key of the table"
        return replace(problem, hint=f"{problem.hint}, and wants {wanted} beside it")
    if problem.hint or found is None or not problem.path:
        return problem
    values = found["values"].split(", ")
    key = problem.path[-1]
    if step is not None and problem.path[2:] == ("mode",):
        values = modes_of(step, draft)
    if key == "write_mode" and step is not None and "merge" in values and "merge_keys" in step.config:
        values = ["merge"]
    example = entry(key, values[0]) if isinstance(key, str) else ""
    return replace(problem, hint=choose(values), example=example)


def out_of_bounds(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """The bound itself, and what leaving the key out means."""
    problem = _named(problem, step)
    key = str(problem.path[-1]) if problem.path else ""
    without = f', or remove "{key}": without it {_WITHOUT[key]}' if key in _WITHOUT else ""
    if bound := _BOUND.search(problem.message):
        way = _BOUND_WORDS.get(bound[1], "")
        if key == "limit":
            return replace(problem, hint=f'remove "limit" for no limit, or write {bound[2]} {way}')
        hint = f"write {bound[2]} {way}" if way else f"write a number {bound[1]} {bound[2]}"
        return replace(problem, hint=hint + without, example=entry(key, _number(bound[2])) if way else "")
    if problem.path == ("name",) and not problem.hint:
        return replace(problem, hint=f"write {name_of(draft)}", example=entry("name", name_of(draft)))
    if problem.message.endswith("must not be empty") and not problem.hint and step is not None:
        return _filled(problem, key, without, step, draft)
    return problem


def _filled(problem: Problem, key: str, without: str, step: DraftStep, draft: Draft) -> Problem:
    if problem.path and isinstance(problem.path[-1], int):
        return _entry_of_list(problem, step, draft)
    if without and key in ("columns", "where", "order_by"):
        return replace(problem, hint=f'remove "{key}": without it {_WITHOUT[key]}')
    value = value_for(problem, step, draft)
    if value is None:
        return problem
    first = value.values[0] if isinstance(value, Choice) else value
    names = f", one of: {listed(value.values)}" if isinstance(value, Choice) and len(value.values) > 1 else ""
    return replace(problem, hint=f"write a value{names}", example=entry(key, first))


def _number(text: str) -> int | float:
    return float(text) if "." in text else int(text)


def twice(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """The list with each value once."""
    values = draft.document.at(problem.path[:-1])
    hidden = any(is_secret_key(part) for part in problem.path)
    if hidden or not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        return replace(problem, hint="remove this one")
    return replace(problem, hint="remove this one", example=entry(str(problem.path[-2]), list(dict.fromkeys(values))))


def _named(problem: Problem, step: DraftStep | None) -> Problem:
    """An entry of a list says whose list it is."""
    if step is not None and step.id is not None and problem.message.startswith("entry "):
        return replace(problem, message=problem.message.replace(" must", f' of the step "{step.id}" must', 1))
    return problem


# -- ids, connections --------------------------------------------------------------------------------------
def bad_id(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """An id made of the one that is written, or the one that others need."""
    if step is None:
        return problem
    wanted = id_for(step, draft)
    missing_one = any(wanted in other.needs for other in draft.steps)
    made = wanted if missing_one else identifier(step.written_id or "", f"step_{step.index + 1}")
    made = made if made not in {other.id for other in draft.steps} else f"{made}_{step.index + 1}"
    users = [other.name for other in draft.steps if step.written_id in other.needs]
    also = f", also in needs of {listed(users)}" if users else ""
    return replace(problem, hint=f"write {made}{also}", example=entry("id", made))


ADVISERS = {
    "OSI-V013": unbounded,
    "OSI-V101": missing,
    "OSI-V102": unknown,
    "OSI-V103": wrong_type,
    "OSI-V104": not_allowed,
    "OSI-V105": out_of_bounds,
    "OSI-V106": rule,
    "OSI-V107": twice,
    "OSI-V111": bad_id,
}
