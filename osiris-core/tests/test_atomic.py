"""Atomic writes: the old thing or the new thing, never a part, and no litter."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from osiris_core import atomic


def names(directory: Path) -> list[str]:
    return sorted(entry.name for entry in directory.iterdir())


def test_a_file_is_written_with_its_parents_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.json"
    atomic.write_text(path, "one\n")
    atomic.write_text(path, "zwei é\r\n")
    assert path.read_bytes() == "zwei é\r\n".encode()
    assert names(path.parent) == ["b.json"]


def test_a_file_gets_the_rights_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        atomic.write_bytes(tmp_path / "x", b"")
    finally:
        os.umask(before)
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o640


def test_a_file_that_is_replaced_keeps_its_rights(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.touch()
    path.chmod(0o604)
    atomic.write_bytes(path, b"new")
    assert path.stat().st_mode & 0o777 == 0o604


def test_a_private_file_and_its_new_directories_are_their_owners_only(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    path = tmp_path / "a" / "b" / "x"
    atomic.write_text(path, "1", private=True)
    rights = [place.stat().st_mode & 0o777 for place in (path, path.parent, path.parent.parent, tmp_path)]
    assert rights == [0o600, 0o700, 0o700, 0o755]
    path.chmod(0o644)
    atomic.write_text(path, "2", private=True)
    assert path.stat().st_mode & 0o777 == 0o600


def test_nobody_else_can_read_a_file_while_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: seen.append(os.fstat(descriptor).st_mode & 0o777))
    atomic.write_bytes(tmp_path / "x", b"1")
    assert seen == [0o600]


def test_a_failing_write_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    target = tmp_path / "taken"
    target.mkdir()
    (target / "kept").write_text("kept")
    with pytest.raises(OSError, match="taken"):
        atomic.write_text(target, "text")
    assert names(tmp_path) == ["taken"]
    assert (target / "kept").read_text() == "kept"


def test_a_directory_is_swapped_as_a_whole(tmp_path: Path) -> None:
    for generation in ("one", "two"):
        with atomic.new_directory(tmp_path / "cfg") as new:
            (new / generation).write_text(generation)
    assert names(tmp_path / "cfg") == ["two"]
    assert names(tmp_path) == ["cfg"]


def test_a_directory_stays_when_its_successor_fails(tmp_path: Path) -> None:
    with atomic.new_directory(tmp_path / "cfg") as new:
        (new / "old").write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic.new_directory(tmp_path / "cfg") as new:
        (new / "half").write_text("half")
        raise KeyboardInterrupt
    assert names(tmp_path / "cfg") == ["old"]
    assert names(tmp_path) == ["cfg"]


def test_a_killed_writer_never_leaves_half_a_directory(tmp_path: Path) -> None:
    """A process that swaps directories for ever is killed 20 times; what is there is always whole."""
    program = (
        "import sys, itertools; from pathlib import Path; from osiris_core import atomic\n"
        "target = Path(sys.argv[1]); print('ready', flush=True)\n"
        "for n in itertools.count():\n"
        "    with atomic.new_directory(target) as new:\n"
        "        for name in 'abc': (new / name).write_text(str(n))\n"
    )
    target = tmp_path / "cfg"
    seen = 0
    for delay in range(20):
        process = subprocess.Popen([sys.executable, "-c", program, str(target)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        try:
            process.wait(timeout=0.005 + delay * 0.003)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
        if target.exists():
            seen += 1
            assert names(target) == ["a", "b", "c"]
            assert len({(target / name).read_text() for name in "abc"}) == 1
    assert seen > 0
