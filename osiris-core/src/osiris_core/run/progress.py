"""What a person sees while a run goes on: its warnings and retries and, on a terminal, how far each step is."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Mapping
from typing import Any, TextIO

_CLEAR = "\r\x1b[K"


class Notices:
    """An observer of events that prints warnings and retries, a line each."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Print ``event`` if a person should know of it."""
        text = notice(event)
        if text:
            self._stream.write(text + "\n")
            self._stream.flush()


class ProgressLine:
    """The same with one more line, always the last, of rows, MB/s and time left. For terminals only."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._running: dict[str, str] = {}
        self._expected: dict[str, int] = {}

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Show what ``event`` changes."""
        with self._lock:
            step, name = str(event.get("step") or ""), event["event"]
            if name == "step_started":
                self._running[step] = step
                self._expected[step] = int(event.get("expected_rows") or 0)
            elif name == "step_progress":
                self._running[step] = _text(step, event, self._expected.get(step, 0))
            elif name == "step_retried":
                self._running[step] = f"{step}: waiting {event['wait_ms'] / 1000:.1f} s, then trying again"
            elif name in ("step_completed", "step_failed", "step_skipped"):
                self._running.pop(step, None)
            elif name in ("run_completed", "run_failed", "run_cancelled"):
                self._running.clear()
            self._draw(notice(event))

    def _draw(self, above: str) -> None:
        width = shutil.get_terminal_size().columns
        line = _printable("   ".join(self._running.values()))
        self._stream.write(_CLEAR + (above and above + "\n") + line[: max(width - 1, 1)])
        self._stream.flush()


def notice(event: Mapping[str, Any]) -> str:
    """The line for an event that a person should know of at once, or ``""``."""
    if event["event"] == "step_warning":
        return _printable(f"warning {event['code']}: {event['step']}: {event['message']}")
    if event["event"] == "step_retried":
        error = event["error"]
        again = f"again in {event['wait_ms'] / 1000:.1f} s"
        return _printable(f"retry {error['code']}: {event['step']}: {error['message']}; {again}")
    return ""


def _printable(text: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def _text(step: str, event: Mapping[str, Any], expected: int) -> str:
    seconds = max(event["duration_ms"] / 1000, 0.001)
    rows = event["rows"]
    text = f"{step}: {rows:,} rows"
    if event["bytes"]:
        text += f", {event['bytes'] / 1e6 / seconds:,.1f} MB/s"
    if expected > rows > 0:
        text += f", about {(expected - rows) * seconds / rows:,.0f} s left"
    return text
