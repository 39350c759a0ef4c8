"""Build the SELECT of a read step. Names are quoted, values are bound; no text reaches the SQL unquoted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

#: ``pyformat``: ``%(p0)s`` and a dict; ``qmark``: ``?`` and a list; ``dollar``: ``$p0`` and a dict.
ParamStyle = Literal["pyformat", "qmark", "dollar"]

_OPERATORS = {"=": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">=", "like": "LIKE"}


class _Binder:
    def __init__(self, style: ParamStyle, prefix: str) -> None:
        self._style = style
        self._prefix = prefix
        self.values: dict[str, Any] = {}

    def bind(self, value: Any) -> str:
        name = f"{self._prefix}{len(self.values)}"
        self.values[name] = value
        return {"pyformat": f"%({name})s", "qmark": "?", "dollar": f"${name}"}[self._style]

    def result(self) -> Any:
        return list(self.values.values()) if self._style == "qmark" else self.values


def build_select(
    config: Mapping[str, Any],
    *,
    select_list: Sequence[str],
    source: str,
    quote: Callable[[str], str],
    style: ParamStyle,
    extra_where: Sequence[str] = (),
    prefix: str = "p",
) -> tuple[str, Any]:
    """``(sql, parameters)`` for ``where``, ``order_by`` and ``limit`` of a read config.

    Args:
        config: the step's config; uses ``where``, ``order_by``, ``limit``.
        select_list: quoted expressions, in order.
        source: the quoted table, or a parenthesised query with an alias.
        quote: quotes one identifier. With ``pyformat`` it must double every ``%``, and so must
            ``select_list`` and ``source``.
        style: how parameters are marked.
        extra_where: further conditions, already safe SQL without parameters.
        prefix: begins the name of every parameter, so that two statements can become one.
    """
    binder = _Binder(style, prefix)
    conditions = [_condition(item, quote, binder) for item in config.get("where", ())]
    conditions += [f"({text})" for text in extra_where]
    sql = f"SELECT {', '.join(select_list)} FROM {source}"
    if conditions:
        sql += " WHERE " + " AND ".join(conditions)
    order = config.get("order_by", ())
    if order:
        sql += " ORDER BY " + ", ".join(
            quote(item["column"]) + (" DESC" if item.get("descending") else "") for item in order
        )
    if "limit" in config:
        sql += f" LIMIT {int(config['limit'])}"
    return sql, binder.result()


def _condition(item: Mapping[str, Any], quote: Callable[[str], str], binder: _Binder) -> str:
    column, operator = quote(item["column"]), item["op"]
    if operator in ("is_null", "is_not_null"):
        return f"{column} IS {'NOT ' if operator == 'is_not_null' else ''}NULL"
    if operator in ("in", "not_in"):
        marks = ", ".join(binder.bind(value) for value in item["value"])
        return f"{column} {'NOT ' if operator == 'not_in' else ''}IN ({marks})"
    return f"{column} {_OPERATORS[operator]} {binder.bind(item['value'])}"
