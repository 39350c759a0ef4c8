"""The worker: the same local engine, started by a remote engine somewhere else.

``osiris run --manifest DIR --events - --secrets-from-stdin`` reads one JSON line from stdin (``frame_of`` writes it):

    {"v": 1, "run_id": …, "run_key": …, "parallel": 1, "retries": 2, "dry_run": false, "lease": false,
     "connections": {alias: {"family": …, "fields": {…, "password": {"$secret": NAME}}}}, "secrets": {NAME: value}}

and writes events as JSON lines to stdout, flushed one by one and fsynced to ``DIR/record/events.jsonl`` before, then
one last line ``{"result": …}``, which is also ``DIR/record/result.json``. The exit code is the run's. With ``lease``
the worker stops, rolled back, when its stdin ends: its parent is gone.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from osiris_core.atomic import private_directory
from osiris_core.connections import Connection
from osiris_core.engine import RunRequest, RunResult
from osiris_core.errors import InvalidInputError
from osiris_core.run.events import EventLog
from osiris_core.run.local import LocalEngine
from osiris_core.run.record import EVENTS_FILE, RunRecord
from osiris_core.run.signals import SignalWatch
from osiris_core.secrets import Redactor, Secret

FRAME_VERSION = 1
_REQUIRED: dict[str, type] = {"run_id": str, "run_key": str, "connections": dict, "secrets": dict}
_OPTIONAL: dict[str, type[int]] = {
    "parallel": int,
    "retries": int,
    "prefetch_bytes": int,
    "dry_run": bool,
    "lease": bool,
}
_LEAST = {"parallel": 1}


def frame_of(request: RunRequest, *, lease: bool = False) -> str:
    """The line that a worker wants on stdin. It holds secrets: write it to the process and keep it nowhere."""
    secrets: dict[str, str] = {}

    def plain(value: Any, name: str) -> Any:
        if isinstance(value, Secret):
            secrets[name] = value.reveal()
            return {"$secret": name}
        if isinstance(value, Mapping):
            return {key: plain(item, f"{name}/{key}") for key, item in value.items()}
        return value

    connections = {
        alias: {"family": connection.family, "fields": plain(connection.fields, alias)}
        for alias, connection in request.connections.items()
    }
    frame = {
        "v": FRAME_VERSION,
        "run_id": request.run_id,
        "run_key": request.run_key,
        "parallel": request.parallel,
        "retries": request.retries,
        "prefetch_bytes": request.prefetch_bytes,
        "dry_run": request.dry_run,
        "continues": request.continues,
        "lease": lease,
        "connections": connections,
        "secrets": secrets,
    }
    return json.dumps(frame) + "\n"


def work(directory: Path, stdin: TextIO, stdout: TextIO, watch: SignalWatch) -> int:
    """Run ``directory`` as the frame on ``stdin`` says; returns the exit code. Raises InvalidInputError."""
    frame = _read_frame(stdin)
    record = RunRecord(directory / "record")
    private_directory(record.path)
    request = _request(directory, record, frame)
    redactor = Redactor.of_process()

    def relay(event: Mapping[str, Any]) -> None:
        stdout.write(json.dumps(event, ensure_ascii=False, separators=(",", ":")) + "\n")
        stdout.flush()

    log = EventLog(record.path / EVENTS_FILE, request.run_id, redactor, [relay], fsync=True)
    if frame.get("lease"):
        threading.Thread(target=_hold, args=(stdin, watch), daemon=True).start()
    watch.begin()
    result = LocalEngine().run(request, log.emit, lambda: watch.requested)
    if result.status == "cancelled" and watch.signal_number:
        result = replace(result, exit_code=128 + watch.signal_number)
    value = redactor.value(_result_json(result))
    record.write_result(value)
    relay({"result": value})
    log.close()
    return result.exit_code


def _hold(stdin: TextIO, watch: SignalWatch) -> None:
    """Wait for the end of stdin: then nobody wants the result any more."""
    while stdin.readline():
        pass
    watch.stop()


def _read_frame(stdin: TextIO) -> dict[str, Any]:
    try:
        frame = json.loads(stdin.readline())
    except (ValueError, RecursionError):
        frame = None
    if not isinstance(frame, dict) or frame.get("v") != FRAME_VERSION:
        # Nothing of the line is repeated: it holds secrets.
        raise InvalidInputError("stdin does not start with a worker's frame", code="OSI-V050")
    fault = next(_faults(frame), None)
    if fault:
        raise InvalidInputError(f"the worker's frame is not understood: {fault}", code="OSI-V050")
    return frame


def _faults(frame: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a frame, without a value of it. The first counts: the next may rest on it."""
    for name, kind in _REQUIRED.items():
        if not isinstance(frame.get(name), kind):
            yield f'"{name}" is missing or of another type'
    for name, kind in _OPTIONAL.items():
        least = kind(_LEAST.get(name, 0))
        value = frame.get(name, least)
        if type(value) is not kind or value < least:
            yield f'"{name}" is of another type, or too small'
    if not isinstance(frame.get("continues"), str | None):
        yield '"continues" is of another type'
    if not all(isinstance(value, str) for value in frame["secrets"].values()):
        yield '"secrets" holds something that is no text'
    for item in frame["connections"].values():
        if not (
            isinstance(item, dict) and isinstance(item.get("family"), str) and isinstance(item.get("fields"), dict)
        ):
            yield "a connection is not a family with its fields"
        if not all(isinstance(name, str) and name in frame["secrets"] for name in _secrets_in(item["fields"])):
            yield "a connection names a secret that is not among the secrets"


def _secrets_in(value: Any) -> Iterator[Any]:
    """What the ``{"$secret": NAME}`` within ``value`` name."""
    if isinstance(value, Mapping):
        if set(value) == {"$secret"}:
            yield value["$secret"]
        else:
            for item in value.values():
                yield from _secrets_in(item)


def _request(directory: Path, record: RunRecord, frame: Mapping[str, Any]) -> RunRequest:
    secrets = frame["secrets"]

    def resolved(value: Any) -> Any:
        if isinstance(value, Mapping):
            if set(value) == {"$secret"}:
                return Secret(secrets[value["$secret"]], value["$secret"])
            return {key: resolved(item) for key, item in value.items()}
        return value

    connections = {
        alias: Connection(alias, item["family"], resolved(item["fields"]))
        for alias, item in frame["connections"].items()
    }
    return RunRequest(
        manifest_dir=directory,
        project_dir=Path.cwd(),
        run_dir=record.path,
        run_id=frame["run_id"],
        run_key=frame["run_key"],
        connections=connections,
        parallel=frame.get("parallel", 1),
        retries=frame.get("retries", 2),
        prefetch_bytes=frame.get("prefetch_bytes", 0),
        dry_run=frame.get("dry_run", False),
        continues=frame.get("continues"),
    )


def _result_json(result: RunResult) -> dict[str, Any]:
    return {
        "status": result.status,
        "exit_code": result.exit_code,
        "steps": {step: dict(value) for step, value in result.steps.items()},
        "error": dict(result.error) if result.error else None,
    }
