"""Running a compiled pipeline from start to record: checks, secrets, run key, engine, result, report."""

from __future__ import annotations

import os
import threading
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from osiris_core.canonical import fingerprint
from osiris_core.engine import EventName, RunEvent, RunRequest, RunResult
from osiris_core.errors import EXIT_BUG, CompileError
from osiris_core.run.events import EventLog, Observer
from osiris_core.run.record import EVENTS_FILE, RunRecord, new_run_id
from osiris_core.run.runkey import Claim, RunKeys
from osiris_core.run.signals import SignalWatch
from osiris_core.secrets import Redactor

if TYPE_CHECKING:
    from osiris_core.compile import Compiled
    from osiris_core.connections import Connection
    from osiris_core.engine import EngineRunner
    from osiris_core.session import Session

#: Seconds a cancelled run has to roll back by itself; then the process ends, and the servers roll back.
GRACE = 8.0


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How to run; the defaults are those of ``osiris run``.

    Attributes:
        engine: name of the engine.
        run_key: names the logical run in the targets' ledgers; None: the unfinished run's, or a fresh one.
        parallel, retries, prefetch_bytes, dry_run: see ``RunRequest``.
        observers: called with every event after it was written.
    """

    engine: str = "local"
    run_key: str | None = None
    parallel: int = 1
    retries: int = 2
    retry_wait: float = 0.5
    prefetch_bytes: int = 0
    dry_run: bool = False
    observers: tuple[Observer, ...] = ()


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How a run ended, and where its record is."""

    run_id: str
    run_dir: Path
    result: RunResult


def run_compiled(
    directory: Path,
    session: Session,
    *,
    engine: str = "local",
    run_key: str | None = None,
    parallel: int = 1,
    progress: Observer | None = None,
    options: RunOptions | None = None,
) -> RunOutcome:
    """Run a compiled pipeline unchanged.

    Args:
        directory: holds ``cfg/manifest.yaml``.
        session: the project, its connections and plugins.
        engine: name of the engine.
        run_key: see ``RunOptions``.
        parallel: see ``RunRequest``.
        progress: called with every event.
        options: all of them at once, instead of the above.

    Raises CompileError when the directory was edited or does not fit this installation, SecretError naming every
    missing secret, InvalidInputError for an unknown engine. What a step does ends up in the outcome.
    """
    compiled = load_checked(directory, session)
    observers = (progress,) if progress else ()
    options = options or RunOptions(engine, run_key, parallel, observers=observers)
    return run_loaded(compiled, session, options, identity=compiled.fingerprint)


def load_checked(directory: Path, session: Session) -> Compiled:
    """A compiled directory: fingerprints verified, SQL judged, the policy plugins asked. Raises CompileError."""
    from osiris_core.compile import check_compiled_sql, load_compiled
    from osiris_core.compile.build import ask_policies

    compiled = load_compiled(directory)
    check_compiled_sql(compiled, session.registry)
    ask_policies(compiled.manifest, session)
    return compiled


def run_loaded(
    compiled: Compiled, session: Session, options: RunOptions, *, identity: str, watch: SignalWatch | None = None
) -> RunOutcome:
    """Run what is compiled already. ``identity`` (a fingerprint) says what counts as the same run again."""
    from osiris_core.compile import check_installed

    check_installed(compiled, session)
    _check_connections(compiled, session)
    runner = _runner(session, options.engine)
    aliases = sorted(compiled.manifest["fingerprints"]["connections"])
    connections = session.connections.resolve(aliases)
    run_id = new_run_id()
    with RunKeys(session.project.state_dir, identity) as keys, watch or SignalWatch() as signals:
        claim = Claim(f"dry-{run_id}", None) if options.dry_run else keys.claim(run_id, options.run_key)
        record = RunRecord.create(session.project.state_dir, run_id)
        if claim.previous_run:
            record.remove_scratch_of(claim.previous_run)
        request = _request(compiled, session, options, record, claim, connections)
        outcome = _Run(request, runner, session, options, signals, record).run()
        if outcome.result.status == "success" and not options.dry_run:
            keys.finish()
    return outcome


def _request(
    compiled: Compiled,
    session: Session,
    options: RunOptions,
    record: RunRecord,
    claim: Claim,
    connections: Mapping[str, Connection],
) -> RunRequest:
    from osiris_core.compile import write_compiled

    write_compiled(compiled, record.path)
    return RunRequest(
        manifest_dir=record.path,
        project_dir=session.project.root,
        run_dir=record.path,
        run_id=record.run_id,
        run_key=claim.run_key,
        connections=connections,
        parallel=options.parallel,
        retries=options.retries,
        retry_wait=options.retry_wait,
        prefetch_bytes=options.prefetch_bytes,
        dry_run=options.dry_run,
        continues=claim.previous_run,
        compiled=compiled,
        registry=session.registry,
    )


