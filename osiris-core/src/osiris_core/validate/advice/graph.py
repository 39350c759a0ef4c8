"""Mends for who needs whom: the ids that may be named, and the list as it should be."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

from osiris_core.problems import Problem
from osiris_core.validate.advice.combining import feeds, join, union
from osiris_core.validate.advice.words import choose, entry, listed
from osiris_core.validate.draft import Draft, DraftStep

_TRANSFORM = """\
- id: {name}
  component: duckdb.sql
  mode: transform
  needs: [{needs}]
  config: {{sql: "{sql}"}}"""


def sources_for(step: DraftStep, draft: Draft) -> list[str]:
    """Ids of steps that have rows to give to ``step`` and do not wait for it."""
    users_of: dict[str, list[str | None]] = {}
    for other in draft.steps:
        for need in other.needs:
            users_of.setdefault(need, []).append(other.id)
    users, waiting = {step.id}, [step.id]
    while waiting:
        fresh = set(users_of.get(waiting.pop() or "", ())) - users
        users |= fresh
        waiting += fresh
    steps = (other for other in draft.steps if other.id is not None and other is not step)
    return [str(other.id) for other in steps if other.mode != "write" and other.id not in users]


def likely_sources(step: DraftStep, draft: Draft) -> list[str]:
    """What a transform's SQL reads, or a writer's likeliest source: one that no other step needs."""
    names = sources_for(step, draft)
    if step.mode == "transform":
        return [name for name in names if _reads(step, name)] or names
    unused = [name for name in names if not any(name in other.needs for other in draft.steps)]
    return (unused or names)[:1] if step.mode == "write" else []


def _with_needs(problem: Problem, step: DraftStep, needs: list[str], hint: str) -> Problem:
    return replace(problem, hint=hint, example=entry("needs", list(dict.fromkeys(needs))))


def _others(step: DraftStep, faulty: str) -> list[str]:
    return [need for need in step.needs if need not in (faulty, step.id)]


def same_id(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """An id that is free."""
    if step is None or step.id is None:
        return problem
    taken = {other.id for other in draft.steps}
    free = next(
        f"{step.id[:59]}_{number}" for number in range(2, len(taken) + 3) if f"{step.id[:59]}_{number}" not in taken
    )
    return replace(problem, hint=f"rename one of the two: write {free} here", example=entry("id", free))


def _reads(step: DraftStep, name: str) -> bool:
    """Whether the step's SQL names the table ``name``."""
    return re.search(rf"\b{re.escape(name)}\b", str(step.config.get("sql", ""))) is not None


def _unneeded(step: DraftStep, draft: Draft) -> DraftStep | None:
    """The one step that has rows to give and that no step needs."""
    needed = {need for other in draft.steps for need in other.needs}
    names = [name for name in sources_for(step, draft) if name not in needed]
    return draft.by_id()[names[0]] if len(names) == 1 else None


