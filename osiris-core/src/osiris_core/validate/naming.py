"""``naming: snake``: the names under which rows come to a writer; checks of a write step see no others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from osiris_core.naming import snake_case, snake_names, source_spellings
from osiris_core.problems import Problem
from osiris_core.validate.draft import Draft, DraftStep
from osiris_core.validate.relations import UNKNOWN, Relation
from osiris_core.validate.settings import setting


def rename_inputs(step: DraftStep, draft: Draft) -> None:
    """Give the rows of a write step the names that its target will see; report those that cannot be given."""
    if step.mode != "write" or not _is_snake(step) or len(step.needs) != 1:
        return
    [need] = step.needs
    rows = step.inputs.get(need, UNKNOWN)
    names, wrong = snake_names(rows.names())
    if wrong:
        draft.report_step(step, (_unnamed(clause) for clause in wrong))
        step.inputs[need] = UNKNOWN  # what they are called is to be decided first
        return
    step.inputs[need] = rows.renamed(names)
    draft.report_step(step, _misspelt(step, rows, dict(zip(rows.names(), names, strict=True))))


def target_name(step: DraftStep, name: str) -> str:
    """What the writer ``step`` calls the source's column ``name``; itself where it cannot be renamed."""
    if not _is_snake(step):
        return name
    try:
        return snake_case(name)
    except ValueError:
        return name


def _is_snake(step: DraftStep) -> bool:
    return setting(step, "naming") == "snake" and step.sound("config", "naming")


def _unnamed(clause: str) -> Problem:
    hint = "select the column under another name in a query or a transform, or write naming: preserve"
    return Problem("OSI-V144", f"naming: snake: {clause}", ("config", "naming"), hint=hint, example="naming: preserve")


def _misspelt(step: DraftStep, rows: Relation, renamed: Mapping[str, str]) -> Iterator[Problem]:
    for path, name in source_spellings(step.config, renamed):
        near = renamed[name]
        message = f'the rows of "{step.needs[0]}" come without a column "{name}": naming: snake calls it "{near}"'
        hint = f'did you mean "{near}"? A write step names columns as its target does'
        if step.sound("config", *path):
            yield Problem("OSI-V202", message, ("config", *path), hint=hint, suggestion=near)
