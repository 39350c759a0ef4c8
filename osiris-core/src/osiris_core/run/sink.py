"""One write step: begin, read state, stage what is pulled, reconcile, commit; again when a fault may pass."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from osiris_core.data import with_target_names
from osiris_core.drivers import CommitResult
from osiris_core.errors import OsirisError, ReconciliationError
from osiris_core.run import faults
from osiris_core.run.faults import StepFault, cleaning_up, driver_call
from osiris_core.run.feed import Feed
from osiris_core.run.streams import Cancelled

if TYPE_CHECKING:
    from osiris_core.drivers import Writer
    from osiris_core.run.feed import Spools
    from osiris_core.run.plan import Sink
    from osiris_core.run.state import RunState

#: Longest wait before a retry, in seconds.
LONGEST_WAIT = 30.0


class SinkFailure(Exception):  # noqa: N818 - a carrier between this module and the engine
    """The sink failed for good: the step at fault and the error to report."""

    def __init__(self, step: str, error: OsirisError) -> None:
        super().__init__(error.message)
        self.step = step
        self.error = error


class _Attempt:
    """One try. ``commit_begun`` and ``moved`` tell how far it came."""

    def __init__(self, run: RunState, sink: Sink, spools: Spools) -> None:
        self.commit_begun = False
        self.exactly_once = True
        self.moved = False
        self._run = run
        self._sink = sink
        self._step = sink.step
        self._spools = spools
        self._driver = run.driver(sink.step)
        self._feed: Feed | None = None

    def run(self) -> CommitResult:
        """Do the whole step. Raises Cancelled, SinkFailure or, for a bug of ours, anything."""
        try:
            return self._with_writer()
        except Exception as error:
            if self._run.cancelled():
                raise Cancelled from error
            raise self._explained(error) from error
        finally:
            self._run.interrupts.forget(self._step.id)

    def _with_writer(self) -> CommitResult:
        context = self._run.context(self._step, self._step.id)
        with driver_call(self._step.id, self._driver):
            writer = self._driver.open_writer(self._run.connection(self._step), self._step.config, context)
        self.exactly_once = _is_exactly_once(self._run, self._sink, writer)
        warn = self._run.reports[self._step.id].warn
        try:
            return self._write(writer)
        except BaseException:
            with cleaning_up(warn):
                writer.abort()
            raise
        finally:
            with cleaning_up(warn):
                writer.close()

    def _write(self, writer: Writer) -> CommitResult:
        with driver_call(self._step.id, self._driver):
            done = writer.begin()
        if done is not None:
            return done
        self._feed = Feed(self._run, self._sink, self._spools, self._read_state(writer))
        try:
            rows = self._stage(writer, self._feed)
            result = self._commit(writer, self._feed)
            self._reconcile(rows, result)
            self._feed.complete()
            return result
        finally:
            self.moved = self._feed.has_moved
            self._feed.close()

    def _read_state(self, writer: Writer) -> dict[str, Any]:
        if not any(self._run.plan.steps[step].is_incremental for step in self._sink.chain):
            return {}
        with driver_call(self._step.id, self._driver):
            return dict(writer.read_state() or {})

    def _stage(self, writer: Writer, feed: Feed) -> int:
        """Stage every part; the rows that went in. Raises ReconciliationError when the two sides differ."""
        total = 0
        report = self._run.reports[self._step.id]
        report.reset()
        for index, part in enumerate(feed.parts()):
            with driver_call(self._step.id, self._driver):
                staged = writer.stage(with_target_names(part, self._step.config), index)
            fault = feed.fault()
            if fault is not None:
                raise fault
            if part.is_used and (not part.is_exhausted or staged != part.rows):
                raise ReconciliationError(
                    f'"{self._step.id}" took {staged} of {part.rows} rows that "{part.step}" gave; nothing was written'
                    if part.is_exhausted
                    else f'"{self._step.id}" stopped after {part.rows} rows, before the end; nothing was written'
                )
            total += staged
            report.count(staged, 0)
        if self._run.cancelled():
            raise Cancelled
        return total

    def _commit(self, writer: Writer, feed: Feed) -> CommitResult:
        state = feed.state()
        self.commit_begun = True
        with driver_call(self._step.id, self._driver):
            return writer.commit(state=state or None, coerced=feed.coerced())

    def _reconcile(self, rows: int, result: CommitResult) -> None:
        accounted = result.written + result.deduplicated + result.skipped
        if rows != accounted:
            raise ReconciliationError(
                f'"{self._step.id}" read {rows} rows, but wrote {result.written}, deduplicated '
                f"{result.deduplicated} and skipped {result.skipped}; the change is committed",
                hint="compare source and target; this is a fault of the component, please report it",
            )

    def _explained(self, error: Exception) -> BaseException:
        """The failure to report: the first fault near the source, else ``error`` itself."""
        moved = self._feed is not None and self._feed.has_moved
        fault = (self._feed.fault() if self._feed is not None else None) or error
        if isinstance(fault, StepFault):
            return SinkFailure(fault.step, faults.explain(fault, self._run.redactor, moved=moved))
        if isinstance(fault, OsirisError):
            return SinkFailure(self._step.id, fault)
        return error


def run_sink(run: RunState, sink: Sink, spools: Spools) -> None:
    """Run one sink, with retries, and report its end.

    Raises SinkFailure when it failed for good, Cancelled, or anything else for a bug of ours.
    """
    report = run.reports[sink.step.id]
    report.start()
    for number in range(1, run.request.retries + 2):
        attempt = _Attempt(run, sink, spools)
        try:
            result = attempt.run()
        except SinkFailure as failure:
            if number > run.request.retries or not _may_retry(failure.error, attempt, sink):
                raise
            seconds = _wait_seconds(run.request.retry_wait, number)
            report.retry(number, seconds, faults.to_json(failure.error) | {"step": failure.step})
            _wait(seconds, run.cancelled)
        else:
            _report(run, sink, result)
            return


def _report(run: RunState, sink: Sink, result: CommitResult) -> None:
    counts = {name: value for name, value in asdict(result).items() if name != "coerced"}
    run.reports[sink.step.id].complete(**counts, coerced=dict(result.coerced))


def _may_retry(error: OsirisError, attempt: _Attempt, sink: Sink) -> bool:
    """Whether a second try can do no harm.

    A target with a ledger says in ``begin`` whether a commit that seemed lost took place. Without one,
    rows that were appended would be appended again.
    """
    if not error.retryable:
        return False
    if attempt.exactly_once or sink.step.config.get("write_mode") in ("merge", "replace"):
        return True
    return not attempt.moved and not attempt.commit_begun


def _is_exactly_once(run: RunState, sink: Sink, writer: Writer) -> bool:
    """What the writer says of itself (attribute ``delivery``), else what the spec says of every channel."""
    promised = getattr(writer, "delivery", None)
    if promised is not None:
        return bool(promised == "exactly_once")
    return all(delivery == "exactly_once" for delivery in run.spec(sink.step).delivery.values())


def _wait_seconds(base: float, attempt: int) -> float:
    """Exponential, with jitter so that many runs do not come back at the same instant."""
    return min(LONGEST_WAIT, base * 2.0 ** (attempt - 1)) * random.uniform(0.5, 1.5)  # noqa: S311 - not cryptography


def _wait(seconds: float, cancelled: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if cancelled():
            raise Cancelled
        time.sleep(min(left, 0.05))
