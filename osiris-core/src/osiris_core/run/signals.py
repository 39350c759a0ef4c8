"""SIGINT and SIGTERM: the first asks for a clean end, the second ends at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

from osiris_core.errors import CancelledError

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class SignalWatch:
    """Catches both signals while it is entered (in the main thread; elsewhere it waits for ``stop``).

    Before ``begin`` a signal raises CancelledError where the program stands. After it, while an engine works in
    another thread, the first signal only sets ``requested``; the second calls ``at_once`` and ends the process.
    """

    def __init__(self) -> None:
        self.signal_number = 0
        self.requested = False
        self.at_once: Callable[[], None] = lambda: None
        self._engine_works = False
        self._previous: dict[int, Any] = {}

    def begin(self) -> None:
        """From now on, an engine is at work."""
        self._engine_works = True

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Ask for a clean end, as a signal would."""
        self.signal_number = number
        self.requested = True

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self.requested:
            self.at_once()
            os._exit(128 + number)
        # Plain attributes: a handler that takes a lock can wait for the very thread it interrupted.
        self.stop(number)
        if not self._engine_works:
            raise CancelledError("cancelled before anything was read", signal_number=number)

    def __enter__(self) -> SignalWatch:
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._handle) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
