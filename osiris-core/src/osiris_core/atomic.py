"""Files and directories that appear whole or not at all, whatever kills the process in between."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_bytes(path: Path, data: bytes, *, sync: bool = True) -> None:
    """Put ``data`` at ``path``, replacing what was there in one step; missing parents are made.

    The bytes are on disk before the name is: after a crash the file is the old one or the new one. Without ``sync``
    that holds when the process dies, not when the machine does: for what can be made again. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _sibling(path)
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as file:
            file.write(data)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str, *, sync: bool = True) -> None:
    """``write_bytes`` of ``text`` as UTF-8; line ends stay as they are on every system."""
    write_bytes(path, text.encode(), sync=sync)


@contextmanager
def new_directory(path: Path) -> Iterator[Path]:
    """Yield an empty directory beside ``path``; when the block ends well it becomes ``path``.

    What was at ``path`` is moved away first and deleted afterwards, so ``path`` is at every moment the whole old
    directory, the whole new one, or (for one instant) absent. When the block raises, nothing has changed.
    """
    from shutil import rmtree  # not above: who only writes a file need not wait for it

    scratch = _sibling(path)
    new, old = scratch / "new", scratch / "old"
    new.mkdir(parents=True)
    try:
        yield new
        if path.exists():
            path.rename(old)
        try:
            new.rename(path)
        except BaseException:
            if old.exists():
                old.rename(path)
            raise
    finally:
        rmtree(scratch, ignore_errors=True)


def _sibling(path: Path) -> Path:
    """A hidden name beside ``path`` that nobody else uses."""
    return path.with_name(f".{path.name}.{os.urandom(6).hex()}.tmp")
