"""Mends for a file as a whole: not YAML, not a pipeline, another dialect; with a skeleton to start from."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import PurePath

from osiris_core.oml.editor import yaml_flow
from osiris_core.oml.masking import may_hold_secrets
from osiris_core.problems import Problem
from osiris_core.validate.advice import dialect
from osiris_core.validate.advice.words import catalog_of
from osiris_core.validate.draft import Draft, DraftStep

_OML = re.compile(r"^[ \t]*[\"']?(oml_version|steps|component|name)[\"']?[ \t]*:", re.MULTILINE)
#: A comment ends with its line, so that there is one way only to match it.
_SQL = re.compile(
    r"\s*(?:--[^\n]*(?:\n\s*|\Z))*(?:select|with|insert|update|delete|create|drop|alter)\b", re.IGNORECASE
)
#: So many connections are looked into, and so much of a text, for a table that it mentions.
_MOST_ASKED, _MOST_TEXT = 4, 20_000
#: Names of files that say nothing about what is in them.
_SAYS_NOTHING = re.compile(
    r"pipeline|yaml|yml|untitled|unnamed|document|example|te?mp|test|draft|new|copy|^[^A-Za-z]*$", re.I
)
SKELETON = """\
oml_version: "0.0.1"
name: {name}
steps:
  - {{id: source, component: {component}, mode: read, connection: "@{alias}", config: {{table: {table}}}}}
  - {{id: target, component: {component}, mode: write, connection: "@{alias}", needs: [source], \
config: {{table: {copy}, write_mode: replace, create: if_missing}}}}"""


def name_of(draft: Draft) -> str:
    """A name for the pipeline, from its file's."""
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", PurePath(draft.document.file).stem).strip("-_.")[:63]
    return plain or "pipeline"


@dataclass(frozen=True)
class _Place:
    """A table to copy; ``known``: the catalogue says that it exists."""

    alias: str
    component: str
    table: str
    copy: str
    known: bool = True
    mentioned: bool = False


def skeleton(draft: Draft) -> str:
    """A whole pipeline that fits this project: a connection that can be read and written, and a table behind it."""
    place = _place(draft)
    file = name_of(draft)
    named = re.sub(r"[^A-Za-z0-9_.-]+", "-", place.table).strip("-_.")[:63] or "pipeline"
    name = named if place.mentioned or _SAYS_NOTHING.search(file) else file
    return SKELETON.format(
        name=name,
        alias=place.alias,
        component=place.component,
        table=yaml_flow(place.table),
        copy=yaml_flow(place.copy),
    )


def begin(draft: Draft) -> str:
    """What to do with the skeleton: which of its names exist, and which are free."""
    place = _place(draft)
    exist = f": @{place.alias} and its table {place.table} exist, other names are free" if place.known else ""
    return f"begin with the example, and change its names{exist}"


def free_name(table: str, taken: Collection[str]) -> str:
    """A name like ``table`` that no table has."""
    stem, dot, ending = table.rpartition(".") if "." in table else (table, "", "")
    stem = f"{stem.replace('/', '_')}_copied"
    names = [stem, *(f"{stem}_{number}" for number in range(2, len(taken) + 3))]
    return next(f"{name}{dot}{ending}" for name in names if f"{name}{dot}{ending}" not in taken)


def _place(draft: Draft) -> _Place:
    """A table that the text mentions, else the first there is."""
    words = set(re.findall(r"\w+", draft.document.text[:_MOST_TEXT]))
    first: _Place | None = None
    for alias, component, names in _tables(draft):
        mentioned = [name for name in names if name in words]
        table = (mentioned or names)[0]
        place = _Place(alias, component, table, free_name(table, names), mentioned=bool(mentioned))
        if mentioned:
            return place
        first = first or place
    return first or _Place("files", "file.table", "orders.csv", "orders_copied.csv", known=False)


def _tables(draft: Draft) -> Iterator[tuple[str, str, list[str]]]:
    """Alias, component and tables of connections that can be read and written."""
    session = draft.session
    specs = session.registry.specs()
    for alias in session.connections.aliases()[:_MOST_ASKED]:
        family = session.connections.family(alias)
        for name, spec in specs.items():
            able = spec.family == family and {"read", "write"} <= set(spec.modes)
            catalog = catalog_of(alias, name, draft) if able else None
            tables = [table.name for table in catalog.tables if table.kind != "view"] if catalog is not None else []
            if tables:
                yield alias, name, tables


def not_yaml(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """A text that has nothing of a pipeline is told so; a slip in a pipeline keeps its own mend."""
    text = draft.document.text
    if len(set(_OML.findall(text))) >= 2:
        return problem
    what = "SQL, not a pipeline" if _SQL.match(text) else "no pipeline"
    hint = "begin with the example; SQL goes into a step: config: {query: …}" if what[:3] == "SQL" else ""
    hint = hint or begin(draft)
    return replace(problem, message=f"this is {what}: {problem.message}", hint=hint, fix=None, example=skeleton(draft))


def no_mapping(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """A list is the list of steps; anything else gives way to a skeleton."""
    value = draft.document.value
    whole = isinstance(value, list) and bool(value)
    whole = whole and all(isinstance(item, dict) and {"id", "component", "mode"} <= item.keys() for item in value)
    if whole and not may_hold_secrets(draft.document.text):
        lines = draft.document.text.rstrip().splitlines()
        body = "\n".join(f"  {line}".rstrip() for line in lines)
        head = f'oml_version: "0.0.1"\nname: {name_of(draft)}\nsteps:\n'
        hint = "put oml_version, name and steps above the list, and indent the list below steps"
        return replace(problem, hint=hint, example=head + body if len(lines) <= 40 else head + body[:200] + "\n  …")
    return replace(problem, hint=begin(draft), example=skeleton(draft))


def empty(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """Something to start from."""
    return replace(problem, hint=f"{problem.hint}; or begin with the example", example=skeleton(draft))


def version(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """The right line; for a mapping of something else a skeleton."""
    if problem.path == ("oml_version",):
        return replace(problem, example='oml_version: "0.0.1"')
    return replace(problem, hint=begin(draft), example=skeleton(draft))


def no_steps(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """Steps that read and write."""
    steps = skeleton(draft).split("\n", 2)[2]
    return replace(problem, hint="write at least one step, such as those of the example", example=steps)


ADVISERS = {
    "OSI-V003": not_yaml,
    "OSI-V004": empty,
    "OSI-V005": no_mapping,
    "OSI-V020": version,
    "OSI-V021": dialect.keboola,
    "OSI-V110": no_steps,
}
