"""Mends for keys and values: what is missing, unknown, of another type or out of bounds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from osiris_core.oml.editor import yaml_flow
from osiris_core.oml.masking import is_secret_key
from osiris_core.problems import Problem
from osiris_core.validate.advice import rows
from osiris_core.validate.advice.whole import name_of, skeleton
from osiris_core.validate.advice.words import (
    choose,
    condition_column,
    entry,
    identifier,
    listed,
    sample_for,
    table_names,
)
from osiris_core.validate.draft import Draft, DraftStep

_ALLOWED = re.compile(r"must be one of (?P<values>.+?)(?:, not \".*)?$", re.DOTALL)
_BOUND = re.compile(r"must be (at least|at most|more than|less than) (-?[\d.]+)$")
_BOUND_WORDS = {"at least": "or more", "at most": "or less"}
_BY_TYPE: dict[str, Any] = {"string": "abc", "integer": 10, "number": 10, "boolean": True, "array": ["abc"]}
#: Keys whose values are names that exist, so that no other text will do.
_NAMED = frozenset(
    {
        "name",
        "id",
        "component",
        "mode",
        "connection",
        "config",
        "needs",
        "table",
        "merge_keys",
        "columns",
        "column",
        "cursor",
    }
)
#: What leaving out a list, or a limit, means.
_WITHOUT = {"limit": "no limit", "columns": "all columns", "where": "all rows", "order_by": "any order"}


# -- missing -----------------------------------------------------------------------------------------------
def missing(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """The line to add, with a value that is right here as far as that can be known."""
    if not problem.path:
        return problem
    key = str(problem.path[-1])
    value = _value_for(problem, step, draft)
    message = problem.message
    if step is not None and step.id is not None and len(problem.path) == 3:
        message = f'{message} in the step "{step.id}"'
    if isinstance(value, _Choice):
        hint = f"add {key}, one of: {listed(value.values)}" if len(value.values) > 1 else f"add {key}"
        return replace(problem, message=message, hint=hint, example=entry(key, value.values[0]))
    if value is None:
        return replace(problem, message=message)
    example = value.text if isinstance(value, _Text) else entry(key, value)
    shown = "the lines of the example" if "\n" in example else example
    return replace(problem, message=message, hint=f"add {shown}", example=example)


class _Choice:
    """Several values would do; the first is the likeliest."""

    def __init__(self, values: list[str]) -> None:
        self.values = values


class _Text:
    """YAML as it is."""

    def __init__(self, text: str) -> None:
        self.text = text


def _value_for(problem: Problem, step: DraftStep | None, draft: Draft) -> Any:
    path = problem.path
    key = str(path[-1])
    if len(path) == 1:
        return name_of(draft) if key == "name" else _Text(skeleton(draft).split("\n", 2)[2]) if key == "steps" else None
    if step is None:
        return None
    if len(path) == 3:
        own = {"id": _id, "component": _component, "mode": _mode, "connection": _connection, "config": _config}
        own["needs"] = _needs
        return own.get(key, _nothing)(step, draft)
    if key == "value":
        operator = draft.document.at((*path[:-1], "op"))
        sample = sample_for(condition_column(step, path, draft))
        return [sample] if operator in ("in", "not_in") else sample
    return in_config(key, path[3:], step, draft)


def in_config(key: str, path: tuple[Any, ...], step: DraftStep, draft: Draft) -> Any:
    """A value for ``key`` of a config, from the catalogue where it knows one, else from the spec."""
    names = _names_for(key, step, draft)
    if key == "merge_keys":
        keys = rows.merge_keys_of(step)
        return keys or (names[:1] if names else ["id"])
    if names:
        return names if key == "columns" else _Choice(names)
    return _sample(_schema_of(step, path), key)


def _names_for(key: str, step: DraftStep, draft: Draft) -> list[str]:
    if key == "table":
        return table_names(step)
    if key in ("columns", "column", "cursor", "merge_keys"):
        return rows.column_names(step, key, draft)
    return []


def _nothing(step: DraftStep, draft: Draft) -> Any:
    return None


def _id(step: DraftStep, draft: Draft) -> Any:
    """The id that others need and nobody has, or a name made of the table's."""
    written = {other.written_id for other in draft.steps}
    wanted = [need for other in draft.steps for need in other.needs if need not in written]
    if wanted:
        return wanted[0]
    made = identifier(step.config.get("table", ""), f"step_{step.index + 1}")
    return made if made not in written else f"{made}_{step.index + 1}"


