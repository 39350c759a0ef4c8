"""What all parts of one local run share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from osiris_core.drivers import StepContext
from osiris_core.run.reports import StepReport
from osiris_core.secrets import Redactor

if TYPE_CHECKING:
    from osiris_core.connections import Connection
    from osiris_core.drivers import Driver
    from osiris_core.engine import RunRequest
    from osiris_core.registry import Registry
    from osiris_core.run.plan import Plan, RunStep
    from osiris_core.run.reports import Emit
    from osiris_core.spec import Spec


class Interrupts:
    """Functions that interrupt what drivers are blocked in, called when the run is cancelled."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._functions: dict[str, list[Callable[[], None]]] = {}

    def add(self, owner: str, function: Callable[[], None]) -> None:
        """Call ``function`` on cancellation, until ``owner`` is forgotten."""
        with self._lock:
            self._functions.setdefault(owner, []).append(function)

    def forget(self, owner: str) -> None:
        """The owner's connections are closed."""
        with self._lock:
            self._functions.pop(owner, None)

    def fire(self) -> None:
        """Interrupt everybody, once, side by side: one server that does not answer must not keep the others waiting."""
        with self._lock:
            functions = [function for group in self._functions.values() for function in group]
            self._functions.clear()
        for function in functions:
            threading.Thread(target=_call, args=(function,), daemon=True).start()


def _call(function: Callable[[], None]) -> None:
    with suppress(Exception):  # the connection may be closed already
        function()


class RunState:
    """The request, the plan, and what was loaded for them. Read by several threads."""

    def __init__(
        self, request: RunRequest, plan: Plan, registry: Registry, emit: Emit, cancelled: Callable[[], bool]
    ) -> None:
        self.request = request
        self.plan = plan
        self.registry = registry
        self.cancelled = cancelled
        self.interrupts = Interrupts()
        #: Rows that a plain read of one table may have, by step, as the system estimates them.
        self.expected_rows: dict[str, int] = {}
        self.reports: Mapping[str, StepReport] = {step: StepReport(step, emit) for step in plan.steps}
        self.redactor = Redactor.of_process()

    def driver(self, step: RunStep) -> Driver:
        """The step's driver."""
        return self.registry.driver(step.component)

    def spec(self, step: RunStep) -> Spec:
        """The step's spec."""
        return self.registry.spec(step.component)

    def connection(self, step: RunStep) -> Connection:
        """The step's connection with what the step may override; an empty one for components without."""
        from osiris_core.connections import Connection

        if step.connection is None:
            return Connection("", self.spec(step).family)
        connection: Connection = self.request.connections[step.connection]
        overrides = self._overrides(step)
        return replace(connection, fields={**connection.fields, **overrides}) if overrides else connection

    def _overrides(self, step: RunStep) -> dict[str, Any]:
        properties = (self.spec(step).connection_schema or {}).get("properties", {})
        return {
            name: self._path(step.config[name]) if schema.get("x-role") == "path" else step.config[name]
            for name, schema in properties.items()
            if schema.get("x-override") == "allowed" and name in step.config
        }

    def _path(self, value: Any) -> Any:
        return str(self.request.project_dir / value) if isinstance(value, str) else value

    def is_committed_before(self, step: str) -> bool:
        """Whether a sink that the step feeds turned out to be committed by an earlier run under the same key."""
        fed = (self.reports[sink.step.id].result for sink in self.plan.sinks if step in sink.chain)
        return any(result is not None and result.get("already_committed") for result in fed)

    def context(self, step: RunStep, owner: str, state: Any = None) -> StepContext:
        """What the driver may know; its interrupts belong to the sink ``owner``."""
        request = self.request
        return StepContext(
            run_id=request.run_id,
            run_key=request.run_key,
            pipeline=self.plan.name,
            step=step.id,
            project_dir=request.project_dir,
            work_dir=request.run_dir / "work",
            cancelled=self.cancelled,
            warn=self.reports[step.id].warn,
            state=state,
            checksum=self.plan.wants_checksum(step.id),
            on_cancel=lambda interrupt: self.interrupts.add(owner, interrupt),
        )
