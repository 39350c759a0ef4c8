"""The event log, its schema, and the run record on disk."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from osiris_core.engine import EventName, RunEvent
from osiris_core.errors import InvalidInputError
from osiris_core.run.events import EventLog, events_schema
from osiris_core.run.progress import Notices, ProgressLine
from osiris_core.run.record import RunRecord, all_records, find_record, new_run_id
from osiris_core.secrets import Redactor, Secret


def log_to(path: Path, *observers: Any) -> EventLog:
    return EventLog(path, "r1", Redactor([Secret("geheim/1 ž")]), observers)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_events_are_numbered_stamped_and_flushed(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log = log_to(path)
    log.emit(RunEvent("step_started", "a"))
    log.emit(RunEvent("step_progress", "a", {"rows": 1, "bytes": 2, "duration_ms": 0.5}))
    first, second = lines(path)
    assert (first["v"], first["run_id"], first["seq"], first["step"]) == (1, "r1", 1, "a")
    assert (second["seq"], second["rows"]) == (2, 1)
    age = datetime.now(UTC) - datetime.fromisoformat(first["ts"])
    assert abs(age.total_seconds()) < 60
    log.close()


def test_secrets_are_masked_wherever_they_hide(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log = log_to(path)
    log.emit(RunEvent("step_warning", "a", {"code": "OSI-R001", "message": "with geheim/1 ž in it"}))
    log.emit(RunEvent("run_failed", None, {"error": {"geheim/1 ž": ["geheim/1 ž"]}}))
    log.close()
    assert "geheim" not in path.read_text("utf-8")
    assert "with *** in it" in path.read_text("utf-8")


def test_nothing_follows_the_end(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log = log_to(path)
    log.emit(RunEvent("run_completed", None, {"written": 0, "duration_ms": 1}))
    log.emit(RunEvent("step_started", "late"))
    assert [event["event"] for event in lines(path)] == ["run_completed"]
    log.close()


def test_an_observer_that_fails_disturbs_nobody(tmp_path: Path) -> None:
    seen: list[int] = []

    def broken(event: Any) -> None:
        raise ValueError("observer")

    log = log_to(tmp_path / "events.jsonl", broken, lambda event: seen.append(event["seq"]))
    for _ in range(3):
        log.emit(RunEvent("step_started", "a"))
    assert seen == [1, 2, 3]
    log.close()


def test_events_from_many_threads_are_whole_lines_in_order(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log = log_to(path)

    def work(name: str) -> None:
        for _ in range(200):
            log.emit(RunEvent("step_progress", name, {"rows": 1, "bytes": 1, "duration_ms": 1}))

    threads = [threading.Thread(target=work, args=(f"s{number}",)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    assert [event["seq"] for event in lines(path)] == list(range(1, 1001))


def test_the_schema_knows_every_event_and_nothing_else() -> None:
    schema = events_schema()
    jsonschema_rs.meta.validate(schema)
    assert set(schema["properties"]["event"]["enum"]) == set(EventName.__args__)
    assert {branch["properties"]["event"]["const"] for branch in schema["oneOf"]} == set(EventName.__args__)
    event = {"v": 1, "run_id": "r", "seq": 1, "ts": "2026-11-23T08:00:00.000Z", "event": "step_skipped", "step": "a"}
    validator = jsonschema_rs.Draft202012Validator(schema)
    assert validator.is_valid({**event, "reason": "dry_run"})
    for wrong in ({}, {"reason": "mood"}, {"reason": "dry_run", "extra": 1}, {"reason": "dry_run", "ts": "today"}):
        assert not validator.is_valid({**event, **wrong}), wrong


def test_run_ids_sort_by_time_and_differ() -> None:
    ids = [new_run_id(datetime(2026, 1, day, 23, 59, 59, 999999, UTC)) for day in range(1, 29)]
    assert ids == sorted(ids)
    assert ids[0].startswith("20260101T235959.999Z-")
    assert len({new_run_id(datetime(2026, 1, 1, tzinfo=UTC)) for _ in range(50)}) > 45


def test_a_record_is_found_by_any_unique_beginning(tmp_path: Path) -> None:
    first, second, last = (f"2026010{day}T101010.000Z-aaaaa{end}" for day, end in ((1, "a"), (1, "b"), (2, "a")))
    for run_id in (last, first, second, "zzz of mine"):
        RunRecord.create(tmp_path, run_id)
    assert find_record(tmp_path, "last").run_id == last
    assert find_record(tmp_path, "20260102").run_id == last
    assert [record.run_id for record in all_records(tmp_path)] == [first, second, last]
    for wrong, words in (("20260101", "begins 2 run ids"), ("2027", "there is no run"), ("", "there is no run")):
        with pytest.raises(InvalidInputError, match=words):
            find_record(tmp_path, wrong)
    with pytest.raises(InvalidInputError, match="there is no run"):
        find_record(tmp_path / "elsewhere", "last")


def test_a_line_cut_short_by_a_kill_is_left_out(tmp_path: Path) -> None:
    record = RunRecord.create(tmp_path, "r1")
    (record.path / "events.jsonl").write_text('{"seq":1}\n{"seq":2}\n{"seq":')
    assert [event["seq"] for event in record.events()] == [1, 2]
    assert record.result() is None
    (record.path / "result.json").write_text('{"status": ')
    assert record.result() is None


class Terminal:
    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        """Written at once."""


def test_progress_shows_rows_speed_and_time_left() -> None:
    terminal = Terminal()
    line = ProgressLine(terminal)
    line({"event": "step_started", "step": "orders", "expected_rows": 4000})
    line({"event": "step_progress", "step": "orders", "rows": 1000, "bytes": 5_000_000, "duration_ms": 2000})
    assert terminal.text.endswith("orders: 1,000 rows, 2.5 MB/s, about 6 s left")
    error = {"code": "OSI-R020", "message": "the connection was lost"}
    line({"event": "step_retried", "step": "orders", "wait_ms": 1500, "error": error})
    assert terminal.text.endswith("orders: waiting 1.5 s, then trying again")
    line({"event": "run_completed", "step": None})
    assert terminal.text.endswith("\r\x1b[K")


WARNING = {"event": "step_warning", "step": "load", "code": "OSI-R029", "message": "waiting for \x1b another run"}


def test_warnings_and_retries_are_said_when_they_happen() -> None:
    terminal = Terminal()
    notices = Notices(terminal)
    notices({"event": "step_started", "step": "load"})
    notices(WARNING)
    error = {"code": "OSI-R020", "message": "the connection was lost"}
    notices({"event": "step_retried", "step": "load", "wait_ms": 1500, "error": error})
    assert terminal.text.splitlines() == [
        "warning OSI-R029: load: waiting for ? another run",
        "retry OSI-R020: load: the connection was lost; again in 1.5 s",
    ]


def test_a_warning_stands_above_the_progress() -> None:
    terminal = Terminal()
    line = ProgressLine(terminal)
    line({"event": "step_started", "step": "load"})
    line(WARNING)
    assert terminal.text.endswith("\r\x1b[Kwarning OSI-R029: load: waiting for ? another run\nload")
