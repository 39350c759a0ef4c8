"""Runs started by a Python program, engines that misbehave, frames for workers, and the mapper of errors."""

from __future__ import annotations

import errno
import io
import json
from pathlib import Path
from typing import Any

import pytest

from osiris_core.drivers import Driver, Fault
from osiris_core.engine import Engine, RunRequest
from osiris_core.errors import ConnectError, DriftError, InvalidInputError, RunError
from osiris_core.hookspecs import hookimpl
from osiris_core.run import RunOptions, run_compiled
from osiris_core.run.faults import StepFault, explain
from osiris_core.run.signals import SignalWatch
from osiris_core.run.worker import frame_of, work
from osiris_core.secrets import Redactor, Secret
from osiris_core.session import Session


@pytest.fixture
def session(lab: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lab_module: Any) -> Session:
    """A project beside the lab's tables, with ``out`` compiled from a copy of ``orders`` to ``load``."""
    from osiris_core.compile import compile_pipeline, write_compiled
    from osiris_core.validate import validate

    monkeypatch.setenv("LAB_PASSWORD", lab.password)
    root = tmp_path / "project"
    root.mkdir()
    fields = {"component": "lab", "directory": str(lab.directory), "password": "${LAB_PASSWORD}"}
    (root / "osiris_connections.yaml").write_text(json.dumps({"connections": {"lab": fields}}))
    steps = [lab.read("orders"), lab.write("load", "orders", create="if_missing")]
    written = [{"component": "lab.table", "connection": "@lab", **step} for step in steps]
    (root / "p.yaml").write_text(json.dumps({"oml_version": "0.0.1", "name": "copy", "steps": written}))
    lab.table("orders", 3)
    session = Session.open(root, plugins=[])
    session.plugins.register("lab", lab_module)
    write_compiled(compile_pipeline(validate(root / "p.yaml", session), session), root / "out")
    return session


def test_a_program_can_run_a_compiled_pipeline(session: Session, lab: Any) -> None:
    seen: list[str] = []
    outcome = run_compiled(
        session.project.root / "out", session, run_key="monday", progress=lambda event: seen.append(event["event"])
    )
    assert (outcome.result.status, outcome.result.exit_code) == ("success", 0)
    assert lab.rows("load") == [1, 2, 3]
    assert (seen[0], seen[-1]) == ("run_started", "run_completed")
    assert outcome.run_dir.name == outcome.run_id
    again = run_compiled(session.project.root / "out", session, run_key="monday")
    assert again.result.steps["load"]["already_committed"] is True
    assert lab.rows("load") == [1, 2, 3]


def test_the_state_of_a_project_is_its_owners_only(session: Session) -> None:
    outcome = run_compiled(session.project.root / "out", session)
    state = session.project.state_dir
    folders = [state, state / "unfinished", *(state / "unfinished").iterdir(), state / "runs", outcome.run_dir]
    assert {path.stat().st_mode & 0o777 for path in folders} == {0o700}
    files = [path for path in outcome.run_dir.iterdir() if path.is_file()]
    assert {path.name for path in files} == {"events.jsonl", "result.json", "report.html"}
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_an_unknown_engine_leaves_no_record(session: Session) -> None:
    with pytest.raises(InvalidInputError, match="nowhere"):
        run_compiled(session.project.root / "out", session, engine="nowhere")
    assert not (session.project.state_dir / "runs").exists()


class Exploding:
    """An engine that breaks its promise never to raise."""

    def run(self, request: RunRequest, emit: Any, cancelled: Any) -> Any:
        raise LookupError(f"with {request.connections['lab'].text('password')}")


class EnginePlugin:
    @hookimpl
    def osiris_engines(self) -> list[Engine]:
        return [Engine("exploding", "Explodes", "osiris_lab:Exploding")]


def test_an_engine_that_raises_is_a_bug_with_a_record(session: Session, lab: Any, lab_module: Any) -> None:
    lab_module.Exploding = Exploding
    session.plugins.register("engines", EnginePlugin())
    outcome = run_compiled(session.project.root / "out", session, options=RunOptions(engine="exploding"))
    assert (outcome.result.exit_code, outcome.result.error["code"]) == (1, "OSI-X001")
    assert json.loads((outcome.run_dir / "result.json").read_text())["status"] == "failed"
    trace = (outcome.run_dir / "traceback.txt").read_text()
    assert "LookupError: with ***" in trace
    assert (outcome.run_dir / "traceback.txt").stat().st_mode & 0o777 == 0o600
    assert lab.password not in trace
    assert json.loads((outcome.run_dir / "events.jsonl").read_text())["event"] == "run_failed"


