"""A pipeline as the rest of Osiris sees it: named, ordered steps with bound parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from osiris_core.drivers import StepView
from osiris_core.errors import InvalidInputError
from osiris_core.oml.params import Param, ParamError, bind, convert
from osiris_core.problems import Path, Problem, did_you_mean

OML_VERSION = "0.0.1"


@dataclass(frozen=True)
class Pipeline:
    """One pipeline.

    Attributes:
        params: declared parameters by name.
        steps: in the order of the file; ``config`` holds references until ``bind``.
        order: step ids, each after all it needs; equal pipelines give equal orders.
        values: value of every parameter; empty until ``bind``.
        given: values from outside that ``bind`` starts from.
        sql_paths: per step id, the paths in its config that hold SQL.
    """

    name: str
    oml_version: str
    params: Mapping[str, Param]
    steps: tuple[StepView, ...]
    order: tuple[str, ...]
    values: Mapping[str, Any] = field(default_factory=dict)
    given: Mapping[str, Any] = field(default_factory=dict)
    sql_paths: Mapping[str, frozenset[Path]] = field(default_factory=dict)

    def step(self, step_id: str) -> StepView:
        """The step called ``step_id``. Raises KeyError."""
        for step in self.steps:
            if step.id == step_id:
                return step
        raise KeyError(step_id)

    def bind(self, params: Mapping[str, Any] | None = None) -> Pipeline:
        """The same pipeline with every reference replaced, by ``params`` over ``given`` over defaults.

        SQL keeps its references; their values are in the config's ``sql_params``. Raises InvalidInputError with
        all problems when a value is missing, unknown or of the wrong type.
        """
        given = {**self.given, **(params or {})}
        values, problems = parameter_values(self.params, given)
        if problems:
            raise InvalidInputError(problems[0].message, code=problems[0].code, problems=problems)
        steps = tuple(
            replace(
                step, config=bind(step.config, self.params, values, self.sql_paths.get(step.id, frozenset())).config
            )
            for step in self.steps
        )
        return replace(self, steps=steps, values=values, given=given)


def parameter_values(declared: Mapping[str, Param], given: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """Value of every parameter that has one, and what is wrong with the rest."""
    values: dict[str, Any] = {}
    problems = [
        Problem("OSI-V135", f'the parameter "{name}" is not declared', ("params",), hint=did_you_mean(name, declared))
        for name in given
        if name not in declared
    ]
    for name, param in declared.items():
        if name not in given and not param.has_default:
            hint = f"give it: --param {name}=VALUE"
            problems.append(Problem("OSI-V131", f'the parameter "{name}" has no value', ("params", name), hint=hint))
            continue
        path: Path = ("params", name) if name in given else ("params", name, "default")
        try:
            values[name] = convert(param, given.get(name, param.default))
        except ParamError as error:
            problems.append(Problem("OSI-V132", str(error), path))
    return values, problems


def topological_order(needs: Mapping[str, Sequence[str]]) -> tuple[list[str], list[str]]:
    """``(order, cycle)``: ids after all they need, and one cycle (first id repeated at the end) if there is any.

    Among steps that are ready, the one that stands first in ``needs`` comes first. Ids that are not keys of
    ``needs`` are ignored.
    """
    waiting = {step: {need for need in needed if need in needs} for step, needed in needs.items()}
    users: dict[str, list[str]] = {step: [] for step in needs}
    for step, needed in waiting.items():
        for need in needed:
            users[need].append(step)
    return _order(list(needs), waiting, users)


def _order(
    steps: list[str], waiting: dict[str, set[str]], users: Mapping[str, list[str]]
) -> tuple[list[str], list[str]]:
    from heapq import heapify, heappop, heappush

    position = {step: index for index, step in enumerate(steps)}
    ready = [position[step] for step in steps if not waiting[step]]
    heapify(ready)
    order: list[str] = []
    while ready:
        step = steps[heappop(ready)]
        order.append(step)
        for user in users[step]:
            waiting[user].discard(step)
            if not waiting[user]:
                heappush(ready, position[user])
    left = [step for step in steps if waiting[step]]
    return order, _cycle(left[0], waiting) if left else []


def _cycle(start: str, waiting: Mapping[str, set[str]]) -> list[str]:
    """Follow unmet needs until a step comes twice; every step left waits for another that is left."""
    seen: dict[str, int] = {}
    step = start
    while step not in seen:
        seen[step] = len(seen)
        step = min(waiting[step])
    return [*list(seen)[seen[step] :], step]
