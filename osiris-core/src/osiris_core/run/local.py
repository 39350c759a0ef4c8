"""The local engine: runs a manifest in this process, sinks in dependency order, independent ones side by side."""

from __future__ import annotations

import shutil
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from osiris_core.atomic import private_directory
from osiris_core.engine import RunEvent, RunRequest, RunResult
from osiris_core.errors import EXIT_BUG, EXIT_OK, EXIT_SIGINT, OsirisError
from osiris_core.run import faults
from osiris_core.run.drift import refuse_drift
from osiris_core.run.plan import Plan, Sink, make_plan
from osiris_core.run.record import RunRecord
from osiris_core.run.sink import SinkFailure, run_sink
from osiris_core.run.state import RunState
from osiris_core.run.streams import Cancelled
from osiris_core.secrets import Redactor

if TYPE_CHECKING:
    from osiris_core.compile.model import Compiled
    from osiris_core.registry import Registry
    from osiris_core.run.feed import Spools
    from osiris_core.run.reports import Emit, StepReport

#: Seconds between two looks at whether the run was cancelled, while drivers are at work.
_WATCH_EVERY = 0.1


class LocalEngine:
    """Runs a manifest in this process. Stateless: one object may run any number of manifests."""

    def run(self, request: RunRequest, emit: Emit, cancelled: Callable[[], bool]) -> RunResult:
        """Run the manifest; see ``osiris_core.engine.EngineRunner``."""
        return _LocalRun(request, emit, cancelled).execute()


