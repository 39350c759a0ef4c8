"""Run keys: fresh per logical run, and kept while that run is unfinished.

``.osiris/unfinished/<identity>/<run key>.json`` exists, locked by the process that runs, from before anything moves
until the run has succeeded. A run that was killed or failed leaves its file behind, unlocked; the next run of the
same thing takes the file over and with it the key, so that the targets' ledgers know what was done. Two runs of one
thing at the same time never share a key: the second finds the file locked and gets a key of its own.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from osiris_core.atomic import PRIVATE_FILE, private_directory

if sys.platform != "win32":
    import fcntl


@dataclass(frozen=True, slots=True)
class Claim:
    """A run key held by this process. ``previous_run`` is the unfinished run it continues, or None."""

    run_key: str
    previous_run: str | None


class RunKeys:
    """The unfinished runs of one thing (``identity``: what is run, as a fingerprint)."""

    def __init__(self, state_dir: Path, identity: str) -> None:
        self._directory = state_dir / "unfinished" / identity[:32]
        self._descriptor: int | None = None
        self._path: Path | None = None

    def claim(self, run_id: str, run_key: str | None = None) -> Claim:
        """Take over the oldest unfinished run's key that no process holds, or make a fresh one.

        ``run_key`` given by the user is used as it is and not remembered: whoever names it, repeats it.
        """
        if run_key is not None:
            return Claim(run_key, None)
        private_directory(self._directory)
        for path in sorted(self._directory.glob("*.json"), key=_age):
            previous = self._take(path)
            if previous is not None:
                self._write(run_id)
                return Claim(path.stem, previous)
        return Claim(self._fresh(run_id), None)

    def _fresh(self, run_id: str) -> str:
        key = secrets.token_hex(16)
        if self._take(self._directory / f"{key}.json", create=True) is None:
            raise OSError(f"the state file of run {run_id} cannot be locked")
        self._write(run_id)
        return key

    def _take(self, path: Path, *, create: bool = False) -> str | None:
        """Lock ``path``: the run id in it, ``""`` when it is new, None when another process has it or had."""
        try:
            descriptor = os.open(path, os.O_RDWR | (os.O_CREAT if create else 0), PRIVATE_FILE)
        except FileNotFoundError:
            return None
        if not _lock(descriptor) or not _is_same_file(descriptor, path):
            os.close(descriptor)
            return None
        self._descriptor, self._path = descriptor, path
        text = os.read(descriptor, 65536).decode("utf-8", "replace")
        return _run_id(text)

    def _write(self, run_id: str) -> None:
        """Remember which run holds the key, on disk before anything moves."""
        descriptor = self._held()
        data = json.dumps({"run_id": run_id}).encode()
        os.pwrite(descriptor, data, 0)
        os.ftruncate(descriptor, len(data))
        os.fsync(descriptor)

    def _held(self) -> int:
        if self._descriptor is None:
            raise RuntimeError("no run key is held")
        return self._descriptor

    def finish(self) -> None:
        """The run has succeeded: forget its key."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        self.release()

    def release(self) -> None:
        """The run has not succeeded: keep the key for the next one. Idempotent."""
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = self._path = None

    def __enter__(self) -> RunKeys:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _lock(descriptor: int) -> bool:
    """Lock without waiting. On Windows two runs at once are not told apart."""
    if sys.platform != "win32":
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
    return True


def _is_same_file(descriptor: int, path: Path) -> bool:
    """Whether ``path`` is still the file that was opened: its run may have finished in between."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _age(path: Path) -> tuple[float, str]:
    try:
        return (path.stat().st_mtime, path.name)
    except FileNotFoundError:
        return (0.0, path.name)


def _run_id(text: str) -> str:
    try:
        return str(json.loads(text)["run_id"])
    except (ValueError, KeyError, TypeError):
        return ""