def test_a_frame_carries_a_request_to_a_worker(session: Session, lab: Any) -> None:
    request = RunRequest(
        manifest_dir=session.project.root / "out",
        project_dir=session.project.root,
        run_dir=session.project.root,
        run_id="r7",
        run_key="k7",
        connections={"lab": lab.connection(nested={"token": Secret("deep-secret", "T")})},
    )
    frame = json.loads(frame_of(request))
    assert lab.password not in json.dumps(frame["connections"])
    assert sorted(frame["secrets"].values()) == ["deep-secret", lab.password]
    frame["connections"]["lab"]["fields"].pop("nested")
    out = io.StringIO()
    code = work(session.project.root / "out", io.StringIO(json.dumps(frame) + "\n"), out, SignalWatch())
    first, *_, last = [json.loads(line) for line in out.getvalue().splitlines()]
    # The lab is not installed here, so the worker says so; what matters is that the request arrived whole.
    assert (first["run_id"], last["result"]["exit_code"]) == ("r7", code)


# -- the mapper ----------------------------------------------------------------------------------------------------
class Mapping(Driver):
    """Knows some errors of its own."""

    def map_error(self, error: BaseException) -> Fault | None:
        if isinstance(error, KeyError):
            raise TypeError("the mapper itself is broken")
        if isinstance(error, LookupError):
            return Fault("OSI-R020", "lost geheim-1", retryable=True, kind="connection")
        if isinstance(error, ArithmeticError):
            return Fault("OSI-R002", "altered", kind="drift")
        return None


def mapped(error: BaseException, *, moved: bool = False) -> Any:
    return explain(StepFault("s", Mapping(), error), Redactor([Secret("geheim-1")]), moved=moved)


@pytest.mark.parametrize(
    ("error", "moved", "kind", "code", "exit_code", "retryable"),
    [
        (LookupError("x"), False, ConnectError, "OSI-R020", 5, True),
        (LookupError("x"), True, RunError, "OSI-R020", 4, True),
        (ArithmeticError("x"), False, DriftError, "OSI-R002", 4, False),
        (ConnectionResetError("x"), False, ConnectError, "OSI-C010", 5, True),
        (TimeoutError("x"), True, RunError, "OSI-R020", 4, True),
        (OSError(errno.ENOSPC, "full"), False, RunError, "OSI-R010", 4, False),
        (PermissionError(errno.EACCES, "no", "f"), False, RunError, "OSI-R012", 4, False),
        (MemoryError(), False, RunError, "OSI-R011", 4, False),
        (KeyError("x"), False, RunError, "OSI-R001", 4, False),
        (SystemExit("x"), False, RunError, "OSI-R001", 4, False),
        (ConnectError("x", code="OSI-C014"), False, ConnectError, "OSI-C014", 5, False),
        (ConnectError("x", code="OSI-C014"), True, RunError, "OSI-C014", 4, False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_one_mapper_knows_every_error(
    error: BaseException, moved: bool, kind: type, code: str, exit_code: int, retryable: bool
) -> None:
    found = mapped(error, moved=moved)
    assert type(found) is kind
    assert (found.code, found.exit_code, found.retryable) == (code, exit_code, retryable)


def test_the_cause_of_an_error_is_asked_for_too() -> None:
    wrapped = RuntimeError("wrapped by a library")
    wrapped.__cause__ = LookupError("x")
    assert mapped(wrapped).code == "OSI-R020"


def test_messages_are_masked_and_of_one_line() -> None:
    assert mapped(LookupError("x")).message == "lost ***"
    assert mapped(RuntimeError("geheim-1\n\nINSERT INTO t VALUES ('row')")).message == "RuntimeError: ***"
    assert len(mapped(RuntimeError("y" * 10_000)).message) < 600


FRAME: dict[str, Any] = {
    "v": 1,
    "run_id": "r",
    "run_key": "k",
    "connections": {"lab": {"family": "lab", "fields": {"password": {"$secret": "x"}}}},
    "secrets": {"x": "hunter2-canary"},
}


@pytest.mark.parametrize(
    "change",
    [
        {"run_id": 1},
        {"run_key": None},
        {"connections": ["hunter2-canary"]},
        {"connections": {"lab": "hunter2-canary"}},
        {"connections": {"lab": {"family": 1, "fields": {}}}},
        {"connections": {"lab": {"family": "lab"}}},
        {"connections": {"lab": {"family": "lab", "fields": {"a": {"b": {"$secret": "hunter2-canary"}}}}}},
        {"connections": {"lab": {"family": "lab", "fields": {"password": {"$secret": ["hunter2-canary"]}}}}},
        {"secrets": "hunter2-canary"},
        {"secrets": {"x": 1}},
        {"parallel": "hunter2-canary"},
        {"parallel": 0},
        {"parallel": True},
        {"retries": -1},
        {"dry_run": "no"},
        {"lease": 1},
        {"continues": 1},
    ],
)
def test_a_frame_of_wrong_types_is_refused_and_not_repeated(tmp_path: Path, change: dict[str, Any]) -> None:
    line = json.dumps({**FRAME, **change}) + "\n"
    with pytest.raises(InvalidInputError) as caught:
        work(tmp_path, io.StringIO(line), io.StringIO(), SignalWatch())
    assert (caught.value.code, caught.value.exit_code) == ("OSI-V050", 2)
    assert "canary" not in caught.value.message
    assert list(tmp_path.iterdir()) == []
