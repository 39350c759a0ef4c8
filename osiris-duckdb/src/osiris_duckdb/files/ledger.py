"""The ledgers of all files below a connection's root, seen as one."""

from __future__ import annotations

from pathlib import Path

from osiris_core import Connection, LedgerEntry
from osiris_duckdb.files.markers import FileLock, Marker, lock, marked
from osiris_duckdb.files.paths import root_of


def entries(connection: Connection, limit: int | None) -> list[LedgerEntry]:
    """The newest commits. Raises ConnectError when there is no root."""
    root = root_of(connection)
    found = [entry for file in marked(root) for entry in Marker(file).entries(file.relative_to(root).as_posix())]
    return sorted(found, key=lambda entry: entry.committed_at, reverse=True)[:limit]


def prune(connection: Connection, older_than_days: float, *, dry_run: bool) -> int:
    """Remove old commits from every marker, each under its file's lock. Returns how many.

    Raises RunError (OSI-R029, retryable) while a run writes one of the files, OSI-R027 when a marker was edited; the
    others are done or left for the next time.
    """
    root = root_of(connection)
    return sum(_prune(root, name, older_than_days, dry_run) for name in marked(root))


def _prune(root: Path, file: Path, older_than_days: float, dry_run: bool) -> int:
    if dry_run:
        return Marker(file).prune(older_than_days, dry_run=True)
    held = FileLock(file)
    lock(held, file.relative_to(root).as_posix())
    try:
        return Marker(file).prune(older_than_days, dry_run=False)
    finally:
        held.release()
