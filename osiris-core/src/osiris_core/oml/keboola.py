"""From the dialect of keboola/osiris (``oml_version: 0.1.0``) to ours, by edits that keep comments and layout.

What has no counterpart is either dropped, because Osiris does it by itself, or left and reported.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from osiris_core.oml.document import Document
from osiris_core.oml.editor import Editor, yaml_flow
from osiris_core.oml.masking import is_secret_key
from osiris_core.oml.model import OML_VERSION
from osiris_core.problems import Path

KEBOOLA_VERSION = "0.1.0"
_COMPONENTS = {
    "mysql.extractor": ("mysql.table", "read"),
    "mysql.writer": ("mysql.table", "write"),
    "supabase.extractor": ("supabase.table", "read"),
    "supabase.writer": ("supabase.table", "write"),
    "duckdb.processor": ("duckdb.sql", "transform"),
    "duckdb.transform": ("duckdb.sql", "transform"),
    "duckdb.transformer": ("duckdb.sql", "transform"),
    "duckdb.reader": ("duckdb.table", "read"),
    "duckdb.writer": ("duckdb.table", "write"),
    "filesystem.csv_extractor": ("file.table", "read"),
    "filesystem.csv_reader": ("file.table", "read"),
    "filesystem.csv_writer": ("file.table", "write"),
}
_WRITE_MODES = {
    "append": "append", "insert": "append", "upsert": "merge", "merge": "merge", "replace": "replace",
    "overwrite": "replace",
}  # fmt: skip
#: Settings of what Osiris settles by itself.
_NEEDLESS = frozenset(
    {
        "batch_size", "chunk_size", "pool_size", "pool_recycle", "echo", "returning", "retries", "timeout", "prefer",
        "ddl_channel", "create_dirs", "newline", "quoting", "skip_blank_lines", "tables",
    }
)  # fmt: skip
_CSV_LOST = ("skip_rows", "parse_dates", "dtype", "na_values", "comment", "compression")
_CONNECTION_FIELDS = frozenset({"host", "port", "user", "username", "database", "url", "project_id"})
_PARAM_TYPES = {"int": "integer", "bool": "boolean", "float": "number", "str": "string"}
_FILTERS = {"eq": "=", "neq": "!=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "like": "like"}
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True)
class Note:
    """Something a person should look at. ``todo``: the new pipeline will not do without it."""

    line: int
    message: str
    todo: bool = True


@dataclass
class Upgrade:
    """The new text and what there is to say about it."""

    text: str
    notes: list[Note] = field(default_factory=list)


def upgrade(document: Document) -> Upgrade:
    """Translate a parsed document. One that is not of the dialect comes back unchanged, with a note saying so."""
    value = document.value
    if not isinstance(value, dict) or str(value.get("oml_version")) != KEBOOLA_VERSION:
        return Upgrade(document.text, [Note(1, f'oml_version is not "{KEBOOLA_VERSION}": there is nothing to upgrade')])
    return _Translation(document, value).run()


class _Translation:
    def __init__(self, document: Document, value: dict[str, Any]) -> None:
        self.document = document
        self.value = value
        self.edit = Editor(document)
        self.notes: list[Note] = []
        steps = value.get("steps")
        self.steps = [step if isinstance(step, dict) else {} for step in (steps if isinstance(steps, list) else ())]
        self.ids = _identifiers([step.get("id") for step in self.steps])
        self.aliases = _aliases(self.steps)
        self.files = False

    def run(self) -> Upgrade:
        self.edit.replace_source(("oml_version",), f'"{OML_VERSION}"')
        for key in self.value:
            if key not in ("oml_version", "name", "description", "params", "steps"):
                self.note((key,), f'"{key}" has no counterpart: remove it')
        self._params()
        for index, step in enumerate(self.steps):
            self._step(index, step)
        if self.files:
            form = "connections: {files: {component: file, root: .}}"
            self.note(
                (), f"files are read and written through a connection: osiris_connections.yaml needs {form}", todo=False
            )
        if self.aliases:
            used = ", ".join(f"{new} (was {old})" for old, new in sorted(self.aliases.items()))
            self.note((), f"osiris_connections.yaml needs the connections {used}", todo=False)
        return Upgrade(self.edit.text(), sorted(self.notes, key=lambda note: note.line))

    def note(self, path: Path, message: str, *, todo: bool = True) -> None:
        span = self.document.span(path, on_key=True)
        self.notes.append(Note(span.line if span else 1, message, todo))

    # -- head ----------------------------------------------------------------------------------------
    def _params(self) -> None:
        params = self.value.get("params")
        for name, item in (params if isinstance(params, dict) else {}).items():
            kind = item.get("type") if isinstance(item, dict) else None
            if kind in _PARAM_TYPES:
                self.edit.replace(("params", name, "type"), _PARAM_TYPES[str(kind)])
            elif kind in ("list", "map"):
                self.note(("params", name), f'the parameter "{name}" is a {kind}: parameters are single values')
            for key in item if isinstance(item, dict) else ():
                if key not in ("type", "default", "description"):
                    self.edit.remove(("params", name, key))
                    self.note(("params", name, key), f'"{key}" of the parameter "{name}" was dropped', todo=False)

    # -- steps ---------------------------------------------------------------------------------------
    def _step(self, index: int, step: dict[str, Any]) -> None:
        path: Path = ("steps", index)
        old = step.get("id")
        if isinstance(old, str) and self.ids[old] != old:
            self.edit.replace((*path, "id"), self.ids[old])
        component = step.get("component")
        if not isinstance(component, str) or component not in _COMPONENTS:
            self.note((*path, "component"), f'the component "{component}" is not translated')
            return
        name, mode = _COMPONENTS[component]
        self.edit.replace((*path, "component"), name)
        self._mode(path, step, mode)
        self._needs(index, step, mode)
        self._connection(path, step, component)
        config = step.get("config")
        if isinstance(config, dict):
            _Config(self, path, step, config, component, mode).translate()

    def _mode(self, path: Path, step: dict[str, Any], mode: str) -> None:
        if "mode" not in step:
            self.edit.insert_after((*path, "component"), "mode", mode)
        elif step["mode"] != mode:
            self.edit.replace((*path, "mode"), mode)

    def _needs(self, index: int, step: dict[str, Any], mode: str) -> None:
        """Readers need nobody; the others what they name, what their inputs come from, or the step before."""
        path: Path = ("steps", index)
        for key in ("needs", "inputs"):
            if key in step and (key == "inputs" or mode == "read"):
                self.edit.remove((*path, key))
        if mode == "read":
            return
        needs = step.get("needs")
        if isinstance(needs, list) and needs:
            for at, need in enumerate(needs):
                if isinstance(need, str) and self.ids.get(need, need) != need:
                    self.edit.replace((*path, "needs", at), self.ids[need])
            return
        inputs = [self.ids.get(name, name) for name in self.sources(index, step)]
        if "needs" in step:
            self.edit.remove((*path, "needs"))
        self.edit.insert_after((*path, "mode" if "mode" in step else "component"), "needs", inputs)

    def sources(self, index: int, step: dict[str, Any]) -> list[str]:
        """Old ids of the steps whose rows the step takes."""
        needs = step.get("needs")
        if isinstance(needs, list) and needs:
            return [need for need in needs if isinstance(need, str)]
        inputs = step.get("inputs")
        found = re.findall(r"\$\{([\w-]+)\.", " ".join(map(str, inputs.values()))) if isinstance(inputs, dict) else []
        if not found and index > 0:
            found = [str(self.steps[index - 1].get("id"))]
        return list(dict.fromkeys(found))

    def _connection(self, path: Path, step: dict[str, Any], component: str) -> None:
        """From ``config.connection: "@family.alias"`` to the step's own ``connection: "@alias"``."""
        after = (*path, "mode" if "mode" in step else "component")
        config = step.get("config")
        old = config.get("connection") if isinstance(config, dict) else None
        if isinstance(old, str):
            self.edit.remove((*path, "config", "connection"))
            self.edit.insert_after(after, "connection", self.aliases.get(old, old))
        elif isinstance(step.get("connection"), str):
            self.edit.replace((*path, "connection"), self.aliases.get(step["connection"], step["connection"]))
        elif component.startswith("filesystem."):
            self.edit.insert_after(after, "connection", "@files")
            self.files = True
        elif _COMPONENTS[component][1] != "transform":
            self.note(path, "the step has no connection: add it to osiris_connections.yaml, and its alias here")


