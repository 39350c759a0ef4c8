"""The engine contract: a request goes in, events come out, a result ends it (DESIGN section 10)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

#: Version of the event schema (``events.schema.json``); each event carries it as ``v``.
EVENT_VERSION = 1

EventName = Literal[
    "run_started",
    "step_started",
    "step_progress",
    "step_retried",
    "step_warning",
    "step_completed",
    "step_failed",
    "step_skipped",
    "run_completed",
    "run_failed",
    "run_cancelled",
]


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What an engine is asked to run.

    Attributes:
        manifest_dir: directory that holds ``cfg/manifest.yaml``.
        project_dir: root of the project; relative paths in configs start here.
        run_dir: ``.osiris/runs/<run_id>``; the engine may put artifacts there.
        connections: resolved connections by alias; secret fields are ``Secret``.
        run_key: names this logical run in the targets' ledgers.
        parallel: how many independent branches, and partitions of one read, may run side by side.
        retries: how often a step is tried again after a fault that may pass.
        retry_wait: seconds before the first retry; doubled each time, with jitter.
        prefetch_bytes: read ahead of the writer, up to this many bytes; 0 lets the writer pull.
        dry_run: do everything but move data.
        continues: id of the unfinished run whose key this is, or None.
        compiled, registry: what the calling process holds already, for an engine inside it; others load their own.
    """

    manifest_dir: Path
    project_dir: Path
    run_dir: Path
    run_id: str
    run_key: str
    connections: Mapping[str, Any] = field(default_factory=dict)
    parallel: int = 1
    retries: int = 2
    retry_wait: float = 0.5
    prefetch_bytes: int = 0
    dry_run: bool = False
    continues: str | None = None
    compiled: Any = None
    registry: Any = None


@dataclass(frozen=True, slots=True)
class RunEvent:
    """One line of ``events.jsonl``; ``seq``, ``ts`` and ``run_id`` are added by the event log.

    ``data`` holds what the event's schema allows: rows, bytes, duration_ms, written, deduplicated, skipped,
    unchanged, deleted, coerced, attempt, code, message, error {code, message, retryable, hint}.
    A writer that cannot tell rows apart leaves its counts at zero; nothing here ever holds a value of a row.
    """

    event: EventName
    step: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended. ``steps`` maps step id to its status, counts and error."""

    status: Literal["success", "failed", "cancelled"]
    exit_code: int
    steps: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    error: Mapping[str, Any] | None = None


class EngineRunner(Protocol):
    """What an engine's lazy target is: a callable object without state."""

    def run(self, request: RunRequest, emit: Callable[[RunEvent], None], cancelled: Callable[[], bool]) -> RunResult:
        """Run the manifest; call ``emit`` for every event, in order, from any thread.

        Never raises for what a step does: errors end up in the result.
        """


@dataclass(frozen=True, slots=True)
class Engine:
    """One engine a plugin offers. ``target`` is ``"module:attr"`` of a class that is an ``EngineRunner``."""

    name: str
    title: str
    target: str
