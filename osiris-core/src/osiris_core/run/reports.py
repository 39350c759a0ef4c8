"""What is known about each step while a run goes on: its counts, its clock, its events."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from osiris_core.engine import EventName, RunEvent

Emit = Callable[[RunEvent], None]

#: Seconds between two ``step_progress`` events of one step.
PROGRESS_EVERY = 1.0


class StepReport:
    """One step's part of the events and of the result. Safe to count from several threads."""

    def __init__(self, step: str, emit: Emit) -> None:
        self.step = step
        self.result: dict[str, Any] | None = None
        self._emit = emit
        self._lock = threading.Lock()
        self._started: float | None = None
        self._last_progress = 0.0
        self.rows = 0
        self.bytes = 0

    @property
    def is_started(self) -> bool:
        """Whether ``step_started`` was emitted."""
        return self._started is not None

    def start(self, **data: Any) -> None:
        """Say once that the step has started."""
        with self._lock:
            if self._started is not None:
                return
            self._started = self._last_progress = time.monotonic()
        self._emit(RunEvent("step_started", self.step, data))

    def reset(self) -> None:
        """Forget the counts, because everything is read again."""
        with self._lock:
            self.rows = self.bytes = 0

    def count(self, rows: int, size: int) -> None:
        """Count one batch; now and then say how far the step is."""
        now = time.monotonic()
        with self._lock:
            self.rows += rows
            self.bytes += size
            due = now - self._last_progress >= PROGRESS_EVERY
            if due:
                self._last_progress = now
            counted = {"rows": self.rows, "bytes": self.bytes}
        if due:
            self._emit(RunEvent("step_progress", self.step, counted | {"duration_ms": self.duration_ms}))

    @property
    def duration_ms(self) -> float:
        """Milliseconds since the start."""
        return 0.0 if self._started is None else round((time.monotonic() - self._started) * 1000, 3)

    def warn(self, code: str, message: str) -> None:
        """Report a warning of the driver."""
        self._emit(RunEvent("step_warning", self.step, {"code": code, "message": message}))

    def retry(self, attempt: int, wait_seconds: float, error: Mapping[str, Any]) -> None:
        """Say that the step is tried again."""
        data = {"attempt": attempt, "wait_ms": round(wait_seconds * 1000, 3), "error": dict(error)}
        self._emit(RunEvent("step_retried", self.step, data))

    def complete(self, **data: Any) -> None:
        """End well; a step ends once, later calls do nothing."""
        self._end("step_completed", "completed", {"rows": self.rows, "bytes": self.bytes, **data})

    def complete_fused(self) -> None:
        """End well without counts: the next step read the rows itself."""
        self._end("step_completed", "completed", {"fused": True})

    def fail(self, error: Mapping[str, Any]) -> None:
        """End badly."""
        self._end("step_failed", "failed", {"rows": self.rows, "bytes": self.bytes, "error": dict(error)})

    def skip(self, reason: str) -> None:
        """Say that the step was never started, and why."""
        self._end("step_skipped", "skipped", {"reason": reason}, timed=False)

    def _end(self, event: EventName, status: str, data: dict[str, Any], *, timed: bool = True) -> None:
        with self._lock:
            if self.result is not None:
                return
            data = data | {"duration_ms": self.duration_ms} if timed else data
            self.result = {"status": status, **data}
        self._emit(RunEvent(event, self.step, data))