@dataclass
class _Config:
    """One step's config on its way over."""

    whole: _Translation
    step_path: Path
    step: dict[str, Any]
    config: dict[str, Any]
    component: str
    mode: str

    def translate(self) -> None:
        for key, value in self.config.items():
            if key == "connection":
                continue
            if key in _NEEDLESS:
                self.drop(key, "Osiris settles it by itself")
            elif key in _CONNECTION_FIELDS or is_secret_key(key):
                secret = " as ${NAME}" if is_secret_key(key) else ""
                self.note(key, f'move "{key}" to osiris_connections.yaml{secret}')
            else:
                self.handler(key)(key, value)
        if self.mode == "write" and not {"write_mode", "mode"} & self.config.keys():
            self.insert("write_mode", "replace" if self.component.startswith("filesystem.") else "append")
        if self.component == "supabase.writer" and "create_if_missing" not in self.config:
            self.insert("create", "if_missing")

    def handler(self, key: str) -> Callable[[str, Any], None]:
        family, _, kind = self.component.partition(".")
        table = {
            "write_mode": self.write_mode, "primary_key": self.keys, "upsert_keys": self.keys,
            "create_if_missing": self.create, "create_table": self.create, "offset": self.lost, "schema": self.schema,
        }  # fmt: skip
        if self.mode == "write" and key == "mode":
            return self.write_mode
        if family == "duckdb" and key == "query" and self.mode == "transform":
            return self.sql
        if family == "filesystem":
            table |= {"path": self.path, "encoding": self.encoding} | dict.fromkeys(_CSV_LOST, self.lost)
        if family == "supabase" and kind == "extractor":
            table |= {"select": self.select, "filter": self.filter, "order": self.order}
        if key == "truncate_before":
            return self.truncate
        return table.get(key, self.keep)

    # -- edits ---------------------------------------------------------------------------------------
    def path_of(self, key: str) -> Path:
        return (*self.step_path, "config", key)

    def note(self, key: str, message: str, *, todo: bool = True) -> None:
        self.whole.note(self.path_of(key), message, todo=todo)

    def drop(self, key: str, why: str) -> None:
        self.whole.edit.remove(self.path_of(key))
        self.note(key, f'"{key}" was dropped: {why}', todo=False)

    def insert(self, key: str, value: Any) -> None:
        """Put an entry behind the last one that stays."""
        stays = [name for name in self.config if not self.whole.edit.removed(self.path_of(name))]
        if stays:
            self.whole.edit.insert_after(self.path_of(stays[-1]), key, value)
        else:
            self.note(next(iter(self.config), ""), f"add {key}: {value} to the config")

    # -- keys ----------------------------------------------------------------------------------------
    def keep(self, key: str, value: Any) -> None:
        """The key means the same in both dialects, or validation will say that it is unknown."""

    def lost(self, key: str, value: Any) -> None:
        if value in (None, 0, False):
            self.drop(key, "it changes nothing")
        else:
            self.note(key, f'"{key}" has no counterpart: use a query or a transform, and remove it')

    def schema(self, key: str, value: Any) -> None:
        if value in (None, "public"):
            self.drop(key, "it is the default")
        else:
            self.note(key, '"schema" belongs to the connection: set it in osiris_connections.yaml and remove it here')

    def write_mode(self, key: str, value: Any) -> None:
        if key != "write_mode":
            self.whole.edit.rename(self.path_of(key), "write_mode")
        ours = _WRITE_MODES.get(str(value))
        if ours is None:
            self.note(key, f'the write mode "{value}" is not translated')
        elif ours != value:
            self.whole.edit.replace(self.path_of(key), ours)

    def keys(self, key: str, value: Any) -> None:
        mode = _WRITE_MODES.get(str(self.config.get("write_mode", self.config.get("mode"))))
        if mode != "merge":
            self.drop(key, "only a merge has keys; a new table's primary key is that of the source")
            return
        self.whole.edit.rename(self.path_of(key), "merge_keys")
        if isinstance(value, str):
            self.whole.edit.replace_source(self.path_of(key), f"[{self.whole.edit.source(self.path_of(key))}]")

    def create(self, key: str, value: Any) -> None:
        self.whole.edit.rename(self.path_of(key), "create")
        self.whole.edit.replace_source(self.path_of(key), "if_missing" if value is True else "never")

    def truncate(self, key: str, value: Any) -> None:
        self.drop(key, "write_mode: replace does it")
        if value is True and self.config.get("mode", self.config.get("write_mode")) != "replace":
            self.note(key, "the table was emptied before: set write_mode: replace")

    def path(self, key: str, value: Any) -> None:
        self.whole.edit.rename(self.path_of(key), "table")
        if isinstance(value, str) and value.startswith("./"):
            self.whole.edit.replace(self.path_of(key), value[2:])
        elif isinstance(value, str) and value.startswith("/"):
            self.note(key, "the path is absolute: write it relative to the root of the connection")

    def encoding(self, key: str, value: Any) -> None:
        if self.mode == "write":
            self.drop(key, "files are written as UTF-8") if value == "utf-8" else self.lost(key, value)

    def sql(self, key: str, value: Any) -> None:
        """The rows of a step are a table named like the step, not ``input_df`` or ``df_<step>``."""
        path = self.path_of(key)
        self.whole.edit.rename(path, "sql")
        index = int(self.step_path[1])
        sources = self.whole.sources(index, self.step)
        names = {"df_" + re.sub(r"[^A-Za-z0-9_]", "_", old): self.whole.ids.get(old, old) for old in sources}
        if len(sources) == 1:
            names |= dict.fromkeys(("input_df", "df"), self.whole.ids.get(sources[0], sources[0]))
        text = self.whole.edit.source(path)
        changed = re.sub(r"(?<![\w.\"'])(input_df|df_\w+|df)(?![\w(])", lambda m: names.get(m[1], m[1]), text)
        if changed != text:
            self.whole.edit.replace_source(path, changed)
        if re.search(r"(?<![\w.])input_df(?!\w)", changed):
            self.note(key, "input_df could be any of several steps: write the id of the one that is meant")

    def select(self, key: str, value: Any) -> None:
        names = [name.strip() for name in str(value).split(",")]
        if value == "*":
            self.drop(key, "all columns are read anyway")
        elif all(re.fullmatch(r"\w+", name) for name in names):
            self.whole.edit.rename(self.path_of(key), "columns")
            self.whole.edit.replace_source(self.path_of(key), "[" + ", ".join(names) + "]")
        else:
            self.note(key, '"select" reads other tables too: read them with steps of their own and join in a transform')

    def filter(self, key: str, value: Any) -> None:
        conditions: list[dict[str, Any]] = []
        for column, test in (value if isinstance(value, dict) else {}).items():
            operator, _, operand = str(test).partition(".")
            if operator not in _FILTERS:
                self.note(key, f'the filter on "{column}" is not translated: write it as a condition of where')
                return
            conditions.append({"column": column, "op": _FILTERS[operator], "value": _plain(operand)})
        if conditions:
            self.whole.edit.rename(self.path_of(key), "where")
            self.whole.edit.replace_source(self.path_of(key), yaml_flow(conditions))

    def order(self, key: str, value: Any) -> None:
        order: list[dict[str, Any]] = []
        for part in str(value).split(","):
            column, _, direction = part.strip().partition(".")
            order.append({"column": column, "descending": True} if direction.startswith("desc") else {"column": column})
        self.whole.edit.rename(self.path_of(key), "order_by")
        self.whole.edit.replace_source(self.path_of(key), yaml_flow(order))


