"""Text to ``Document``, from parser events and without recursion, so that no input can exhaust us.

The dialect is YAML 1.2's core schema without anchors, aliases, tags and merge keys, with text keys that come
once, bounded in size, depth and number of values.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from osiris_core.oml.document import Document, Place
from osiris_core.oml.scalars import ScalarError, resolve
from osiris_core.problems import Path, Problem

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 64
MAX_VALUES = 100_000
#: More than this of one kind, or in all, help nobody.
MAX_OF_A_KIND = 10
MAX_PROBLEMS = 100

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
_DIRECTIVE = re.compile(r"^%(?!YAML[ \t])\S*", re.MULTILINE)
_MISSING: Any = object()


def load_file(path: FilePath, name: str | None = None) -> Document:
    """Load the file at ``path``; what cannot be read is a problem of the document, not an exception."""
    file = name or str(path)
    try:
        if path.is_dir():
            return _unreadable(file, "this is a directory, not a file")
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return _unreadable(file, "there is no such file")
    except OSError as error:
        return _unreadable(file, f"the file cannot be read: {error.strerror or type(error).__name__}")
    if len(data) > MAX_BYTES:
        return _failed(Document(file, ""), "OSI-V010", f"the file is larger than {MAX_BYTES:,} bytes")
    try:
        return load(data.decode("utf-8"), file)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        meant = data[error.start : error.start + 1].decode("latin-1")
        message = f'line {line} is not UTF-8 (byte {error.start}: 0x{data[error.start]:02X}, "{meant}" in Latin-1)'
        hint = f"save the file as UTF-8; if it is Latin-1: iconv -f latin1 -t utf-8 {shlex.quote(file)} > new.yaml"
        return _failed(Document(file, ""), "OSI-V002", message, hint=hint)


def load(text: str, file: str = "<string>") -> Document:
    """Load ``text``. Never raises for bad input: whatever is wrong is in ``problems``."""
    document = Document(file, text.removeprefix("\ufeff"))
    if not _acceptable(document):
        return document
    builder = _Builder(document)
    try:
        for event in _events(document.text):
            builder.take(event)
    except _Stop:
        return document
    except RecursionError:  # only the pure-Python parser can
        return _failed(document, "OSI-V010", f"values are nested deeper than {MAX_DEPTH} levels")
    except Exception as error:
        from osiris_core.oml.syntax import explain

        if not type(error).__module__.startswith("yaml"):
            raise
        document.problems.append(explain(error, document))
        return document
    document.parsed = True
    document.value = builder.root
    return document


class _Stop(Exception):  # noqa: N818 - not an error: the document's problems say it all
    """Nothing more can be learnt from this text."""


def _unreadable(file: str, why: str) -> Document:
    return _failed(Document(file, ""), "OSI-V001", why)


def _failed(document: Document, code: str, message: str, start: int = 0, end: int = 0, *, hint: str = "") -> Document:
    span = document.span_at(start, end) if document.text else None
    document.problems.append(Problem(code, message, hint=hint, span=span))
    return document


def _acceptable(document: Document) -> bool:
    """Refuse, before parsing, what a parser would choke on or read differently from us."""
    text = document.text
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        _failed(document, "OSI-V010", f"the text is larger than {MAX_BYTES:,} bytes")
        return False
    for number, match in enumerate(_FORBIDDEN.finditer(text)):
        if number == MAX_OF_A_KIND:
            break
        character = f"U+{ord(match[0]):04X}"
        message = f"the character {character} is not allowed here"
        _failed(document, "OSI-V012", message, *match.span(), hint="delete it")
    if directive := _DIRECTIVE.search(text):
        _failed(document, "OSI-V014", "directives (lines that begin with %) are not allowed", *directive.span())
    return not document.problems


def _events(text: str) -> Iterator[Any]:
    try:
        from yaml._yaml import CParser
    except ImportError:  # PyYAML without its C extension
        return _python_events(text)
    return iter(CParser(text).get_event, None)


def _python_events(text: str) -> Iterator[Any]:
    from yaml.parser import Parser
    from yaml.reader import Reader
    from yaml.scanner import Scanner

    class PythonParser(Reader, Scanner, Parser):
        def __init__(self, stream: str) -> None:
            Reader.__init__(self, stream)
            Scanner.__init__(self)
            Parser.__init__(self)

    return iter(PythonParser(text).get_event, None)


@dataclass(slots=True)
class _Level:
    """One open mapping or list."""

    container: dict[str, Any] | list[Any]
    path: Path
    key_start: int
    key_end: int
    start: int
    flow: bool
    end: int = 0
    #: The key whose value comes next; ``_MISSING`` when a key comes next.
    key: Any = _MISSING
    #: False while the value of a refused key is skipped.
    kept: bool = True
    key_place: tuple[int, int] = (0, 0)
    seen: dict[str, int] = field(default_factory=dict)


class _Builder:
    """Builds the value from events and writes down places and problems."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.root: Any = None
        self.levels: list[_Level] = []
        self.values = 0
        self.documents = 0
        self.takers = {
            "ScalarEvent": self._scalar,
            "MappingStartEvent": self._start,
            "SequenceStartEvent": self._start,
            "MappingEndEvent": self._end,
            "SequenceEndEvent": self._end,
            "AliasEvent": self._alias,
            "DocumentStartEvent": self._document,
        }

    def take(self, event: Any) -> None:
        taker = self.takers.get(type(event).__name__)
        if taker is not None:
            taker(event)

    def _problem(self, code: str, message: str, start: int, end: int, hint: str = "") -> None:
        """Record a problem of the value that comes next, or of the mapping whose key comes next."""
        problems = self.document.problems
        alike = sum(problem.code == code for problem in problems)
        if alike < MAX_OF_A_KIND and len(problems) < MAX_PROBLEMS:
            path = self.levels[-1].path if self._key_expected() else self._next_place(start)[0]
            span = self.document.span_at(start, end)
            problems.append(Problem(code, message, () if _NOWHERE[0] in path else path, hint=hint, span=span))

    def _document(self, event: Any) -> None:
        self.documents += 1
        if self.documents > 1:
            start = event.start_mark.index
            hint = "remove this --- and all that follows it, or move what follows into a file of its own"
            self._problem("OSI-V009", "a second document begins here; a file holds one", start, start + 3, hint)
            raise _Stop

    def _alias(self, event: Any) -> None:
        start, end = event.start_mark.index, event.end_mark.index
        name = self.document.text[start + 1 : end][:60]
        hint = f"write here what stands after &{name}"
        self._problem("OSI-V007", "aliases (*name) are not allowed", start, end, hint)
        if self._key_expected():
            self._refuse_key(start, end)
        else:
            self._place(None, start, end)

    def _check_node(self, event: Any, kind: str) -> None:
        """Refuse anchors and tags, which the parser puts into the node's own event."""
        start = event.start_mark.index
        self.values += 1
        if self.values > MAX_VALUES:
            self._problem("OSI-V010", f"the file holds more than {MAX_VALUES:,} values", start, start + 1)
            raise _Stop
        if event.anchor is not None:
            length = len(event.anchor) + 1
            hint = f'remove "&{event.anchor[:60]}", and write the value out wherever *{event.anchor[:60]} stands'
            self._problem("OSI-V007", "anchors (&name) are not allowed", start, start + length, hint)
        if event.tag is not None:
            tag = re.compile(r"\S{1,60}").match(self.document.text, start)
            shown = tag[0] if tag else "!"
            hint = f'remove "{shown}"; quotes make a value text'
            self._problem("OSI-V008", f"tags such as {shown} are not allowed", start, start + len(shown), hint)

    def _scalar(self, event: Any) -> None:
        self._check_node(event, "scalar")
        start, end = event.start_mark.index, event.end_mark.index
        if event.style in ("|", ">"):
            end = start + len(self.document.text[start:end].rstrip())
        if self._key_expected():
            self._key(event, start, end)
        else:
            self._place(self._value(event, start, end), start, end)

    def _value(self, event: Any, start: int, end: int) -> Any:
        if not event.implicit[0]:
            if "\0" in event.value:  # an escape; no system keeps such text, and file names end there
                self._problem("OSI-V012", "the character U+0000 is not allowed here", start, end)
            return str(event.value)
        try:
            return resolve(event.value)
        except ScalarError as error:
            self._problem("OSI-V013", str(error), start, end, "write a finite number, such as 1000000")
            return None

    # -- keys ----------------------------------------------------------------------------------------
    def _key_expected(self) -> bool:
        return bool(self.levels) and isinstance(self.levels[-1].container, dict) and self.levels[-1].key is _MISSING

    def _key(self, event: Any, start: int, end: int) -> None:
        level = self.levels[-1]
        key = self._value(event, start, end)
        if not isinstance(key, str):
            shown = self.document.text[start:end][:40]
            if start == end:
                self._problem("OSI-V011", "a key is missing before this colon", start, start + 1)
            elif key is not None or event.value in ("null", "~"):
                hint = f'remove it: no key is called so; among names of your own, put it in quotes: "{shown}"'
                self._problem("OSI-V011", f"a key must be text, and {shown} is not", start, end, hint)
            self._refuse_key(start, end)
            return
        if key == "<<" and event.implicit[0]:
            hint = 'remove the entry "<<", and write out the keys that it brings and that are not here yet'
            self._problem("OSI-V016", "merge keys (<<) are not allowed", start, end, hint)
            self._refuse_key(start, end)
            return
        first = level.seen.get(key)
        if first is not None:
            line = self.document.span_at(first, first).line
            shown = key if len(key) <= 60 else key[:60] + "…"
            hint = f'remove this "{shown}" with its value, or the one before it'
            self._problem("OSI-V006", f'the key "{shown}" is already set in line {line}', start, end, hint)
            self._refuse_key(start, end)
            return
        level.seen[key] = start
        level.key, level.kept, level.key_place = key, True, (start, end)

    def _refuse_key(self, start: int, end: int) -> None:
        level = self.levels[-1]
        level.key, level.kept, level.key_place = "", False, (start, end)

    # -- collections ---------------------------------------------------------------------------------
    def _start(self, event: Any) -> None:
        self._check_node(event, "collection")
        start = event.start_mark.index
        if len(self.levels) >= MAX_DEPTH:
            self._too_deep(start)
            raise _Stop
        if self._key_expected():
            self._problem("OSI-V011", "a key must be text, not a list or a mapping", start, start + 1)
            raise _Stop
        path, key_start, key_end, kept = self._next_place(start)
        container: dict[str, Any] | list[Any] = {} if type(event).__name__ == "MappingStartEvent" else []
        flow = bool(event.flow_style)
        path = path if kept else _NOWHERE
        self.levels.append(_Level(container, path, key_start, key_end, start, flow, end=start + int(flow)))

    def _too_deep(self, start: int) -> None:
        """Say under which key it goes wrong, and where: no list of a pipeline holds a list, and no key lies so deep."""
        depths = range(1, len(self.levels))
        lists = [isinstance(level.container, list) for level in self.levels]
        first = next((depth - 1 for depth in depths if lists[depth] and lists[depth - 1]), MAX_DEPTH // 8)
        place = self.document.span_at(self.levels[first].start, self.levels[first].start + 1)
        names = [part for part in self.levels[first].path if isinstance(part, str)]
        of = f'the value of "{names[-1][:60]}" is' if names else "values are"
        begins = f"it begins in line {place.line}, column {place.column}"
        message = f"{of} nested deeper than {MAX_DEPTH} levels; {begins}"
        hint = "remove the brackets (or the indented lines) from there on, and write one plain value instead"
        self._problem("OSI-V010", message, start, start + 1, hint)

    def _end(self, event: Any) -> None:
        level = self.levels.pop()
        # A block collection's own end mark lies behind the comments that follow it; its last child's does not.
        end = event.end_mark.index if level.flow else level.end
        if level.path is not _NOWHERE:
            self.document.places[level.path] = (level.key_start, level.key_end, level.start, end)
        self._attach(level.container, end)

    def _next_place(self, start: int) -> tuple[Path, int, int, bool]:
        """Path, key offsets and whether the value that begins at ``start`` is kept."""
        if not self.levels:
            return (), start, start, True
        level = self.levels[-1]
        if isinstance(level.container, list):
            kept = level.path is not _NOWHERE
            return (*level.path, len(level.container)), start, start, kept
        kept = level.kept and level.path is not _NOWHERE
        return (*level.path, level.key), *level.key_place, kept

    def _place(self, value: Any, start: int, end: int) -> None:
        path, key_start, key_end, kept = self._next_place(start)
        if kept:
            in_list = bool(self.levels) and isinstance(self.levels[-1].container, list)
            place: Place = (start, end, start, end) if in_list or not path else (key_start, key_end, start, end)
            self.document.places[path] = place
        self._attach(value, end)

    def _attach(self, value: Any, end: int) -> None:
        if not self.levels:
            self.root = value
            return
        level = self.levels[-1]
        level.end = max(level.end, end, level.key_place[1])
        if isinstance(level.container, list):
            level.container.append(value)
            return
        if level.kept:
            level.container[level.key] = value
        level.key = _MISSING


#: Path of what hangs under a refused key: it has no place.
_NOWHERE: Path = ("<refused>",)
