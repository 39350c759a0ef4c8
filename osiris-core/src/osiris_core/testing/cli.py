"""The fixture ``osiris``: a real ``osiris`` process, as a user would start it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

#: Long enough for a busy machine with two cores; a hang is a failure, not a wait.
TIMEOUT_SECONDS = 120.0


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without what configures Osiris, colours or the terminal's width, plus ``extra``."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("OSIRIS_") and name not in {"NO_COLOR", "FORCE_COLOR", "COLUMNS"}
    }
    return {**inherited, **(extra or {})}


def unmeasured_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The same for a process whose imports or time are looked at: coverage would add its own to both."""
    return {name: value for name, value in clean_environment(extra).items() if not name.startswith("COVERAGE_")}


def osiris_command() -> list[str]:
    """The ``osiris`` that belongs to this Python: its console script, or the module where there is none."""
    script = Path(sys.executable).with_name("osiris")
    return [str(script)] if script.exists() else [sys.executable, "-m", "osiris_core"]


class Osiris:
    """Runs ``osiris`` in a directory. Calling it waits for the end; ``start`` gives the running process."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def __call__(
        self,
        *arguments: str | Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: str = "",
        timeout: float = TIMEOUT_SECONDS,
    ) -> subprocess.CompletedProcess[str]:
        """Run to the end; ``returncode``, ``stdout`` and ``stderr`` are the result's. Never raises for an exit code."""
        return subprocess.run(
            [*osiris_command(), *map(str, arguments)],
            cwd=cwd or self.directory,
            env=clean_environment(env),
            input=stdin,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=timeout,
            check=False,
        )

    def start(
        self, *arguments: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.Popen[str]:
        """Start and hand out the process, for tests that send it signals; the caller waits for it."""
        return subprocess.Popen(
            [*osiris_command(), *map(str, arguments)],
            cwd=cwd or self.directory,
            env=clean_environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            **options,
        )


def pytest_configure(config: pytest.Config) -> None:
    """Heed SIGINT: a shell's background jobs ignore it, and so would every process that tests send it to."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def osiris(tmp_path: Path) -> Osiris:
    """``osiris("validate", "p.yaml", env={...})`` runs a real process in this test's directory."""
    return Osiris(tmp_path)
