"""Who needs whom: ids, dependencies, cycles, and rows that go nowhere."""

from __future__ import annotations

from collections.abc import Iterator

from osiris_core.oml.model import topological_order
from osiris_core.problems import Problem
from osiris_core.validate.draft import Draft, DraftStep


def check_graph(draft: Draft) -> None:
    """Report what is wrong with ids and ``needs``, and put the order of steps into ``draft``."""
    steps = draft.by_id()
    draft.report(_duplicate_ids(draft))
    written = {step.written_id for step in draft.steps}
    others = tuple(name for name, step in steps.items() if step.mode != "write")
    for step in draft.steps:
        draft.report_step(step, _needs_problems(step, others, written))
        draft.report_step(step, _mode_problems(step, draft))
    needs = {name: [need for need in step.needs if need != name] for name, step in steps.items()}
    draft.order, cycle = topological_order(needs)
    if cycle:
        draft.report([_cycle_problem(cycle, steps)])
        return
    draft.report(_loose_ends(draft, steps))


def _duplicate_ids(draft: Draft) -> Iterator[Problem]:
    first: dict[str, DraftStep] = {}
    for step in draft.steps:
        if step.id is None:
            continue
        other = first.setdefault(step.id, step)
        if other is not step:
            span = draft.document.span((*other.path, "id"))
            where = f" in line {span.line}" if span else ""
            message = f'the step id "{step.id}" is already used{where}'
            yield Problem("OSI-V112", message, (*step.path, "id"), hint="rename one of the two")


def _needs_problems(step: DraftStep, others: tuple[str, ...], written: set[str | None]) -> Iterator[Problem]:
    seen: set[str] = set()
    taken = {step.id, *step.needs}
    for index, need in _raw_positions(step):
        path = ("needs", index)
        if need in seen:
            yield Problem("OSI-V116", f'"{need}" is named twice in needs', path)
        elif need == step.id:
            hint = "name the step whose rows it takes"
            yield Problem("OSI-V114", f'the step "{need}" needs itself', path, hint=hint)
        elif need not in written:  # a faulty id is reported where it stands
            hint, near = step.suggest.hint(need, others), step.suggest.certain(need, others)
            hint, near = ("", None) if near in taken else (hint, near)
            message = f'there is no step "{need}"' if len(need) <= 80 else "there is no step of this name"
            yield Problem("OSI-V113", message, path, hint=hint, suggestion=near)
        seen.add(need)


def _raw_positions(step: DraftStep) -> list[tuple[int, str]]:
    return list(zip(step.need_indexes, step.needs, strict=True))


def _mode_problems(step: DraftStep, draft: Draft) -> Iterator[Problem]:
    """A reader takes no rows, a writer those of one step, a transform those of at least one."""
    if not step.sound("mode"):
        return
    distinct = list(dict.fromkeys(step.needs))
    has_needs = bool(step.needs)
    if step.mode == "read" and has_needs:
        message = f'the step "{step.name}" reads from its connection, so it cannot need another'
        yield Problem("OSI-V117", message, ("needs",), on_key=True, hint="remove needs, or use a transform")
    if step.mode == "write" and len(distinct) != 1 and step.sound("needs"):
        count = "none" if not distinct else str(len(distinct))
        message = f'the step "{step.name}" writes the rows of exactly one step, and needs names {count}'
        hint = "put a transform between" if distinct else _example(step, draft)
        yield Problem("OSI-V118", message, ("needs",), on_key=True, hint=hint)
    if step.mode == "transform" and not distinct and step.sound("needs"):
        message = f'the transform "{step.name}" needs at least one step to take rows from'
        yield Problem("OSI-V119", message, ("needs",), on_key=True, hint=_example(step, draft))


def _example(step: DraftStep, draft: Draft) -> str:
    """The one step that can be meant, or a placeholder."""
    others = (other.id for other in draft.steps if other.id and other.mode != "write" and other is not step)
    first, second = next(others, None), next(others, None)
    return f"add needs: [{first}]" if first and not second else "add needs: [STEP]"


def _cycle_problem(cycle: list[str], steps: dict[str, DraftStep]) -> Problem:
    shown = cycle if len(cycle) <= 12 else [*cycle[:6], "…", *cycle[-5:]]
    first = steps[cycle[0]]
    index = first.need_indexes[first.needs.index(cycle[1])]
    message = f"these steps need each other in a circle: {' → '.join(shown)}"
    return Problem("OSI-V115", message, (*first.path, "needs", index), hint="remove one of these dependencies")


def _loose_ends(draft: Draft, steps: dict[str, DraftStep]) -> Iterator[Problem]:
    """Writers give no rows, and rows that no writer takes are read for nothing."""
    useful: set[str] = set()
    for name in reversed(draft.order):
        step = steps[name]
        if step.mode == "write" or name in useful:
            useful.update(step.needs)
    for step in draft.steps:
        for index, need in _raw_positions(step):
            if need in steps and steps[need].mode == "write" and need != step.id:
                message = f'the step "{need}" writes, so it has no rows to give'
                yield Problem("OSI-V143", message, (*step.path, "needs", index))
        if step.id is not None and step.mode in ("read", "transform") and step.id not in useful:
            message = f'no writing step takes the rows of "{step.id}"'
            yield Problem("OSI-V141", message, (*step.path, "id"))
