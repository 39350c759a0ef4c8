"""What to type instead: after all checks, each problem gets the mend that this very file needs.

The checks say what is wrong; here, where everything is known (steps, specs, catalogues), the message is completed so
that somebody who sees nothing but the file and the message can mend it: names that exist, values that are allowed, a
line that is right. Nothing of this is imported for a file without problems.
"""

from __future__ import annotations

from collections.abc import Callable

from osiris_core.problems import Problem
from osiris_core.validate.draft import Draft, DraftStep
from osiris_core.validate.guard import Guard

Adviser = Callable[[Problem, DraftStep | None, Draft], Problem]

#: More mends than this are not worked out; so many faults have one cause.
MAX_ADVISED = 100
#: An adviser may look through the whole file: of a file larger than most, fewer problems are advised on.
MAX_LOOKED_THROUGH = 1_000_000
#: A longer mend helps nobody; the check's own is kept then.
MAX_HINT, MAX_EXAMPLE = 800, 4000
#: A system that did not answer a moment ago is not asked again.
_SILENT = frozenset({"OSI-V290", "OSI-V291"})


def advise(draft: Draft) -> None:
    """Complete the mends of ``draft.problems``."""
    if not draft.problems:
        return
    from osiris_core.validate.advice.once import each_once, tell_unchecked

    if not any(problem.code in _SILENT for problem in draft.problems):
        tell_unchecked(draft)
    else:
        draft.asks = False
    advisers = _advisers()
    steps = {step.index: step for step in draft.steps}
    most = min(MAX_ADVISED, 1 + MAX_LOOKED_THROUGH // (1 + len(draft.document.text)))
    guard = Guard(draft.document)
    advised = [_advised(problem, steps, advisers, draft, guard) for problem in draft.problems[:most]]
    draft.problems = [*advised, *draft.problems[most:]]
    each_once(draft)


def _advised(
    problem: Problem, steps: dict[int, DraftStep], advisers: dict[str, Adviser], draft: Draft, guard: Guard
) -> Problem:
    adviser = advisers.get(problem.code)
    if adviser is None or problem.file not in (None, draft.document.file):
        return problem
    path = problem.path
    step = steps.get(int(path[1])) if path[:1] == ("steps",) and len(path) > 1 else None
    try:
        found = adviser(problem, step, draft)
    except Exception:  # a broken spec or connection has a problem of its own; a mend must not cost the message
        return problem
    short = len(found.hint) <= MAX_HINT and len(found.example) <= MAX_EXAMPLE
    return found if short and not (guard.repeats(found.hint) or guard.repeats(found.example)) else problem


def _advisers() -> dict[str, Adviser]:
    from osiris_core.validate.advice import graph, keys, links, parameters, rows, sql, whole

    tables = (whole.ADVISERS, keys.ADVISERS, parameters.ADVISERS, graph.ADVISERS, links.ADVISERS, rows.ADVISERS)
    return {code: adviser for table in (*tables, sql.ADVISERS) for code, adviser in table.items()}
