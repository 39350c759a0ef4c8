"""Render OML from a form: the same form and view always give the same bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from osiris_core.catalog.model import Column, Table
from osiris_core.context.brief import printable
from osiris_core.context.form import Condition, Move, SqlMove
from osiris_core.context.model import Source, TableRef, View
from osiris_core.errors import InvalidInputError
from osiris_core.oml.edit import quoted

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\Z")
_WORDS_OF_YAML = {"true", "false", "null", "yes", "no", "on", "off"}
#: A cursor is guessed from these names, best first; a person sees it in the OML and can change it.
_CURSORS = ("updated_at", "modified_at", "last_modified", "changed_at", "updated", "created_at")


def render_moves(moves: Sequence[Move], view: View, *, name: str, notes: Sequence[str] = ()) -> str:
    """OML that makes every move of ``moves``; ``notes`` become comments at the top.

    Raises:
        InvalidInputError: a table, target or rename cannot be expressed with the installed components.
    """
    ids = _Ids()
    steps: list[str] = []
    for move in moves:
        ref = _table(view, move.source)
        read = _read_step(ids.take(ref.table.name), ref, move)
        steps.append(read.text)
        feed = read.id
        if move.renames:
            step = _rename_step(ids.take(f"{feed}_renamed"), feed, ref.table, move, view)
            steps.append(step.text)
            feed = step.id
        keys = _renamed(move.keys or (ref.table.primary_key if move.mode == "merge" else ()), move)
        steps.append(_write_step(ids.take(f"load_{move.table}"), feed, _target(view, move.to), move, keys))
    return _document(name, steps, notes)


def render_sql(form: SqlMove, view: View, *, name: str, notes: Sequence[str] = ()) -> str:
    """OML that reads the inputs of ``form``, runs its SELECT over them and writes the result.

    Inputs are called by their step ids; a table whose name is no identifier gets one, and the comment says so.
    """
    if view.transform is None:
        raise InvalidInputError("no installed component runs SQL over inputs", hint="pip install osiris-duckdb")
    ids = _Ids()
    reads = []
    for source in form.inputs:
        ref = _table(view, source)
        reads.append(_read_step(ids.take(ref.table.name), ref, Move(source, form.to, form.table, form.mode)))
    query_id = ids.take("query")
    transform = _step(
        query_id, view.transform, "transform", None, [read.id for read in reads], {"sql": form.query.strip()}
    )
    target = _target(view, form.to)
    move = Move("", form.to, form.table, form.mode)
    write = _write_step(ids.take(f"load_{form.table}"), query_id, target, move, form.keys)
    return _document(name, [*(read.text for read in reads), transform, write], notes)


def pick_cursor(table: Table) -> str | None:
    """The column an incremental read follows: a well-known name, the only timestamp, or an integer primary key."""
    names = {column.name.lower(): column.name for column in table.columns}
    for wanted in _CURSORS:
        if wanted in names:
            return names[wanted]
    times = [column.name for column in table.columns if column.arrow.startswith("timestamp")]
    if len(times) == 1:
        return times[0]
    key = table.column(table.primary_key[0]) if len(table.primary_key) == 1 else None
    return key.name if key is not None and key.arrow.startswith(("int", "uint")) else None


def typed_value(text: str, column: Column) -> Any:
    """``text`` as the JSON value that ``column`` compares with: a number, a boolean or the text itself.

    Raises ValueError when the column is numeric and the text is not.
    """
    if column.arrow.startswith(("int", "uint")):
        return int(text)
    if column.arrow.startswith(("decimal", "double", "float")) or column.osiris_type == "decimal":
        return int(text) if re.fullmatch(r"-?\d+", text) else float(text)
    if column.arrow == "bool":
        return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
    return text


class _Rendered:
    def __init__(self, step_id: str, text: str) -> None:
        self.id = step_id
        self.text = text


class _Ids:
    """Hands out step ids: identifiers, unique whatever the case."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, wanted: str) -> str:
        base = re.sub(r"\W+", "_", wanted, flags=re.ASCII).strip("_")[:48] or "step"
        base = f"t_{base}" if base[0].isdigit() else base
        name, number = base, 2
        while name.lower() in self._taken:
            name, number = f"{base}_{number}", number + 1
        self._taken.add(name.lower())
        return name