def unknown(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """The ids that may be named; or the step that must be meant, and is called otherwise."""
    if step is None:
        return problem
    need = str(draft.document.at(problem.path))[:63]
    orphan = _unneeded(step, draft)
    if orphan is not None and _reads(step, need):
        hint = f'no step needs "{orphan.id}": in the step "{orphan.id}", write {entry("id", need)}'
        return replace(problem, hint=hint, example=entry("id", need))
    if problem.hint.startswith("did you mean"):
        return problem
    nameless = [other for other in draft.steps if other.id is None and other is not step]
    if len(nameless) == 1 and nameless[0].mode != "write":
        place = draft.document.span(nameless[0].path)
        where = f" in line {place.line}" if place else ""
        return replace(problem, hint=f"the step{where} has no id: give it this one, {entry('id', need)}")
    return _other_need(problem, need, step, draft)


def _other_need(problem: Problem, need: str, step: DraftStep, draft: Draft) -> Problem:
    names = sources_for(step, draft)
    left = [name for name in names if name not in step.needs]
    if not names:
        return replace(problem, hint="remove it, and add a step that reads: no other step has rows to give")
    if _reads(step, need):
        hint = f'add a step with {entry("id", need)}; or remove "{need}" here and from the SQL'
        return replace(problem, hint=hint)
    if _others(step, need) and not left:
        return _with_needs(problem, step, _others(step, need), "remove it")
    needs = [*_others(step, need), (left or names)[0]]
    return _with_needs(problem, step, needs, choose(left or names))


def itself(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """The other steps it could mean, or what is left without itself."""
    if step is None or step.id is None:
        return problem
    others = _others(step, step.id)
    if others:
        return _with_needs(problem, step, others, f'remove "{step.id}" here')
    names = sources_for(step, draft)
    return _with_needs(problem, step, names[:1], choose(names)) if names else problem


def circle(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """One edge that can go: of a step that keeps another input, best one that its SQL does not read."""
    names = problem.message.rpartition(": ")[2].split(" → ")
    steps = draft.by_id()
    edges = [(steps[user], need) for user, need in pairwise(names) if {user, need} <= steps.keys()]
    spare = [(user, need) for user, need in edges if _others(user, need)]
    unread = [
        (user, need) for user, need in spare if not re.search(rf"\b{re.escape(need)}\b", str(user.config.get("sql")))
    ]
    if not spare:
        return replace(problem, hint="remove one of these dependencies: one of the steps must take its rows elsewhere")
    user, need = (unread or spare)[0]
    also = "" if unread or user.mode != "transform" else f', and take "{need}" out of its SQL'
    hint = f'in the step "{user.id}", remove "{need}" from needs{also}'
    return _with_needs(problem, user, _others(user, need), hint + left_over([need], user, draft))


def left_over(names: list[str], user: DraftStep, draft: Draft) -> str:
    """What else to remove once ``user`` no longer needs ``names``: those of them that give rows to nobody then."""
    needed = {need for other in draft.steps if other is not user for need in other.needs}
    steps = draft.by_id()
    unused = [name for name in names if name in steps and name not in needed and steps[name].mode != "write"]
    if not unused:
        return ""
    shown = listed(f'"{name}"' for name in unused)
    return f", and remove the step{'s' if len(unused) > 1 else ''} {shown}, which nothing else uses"


def named_twice(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """Each once."""
    return _with_needs(problem, step, step.needs, "remove this one") if step is not None else problem


def reader(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """A reader has none."""
    used = step is None or step.id is None or any(step.id in other.needs for other in draft.steps)
    also = "" if used or step is None else f', and remove the step "{step.name}", which nothing else uses'
    also += left_over(step.needs, step, draft) if step is not None else ""
    how = "to combine rows of several steps, write a transform that needs them"
    return replace(problem, hint=f'remove "needs"{also}; {how}')


def writer(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """One of the steps, or a transform between."""
    if step is None:
        return problem
    distinct = list(dict.fromkeys(step.needs))
    if not distinct:
        names = sources_for(step, draft)
        unused = likely_sources(step, draft)
        if not unused:
            return replace(problem, hint="add a step that reads, and name it in needs")
        how = f", or another of: {listed(name for name in names if name != unused[0])}" if len(names) > 1 else ""
        return _with_needs(problem, step, unused[:1], f"add {entry('needs', unused[:1])}{how}")
    fitting = [need for need in distinct if feeds(need, step)]
    if len(fitting) == 1:
        rest = left_over([need for need in distinct if need != fitting[0]], step, draft)
        hint = f"write {entry('needs', fitting)}, whose columns fit {str(step.config.get('table'))[:60]}{rest}"
        return _with_needs(problem, step, fitting, hint)
    sql = union(fitting) if fitting == distinct else join(distinct, step)
    if not sql:
        hint = f"name one of {listed(distinct)} only; or write a transform that joins them, and name that here"
        return replace(problem, hint=hint)
    taken = {other.id for other in draft.steps}
    name = next(name for name in ("joined", "combined", f"for_{step.index}") if name not in taken)
    hint = f"name one step only; or add a transform such as the example to steps, and write needs: [{name}] here"
    example = _TRANSFORM.format(name=name, needs=", ".join(distinct), sql=sql)
    return replace(problem, hint=hint, example=example)


def transform(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """The steps that its SQL reads, or those there are."""
    if step is None:
        return problem
    read = likely_sources(step, draft)
    return _with_needs(problem, step, read, f"add {entry('needs', read)}") if read else problem


def no_rows(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """What the writer itself takes its rows from."""
    if step is None:
        return problem
    need = str(draft.document.at(problem.path))
    writing = draft.by_id().get(need)
    names = [name for name in (writing.needs if writing is not None else ()) if name in sources_for(step, draft)]
    names = names or sources_for(step, draft)
    if not names:
        return problem
    needs = [names[0] if name == need else name for name in step.needs]
    return _with_needs(problem, step, needs, f'{choose(names)}: the rows that "{need}" writes come from there')


def nobody(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """Both ways out."""
    name = step.name if step is not None else ""
    writers = [other.name for other in draft.steps if other.mode == "write" and not other.needs]
    where = f' of "{writers[0]}"' if len(writers) == 1 else " of a step that writes, or of a transform"
    return replace(problem, hint=f'remove the step "{name}", or name it in needs{where}: needs: [{name}]')


def unread(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """What is left without it."""
    if step is None:
        return problem
    need = str(draft.document.at(problem.path))
    others = _others(step, need)
    rest = left_over([need], step, draft)
    hint = f'remove "{need}" from needs{rest}; or read it in the SQL as a table: FROM {need}'
    return _with_needs(problem, step, others, hint) if others else replace(problem, hint=hint)


def both_write(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """Another table, or one writer."""
    return replace(problem, hint="write another table here, or remove one of the two steps, and what only it uses")


ADVISERS = {
    "OSI-V112": same_id,
    "OSI-V113": unknown,
    "OSI-V114": itself,
    "OSI-V115": circle,
    "OSI-V116": named_twice,
    "OSI-V117": reader,
    "OSI-V118": writer,
    "OSI-V119": transform,
    "OSI-V141": nobody,
    "OSI-V142": both_write,
    "OSI-V143": no_rows,
    "OSI-V151": unread,
}