def _check_connections(compiled: Compiled, session: Session) -> None:
    """A manifest runs against the connections it was compiled for. Raises CompileError naming the others."""
    wanted = compiled.manifest["fingerprints"]["connections"]
    changed = [
        f"@{alias}"
        for alias, known in wanted.items()
        if fingerprint({"connection": session.connections.identity(alias)}) != known
    ]
    if changed:
        raise CompileError(
            f"the connection {', '.join(changed)} is not the one compiled for (another host, database or profile)",
            code="OSI-M008",
            hint="compile again, or run with the profile it was compiled with",
        )


def _runner(session: Session, name: str) -> EngineRunner:
    from pkgutil import resolve_name

    from osiris_core.errors import PluginError

    engine = session.plugins.engine(name)
    try:
        runner: EngineRunner = resolve_name(engine.target)()
    except Exception as error:
        raise PluginError(f'the engine "{name}" cannot be loaded: {type(error).__name__}: {error}') from error
    return runner


class _Run:
    """The engine at work in a thread, this thread watching for signals."""

    def __init__(
        self,
        request: RunRequest,
        runner: EngineRunner,
        session: Session,
        options: RunOptions,
        signals: SignalWatch,
        record: RunRecord,
    ) -> None:
        self._request = request
        self._runner = runner
        self._signals = signals
        self._record = record
        self._redactor = Redactor.of_process()
        observers = (session.plugins.run_event, *options.observers)
        self._log = EventLog(record.path / EVENTS_FILE, request.run_id, self._redactor, observers)
        self._result: RunResult | None = None
        self._error: BaseException | None = None

    def run(self) -> RunOutcome:
        thread = threading.Thread(target=self._engine, name="osiris-engine", daemon=True)
        self._signals.at_once = self._end_cancelled
        self._signals.begin()
        thread.start()
        # A join with a timeout comes back at once when the engine ends, and lets signal handlers run meanwhile.
        while thread.is_alive() and not self._signals.requested:
            thread.join(0.1)
        thread.join(GRACE)
        if thread.is_alive():
            self._end_cancelled()
            os.write(2, b"the run did not stop in time and was ended; what it had not committed is rolled back\n")
            os._exit(128 + self._signals.signal_number)
        result = self._settled()
        self._end(result)
        self._log.close()
        return RunOutcome(self._request.run_id, self._record.path, result)

    def _engine(self) -> None:
        try:
            self._result = self._runner.run(self._request, self._log.emit, lambda: self._signals.requested)
        except BaseException as error:
            self._error = error

    def _settled(self) -> RunResult:
        """The engine's result with the exit code of the signal; a bug when the engine broke its promise."""
        result = self._result
        if result is None:
            self._record.write_traceback(_traceback(self._error, self._redactor))
            return RunResult("failed", EXIT_BUG, {}, engine_bug(self._error))
        if result.status == "cancelled" and self._signals.signal_number:
            return replace(result, exit_code=128 + self._signals.signal_number)
        return result

    def _end_cancelled(self) -> None:
        """Write the record of a run that did not stop in time; what the servers hold is rolled back by them."""
        self._end(RunResult("cancelled", 128 + self._signals.signal_number))

    def _end(self, result: RunResult) -> None:
        from osiris_core.report import render_report

        if not self._log.has_ended:
            # The engine did not stop in time, or broke its promise.
            error = {"error": dict(result.error)} if result.error else {}
            name: EventName = "run_failed" if error else "run_cancelled"
            self._log.emit(RunEvent(name, None, error))
        value = self._redactor.value(result_json(self._request, result))
        self._record.write_result(value)
        self._record.write_report(render_report(value, self._record.events()))


def result_json(request: RunRequest, result: RunResult) -> dict[str, Any]:
    """What ``result.json`` and ``osiris run --json`` say."""
    return {
        "v": 1,
        "run_id": request.run_id,
        "run_key": request.run_key,
        "pipeline": request.compiled.name if request.compiled else "",
        "dry_run": request.dry_run,
        "status": result.status,
        "exit_code": result.exit_code,
        "order": list(result.steps),
        "steps": {step: dict(value) for step, value in result.steps.items()},
        "error": dict(result.error) if result.error else None,
    }


def engine_bug(error: BaseException | None) -> dict[str, Any]:
    """The error of an engine that raised instead of answering."""
    kind = type(error).__name__ if error else "no result"
    return {
        "code": "OSI-X001",
        "message": f"a bug in the engine: {kind}",
        "hint": "please report it with traceback.txt of the run's directory",
        "retryable": False,
        "exit_code": EXIT_BUG,
    }


def _traceback(error: BaseException | None, redactor: Redactor) -> str:
    return redactor.text("".join(traceback.format_exception(error))) if error else ""