def _component(step: DraftStep, draft: Draft) -> Any:
    from osiris_core.validate.advice.links import components_for

    names = components_for(step, draft)
    return _Choice(names) if names else None


def _needs(step: DraftStep, draft: Draft) -> Any:
    from osiris_core.validate.advice.graph import likely_sources

    return likely_sources(step, draft) or None


def _connection(step: DraftStep, draft: Draft) -> Any:
    from osiris_core.validate.advice.links import aliases_for

    aliases, holders = aliases_for(step, draft)
    return _Choice(holders or aliases) if aliases else None


def _config(step: DraftStep, draft: Draft) -> Any:
    """The least that the component asks for."""
    schema = step.spec.config_schema.get(step.mode or "", {}) if step.spec is not None else {}
    names = list(schema.get("required", ()))
    if step.spec is not None:
        names += [either[0] for either in _alternatives(step)]
    found = {name: in_config(name, (name,), step, draft) for name in names}
    plain = {name: value.values[0] if isinstance(value, _Choice) else value for name, value in found.items()}
    if "sql" in plain and step.needs:
        plain["sql"] = f"SELECT * FROM {step.needs[0]}"
    return plain or None


def _mode(step: DraftStep, draft: Draft) -> Any:
    modes = _modes(step, draft)
    return modes[0] if modes else None


def _modes(step: DraftStep, draft: Draft) -> list[str]:
    """The modes of the step's component, the likeliest first: what needs rows does not read."""
    spec = draft.session.registry.get(step.component) if step.component else None
    modes = list(spec.modes) if spec is not None else ["read", "write", "transform"]
    writes = "write_mode" in step.config
    transforms = "sql" in step.config
    likely = "write" if writes else "transform" if transforms else "read" if not step.needs else "write"
    return sorted(modes, key=lambda mode: mode != likely)


def _schema_of(step: DraftStep, path: tuple[Any, ...]) -> Mapping[str, Any]:
    """The schema of the value at ``path`` in the config."""
    schema: Any = step.spec.config_schema.get(step.mode or "", {}) if step.spec is not None else {}
    root = schema
    for part in path:
        schema = _resolved(schema, root)
        schema = schema.get("items", {}) if isinstance(part, int) else schema.get("properties", {}).get(part, {})
    return _resolved(schema, root)


def _resolved(schema: Any, root: Any) -> Mapping[str, Any]:
    while isinstance(schema, Mapping) and str(schema.get("$ref", "")).startswith("#/$defs/"):
        schema = root.get("$defs", {}).get(schema["$ref"].removeprefix("#/$defs/"), {})
    return schema if isinstance(schema, Mapping) else {}


def _sample(schema: Mapping[str, Any], key: str) -> Any:
    """A value that the schema accepts, for a person to change."""
    if isinstance(schema.get("enum"), list):
        return _Choice([str(value) for value in schema["enum"]])
    roles = {"table": "orders", "column": "id", "merge_keys": ["id"], "sql": "SELECT * FROM source"}
    value = roles.get(str(schema.get("x-role")), _BY_TYPE.get(str(schema.get("type"))))
    if key == "order_by":
        return [{"column": "id"}]
    if schema.get("type") == "integer" and isinstance(schema.get("minimum"), int):
        return schema["minimum"]
    return ["id"] if key == "columns" else value


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
    for names in _alternatives(step):
        present = [name for name in names if name in step.config]
        if len(present) > 1:
            rest = " or ".join(f'"{name}"' for name in present[:-1])
            return replace(problem, hint=f'remove "{present[-1]}" (or {rest})')
        if not present:
            value = in_config(names[0], (names[0],), step, draft)
            choice = isinstance(value, _Choice)
            shown = f", one of: {listed(value.values)}" if choice and len(value.values) > 1 else ""
            example = entry(names[0], value.values[0] if choice else value)
            if not draft.document.at((*step.path, "config")):
                example = entry("config", _config(step, draft))
                return replace(problem, hint=f"write {example}", example=example)
            return replace(problem, hint=f"add {names[0]}{shown}", example=example)
    return problem