def _plain(text: str) -> Any:
    from osiris_core.oml.scalars import ScalarError, resolve

    try:
        return resolve(text)
    except ScalarError:
        return text


def _identifiers(ids: list[Any]) -> dict[str, str]:
    """Old ids to identifiers, no two the same."""
    new: dict[str, str] = {}
    for old in ids:
        if not isinstance(old, str) or old in new:
            continue
        name = old if _IDENTIFIER.fullmatch(old) else re.sub(r"[^A-Za-z0-9_]", "_", old)[:60] or "step"
        name = f"_{name}" if name[0].isdigit() else name
        plain, number = name, 2
        while name in new.values() or (name != old and name in ids):
            name, number = f"{plain}_{number}", number + 1
        new[old] = name
    return new


def _aliases(steps: list[dict[str, Any]]) -> dict[str, str]:
    """``@family.alias`` to ``@alias``, or to ``@family_alias`` where two families share one."""
    found: set[tuple[str, str]] = set()
    for step in steps:
        config = step.get("config")
        for holder in (step, config if isinstance(config, dict) else {}):
            match = re.fullmatch(r"@([\w-]+)\.([\w-]+)", str(holder.get("connection")))
            if match:
                found.add((match[1], match[2]))
    shared = [alias for _, alias in found]
    return {
        f"@{family}.{alias}": f"@{alias}" if shared.count(alias) == 1 else f"@{family}_{alias}"
        for family, alias in sorted(found)
    }
