"""What a manifest asks for, in the order it can be done: sinks, what each reads, what several read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from osiris_core.errors import CompileError


@dataclass(frozen=True, slots=True)
class RunStep:
    """One step of a manifest with its compiled config. ``connection`` is an alias without the ``@``, or None."""

    id: str
    component: str
    mode: str
    connection: str | None
    needs: tuple[str, ...]
    config: Mapping[str, Any]

    @property
    def is_incremental(self) -> bool:
        """Whether it is a read that goes on where the last committed run ended."""
        return self.mode == "read" and "incremental" in self.config


@dataclass(frozen=True, slots=True)
class Sink:
    """A write step: ``source`` is the step whose rows it writes, ``after`` the sinks that must have ended well.

    ``chain`` are all steps that feed it, itself included, in dependency order.
    """

    step: RunStep
    source: str
    after: frozenset[str]
    chain: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole manifest.

    Attributes:
        name: the pipeline's name.
        steps: by id, in dependency order whatever order they were written in.
        sinks: in dependency order.
        shared: steps whose rows are spooled because several steps read them.
    """

    name: str
    steps: Mapping[str, RunStep]
    sinks: tuple[Sink, ...]
    shared: frozenset[str]

    def inputs(self, step_id: str) -> tuple[str, ...]:
        """The steps whose rows ``step_id`` reads; a needed write step only comes before."""
        if self.steps[step_id].mode == "read":
            return ()
        return tuple(need for need in self.steps[step_id].needs if self.steps[need].mode != "write")

    def wants_checksum(self, step_id: str) -> bool:
        """Whether a write that the step feeds compares contents, not only counts."""
        return any(sink.step.config.get("verify") == "checksum" for sink in self.sinks if step_id in sink.chain)


def make_plan(manifest: Mapping[str, Any], configs: Mapping[str, Mapping[str, Any]]) -> Plan:
    """The plan of a loaded manifest. Raises CompileError for what no compile of ours writes."""
    written = {item["id"]: _step(item, configs) for item in manifest["steps"]}
    steps = {step_id: written[step_id] for step_id in _in_order(written)}
    plan = Plan(manifest["name"], steps, (), frozenset())
    sinks = tuple(_sink(plan, step) for step in steps.values() if step.mode == "write")
    return Plan(plan.name, steps, sinks, _shared(plan, sinks))


def _step(item: Mapping[str, Any], configs: Mapping[str, Mapping[str, Any]]) -> RunStep:
    alias = item.get("connection")
    return RunStep(
        id=item["id"],
        component=item["component"],
        mode=item["mode"],
        connection=alias.removeprefix("@") if alias else None,
        needs=tuple(item.get("needs") or ()),
        config=configs[item["id"]],
    )


def _in_order(steps: Mapping[str, RunStep]) -> list[str]:
    """Ids so that each comes after all it needs; otherwise as written."""
    order: list[str] = []
    placed: set[str] = set()
    waiting = list(steps)
    while waiting:
        ready = [step_id for step_id in waiting if placed.issuperset(steps[step_id].needs)]
        if not ready:
            raise CompileError(f"the steps {', '.join(waiting)} need each other or steps that do not exist")
        order += ready
        placed.update(ready)
        waiting = [step_id for step_id in waiting if step_id not in placed]
    return order


def _sink(plan: Plan, step: RunStep) -> Sink:
    sources = plan.inputs(step.id)
    if len(sources) != 1:
        raise CompileError(f'the write step "{step.id}" must need exactly one step that gives rows')
    before = _ancestors(plan, step.id)
    chain = _feeding(plan, step.id)
    after = frozenset(step_id for step_id in before if plan.steps[step_id].mode == "write")
    return Sink(step, sources[0], after, tuple(step_id for step_id in plan.steps if step_id in chain))


def _ancestors(plan: Plan, step_id: str) -> set[str]:
    found: set[str] = set()
    for need in plan.steps[step_id].needs:
        found |= {need} | _ancestors(plan, need)
    return found


def _feeding(plan: Plan, step_id: str) -> set[str]:
    return {step_id}.union(*(_feeding(plan, source) for source in plan.inputs(step_id)))


def _shared(plan: Plan, sinks: tuple[Sink, ...]) -> frozenset[str]:
    """Steps with several readers among what is really run.

    What follows an incremental read is read anew for each sink, because each target remembers its own state.
    """
    running = {step_id for sink in sinks for step_id in sink.chain}
    readers = Counter(source for step_id in running for source in plan.inputs(step_id))
    return frozenset(
        step_id
        for step_id, count in readers.items()
        if count > 1 and not any(plan.steps[fed].is_incremental for fed in _feeding(plan, step_id))
    )
