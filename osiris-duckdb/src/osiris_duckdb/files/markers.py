"""The ledger of a file: a hidden JSON file beside it, and the protocol that makes two renames one change.

    1. the new content is complete in ``.NAME.TOKEN.osiris-tmp``, on disk
    2. the marker ``.NAME.osiris-commits.json`` is replaced by one that has the commit, with the temporary file's name
    3. the temporary file is renamed to NAME

Killed before 2, the step has not happened, and the temporary file is removed by the next run. Killed between 2 and 3,
the next run finds commit and temporary file and does 3. Afterwards the temporary file is gone: the step has happened.
"""

from __future__ import annotations

import json
import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex
from typing import Any

from osiris_core import CommitResult, LedgerEntry, RunError, StepContext
from osiris_core.data import ledger_entry, private_opener, result_from_json, result_to_json, rights_of
from osiris_duckdb.files.paths import has_control

#: Commits that a marker keeps; of each step the last is always among them.
KEPT_COMMITS = 500
#: How long another run that writes the same file is waited for.
LOCK_WAIT_SECONDS = 10.0
_POLL_SECONDS = 0.1
#: Of the token in a temporary file's name, which has two hexadecimal digits for each.
_TOKEN_BYTES = 6
#: Bytes of a marker; the commits that one keeps take a hundredth of this.
_LARGEST = 16 * 1024 * 1024
_LARGEST_COUNT = 2**63 - 1
#: Neither a link's target nor, for ever, the other end of a pipe. Windows has neither flag.
_ITSELF = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_TEMPORARY = ".osiris-tmp"
_MARKER = ".osiris-commits.json"


