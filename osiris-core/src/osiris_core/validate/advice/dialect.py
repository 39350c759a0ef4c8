"""The mend for the other dialect: what `osiris upgrade` does, and by hand which line gives way to which."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace
from difflib import SequenceMatcher

from osiris_core.oml.document import Document
from osiris_core.oml.editor import Editor
from osiris_core.oml.keboola import upgrade
from osiris_core.oml.loader import load
from osiris_core.oml.masking import may_hold_secrets
from osiris_core.problems import Problem
from osiris_core.validate.draft import Draft, DraftStep

_MOST_CHANGES = 12
#: Nobody rewrites more lines by hand, and to compare them takes time that grows with their square.
_MOST_LINES = 400


def keboola(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """The command that rewrites the file, and its changes in words, so that they can be made by hand as well."""
    old = draft.document.text
    document = load(upgrade(draft.document).text, draft.document.file)
    text, swaps = _fitting(document, draft)
    after = f" (then {'; '.join(swaps)})" if swaps else ""
    hint = f"osiris upgrade {shlex.quote(draft.document.file)} --write rewrites the whole file{after}"
    if old.count("\n") > _MOST_LINES or may_hold_secrets(old):
        return replace(problem, hint=hint)
    changes = list(_changes(old.splitlines(), text.splitlines()))
    more = f"\nand {len(changes) - _MOST_CHANGES} more" if len(changes) > _MOST_CHANGES else ""
    return replace(
        problem, hint=f"{hint}; by hand, do as the example says", example="\n".join(changes[:_MOST_CHANGES]) + more
    )


def _fitting(document: Document, draft: Draft) -> tuple[str, list[str]]:
    """The upgraded text with components of the family that each connection has, and what differs for that."""
    value = document.value
    steps = value.get("steps") if isinstance(value, dict) else None
    edit, swaps = Editor(document), []
    for index, item in enumerate(steps if isinstance(steps, list) else ()):
        fitting = _component(item, draft) if isinstance(item, dict) else ""
        if fitting:
            edit.replace(("steps", index, "component"), fitting)
            family = fitting.partition(".")[0]
            swaps.append(f"write {fitting} for {item['component']}, as {item['connection']} is of {family}")
    return edit.text(), list(dict.fromkeys(swaps))


def _component(item: dict[str, object], draft: Draft) -> str:
    """The component for the step's mode that fits its connection, when its own does not; else ``""``."""
    connections = draft.session.connections
    name, alias = str(item.get("component")), str(item.get("connection")).removeprefix("@")
    family = connections.family(alias) if alias in connections.aliases() else ""
    specs = draft.session.registry.specs()
    own = specs[name].family if name in specs else name.partition(".")[0]
    if not family or own == family:
        return ""
    able = [
        spec.name
        for spec in specs.values()
        if spec.family == family and spec.connection_schema is not None and item.get("mode") in spec.modes
    ]
    able.sort(key=lambda other: other.partition(".")[2] != name.partition(".")[2])
    return able[0] if able else ""


def _changes(before: list[str], after: list[str]) -> Iterator[str]:
    """``line N: instead of X write Y``, without the dash of a list's entry."""
    for kind, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        old, new = before[a:b], after[c:d]
        paired = min(len(old), len(new))
        split = max(paired - 1, 0) if len(old) != len(new) else paired
        for at in range(split):
            yield _instead(a + at, old[at : at + 1], new[at : at + 1])
        if split < max(len(old), len(new)):
            yield _instead(a + split, old[split:], new[split:])


def _instead(at: int, old: list[str], new: list[str]) -> str:
    said = [
        " and, on a line of its own, ".join(line.strip().removeprefix("- ") for line in lines) for lines in (old, new)
    ]
    if not old:
        return f"after line {at}: add {said[1]}"
    where = f"line {at + 1}" if len(old) == 1 else f"lines {at + 1} to {at + len(old)}"
    return f"{where}: instead of {said[0]} write {said[1]}" if new else f"{where}: remove {said[0]}"
