"""How the process ends: at once, with all output, what wants to be called at the end called, and its own exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Install = Callable[[str, str, dict[str, str]], None]
Run = Callable[..., "subprocess.CompletedProcess[str]"]

PLUGIN = """
import atexit, sys, threading, time
from pathlib import Path

class Watched:
    def __del__(self):
        Path("dismantled").touch()

watched = Watched()
atexit.register(Path("called at the end").touch)

def say(arguments):
    if "fail" in arguments:
        raise RuntimeError("on purpose")
    if "numbers" in arguments:
        import numpy
        print(len(list(Path("/proc/self/task").iterdir())))
        return 0
    if "later" in arguments:
        threading.Thread(target=lambda: (time.sleep(0.3), print("said later"))).start()
        return 0
    print("x" * 1_000_000)
    print("not a word is lost", file=sys.stderr, end="")
    return 7
"""


@pytest.fixture
def run(install: tuple[Install, dict[str, str]], unmeasured: dict[str, str], tmp_path: Path) -> Run:
    """Run ``osiris say …`` of a plugin in ``tmp_path``."""
    add, environment = install
    add("sayer", PLUGIN, {"say": "say"})

    def go(
        *arguments: str, options: tuple[str, ...] = (), stdout: int = subprocess.PIPE
    ) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *options, "-m", "osiris_core", "say", *arguments]
        env = {**unmeasured, **environment}
        return subprocess.run(command, cwd=tmp_path, env=env, stdout=stdout, stderr=subprocess.PIPE, text=True)

    return go


def test_all_output_arrives_and_the_exit_code_is_the_commands(run: Run, tmp_path: Path) -> None:
    done = run()
    assert (done.returncode, len(done.stdout)) == (7, 1_000_001)
    assert done.stderr == "not a word is lost"


def test_what_asked_to_be_called_at_the_end_is_called_and_nothing_is_dismantled(run: Run, tmp_path: Path) -> None:
    run()
    assert (tmp_path / "called at the end").exists()
    assert not (tmp_path / "dismantled").exists()


def test_who_inspects_the_process_afterwards_finds_it_alive(run: Run, tmp_path: Path) -> None:
    run(options=("-i",))
    assert (tmp_path / "dismantled").exists()


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_are_no_failure(
    install: tuple[Install, dict[str, str]], unmeasured: dict[str, str], tmp_path: Path, closed: str
) -> None:
    """As some schedulers start programs. No file that a command opens takes the number of its stdout either."""
    add, environment = install
    source = "def say(arguments):\n    print('lost')\n    return 0 if open(__file__).fileno() > 2 else 9\n"
    add("sayer", source, {"say": "say"})
    command = f"exec {sys.executable} -m osiris_core say {closed}"
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, env={**unmeasured, **environment}, check=False)
    assert done.returncode == 0


def test_threads_of_a_plugin_come_to_their_end(run: Run) -> None:
    done = run("later")
    assert (done.returncode, done.stdout) == (0, "said later\n")


def test_numpy_starts_no_threads_that_nobody_asked_for(run: Run) -> None:
    assert run("numbers").stdout == "1\n"


def test_a_profiler_tells_what_it_saw(run: Run) -> None:
    assert " function calls" in run(options=("-m", "cProfile")).stdout


def test_an_error_keeps_its_exit_code(run: Run, tmp_path: Path) -> None:
    assert run("fail").returncode == 1
    assert (tmp_path / "called at the end").exists()


def test_a_reader_that_goes_away_is_a_broken_pipe(run: Run) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        assert run(stdout=writing).returncode == 141
    finally:
        os.close(writing)
