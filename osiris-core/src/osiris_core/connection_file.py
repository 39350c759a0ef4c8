"""Reading ``osiris_connections.yaml``: aliases with the profile's fields over them, each field with its place.

connections:
  shop: {component: mysql, host: db.local, database: shop, user: app, password: "${SHOP_PASSWORD}"}
profiles:
  production:
    shop: {host: db.example.com}
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import Any

from osiris_core.oml import Document, load_file
from osiris_core.problems import Path, Problem, Span, did_you_mean

_ALIAS = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_PLAIN_KEY = re.compile(r"""\s*(?:-\s+)?["']?[A-Za-z_][\w-]*["']?\s*:(?=\s|$)\s*""")
_NAME = re.compile(r"[A-Za-z_][\w-]{0,63}")
#: ``${NAME}``; ``$${`` is a literal ``${``.
REFERENCE = re.compile(r"\$\$\{|\$\{(?P<name>[^}]*)\}")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class AliasEntry:
    """One alias as written. ``paths`` says where each top-level field stands (profile or base)."""

    alias: str
    path: Path
    fields: Mapping[str, Any]
    paths: Mapping[str, Path]

    def place(self, path: Path) -> Path:
        """Path in the document of ``path`` within the fields."""
        if path and isinstance(path[0], str) and path[0] in self.paths:
            return (*self.paths[path[0]], *path[1:])
        return (*self.path, *path)


@dataclass(frozen=True, slots=True)
class ConnectionFile:
    """Every alias of the file, and what is wrong with the file itself. ``document`` is None when there is no file."""

    document: Document | None
    aliases: Mapping[str, AliasEntry]
    problems: tuple[Problem, ...]

    def located(self, problem: Problem) -> Problem:
        """The problem with its file and span."""
        if self.document is None:
            return problem
        return replace(problem, file=self.document.file, span=self.document.span(problem.path, problem.on_key))


class MaskedSource:
    """The source of a connections file for messages: names are shown, no value ever is."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self.file = document.file
        # Places are known for what was loaded only; a file with a problem is masked line by line.
        self._exact = document.parsed and not document.problems
        self._hidden = list(_value_ranges(document)) if self._exact else []

    def snippet(self, span: Span) -> str:
        """The first line of ``span`` with carets, every value as ``***``."""
        from osiris_core.oml.display import excerpt

        line = self._document.line(span.line)
        begin = span.column - 1
        end = span.end_column - 1 if span.end_line == span.line else len(line)
        origin = span.start_index - begin
        masked = [(start - origin, stop - origin) for start, stop in self._hidden]
        masked += _comment_range(line, [place[3] - origin for place in self._document.places.values()])
        return excerpt(line, span.line, begin, end, masked if self._exact else list(_line_ranges(line)))


def _value_ranges(document: Document) -> Iterator[tuple[int, int]]:
    parents = {path[:-1] for path in document.places if path}
    for path, (key_start, key_end, start, end) in document.places.items():
        if path and isinstance(path[-1], str) and not _NAME.fullmatch(path[-1]):
            yield key_start, key_end
        if path not in parents and path[-1:] != ("component",) and not _only_reference(document.text[start:end]):
            yield start, end


def _comment_range(line: str, ends: Iterable[int]) -> list[tuple[int, int]]:
    """Where the comment of ``line`` is; ``ends`` are the ends of all values, relative to the line."""
    last = max((end for end in ends if 0 <= end <= len(line)), default=0)
    start = line.find("#", last)
    return [(start, len(line))] if start >= 0 else []


def _line_ranges(line: str) -> Iterator[tuple[int, int]]:
    key = _PLAIN_KEY.match(line)
    start = key.end() if key else len(line) - len(line.lstrip())
    end = len(line.rstrip())
    if start < end and not _only_reference(line[start:end]):
        yield start, end


def _only_reference(text: str) -> bool:
    match = REFERENCE.fullmatch(text.strip("\"'"))
    return match is not None and match["name"] is not None and VARIABLE.fullmatch(match["name"]) is not None


def read_connection_file(path: FilePath, profile: str | None, profiles_elsewhere: Mapping[str, Any]) -> ConnectionFile:
    """Read the file; nothing is resolved. ``profiles_elsewhere``: profiles that ``osiris.yaml`` knows."""
    if not path.exists():
        return ConnectionFile(None, {}, ())
    document = load_file(path)
    if document.problems:
        return ConnectionFile(document, {}, tuple(_unquoting(problem) for problem in document.problems))
    value = {} if document.value is None else document.value
    if not isinstance(value, Mapping):
        return ConnectionFile(document, {}, (_at(document, "the file must be a mapping with connections", ()),))
    problems = list(_shape_problems(value, profile, profiles_elsewhere))
    aliases = dict(_entries(value, profile))
    return ConnectionFile(document, aliases, tuple(_at(document, *problem) for problem in problems))


def alias_at(path: Path) -> str | int | None:
    """The alias that ``path`` belongs to, in whichever profile; None for what concerns the whole file."""
    depth = {"connections": 1, "profiles": 2}.get(str(path[0])) if path else None
    return path[depth] if depth is not None and len(path) > depth else None


def _at(document: Document, message: str, path: Path, hint: str = "") -> Problem:
    on_key = bool(path)
    return Problem(
        "OSI-C003", message, path, on_key=on_key, hint=hint, span=document.span(path, on_key), file=document.file
    )


def _unquoting(problem: Problem) -> Problem:
    """A loader's problem without the words that may repeat the file: a secret may be anywhere in a broken one."""
    from osiris_core.problem_codes import CODES

    message = problem.message if problem.code in ("OSI-V001", "OSI-V003", "OSI-V010") else CODES[problem.code].title
    return replace(problem, code="OSI-C003", message=message, hint="", fix=None)


def _shape_problems(
    value: Mapping[str, Any], profile: str | None, profiles_elsewhere: Mapping[str, Any]
) -> Iterator[tuple[str, Path, str]]:
    for key in value:
        if key not in ("connections", "profiles"):
            name = f'"{key}"' if _NAME.fullmatch(key) else "this key"
            yield f"{name} does not belong here", (key,), did_you_mean(key, ("connections", "profiles"))
    profiles = value.get("profiles")
    if profiles is not None and not isinstance(profiles, Mapping):
        yield "profiles must be a mapping of names to connections", ("profiles",), ""
    for path, section in _sections(value):
        if section is not None and not isinstance(section, Mapping):
            yield "this must be a mapping of aliases to their fields", path, ""
            continue
        yield from _alias_problems(path, section or {}, value)
    known = {*_mapping(profiles), *profiles_elsewhere}
    if profile is not None and profile not in known:
        yield f'there is no profile "{profile}"', ("profiles",) if profiles else (), did_you_mean(profile, known)


def _alias_problems(
    path: Path, section: Mapping[str, Any], value: Mapping[str, Any]
) -> Iterator[tuple[str, Path, str]]:
    base = _mapping(value.get("connections"))
    for alias, fields in section.items():
        if not _ALIAS.fullmatch(alias):
            yield "an alias consists of letters, digits, _ and -", (*path, alias), ""
        elif not isinstance(fields, Mapping):
            yield f'connection "{alias}" must be a mapping of its fields', (*path, alias), ""
        elif path[0] == "profiles" and alias not in base and "component" not in fields:
            yield f'connection "{alias}" is not among "connections"', (*path, alias), did_you_mean(alias, base)


def _sections(value: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    yield ("connections",), value.get("connections")
    for name, section in _mapping(value.get("profiles")).items():
        yield ("profiles", name), section


def _entries(value: Mapping[str, Any], profile: str | None) -> Iterator[tuple[str, AliasEntry]]:
    base = _mapping(value.get("connections"))
    over = _mapping(_mapping(value.get("profiles")).get(profile or ""))
    for alias in sorted({*base, *over}):
        own, changed = _mapping(base.get(alias)), _mapping(over.get(alias))
        if (not own and not changed) or not _ALIAS.fullmatch(alias):
            continue
        path: Path = ("connections", alias) if own else ("profiles", profile or "", alias)
        paths: dict[str, Path] = {name: ("connections", alias, name) for name in own}
        paths |= {name: ("profiles", profile or "", alias, name) for name in changed}
        yield alias, AliasEntry(alias, path, {**own, **changed}, paths)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
