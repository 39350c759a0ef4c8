"""Run keys: kept while a run is unfinished, never shared by two."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from osiris_core.run.runkey import RunKeys


def test_a_finished_run_leaves_nothing(tmp_path: Path) -> None:
    with RunKeys(tmp_path, "f" * 64) as keys:
        first = keys.claim("r1")
        assert first.previous_run is None
        keys.finish()
    with RunKeys(tmp_path, "f" * 64) as keys:
        assert keys.claim("r2").run_key != first.run_key


def test_an_unfinished_run_is_continued(tmp_path: Path) -> None:
    with RunKeys(tmp_path, "f" * 64) as keys:
        first = keys.claim("r1")
    with RunKeys(tmp_path, "f" * 64) as keys:
        second = keys.claim("r2")
    assert (second.run_key, second.previous_run) == (first.run_key, "r1")
    with RunKeys(tmp_path, "f" * 64) as keys:
        assert keys.claim("r3").previous_run == "r2"


def test_other_pipelines_have_other_keys(tmp_path: Path) -> None:
    with RunKeys(tmp_path, "a" * 64) as one:
        first = one.claim("r1")
    with RunKeys(tmp_path, "b" * 64) as other:
        assert other.claim("r2").run_key != first.run_key


def test_a_key_in_use_is_not_shared(tmp_path: Path) -> None:
    with RunKeys(tmp_path, "f" * 64) as one, RunKeys(tmp_path, "f" * 64) as two:
        first, second = one.claim("r1"), two.claim("r2")
        assert first.run_key != second.run_key
        assert second.previous_run is None
    # Both were left unfinished: the oldest is continued first, then the other one.
    with RunKeys(tmp_path, "f" * 64) as one, RunKeys(tmp_path, "f" * 64) as two:
        assert one.claim("r3").run_key == first.run_key
        assert two.claim("r4").run_key == second.run_key


def test_a_given_key_is_not_remembered(tmp_path: Path) -> None:
    with RunKeys(tmp_path, "f" * 64) as keys:
        claim = keys.claim("r1", "monday")
        assert (claim.run_key, claim.previous_run) == ("monday", None)
    assert not (tmp_path / "unfinished").exists()


def test_a_damaged_or_empty_file_still_keeps_its_key(tmp_path: Path) -> None:
    with RunKeys(tmp_path, "f" * 64) as keys:
        first = keys.claim("r1")
    (path,) = (tmp_path / "unfinished").glob("*/*.json")
    for text in ("", "{", "[]", '{"run_id": '):
        path.write_text(text)
        with RunKeys(tmp_path, "f" * 64) as keys:
            assert keys.claim("r2").run_key == first.run_key


def test_a_process_that_is_killed_gives_its_key_back(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from osiris_core.run.runkey import RunKeys\n"
        "keys = RunKeys(Path(sys.argv[1]), 'f' * 64); print(keys.claim('r1').run_key, flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    held = process.stdout.readline().strip()
    with RunKeys(tmp_path, "f" * 64) as keys:
        assert keys.claim("r2").run_key != held
        keys.finish()
    process.kill()
    process.communicate()
    until = time.monotonic() + 5
    with RunKeys(tmp_path, "f" * 64) as keys:
        claim = keys.claim("r3")
    assert time.monotonic() < until
    assert (claim.run_key, claim.previous_run) == (held, "r1")