class _LocalRun:
    def __init__(self, request: RunRequest, emit: Emit, cancelled: Callable[[], bool]) -> None:
        self._request = request
        self._emit = emit
        self._cancelled = cancelled
        self._error: dict[str, Any] | None = None
        self._exit_code = EXIT_OK
        self._was_cancelled = False
        self._started = time.monotonic()
        self._state: RunState | None = None

    def execute(self) -> RunResult:
        try:
            self._execute()
        except Cancelled:
            self._was_cancelled = True
        except OsirisError as error:
            self._note(faults.to_json(error))
        except Exception as error:
            self._note(self._bug(error))
        return self._result()

    def _execute(self) -> None:
        request = self._request
        registry = _registry(request)
        compiled = request.compiled or _loaded(request, registry)
        plan = make_plan(compiled.manifest, compiled.configs)
        run = self._state = RunState(request, plan, registry, self._emit, self._cancelled)
        self._emit(RunEvent("run_started", None, _description(request, plan)))
        for step in plan.steps.values():
            run.driver(step)  # what is broken or not installed is found before anything is read
        refuse_drift(run, compiled.schemas)
        if not request.dry_run and plan.sinks:
            with _spools(run) as spools:
                self._run_sinks(run, spools)

    def _run_sinks(self, run: RunState, spools: Spools) -> None:
        """Start each sink once all before it have ended well; go on with the others when one fails."""
        waiting = list(run.plan.sinks)
        done: set[str] = set()
        running: dict[Future[None], Sink] = {}
        with ThreadPoolExecutor(max_workers=self._request.parallel, thread_name_prefix="osiris") as pool:
            while waiting or running:
                ready = [sink for sink in waiting if sink.after <= done]
                for sink in ready[: self._request.parallel - len(running)]:
                    waiting.remove(sink)
                    running[pool.submit(run_sink, run, sink, spools)] = sink
                if not running:
                    return  # what is left waits for a sink that failed
                for future in self._finished(run, running):
                    sink = running.pop(future)
                    if self._ended_well(run, sink, future):
                        done.add(sink.step.id)
                if self._cancelled():
                    waiting.clear()

    def _finished(self, run: RunState, running: Mapping[Future[None], Sink]) -> set[Future[None]]:
        while True:
            finished, _ = wait(running, timeout=_WATCH_EVERY, return_when=FIRST_COMPLETED)
            if self._cancelled():
                run.interrupts.fire()
            if finished:
                return finished

    def _ended_well(self, run: RunState, sink: Sink, future: Future[None]) -> bool:
        error = future.exception()
        if error is None:
            return True
        if isinstance(error, Cancelled):
            self._was_cancelled = True
        elif isinstance(error, SinkFailure):
            self._fail(run, sink, error.step, faults.to_json(error.error))
        else:
            self._fail(run, sink, sink.step.id, self._bug(error))
        return False

    def _fail(self, run: RunState, sink: Sink, culprit: str, error: dict[str, Any]) -> None:
        """Report the step at fault, then the steps of its chain that stopped because of it."""
        self._note(error | {"step": culprit})
        run.reports[culprit].fail(error)
        stopped = _error(
            "OSI-R004",
            f'stopped because step "{culprit}" failed',
            exit_code=error["exit_code"],
            retryable=error["retryable"],
        )
        for step in sink.chain:
            if run.reports[step].is_started:
                run.reports[step].fail(stopped)

    def _note(self, error: dict[str, Any]) -> None:
        """Keep the error that decides: the lowest exit code, and of those the first."""
        if self._error is None or error["exit_code"] < self._exit_code:
            self._error, self._exit_code = error, error["exit_code"]

    def _bug(self, error: BaseException) -> dict[str, Any]:
        """Keep the traceback beside the events; the event itself names only the kind."""
        text = "".join(traceback.format_exception(error))
        RunRecord(self._request.run_dir).write_traceback(Redactor.of_process().text(text))
        return _error(
            "OSI-X001",
            f"a bug in Osiris: {type(error).__name__}",
            exit_code=EXIT_BUG,
            hint="please report it with traceback.txt of the run's directory",
        )

    def _result(self) -> RunResult:
        self._was_cancelled = self._was_cancelled or (self._cancelled() and self._unfinished())
        reports = self._state.reports if self._state else {}
        for report in reports.values():
            self._finish(report)
        steps = {step: report.result or {} for step, report in reports.items()}
        took = {"duration_ms": round((time.monotonic() - self._started) * 1000, 3)}
        if self._was_cancelled:
            self._emit(RunEvent("run_cancelled", None, took))
            return RunResult("cancelled", EXIT_SIGINT, steps, self._error)
        if self._error is not None:
            self._emit(RunEvent("run_failed", None, {"error": self._error, **took}))
            return RunResult("failed", self._exit_code, steps, self._error)
        rows = sum(result.get("written", 0) for result in steps.values())
        self._emit(RunEvent("run_completed", None, {"written": rows, **took}))
        return RunResult("success", EXIT_OK, steps)

    def _unfinished(self) -> bool:
        if self._state is None:
            return True
        sinks = self._state.plan.sinks
        return any((self._state.reports[sink.step.id].result or {}).get("status") != "completed" for sink in sinks)

    def _finish(self, report: StepReport) -> None:
        """Give the step an end, if it has none."""
        if not self._was_cancelled:
            report.skip(self._why_skipped(report.step))
        elif report.is_started:
            report.fail(_error("OSI-R090", "cancelled and rolled back", exit_code=EXIT_SIGINT, retryable=True))
        else:
            report.skip("cancelled")

    def _why_skipped(self, step: str) -> str:
        if self._request.dry_run and self._error is None:
            return "dry_run"
        if self._state is not None and self._state.is_committed_before(step):
            return "already_committed"
        return "not_needed" if self._error is None else "upstream_failed"


def _description(request: RunRequest, plan: Plan) -> dict[str, Any]:
    return {
        "pipeline": plan.name,
        "steps": list(plan.steps),
        "run_key": request.run_key,
        "continues": request.continues or None,
        "dry_run": request.dry_run,
        "parallel": request.parallel,
    }


def _error(code: str, message: str, *, exit_code: int, retryable: bool = False, hint: str = "") -> dict[str, Any]:
    return {"code": code, "message": message, "hint": hint, "retryable": retryable, "exit_code": exit_code}


def _loaded(request: RunRequest, registry: Registry) -> Compiled:
    """What the directory holds, for a worker: nobody has looked at it on this machine yet."""
    from osiris_core.compile import check_compiled_sql, load_compiled

    compiled = load_compiled(request.manifest_dir)
    check_compiled_sql(compiled, registry)
    return compiled


def _registry(request: RunRequest) -> Registry:
    from osiris_core.plugins import Plugins
    from osiris_core.registry import Registry

    return request.registry or Registry(Plugins.load())


@contextmanager
def _spools(run: RunState) -> Iterator[Spools]:
    from osiris_core.run.feed import Spools

    spools = Spools(run)
    work_dir = run.request.run_dir / "work"
    private_directory(work_dir)
    try:
        yield spools
    finally:
        spools.close()
        shutil.rmtree(work_dir, ignore_errors=True)
