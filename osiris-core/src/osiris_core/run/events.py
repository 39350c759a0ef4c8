"""The event log: one JSON line per event, redacted, on disk before anybody else hears of it."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from osiris_core.atomic import private_opener
from osiris_core.engine import EVENT_VERSION, RunEvent
from osiris_core.secrets import Redactor

Observer = Callable[[Mapping[str, Any]], None]

_SCHEMA_FILE = Path(__file__).parent.parent / "events.schema.json"


def events_schema() -> dict[str, Any]:
    """The published JSON Schema of one line of ``events.jsonl``."""
    return dict(json.loads(_SCHEMA_FILE.read_text(encoding="utf-8")))


class EventLog:
    """Writes the events of one run. Safe to call from any thread.

    Args:
        path: ``events.jsonl``; it is appended to, each line is flushed.
        run_id: goes into every event.
        redactor: masks known secret values, in each value and then in the whole line.
        observers: called with each event after it was written; what they raise is ignored.
        fsync: bring each line to the disk, for a machine that may vanish.
    """

    def __init__(
        self,
        path: Path,
        run_id: str,
        redactor: Redactor,
        observers: Iterable[Observer] = (),
        *,
        fsync: bool = False,
    ) -> None:
        self._file: IO[str] = os.fdopen(
            private_opener(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), "a", encoding="utf-8", newline="\n"
        )
        self._run_id = run_id
        self._redactor = redactor
        self._observers = tuple(observers)
        self._fsync = fsync
        self._lock = threading.RLock()
        self._seq = 0
        self.has_ended = False

    def emit(self, event: RunEvent) -> None:
        """Number the event, stamp it, write it, tell the observers."""
        self._write({"event": event.event, "step": event.step, **event.data})

    def relay(self, event: Mapping[str, Any]) -> None:
        """Write an event that another process emitted, under this log's own number and time."""
        self._write({key: value for key, value in event.items() if key not in ("v", "run_id", "seq", "ts")})

    def _write(self, fields: Mapping[str, Any]) -> None:
        with self._lock:
            if self.has_ended:
                return
            self._seq += 1
            record = self._redactor.value(
                {
                    "v": EVENT_VERSION,
                    "run_id": self._run_id,
                    "seq": self._seq,
                    "ts": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                    **fields,
                }
            )
            line = json.dumps(record, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
            self._file.write(self._redactor.text(line) + "\n")
            self._file.flush()
            if self._fsync:
                os.fsync(self._file.fileno())
            self.has_ended = record["event"] in ("run_completed", "run_failed", "run_cancelled")
            for observer in self._observers:
                with suppress(Exception):
                    observer(record)

    def close(self) -> None:
        """Close the file. Idempotent."""
        with self._lock:
            self._file.close()
