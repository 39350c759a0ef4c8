"""An engine that breaks its promise never to raise."""

from __future__ import annotations

from collections.abc import Callable

from osiris_core import RunEvent, RunRequest, RunResult


class BuggyEngine:
    def run(self, request: RunRequest, emit: Callable[[RunEvent], None], cancelled: Callable[[], bool]) -> RunResult:
        raise ZeroDivisionError("a bug on purpose")
