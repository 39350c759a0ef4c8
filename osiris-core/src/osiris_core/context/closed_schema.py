"""The closed schema: JSON Schema of the form a model fills, whose enums hold only what exists.

Flat on purpose: tables and columns are two shared enums. Tying columns to tables makes answers valid and
silently wrong; a column that does not belong is seen, and mended or refused, by grounding.
"""

from __future__ import annotations

from typing import Any, Literal

from osiris_core.context.model import View

#: How much is closed. A provider that refuses a schema for its size steps down in this order.
Closure = Literal["full", "tables", "open"]
CLOSURES: tuple[Closure, ...] = ("full", "tables", "open")

OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "in", "not_in", "like", "is_null", "is_not_null")
CANNOT = ("missing_table", "missing_column", "missing_connection", "unsupported", "ambiguous")


def closed_schema(view: View, closure: Closure = "full") -> dict[str, Any]:
    """The schema of the form for ``view``; every property required, nothing additional, strings bounded."""
    text = _text(256)
    table = _enum(view.tables) if closure != "open" else text
    column = _enum(view.columns) if closure == "full" else text
    target = _enum(view.targets) if closure != "open" else text
    modes = sorted({mode for source in view.sources for mode in source.write_modes}) or ["append"]
    branches = [_object(cannot={"type": "string", "enum": list(CANNOT)}, question=_text(200))]
    definitions: dict[str, Any] = {"table": table, "target": target}
    if view.copies:
        branches.append(_object(moves=_array(_ref("move"), 8)))
        definitions |= _move_definitions(column, modes)
    if view.transform:
        branches.append(_object(sql=_ref("sql")))
        definitions["sql"] = _object(
            inputs=_array(_ref("table"), 6),
            query=_text(2000),
            to=_ref("target"),
            table=_text(64),
            mode={"type": "string", "enum": modes},
            keys=_array(_text(64), 8),
        )
    schema = _object(asked=_text(120), answer={"anyOf": branches})
    return {**schema, "$defs": definitions}


def _move_definitions(column: dict[str, Any], modes: list[str]) -> dict[str, Any]:
    condition = _object(column=_ref("column"), op={"type": "string", "enum": list(OPERATORS)}, value=_text(200))
    move = _object(
        **{"from": _ref("table")},
        columns=_array(_ref("column"), 64),
        where=_array(_ref("condition"), 8),
        renames=_array(_ref("rename"), 16),
        incremental={"type": "boolean"},
        to=_ref("target"),
        table=_text(64),
        mode={"type": "string", "enum": modes},
        keys=_array(_ref("column"), 8),
    )
    rename = _object(column=_ref("column"), to=_text(64))
    return {"column": column, "condition": condition, "rename": rename, "move": move}


def enum_sizes(view: View) -> tuple[int, int]:
    """``(values, characters)`` of all enums in the full schema: what providers bound."""
    words = [*view.tables, *view.columns, *view.targets]
    return len(words), sum(len(word) for word in words)


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{name}"}


def _text(longest: int) -> dict[str, Any]:
    return {"type": "string", "maxLength": longest}


def _enum(names: Any) -> dict[str, Any]:
    values = list(names)
    return {"type": "string", "enum": values} if values else _text(256)


def _array(items: dict[str, Any], most: int) -> dict[str, Any]:
    return {"type": "array", "items": items, "maxItems": most}


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
