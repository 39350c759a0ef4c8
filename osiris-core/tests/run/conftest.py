"""The lab connector, in this process and in real ``osiris`` processes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from osiris_core.compile import Compiled
from osiris_core.connections import Connection
from osiris_core.engine import RunEvent, RunRequest, RunResult
from osiris_core.plugins import Plugins
from osiris_core.registry import Registry
from osiris_core.secrets import Secret

LAB = Path(__file__).with_name("lab")


@pytest.fixture
def lab_module(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The connector's module, importable by its driver's name."""
    monkeypatch.syspath_prepend(str(LAB))
    import osiris_lab

    osiris_lab.CALLS.clear()
    return osiris_lab


class Steps:
    """Steps of a pipeline over the lab."""

    @staticmethod
    def read(step_id: str, **config: Any) -> dict[str, Any]:
        return {"id": step_id, "mode": "read", "config": {"table": "orders", **config}}

    @staticmethod
    def write(step_id: str, *needs: str, **config: Any) -> dict[str, Any]:
        config = {"table": step_id, "write_mode": "append", **config}
        return {"id": step_id, "mode": "write", "needs": list(needs), "config": config}

    @staticmethod
    def transform(step_id: str, *needs: str, **config: Any) -> dict[str, Any]:
        return {"id": step_id, "mode": "transform", "connection": None, "needs": list(needs), "config": config}


@dataclass
class Lab(Steps):
    """Tables in a directory, and the local engine over them."""

    directory: Path
    registry: Registry
    run_dir: Path
    events: list[RunEvent] = field(default_factory=list)
    password: str = "pass-wörd-1234"

    def table(self, name: str, rows: int | list[dict[str, Any]], **more: Any) -> None:
        """Make a table of ``id`` and ``name``."""
        if isinstance(rows, int):
            rows = [{"id": number, "name": f"n{number}"} for number in range(1, rows + 1)]
        value = {"columns": {"id": "int64", "name": "string"}, "rows": rows, "ledger": {}, **more}
        (self.directory / f"{name}.json").write_text(json.dumps(value))

    def rows(self, name: str) -> list[int]:
        """The ids in a table; empty when it does not exist."""
        path = self.directory / f"{name}.json"
        return [row["id"] for row in json.loads(path.read_text())["rows"]] if path.exists() else []

    def value(self, name: str) -> dict[str, Any]:
        return dict(json.loads((self.directory / f"{name}.json").read_text()))

    def connection(self, **fields: Any) -> Connection:
        fields = {"directory": str(self.directory), "password": Secret(self.password, "LAB_PASSWORD"), **fields}
        return Connection("lab", "lab", fields)

    def run(
        self,
        *steps: Mapping[str, Any],
        cancelled: Callable[[], bool] = lambda: False,
        schemas: Mapping[str, Any] | None = None,
        connection: Connection | None = None,
        **options: Any,
    ) -> RunResult:
        """Run steps with the local engine; the events are kept."""
        from osiris_core.run.local import LocalEngine

        request = RunRequest(
            **{
                "manifest_dir": self.run_dir,
                "project_dir": self.directory,
                "run_dir": self.run_dir,
                "run_id": "r1",
                "run_key": "k1",
                "connections": {"lab": connection or self.connection()},
                "retry_wait": 0.0,
                "compiled": compiled(steps, schemas or {}),
                "registry": self.registry,
                **options,
            }
        )
        self.events.clear()
        return LocalEngine().run(request, self.events.append, cancelled)

    def told(self, *names: str) -> list[tuple[str, str | None]]:
        """``(event, step)`` of the events seen; only those in ``names`` when given."""
        return [(event.event, event.step) for event in self.events if not names or event.event in names]

    def event(self, name: str, step: str | None = None) -> RunEvent:
        found = [event for event in self.events if event.event == name and step in (None, event.step)]
        assert len(found) == 1, f"{len(found)} × {name}"
        return found[0]


