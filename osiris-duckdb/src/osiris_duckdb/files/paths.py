"""From a table's name to files: always below the connection's root, links included."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from osiris_core import ConnectError, Connection, DriftError, InvalidInputError, did_you_mean

FORMATS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
_GLOB = frozenset("*?[")
#: Control characters, line ends, turns of the direction of writing, bytes that are no text.
_CONTROL = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028-\\u202e\\u2066-\\u2069\\ud800-\\udfff]")


def root_of(connection: Connection, project_dir: Path = Path()) -> Path:
    """The connection's directory, links resolved. Raises ConnectError when it is none."""
    root = (project_dir / connection.text("root")).resolve()
    if not root.is_dir():
        raise ConnectError(f"there is no directory {root}", hint="make it, or mend the connection's root")
    return root


def is_glob(name: str) -> bool:
    """Whether a table's name stands for several files."""
    return any(sign in name for sign in _GLOB)


def has_control(text: str) -> bool:
    """Whether some character of ``text`` would do something to a terminal."""
    return _CONTROL.search(text) is not None


def fault_of(name: str) -> str:
    """Why ``name`` cannot be a path below a root, or ``""``. Looks at the text only."""
    path = PurePosixPath(name)
    if path.is_absolute() or name.startswith("~") or "\\" in name or (len(name) > 1 and name[1] == ":"):
        return "it must be relative to the connection's root, with forward slashes"
    if ".." in path.parts:
        return "it leaves the connection's root"
    if has_control(name):
        return "a name with control characters is not taken"
    if any(part.startswith(".") for part in path.parts):
        return "hidden files are not tables"
    return ""


def format_of(name: str, given: str | None = None) -> str:
    """``csv``, ``parquet`` or ``jsonl``. Raises InvalidInputError when neither name nor config says."""
    found = given or FORMATS.get(PurePosixPath(name).suffix.lower())
    if found is None:
        raise InvalidInputError(
            f'the format of "{name}" is not known by its extension', code="OSI-V102", hint="say it with format: csv"
        )
    return found


def inside(root: Path, name: str) -> Path:
    """The file called ``name``, existing or not, links resolved. Raises InvalidInputError when it is outside."""
    fault = fault_of(name)
    path = (root / name).resolve()
    if not fault and not path.is_relative_to(root):
        fault = "it leads out of the connection's root"
    if fault:
        raise InvalidInputError(f'"{name}" is not a file of this connection: {fault}', code="OSI-V302")
    return path


def existing(root: Path, name: str) -> tuple[Path, ...]:
    """The files that ``name`` stands for, sorted. Raises DriftError when there is none."""
    if is_glob(name):
        fault = fault_of(name)
        if fault:
            raise InvalidInputError(f'"{name}" cannot be read: {fault}', code="OSI-V302")
        found = tuple(sorted(path for path in root.glob(name) if _is_table(root, path)))
    else:
        path = inside(root, name)
        found = (path,) if path.is_file() else ()
    if not found:
        names = [file_name(root, path) for path in tables(root)]
        raise DriftError(f'there is no file "{name}" in {root}', hint=did_you_mean(name, names))
    return found


def tables(root: Path) -> Iterator[Path]:
    """Every file with a known extension below ``root``; hidden ones and links out of it are left out."""
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() in FORMATS and _is_table(root, path):
            yield path


def file_name(root: Path, path: Path) -> str:
    """What a pipeline calls the file at ``path``."""
    return path.relative_to(root).as_posix()


def _is_table(root: Path, path: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
    return not hidden and path.is_file() and path.resolve().is_relative_to(root)
