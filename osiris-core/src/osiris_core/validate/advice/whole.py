"""Mends for a file as a whole: not YAML, not a pipeline, another dialect; with a skeleton to start from."""

from __future__ import annotations

import re
from dataclasses import replace
from difflib import SequenceMatcher
from pathlib import PurePath

from osiris_core.oml.editor import yaml_flow
from osiris_core.oml.masking import may_hold_secrets
from osiris_core.problems import Problem
from osiris_core.validate.advice.words import catalog_of
from osiris_core.validate.draft import Draft, DraftStep

_OML = re.compile(r"^[ \t]*[\"']?(oml_version|steps|component|name)[\"']?[ \t]*:", re.MULTILINE)
_SQL = re.compile(r"\s*(--[^\n]*\s*)*(select|with|insert|update|delete|create|drop|alter)\b", re.IGNORECASE)
_MOST_CHANGES = 12
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


def skeleton(draft: Draft) -> str:
    """A whole pipeline that fits this project: a connection that can be read and written, and a table behind it."""
    alias, component, table = _place(draft)
    stem, dot, ending = table.rpartition(".") if "." in table else (table, "", "")
    names = {"name": name_of(draft), "alias": alias, "component": component}
    return SKELETON.format(
        **names, table=yaml_flow(table), copy=yaml_flow(f"{stem.replace('/', '_')}_copied{dot}{ending}")
    )


def _place(draft: Draft) -> tuple[str, str, str]:
    """Alias, component and table."""
    session = draft.session
    specs = session.registry.specs()
    for alias in session.connections.aliases():
        family = session.connections.family(alias)
        for name, spec in specs.items():
            able = spec.family == family and {"read", "write"} <= set(spec.modes)
            catalog = catalog_of(alias, name, draft) if able else None
            tables = [table.name for table in catalog.tables if table.kind != "view"] if catalog is not None else []
            if tables:
                return alias, name, tables[0]
    return "files", "file.table", "orders.csv"


def not_yaml(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """A text that has nothing of a pipeline is told so; a slip in a pipeline keeps its own mend."""
    text = draft.document.text
    if len(set(_OML.findall(text))) >= 2:
        return problem
    what = "SQL, not a pipeline" if _SQL.match(text) else "no pipeline"
    hint = "begin with the example; SQL goes into a step: config: {query: …}" if what[:3] == "SQL" else ""
    hint = hint or "begin with the example, and change its names"
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
    return replace(problem, hint="begin with the example, and change its names", example=skeleton(draft))


def empty(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """Something to start from."""
    return replace(problem, hint=f"{problem.hint}; or begin with the example", example=skeleton(draft))


def version(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """The right line; for a mapping of something else a skeleton."""
    if problem.path == ("oml_version",):
        return replace(problem, example='oml_version: "0.0.1"')
    return replace(problem, hint="begin with the example, and change its names", example=skeleton(draft))


def no_steps(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """Steps that read and write."""
    steps = skeleton(draft).split("\n", 2)[2]
    return replace(problem, hint="write at least one step, such as those of the example", example=steps)


def keboola(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """The lines that `osiris upgrade` would change, so that it can be done by hand as well."""
    from osiris_core.oml.keboola import upgrade

    old = draft.document.text
    new = upgrade(draft.document).text
    hint = f"osiris upgrade {draft.document.file} --write rewrites the whole file"
    if may_hold_secrets(old):
        return replace(problem, hint=hint)
    before, after = old.splitlines(), new.splitlines()
    changes: list[str] = []
    for kind, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind != "equal" and len(changes) < _MOST_CHANGES:
            changes += [f"- {line}" for line in before[a:b]] + [f"+ {line}" for line in after[c:d]]
    return replace(
        problem, hint=f"{hint}; by hand, change these lines", example="\n".join(changes[: 2 * _MOST_CHANGES])
    )


ADVISERS = {
    "OSI-V003": not_yaml,
    "OSI-V004": empty,
    "OSI-V005": no_mapping,
    "OSI-V020": version,
    "OSI-V021": keboola,
    "OSI-V110": no_steps,
}
