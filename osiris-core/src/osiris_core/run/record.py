"""The run record: one directory per run, whose names sort by time."""

from __future__ import annotations

import json
import re
import secrets
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from osiris_core import atomic
from osiris_core.canonical import pretty_json
from osiris_core.errors import InvalidInputError
from osiris_core.problems import did_you_mean

EVENTS_FILE = "events.jsonl"
RESULT_FILE = "result.json"
REPORT_FILE = "report.html"
TRACEBACK_FILE = "traceback.txt"
_RESULT_KEYS = frozenset({"pipeline", "status", "exit_code", "steps"})
_RUN_ID = re.compile(r"\d{8}T\d{6}\.\d{3}Z-[0-9a-f]{6}", re.ASCII)


def new_run_id(now: datetime | None = None) -> str:
    """``20261123T084612.345Z-5f3a9c``: sorts by time, unique without asking anybody."""
    now = (now or datetime.now(UTC)).astimezone(UTC)
    return f"{now:%Y%m%dT%H%M%S}.{now.microsecond // 1000:03d}Z-{secrets.token_hex(3)}"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run on disk: ``cfg/``, ``events.jsonl``, ``result.json``, ``report.html``."""

    path: Path

    @classmethod
    def create(cls, state_dir: Path, run_id: str) -> RunRecord:
        """Make the directory of a new run. Raises OSError."""
        path = state_dir / "runs" / run_id
        atomic.private_directory(path.parent)
        path.mkdir(mode=atomic.PRIVATE_DIRECTORY)
        return cls(path)

    @property
    def run_id(self) -> str:
        return self.path.name

    @property
    def started(self) -> datetime | None:
        """When the run began, which its name says; None for what is no record of ours, such as a link."""
        if not _RUN_ID.fullmatch(self.run_id) or self.path.is_symlink():
            return None
        try:
            return datetime.strptime(self.run_id.partition("Z")[0], "%Y%m%dT%H%M%S.%f").replace(tzinfo=UTC)
        except ValueError:
            return None

    def remove(self) -> None:
        """Remove the whole record, its result last: what is left by a failure can be removed again. Raises OSError.

        Fine when somebody else removes it at the same time.
        """
        with suppress(FileNotFoundError):
            for path in sorted(self.path.iterdir()):
                if path.name != RESULT_FILE:
                    _remove(path)
        _remove(self.path)

    def remove_scratch_of(self, run_id: str) -> None:
        """Remove what a killed run left in its scratch directory; its record stays."""
        shutil.rmtree(self.path.parent / run_id / "work", ignore_errors=True)

    def events(self) -> list[dict[str, Any]]:
        """Every whole line of the event log; a line cut short by a kill is left out."""
        path = self.path / EVENTS_FILE
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n") if path.is_file() else []
        return [event for line in lines if isinstance(event := _parsed(line), dict)]

    def result(self) -> dict[str, Any] | None:
        """What ``write_result`` wrote; None while the run goes on, or when it was killed or damaged since."""
        path = self.path / RESULT_FILE
        try:
            value = _parsed(path.read_text(encoding="utf-8", errors="replace")) if path.is_file() else None
        except OSError:  # it may go in between, or be another user's
            return None
        return value if isinstance(value, dict) and value.keys() >= _RESULT_KEYS else None

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Write ``result.json``, whole or not at all."""
        atomic.write_text(self.path / RESULT_FILE, pretty_json(dict(result)), private=True)

    def write_report(self, html: str) -> Path:
        """Write ``report.html``; returns its path."""
        path = self.path / REPORT_FILE
        atomic.write_text(path, html, sync=False, private=True)
        return path

    def write_traceback(self, text: str) -> None:
        """Write ``traceback.txt``: where a bug of ours, or of an engine, came from."""
        atomic.write_text(self.path / TRACEBACK_FILE, text, sync=False, private=True)


def all_records(state_dir: Path) -> list[RunRecord]:
    """Every run of a project, the oldest first; what else lies among them is none."""
    root = state_dir / "runs"
    records = [RunRecord(path) for path in sorted(root.iterdir()) if path.is_dir()] if root.is_dir() else []
    return [record for record in records if record.started is not None]


def find_record(state_dir: Path, run_id: str) -> RunRecord:
    """The run called ``run_id``, a unique beginning of it, or ``last``. Raises InvalidInputError."""
    records = all_records(state_dir)
    if run_id == "last" and records:
        return records[-1]
    exact = [record for record in records if record.run_id == run_id]
    found = exact or [record for record in records if run_id and record.run_id.startswith(run_id)]
    if len(found) == 1:
        return found[0]
    if found:
        raise InvalidInputError(f'"{run_id}" begins {len(found)} run ids', code="OSI-V050", hint="write more of it")
    names = [record.run_id for record in records]
    raise InvalidInputError(
        f'there is no run "{run_id}"',
        code="OSI-V050",
        hint=did_you_mean(run_id, names) if names else "nothing was run in this project yet",
    )


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _remove(path: Path) -> None:
    """Remove a file or a directory with all that is in it. Raises OSError."""
    with suppress(FileNotFoundError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
