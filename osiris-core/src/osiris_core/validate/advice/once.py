"""One mistake, one problem: what only follows from another is not said; and what nobody could check is told."""

from __future__ import annotations

from dataclasses import replace

from osiris_core.oml.loader import MAX_OF_A_KIND
from osiris_core.problems import Problem
from osiris_core.validate.advice.words import listed
from osiris_core.validate.draft import Draft, DraftStep
from osiris_core.validate.severity import severity

#: More places with an anchor or alias than this are counted only.
_MOST_ALIASES = 3


def each_once(draft: Draft) -> None:
    """Drop the problems of ``draft`` that follow from another of them, or say the same."""
    if any(problem.hint.startswith("begin with the example") for problem in draft.problems):
        _only_the_example(draft)
        return
    places = {(problem.code, problem.path) for problem in draft.problems}
    draft.problems = [problem for problem in draft.problems if not _follows(problem, places)]
    _count_aliases(draft)


def _follows(problem: Problem, places: set[tuple[str, tuple[str | int, ...]]]) -> bool:
    if problem.code == "OSI-V205":  # no unique key either: one mend for both
        return ("OSI-V204", problem.path[:-1]) in places
    if problem.code == "OSI-V113" and problem.hint.startswith("the step in line") and "has no id" in problem.hint:
        return any(code == "OSI-V101" and path[:1] == ("steps",) and path[2:] == ("id",) for code, path in places)
    return False


def _only_the_example(draft: Draft) -> None:
    """Where the whole file gives way to an example, its other problems go with it."""
    first = next(problem for problem in draft.problems if problem.hint.startswith("begin with the example"))
    others = [problem for problem in draft.problems if problem is not first]
    kept = [problem for problem in others if problem.code == "OSI-V301"]
    gone = len(others) - len(kept)
    draft.problems = [first, *kept]
    if gone:
        few = f"{gone} other problems are" if gone > 1 else "1 other problem is"
        draft.notes.append(f"{few} not shown: the example takes the place of the whole file")


def _count_aliases(draft: Draft) -> None:
    alike = [problem for problem in draft.problems if problem.code == "OSI-V007"]
    if len(alike) <= _MOST_ALIASES:
        return
    most = "at least " if len(alike) >= MAX_OF_A_KIND else ""
    message = f"{alike[0].message}, here and in {most}{len(alike) - 1} more places"
    first = replace(alike[0], message=message)
    draft.problems = [first if problem is alike[0] else problem for problem in draft.problems]
    draft.problems = [problem for problem in draft.problems if problem is first or problem.code != "OSI-V007"]


# -- what was not checked ----------------------------------------------------------------------------------
def tell_unchecked(draft: Draft) -> None:
    """Add a note that names the steps whose tables, columns or SQL could not be checked for a fault elsewhere."""
    refusing = [p for p in draft.problems if severity(p.code, draft.mode, p.severity) == "error"]
    if not refusing or not draft.steps:
        return
    unclear = {step.id for step in draft.steps if _unclear(step, draft)}
    while True:  # what takes rows from such a step gets rows that nobody knows
        users = {step.id for step in draft.steps if step.id not in unclear and unclear & set(step.needs)}
        if not users:
            break
        unclear |= users
    names = [step.name for step in draft.steps if step.id in unclear]
    if names:
        what = "tables, columns and SQL" if draft.asks else "SQL"
        steps = f"step{'s' if len(names) > 1 else ''} {listed(names)}"
        draft.notes.append(f"{what} of the {steps} could not all be checked; they will be when this is mended")


def _unclear(step: DraftStep, draft: Draft) -> bool:
    """Whether something of the step was not looked at."""
    if step.spec is None or step.mode is None or step.id is None:
        return True
    unread = any(role == "sql" and path not in step.selects for path, role, _ in step.roles)
    sources = step.mode in ("write", "transform") and (not step.needs or not step.sound("needs"))
    needs_catalog = draft.asks and step.mode != "transform" and step.spec.support("discover") == "full"
    return unread or sources or (needs_catalog and step.catalog is None)
