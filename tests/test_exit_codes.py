"""Every exit code, provoked in a real process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from osiris_core.testing.cli import Osiris

ROOT = Path(__file__).parents[1]
#: Puts the third-party plugin ``mishap`` where Python looks for installed packages.
MISHAP = {"PYTHONPATH": str(ROOT / "tests" / "plugins" / "mishap")}
CONNECTIONS = """\
connections:
  lake: {component: file, root: lake}
  shop: {component: mysql, host: 127.0.0.1, database: shop, user: reader, password: "${SHOP_PASSWORD}"}
"""
PIPELINE = """\
oml_version: "0.0.1"
name: numbers
steps:
  - {id: numbers, component: mishap.table, mode: read, config: {mishap: MISHAP}}
  - id: load
    component: file.table
    mode: write
    connection: "@lake"
    needs: [numbers]
    config: {table: numbers.csv, write_mode: replace}
"""
READS_MYSQL = """\
oml_version: "0.0.1"
name: orders
steps:
  - {id: orders, component: mysql.table, mode: read, connection: "@shop", config: {table: orders}}
  - id: load
    component: file.table
    mode: write
    connection: "@lake"
    needs: [orders]
    config: {table: orders.csv, write_mode: replace}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "lake").mkdir()
    (tmp_path / "osiris_connections.yaml").write_text(CONNECTIONS)
    return tmp_path


def pipeline(project: Path, mishap: str = "none") -> Path:
    path = project / "numbers.yaml"
    path.write_text(PIPELINE.replace("MISHAP", mishap))
    return path


def last_events(project: Path) -> list[dict[str, Any]]:
    (path,) = (project / ".osiris" / "runs").glob("*/events.jsonl")
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def target(project: Path) -> Path:
    return project / "lake" / "numbers.csv"


def test_0_success(project: Path, osiris: Osiris) -> None:
    done = osiris("run", pipeline(project), env=MISHAP)
    assert done.returncode == 0, done.stderr
    assert target(project).read_text().split() == ["id", "1", "2", "3"]
    assert last_events(project)[-1]["event"] == "run_completed"


def test_1_a_bug(project: Path, osiris: Osiris) -> None:
    done = osiris("run", pipeline(project), "--engine", "buggy", env=MISHAP)
    assert done.returncode == 1
    assert "OSI-X001" in done.stderr
    assert "Traceback" not in done.stderr
    assert last_events(project)[-1]["event"] == "run_failed"
    assert not target(project).exists()


def test_2_invalid_input(project: Path, osiris: Osiris) -> None:
    path = pipeline(project, "nonne")
    for command in ("validate", "compile", "run"):
        done = osiris(command, path, env=MISHAP)
        assert done.returncode == 2, f"{command}: {done.stderr}"
        assert "numbers.yaml:4:" in done.stderr
    assert not target(project).exists()


def test_3_an_edited_manifest(project: Path, osiris: Osiris) -> None:
    assert osiris("compile", pipeline(project), "--out", "build", env=MISHAP).returncode == 0
    config = project / "build" / "cfg" / "numbers.json"
    config.write_text(config.read_text().replace("none", "endless"))
    done = osiris("run", "build", env=MISHAP)
    assert done.returncode == 3, done.stderr
    assert "OSI-M" in done.stderr
    assert not target(project).exists()


def test_4_a_failed_run(project: Path, osiris: Osiris) -> None:
    target(project).write_text("what was there before\n")
    done = osiris("run", pipeline(project, "raises"), env=MISHAP)
    assert done.returncode == 4, done.stderr
    assert "the source broke off" in done.stderr
    assert last_events(project)[-1]["event"] == "run_failed"
    assert target(project).read_text() == "what was there before\n"


def test_5_a_missing_secret(project: Path, osiris: Osiris) -> None:
    path = project / "orders.yaml"
    path.write_text(READS_MYSQL)
    done = osiris("run", path)
    assert done.returncode == 5, done.stderr
    assert "SHOP_PASSWORD" in done.stderr
    assert not (project / "lake" / "orders.csv").exists()


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_130_and_143_a_signal(project: Path, osiris: Osiris, sign: signal.Signals) -> None:
    """The run ends within ten seconds, is rolled back, and says so in its record."""
    target(project).write_text("what was there before\n")
    process = osiris.start("run", pipeline(project, "endless"), env=MISHAP, start_new_session=True)
    wait_until_rows_move(project, process)
    os.kill(process.pid, sign)
    _, stderr = process.communicate(timeout=10)
    assert process.returncode == 128 + sign, stderr
    assert "Traceback" not in stderr
    assert last_events(project)[-1]["event"] == "run_cancelled"
    assert target(project).read_text() == "what was there before\n"


def wait_until_rows_move(project: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        for path in (project / ".osiris" / "runs").glob("*/events.jsonl"):
            if '"step_started"' in path.read_text("utf-8"):
                time.sleep(0.5)
                return
        time.sleep(0.05)
    raise AssertionError("the run did not start")
