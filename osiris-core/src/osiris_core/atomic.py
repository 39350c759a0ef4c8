"""Files and directories that appear whole or not at all, whatever kills the process in between.

While a file is written nobody else can read it; its own rights come with its name. What belongs to the state of a
project (``private``) keeps its owner's rights only, directories that are made for it included.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PRIVATE_FILE = 0o600
PRIVATE_DIRECTORY = 0o700
_umask_lock = threading.Lock()


def write_bytes(path: Path, data: bytes, *, sync: bool = True, private: bool = False) -> None:
    """Put ``data`` at ``path``, replacing what was there in one step; missing parents are made.

    The bytes are on disk before the name is: after a crash the file is the old one or the new one. Without ``sync``
    that holds when the process dies, not when the machine does: for what can be made again. A file that was there
    keeps its rights, a new one gets the usual ones, and ``private`` those of its owner. Raises OSError.
    """
    if private:
        private_directory(path.parent)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _sibling(path)
    try:
        with open(temporary, "xb", opener=private_opener) as file:
            file.write(data)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        if not private:
            temporary.chmod(rights_of(path))
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str, *, sync: bool = True, private: bool = False) -> None:
    """``write_bytes`` of ``text`` as UTF-8; line ends stay as they are on every system."""
    write_bytes(path, text.encode(), sync=sync, private=private)


def private_directory(path: Path) -> None:
    """Make ``path`` and what is missing above it, for the owner only; what is there stays as it is. Raises OSError."""
    if not path.exists():
        private_directory(path.parent)
        path.mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)


def private_opener(path: str | bytes | os.PathLike[str], flags: int) -> int:
    """For ``open(…, opener=private_opener)``: a file that this makes is its owner's only."""
    return os.open(path, flags, PRIVATE_FILE)


def rights_of(path: Path) -> int:
    """The rights of the file at ``path``; when there is none, those that a new file usually gets."""
    try:
        return path.stat().st_mode & 0o777
    except FileNotFoundError:
        return 0o666 & ~_umask()


def _umask() -> int:
    """The process's umask. To ask is to set it: to the strictest, for an instant, one thread at a time."""
    with _umask_lock:
        umask = os.umask(0o077)
        os.umask(umask)
    return umask


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
