"""The short form of the fuzzer."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from osiris_core.testing.cli import unmeasured_environment

PROGRAM = Path(__file__).parents[1] / "benchmarks" / "fuzz.py"


@pytest.mark.parametrize("loader", ["oml", "spec"])
def test_three_seconds_of_nonsense_break_nothing(loader: str, tmp_path: Path) -> None:
    command = [sys.executable, str(PROGRAM), loader, "--minutes", "0.05", "--seed", str(random.randrange(10**6))]
    environment = unmeasured_environment()
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    found = [path.read_text("utf-8", "replace") for path in tmp_path.iterdir()]
    assert (done.returncode, found) == (0, []), (command, done.stdout, done.stderr)