def _table(view: View, name: str) -> TableRef:
    if name not in view.tables:
        raise InvalidInputError(f'there is no table "{name}" to read')
    return view.tables[name]


def _target(view: View, alias: str) -> Source:
    if alias not in view.targets:
        raise InvalidInputError(f'there is no connection "@{alias}" to write to')
    return view.source(alias)


def _read_step(step_id: str, ref: TableRef, move: Move) -> _Rendered:
    config: dict[str, Any] = {"table": ref.table.name}
    if move.columns:
        config["columns"] = list(move.columns)
    if move.where:
        config["where"] = [_condition(condition, ref.table) for condition in move.where]
    if move.incremental:
        cursor = pick_cursor(ref.table)
        if cursor is None:
            raise InvalidInputError(f'no column of "{ref.table.name}" can serve as the cursor of an incremental read')
        config["incremental"] = {"cursor": cursor}
    return _Rendered(step_id, _step(step_id, ref.source.component, "read", ref.source.alias, [], config))


def _condition(condition: Condition, table: Table) -> dict[str, Any]:
    item: dict[str, Any] = {"column": condition.column, "op": condition.op}
    if condition.op in ("is_null", "is_not_null"):
        return item
    column = table.column(condition.column)
    if column is None:
        raise InvalidInputError(f'"{table.name}" has no column "{condition.column}"')
    try:
        if condition.op in ("in", "not_in"):
            item["value"] = [typed_value(part.strip(), column) for part in condition.value.split(",")]
        else:
            item["value"] = typed_value(condition.value, column)
    except (ValueError, KeyError):
        raise InvalidInputError(f'"{condition.value}" does not compare with {column.name} ({column.type})') from None
    return item


def _rename_step(step_id: str, feed: str, table: Table, move: Move, view: View) -> _Rendered:
    if view.transform is None:
        raise InvalidInputError("no installed component can rename columns", hint="pip install osiris-duckdb")
    new_names = {rename.column: rename.to for rename in move.renames}
    columns = move.columns or tuple(column.name for column in table.columns)
    expressions = [
        _sql_name(name) + (f" AS {_sql_name(new_names[name])}" if name in new_names else "") for name in columns
    ]
    sql = f"SELECT {', '.join(expressions)} FROM {_sql_name(feed)}"
    return _Rendered(step_id, _step(step_id, view.transform, "transform", None, [feed], {"sql": sql}))


def _renamed(keys: Iterable[str], move: Move) -> tuple[str, ...]:
    new_names = {rename.column: rename.to for rename in move.renames}
    return tuple(new_names.get(key, key) for key in keys)


def _write_step(step_id: str, feed: str, target: Source, move: Move, keys: Sequence[str]) -> str:
    config: dict[str, Any] = {"table": move.table, "write_mode": move.mode}
    if move.mode == "merge":
        config["merge_keys"] = list(keys)
    if target.creates and target.catalog.table(move.table) is None:
        config["create"] = "if_missing"
    return _step(step_id, target.component, "write", target.alias, [feed], config)


def _step(
    step_id: str, component: str, mode: str, alias: str | None, needs: Sequence[str], config: dict[str, Any]
) -> str:
    lines = [f"  - id: {step_id}", f"    component: {component}", f"    mode: {mode}"]
    if alias is not None:
        lines.append(f'    connection: "@{alias}"')
    if needs:
        lines.append(f"    needs: [{', '.join(needs)}]")
    lines.append("    config:")
    lines.extend(f"      {key}: {_flow(value)}" for key, value in config.items())
    return "\n".join(lines)


def _document(name: str, steps: Sequence[str], notes: Sequence[str]) -> str:
    # Notes hold words of people and models: each stays one comment, whatever it holds.
    comments = "".join(f"# {printable(note)}\n" for note in notes)
    return f'{comments}oml_version: "0.0.1"\nname: {_scalar(name)}\nsteps:\n' + "\n".join(steps) + "\n"


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, str) and _PLAIN.match(value) and value.lower() not in _WORDS_OF_YAML:
        return value
    return quoted(value) if isinstance(value, str) else json.dumps(value)


def _sql_name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
