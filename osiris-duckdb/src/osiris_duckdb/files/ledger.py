"""The ledgers of all files below a connection's root, seen as one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from osiris_core import Connection, LedgerEntry, LedgerError, OsirisError, RunError
from osiris_duckdb.files.markers import FileLock, Marker, lock, marked
from osiris_duckdb.files.paths import root_of


def entries(connection: Connection, limit: int | None) -> list[LedgerEntry]:
    """The newest commits. Raises ConnectError when there is no root, LedgerError when a marker cannot be read."""
    root = root_of(connection)
    found: list[LedgerEntry] = []
    faults: list[OsirisError] = []
    for file in marked(root):
        with _collected(faults):
            found += Marker(file).entries(file.relative_to(root).as_posix())
    found = sorted(found, key=lambda entry: entry.committed_at, reverse=True)[:limit]
    if faults:
        raise LedgerError(faults, entries=found)
    return found


def prune(connection: Connection, older_than_days: float, *, dry_run: bool) -> int:
    """Remove old commits from every marker, each under its file's lock. Returns how many.

    Raises LedgerError when all others are done: with OSI-R029 (retryable) while a run writes one of the files,
    OSI-R027 when a marker was edited.
    """
    root = root_of(connection)
    removed = 0
    faults: list[OsirisError] = []
    for file in marked(root):
        with _collected(faults):
            removed += _prune(root, file, older_than_days, dry_run)
    if faults:
        raise LedgerError(faults, removed=removed)
    return removed


@contextmanager
def _collected(faults: list[OsirisError]) -> Iterator[None]:
    """What goes wrong with one marker is no reason to leave out the others."""
    try:
        yield
    except OsirisError as error:
        faults.append(error)
    except OSError as error:
        faults.append(RunError(f"a file cannot be used: {error}", code="OSI-R012"))


def _prune(root: Path, file: Path, older_than_days: float, dry_run: bool) -> int:
    if dry_run:
        return Marker(file).prune(older_than_days, dry_run=True)
    held = FileLock(file)
    lock(held, file.relative_to(root).as_posix())
    try:
        return Marker(file).prune(older_than_days, dry_run=False)
    finally:
        held.release()