def compiled(steps: tuple[Mapping[str, Any], ...], schemas: Mapping[str, Any]) -> Compiled:
    """A compiled pipeline of lab steps, without the fingerprints that only a file needs."""
    manifest = {
        "name": "test",
        "steps": [
            {
                "component": "lab.table",
                "connection": "@lab",
                "needs": [],
                **{k: v for k, v in step.items() if k != "config"},
            }
            for step in steps
        ],
    }
    return Compiled(manifest, {step["id"]: step.get("config", {}) for step in steps}, schemas)


@pytest.fixture
def lab(tmp_path: Path, lab_module: Any) -> Lab:
    plugins = Plugins.load(())
    plugins.register("lab", lab_module)
    directory = tmp_path / "lab"
    directory.mkdir()
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    return Lab(directory, Registry(plugins), run_dir)


@dataclass
class LabProject(Steps):
    """A project directory with the lab connector installed for real ``osiris`` processes."""

    directory: Path
    env: dict[str, str]
    osiris: Any

    def table(self, name: str, rows: int | list[dict[str, Any]]) -> None:
        if isinstance(rows, int):
            rows = [{"id": number, "name": f"n{number}"} for number in range(1, rows + 1)]
        value = {"columns": {"id": "int64", "name": "string"}, "rows": rows, "ledger": {}}
        (self.directory / "data" / f"{name}.json").write_text(json.dumps(value))

    def rows(self, name: str) -> list[int]:
        path = self.directory / "data" / f"{name}.json"
        return [row["id"] for row in json.loads(path.read_text())["rows"]] if path.exists() else []

    def pipeline(self, *steps: Mapping[str, Any], name: str = "copy", file: str = "p.yaml") -> Path:
        """Write a pipeline; JSON is YAML."""
        written = [
            {"component": "lab.table", **({} if step["mode"] == "transform" else {"connection": "@lab"}), **step}
            for step in steps
        ]
        path = self.directory / file
        path.write_text(json.dumps({"oml_version": "0.0.1", "name": name, "steps": written}, indent=1))
        return path

    def run(self, *arguments: str, **options: Any) -> Any:
        env = {**self.env, **options.pop("env", {})}
        return self.osiris("run", *arguments, cwd=self.directory, env=env, **options)

    def start(self, *arguments: str) -> Any:
        return self.osiris.start("run", *arguments, cwd=self.directory, env=self.env)

    def records(self) -> list[Any]:
        from osiris_core.run.record import all_records

        return all_records(self.directory / ".osiris")

    def wait_for(self, event: str, seconds: float = 30) -> None:
        """Until the newest run has told of ``event``."""
        import time

        until = time.monotonic() + seconds
        while time.monotonic() < until:
            records = self.records()
            if records and event in [line["event"] for line in records[-1].events()]:
                return
            time.sleep(0.02)
        raise AssertionError(f"no {event} within {seconds} s")


@pytest.fixture
def project(tmp_path: Path, osiris: Any) -> LabProject:
    site = tmp_path / "site"
    info = site / "osiris_lab-1.0.dist-info"
    info.mkdir(parents=True)
    for file in ("osiris_lab.py", "spec.yaml"):
        (site / file).write_bytes((LAB / file).read_bytes())
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: osiris-lab\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[osiris]\nlab = osiris_lab\n")
    directory = tmp_path / "project"
    (directory / "data").mkdir(parents=True)
    (directory / "osiris.yaml").write_text("validation: strict\n")
    connection = {"component": "lab", "directory": str(directory / "data"), "password": "${LAB_PASSWORD}"}
    (directory / "osiris_connections.yaml").write_text(json.dumps({"connections": {"lab": connection}}))
    path = os.pathsep.join(filter(None, (str(site), os.environ.get("PYTHONPATH"))))
    env = {"PYTHONPATH": path, "OSIRIS_PLUGINS": "lab", "LAB_PASSWORD": "pass-wörd-1234"}
    return LabProject(directory, env, osiris)