def _alternatives(step: DraftStep) -> list[list[str]]:
    """Names of which the config holds exactly one, by its schema."""
    schema = step.spec.config_schema.get(step.mode or "", {}) if step.spec is not None else {}
    found = []
    for node in (schema, *schema.get("allOf", ())):
        branches = node.get("oneOf", ()) if isinstance(node, Mapping) else ()
        names = [branch["required"][0] for branch in branches if list(branch) == ["required"]]
        if len(names) > 1:
            found.append(names)
    return found


# -- values ------------------------------------------------------------------------------------------------
def wrong_type(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """The value as the type that is wanted, or a sample of it."""
    problem = _named(problem, step)
    if problem.hint or not problem.path or any(is_secret_key(part) for part in problem.path):
        return problem
    key, value = problem.path[-1], draft.document.at(problem.path)
    if problem.path[:1] == ("steps",) and len(problem.path) == 2:
        item = skeleton(draft).splitlines()[3].strip()
        return replace(problem, hint="remove it, or write a step such as the example", example=item)
    wanted = _of_type(problem.message, value)
    better = _value_for(problem, step, draft) if isinstance(key, str) else None
    if isinstance(better, _Text):
        return replace(problem, hint="write the lines of the example", example=better.text)
    if better is not None and (wanted is None or isinstance(better, _Choice) or key in _NAMED):
        values = better.values if isinstance(better, _Choice) else [better]
        hint = choose([str(item) for item in values]) if isinstance(better, _Choice) else f"write {yaml_flow(better)}"
        return replace(problem, hint=hint, example=entry(str(key), values[0]))
    if isinstance(key, int) and step is not None:
        return _entry_of_list(problem, step, draft)
    if wanted is None or not isinstance(key, str):
        return replace(problem, hint=f"write {yaml_flow(wanted)}" if wanted is not None else "")
    return replace(problem, hint=f"write {yaml_flow(wanted)}", example=entry(key, wanted))


def _entry_of_list(problem: Problem, step: DraftStep, draft: Draft) -> Problem:
    """The names that the list may hold, and does not hold yet."""
    written = draft.document.at(problem.path[:-1])
    key = str(problem.path[-2])
    names = _names_for(key, step, draft) if problem.path[2:3] == ("config",) else []
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
    if problem.hint or found is None or not problem.path:
        return problem
    values = found["values"].split(", ")
    key = problem.path[-1]
    if step is not None and problem.path[2:] == ("mode",):
        values = _modes(step, draft)
    example = entry(key, values[0]) if isinstance(key, str) else ""
    return replace(problem, hint=choose(values), example=example)


def out_of_bounds(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """The bound itself, and what leaving the key out means."""
    problem = _named(problem, step)
    key = str(problem.path[-1]) if problem.path else ""
    without = f', or remove "{key}": without it there is {_WITHOUT[key]}' if key in _WITHOUT else ""
    if bound := _BOUND.search(problem.message):
        way = _BOUND_WORDS.get(bound[1], "")
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
        return replace(problem, hint=f'remove "{key}": without it there is {_WITHOUT[key]}')
    value = _value_for(problem, step, draft)
    if value is None:
        return problem
    first = value.values[0] if isinstance(value, _Choice) else value
    names = f", one of: {listed(value.values)}" if isinstance(value, _Choice) and len(value.values) > 1 else ""
    return replace(problem, hint=f"write a value{names}", example=entry(key, first))


def _number(text: str) -> int | float:
    return float(text) if "." in text else int(text)


def twice(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """The list with each value once."""
    values = draft.document.at(problem.path[:-1])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
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
    wanted = _id(step, draft)
    missing_one = any(wanted in other.needs for other in draft.steps)
    made = wanted if missing_one else identifier(step.written_id or "", f"step_{step.index + 1}")
    made = made if made not in {other.id for other in draft.steps} else f"{made}_{step.index + 1}"
    users = [other.name for other in draft.steps if step.written_id in other.needs]
    also = f", also in needs of {listed(users)}" if users else ""
    return replace(problem, hint=f"write {made}{also}", example=entry("id", made))


ADVISERS = {
    "OSI-V101": missing,
    "OSI-V102": unknown,
    "OSI-V103": wrong_type,
    "OSI-V104": not_allowed,
    "OSI-V105": out_of_bounds,
    "OSI-V106": rule,
    "OSI-V107": twice,
    "OSI-V111": bad_id,
}
