"""Values that are right: from the catalogue, from the steps and connections there are, or from the spec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from osiris_core.problems import Problem
from osiris_core.validate.advice import rows
from osiris_core.validate.advice.whole import name_of, skeleton
from osiris_core.validate.advice.words import condition_column, identifier, sample_for, table_names, table_of
from osiris_core.validate.draft import Draft, DraftStep
from osiris_core.validate.types import comparison_fault

_BY_TYPE: dict[str, Any] = {"string": "abc", "integer": 10, "number": 10, "boolean": True, "array": ["abc"]}


class Choice:
    """Several values would do; the first is the likeliest."""

    def __init__(self, values: list[str]) -> None:
        self.values = values


class Text:
    """YAML as it is."""

    def __init__(self, text: str) -> None:
        self.text = text


def value_for(problem: Problem, step: DraftStep | None, draft: Draft) -> Any:
    """A value for what stands, or is missing, at the problem's path; None when nobody can say."""
    path = problem.path
    key = str(path[-1])
    if len(path) == 1:
        return name_of(draft) if key == "name" else Text(skeleton(draft).split("\n", 2)[2]) if key == "steps" else None
    if step is None:
        return None
    if len(path) == 3:
        own = {"id": id_for, "component": _component, "mode": _mode, "connection": _connection, "config": config_for}
        own["needs"] = _needs
        return own.get(key, _nothing)(step, draft)
    if key == "value":
        operator = draft.document.at((*path[:-1], "op"))
        sample = sample_for(condition_column(step, path, draft))
        return [sample] if operator in ("in", "not_in") else sample
    return in_config(key, path[3:], step, draft)


def in_config(key: str, path: tuple[Any, ...], step: DraftStep, draft: Draft) -> Any:
    """A value for ``key`` of a config, from the catalogue where it knows one, else from the spec."""
    names = names_for(key, step, draft)
    if key == "column" and "where" in path:
        names = _comparable(names, path, step) or names
    if key in ("sql", "query"):
        from osiris_core.validate.advice.sql import select_for

        return select_for("", step, draft)
    if key == "where":
        return [_condition(step, draft)]
    if key == "write_mode" and "merge_keys" in step.config:
        return "merge"
    if key == "merge_keys":
        keys = rows.merge_keys_of(step)
        return keys or (names[:1] if names else ["id"])
    if names:
        return names if key == "columns" else Choice(names)
    return _sample(_schema_of(step, path), key)


def _condition(step: DraftStep, draft: Draft) -> dict[str, Any]:
    """A condition on a column of the table."""
    table = table_of(step)
    names = rows.column_names(step, "column", draft) or ["id"]
    column = table.column(names[0]) if table is not None else None
    return {"column": names[0], "op": "=", "value": sample_for(column)}


def _comparable(names: list[str], path: tuple[Any, ...], step: DraftStep) -> list[str]:
    """The columns that the value of the condition at ``path`` can be compared with."""
    condition: Any = step.config
    for part in path[:-1]:
        condition = condition[part]
    table = table_of(step)
    columns = [table.column(name) for name in names] if table is not None else []
    if "value" not in condition or not isinstance(condition.get("op"), str):
        return names
    fitting = [c for c in columns if c and not comparison_fault(condition["value"], c, condition["op"])]
    return [column.name for column in fitting]


def names_for(key: str, step: DraftStep, draft: Draft) -> list[str]:
    """Names that exist and that ``key`` of a config may hold."""
    if key == "table":
        return table_names(step, draft)
    if key in ("columns", "column", "cursor", "merge_keys"):
        return rows.column_names(step, key, draft)
    return []


def _nothing(step: DraftStep, draft: Draft) -> Any:
    return None


def id_for(step: DraftStep, draft: Draft) -> Any:
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
    return Choice(names) if names else None


def _needs(step: DraftStep, draft: Draft) -> Any:
    from osiris_core.validate.advice.graph import likely_sources

    return likely_sources(step, draft) or None


def _connection(step: DraftStep, draft: Draft) -> Any:
    from osiris_core.validate.advice.links import aliases_for

    aliases, holders = aliases_for(step, draft)
    return Choice(holders or aliases) if aliases else None


def config_for(step: DraftStep, draft: Draft) -> Any:
    """The least that the component asks for."""
    schema = step.spec.config_schema.get(step.mode or "", {}) if step.spec is not None else {}
    names = list(schema.get("required", ()))
    if step.spec is not None:
        names += [either[0] for either in alternatives(step)]
    found = {name: in_config(name, (name,), step, draft) for name in names}
    plain = {name: value.values[0] if isinstance(value, Choice) else value for name, value in found.items()}
    return plain or None


def _mode(step: DraftStep, draft: Draft) -> Any:
    modes = modes_of(step, draft)
    return modes[0] if modes else None


def modes_of(step: DraftStep, draft: Draft) -> list[str]:
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
        return Choice([str(value) for value in schema["enum"]])
    roles = {"table": "orders", "column": "id", "merge_keys": ["id"], "sql": "SELECT * FROM source"}
    value = roles.get(str(schema.get("x-role")), _BY_TYPE.get(str(schema.get("type"))))
    if key == "order_by":
        return [{"column": "id"}]
    if schema.get("type") == "integer" and isinstance(schema.get("minimum"), int):
        return schema["minimum"]
    return ["id"] if key == "columns" else value


def alternatives(step: DraftStep) -> list[list[str]]:
    """Names of which the config holds exactly one, by its schema."""
    schema = step.spec.config_schema.get(step.mode or "", {}) if step.spec is not None else {}
    found = []
    for node in (schema, *schema.get("allOf", ())):
        branches = node.get("oneOf", ()) if isinstance(node, Mapping) else ()
        names = [branch["required"][0] for branch in branches if list(branch) == ["required"]]
        if len(names) > 1:
            found.append(names)
    return found