class Marker:
    """The commits of one file."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._path = target.with_name(f".{target.name}{_MARKER}")
        self._commits: list[dict[str, Any]] = []
        with suppress(FileNotFoundError):
            self._commits = self._read()

    def _read(self) -> list[dict[str, Any]]:
        if not _is_regular(self._path):  # a link leads anywhere, and a pipe has no end
            raise self._broken()
        try:
            with _descriptor(self._path) as descriptor, open(descriptor, "rb", closefd=False) as file:
                status = os.fstat(descriptor)
                text = file.read(_LARGEST + 1) if stat.S_ISREG(status.st_mode) else b""
            if len(text) > _LARGEST:
                raise self._broken()
            value = json.loads(text.decode())
            # Commits of before their time was kept are at least as old as the marker.
            written = datetime.fromtimestamp(status.st_mtime, UTC).isoformat()
            commits = [{"committed_at": written, **commit} for commit in value["commits"]]
            if not all(_is_commit(commit) for commit in commits):
                raise self._broken()
            return commits
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise self._broken() from error

    def _broken(self) -> RunError:
        return RunError(
            f"the ledger {self._path} cannot be read",
            code="OSI-R027",
            hint="it was edited; restore it, or remove it when no run of this file is unfinished",
        )

    def temporary(self) -> Path:
        """Where new content is put together: in the target's directory, so that a rename is atomic."""
        return self._target.with_name(f".{self._target.name}.{token_hex(_TOKEN_BYTES)}{_TEMPORARY}")

    def recover(self) -> None:
        """Finish the commit that was decided but not renamed; remove what never became a commit.

        Raises RunError (OSI-R027) when the marker names a file that no run of this target made.
        """
        if pending := self._pending():
            self._put_in_place(pending)
        made = re.compile(self._made() + r"(\..*)?", re.DOTALL)
        for left in self._target.parent.iterdir():
            if made.fullmatch(left.name) and not left.is_dir():
                left.unlink(missing_ok=True)

    def _made(self) -> str:
        """A pattern for the names that ``temporary`` gives: ``a`` has no part in the files of ``a.csv``."""
        return rf"\.{re.escape(self._target.name)}\.[0-9a-f]{{{2 * _TOKEN_BYTES}}}{re.escape(_TEMPORARY)}"

    def _pending(self) -> Path | None:
        """The content that the last commit decided on, while it is not in place yet.

        Whoever may write the directory may write the marker: its word moves nothing but this target's temporary file.
        """
        if not self._commits:
            return None
        name = self._commits[-1]["file"]
        if not (isinstance(name, str) and re.fullmatch(self._made(), name)):
            raise self._broken()
        pending = self._target.with_name(name)
        with suppress(FileNotFoundError):
            if not _is_regular(pending):
                raise self._broken()
            return pending
        return None

    def committed(self, context: StepContext) -> CommitResult | None:
        """What this run key and step committed before, or None."""
        wanted = [context.run_key, context.pipeline, context.step]
        found = next((c for c in self._commits if [c["run_key"], c["pipeline"], c["step"]] == wanted), None)
        return result_from_json(found["result"]) if found else None

    def state(self, context: StepContext) -> Any:
        """The state of the step's last commit that left one."""
        for commit in reversed(self._commits):
            if (commit["pipeline"], commit["step"]) == (context.pipeline, context.step) and commit["state"] is not None:
                return commit["state"]
        return None

    def commit(self, temporary: Path, context: StepContext, result: CommitResult, state: Any) -> None:
        """Steps 1 to 3. Raises OSError."""
        _sync(temporary)
        entry = {
            "run_key": context.run_key,
            "pipeline": context.pipeline,
            "step": context.step,
            "result": result_to_json(result),
            "state": state,
            "file": temporary.name,
            "committed_at": datetime.now(UTC).isoformat(),
        }
        self._commits = self._trimmed([*self._commits, entry])
        self._save(temporary)
        self._put_in_place(temporary)

    def entries(self, table: str) -> list[LedgerEntry]:
        """The commits, the newest first."""
        return [
            ledger_entry(
                (c["pipeline"], c["step"], table, c["run_key"], _moment(c), c["result"], c["state"] is not None)
            )
            for c in reversed(self._commits)
        ]

    def prune(self, older_than_days: float, *, dry_run: bool) -> int:
        """Remove commits of longer ago, except for the newest state of each step. Returns how many.

        A last commit whose file is not in place yet stays: the next run finishes it. Raises OSError.
        """
        end = datetime.now(UTC) - timedelta(days=older_than_days)
        states = {(c["pipeline"], c["step"]): c for c in self._commits if c["state"] is not None}
        unfinished = self._commits[-1] if self._pending() else None
        kept = [
            c
            for c in self._commits
            if _moment(c) >= end or c is unfinished or states.get((c["pipeline"], c["step"])) is c
        ]
        removed = len(self._commits) - len(kept)
        if removed and not dry_run:
            self._commits = kept
            self._save(self.temporary())
        return removed

    def _save(self, beside: Path) -> None:
        """Put a new marker in the place of the old one, at once. Raises OSError."""
        draft = beside.with_name(beside.name + ".marker")
        with open(draft, "x", encoding="utf-8", opener=private_opener) as file:
            json.dump({"version": 1, "commits": self._commits}, file, ensure_ascii=False)
        _finish(draft, rights_of(self._target))
        draft.replace(self._path)
        _sync(self._path.parent)

    def _put_in_place(self, temporary: Path) -> None:
        _finish(temporary, rights_of(self._target))
        temporary.replace(self._target)
        _sync(self._target.parent)

    @staticmethod
    def _trimmed(commits: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The last ``KEPT_COMMITS``, and of every step the last that left a state."""
        old, recent = commits[:-KEPT_COMMITS], commits[-KEPT_COMMITS:]
        states = {(c["pipeline"], c["step"]): c for c in old if c["state"] is not None}
        return [*states.values(), *recent]


def marked(root: Path) -> list[Path]:
    """Every file below ``root`` that has a marker, whether it still exists or not. No run writes a name of control

    characters, so such a marker is none.
    """
    found = []
    for path in root.rglob(f".?*{_MARKER}"):
        name = path.name[1 : -len(_MARKER)]
        with suppress(FileNotFoundError):
            if name not in (".", "..") and not has_control(str(path.relative_to(root))) and _is_regular(path):
                found.append(path.with_name(name))
    return sorted(found)


def _is_commit(value: dict[str, Any]) -> bool:
    """Whether an entry of a marker is as ``commit`` writes it. Raises what reading a broken one raises."""
    result = result_from_json(value["result"])
    counts = (result.written, result.deduplicated, result.skipped, result.unchanged, result.deleted)
    texts = [value[key] for key in ("run_key", "pipeline", "step", "file", "committed_at")]
    coerced = dict(result.coerced)
    zone = _moment(value).utcoffset()
    _moment(value).astimezone(UTC)
    return (
        all(isinstance(text, str) for text in texts)
        and all(type(count) is int and 0 <= count <= _LARGEST_COUNT for count in (*counts, *coerced.values()))
        and zone is not None
        and (value["state"] is None or isinstance(value["state"], dict))
    )


def _is_regular(path: Path) -> bool:
    """Whether it is a file itself, no link to one. Raises OSError."""
    return stat.S_ISREG(path.lstat().st_mode)


def _moment(commit: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(commit["committed_at"])


@contextmanager
def _descriptor(path: Path) -> Iterator[int]:
    """Opened to read, by its own name: whoever may write the directory may have put a link or a pipe there just now."""
    descriptor = os.open(path, os.O_RDONLY | _ITSELF)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _finish(path: Path, rights: int) -> None:
    """Give a file its rights, and put it on disk. Raises OSError."""
    with _descriptor(path) as descriptor:
        if hasattr(os, "fchmod"):
            os.fchmod(descriptor, rights)
        else:
            path.chmod(rights)
        os.fsync(descriptor)


def _sync(path: Path) -> None:
    """Put a file, or the names in a directory, on disk."""
    if os.name == "nt" and path.is_dir():  # Windows cannot open a directory, and orders renames itself
        return
    with _descriptor(path) as descriptor:
        os.fsync(descriptor)


class FileLock:
    """One writer of a file at a time, over processes; the system releases it when a process dies."""

    def __init__(self, target: Path) -> None:
        self._path = target.with_name(f".{target.name}.osiris-lock")
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock if nobody has it. Without ``fcntl`` (Windows) there is none to take.

        Raises RunError (OSI-R027) when a link has the lock's name: it may lead out of the root.
        """
        try:
            import fcntl
        except ImportError:
            return True
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        except OSError as error:
            if not self._path.is_symlink():
                raise
            raise RunError(f"the lock {self._path} is a link", code="OSI-R027", hint="remove it") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Give it back. Idempotent."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def lock(file: FileLock, table: str, cancelled: Callable[[], bool] = lambda: False) -> None:
    """Take the lock, waiting for another run. Raises RunError (OSI-R029, retryable) when that takes long."""
    deadline = time.monotonic() + LOCK_WAIT_SECONDS
    while not file.acquire():
        if time.monotonic() > deadline or cancelled():
            raise RunError(
                f'another run is writing "{table}"',
                code="OSI-R029",
                hint="wait for it to end, then run again",
                retryable=True,
            )
        time.sleep(_POLL_SECONDS)
