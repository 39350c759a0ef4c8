"""Editing a YAML document by its places: keys renamed, values replaced, entries moved; everything else stays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from osiris_core.oml.document import Document
from osiris_core.oml.edit import is_plain, quoted
from osiris_core.problems import Path


class Editor:
    """Collects edits of one document; ``text()`` applies them all. Edits must not overlap, except insertions."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._edits: list[tuple[int, int, str]] = []
        self._removed: set[Path] = set()

    def text(self) -> str:
        """The new text."""
        source = self.document.text
        parts: list[str] = []
        position = 0
        edits = [*self._edits, *self._flow_removals()]
        for start, end, new in sorted(edits, key=lambda edit: (edit[0], edit[1])):
            if start < position:  # within something that was removed
                continue
            parts += [source[position:start], new]
            position = end
        return "".join([*parts, source[position:]])

    def removed(self, path: Path) -> bool:
        """Whether the entry at ``path`` was taken out."""
        return path in self._removed

    def replace(self, path: Path, value: Any) -> None:
        """Put another value in place of the one at ``path``."""
        _, _, start, end = self.document.places[path]
        old = self.document.text[start:end]
        self._edits.append((start, end, yaml_flow(value, quote=old[:1])))

    def replace_source(self, path: Path, new: str) -> None:
        """Put ``new`` in place of the value's own spelling, block indicator and indentation included."""
        _, _, start, end = self.document.places[path]
        self._edits.append((start, end, new))

    def source(self, path: Path) -> str:
        """The value at ``path`` as it is spelt in the file."""
        _, _, start, end = self.document.places[path]
        return self.document.text[start:end]

    def rename(self, path: Path, key: str) -> None:
        """Give the key at ``path`` another name."""
        start, end = self.document.places[path][:2]
        self._edits.append((start, end, key))

    def remove(self, path: Path) -> None:
        """Take the entry at ``path`` out of its mapping, with the rest of its line if nothing else is on it."""
        if path in self._removed:
            return
        self._removed.add(path)
        if not self._is_flow(path[:-1]):
            start, _, value_start, end = self.document.places[path]
            self._edits.append((*self._block_range(path, start, max(end, value_start)), ""))

    def insert_after(self, path: Path, key: str, value: Any) -> None:
        """Put ``key: value`` behind the entry at ``path``, in the style of their mapping."""
        start, _, value_start, end = self.document.places[path]
        end = max(end, value_start, self.document.places[path][1])
        if self._is_flow(path[:-1]):
            self._edits.append((end, end, f", {key}: {yaml_flow(value)}"))
            return
        at = self._line_end(end)
        indent = " " * (self.document.span_at(start, start).column - 1)
        newline = self._newline()
        line = f"{indent}{key}: {yaml_flow(value)}"
        at_end_of_text = at == len(self.document.text) and not self.document.text.endswith(("\n", "\r"))
        self._edits.append((at, at, f"{newline}{line}" if at_end_of_text else f"{line}{newline}"))

    # -- places --------------------------------------------------------------------------------------
    def _is_flow(self, path: Path) -> bool:
        place = self.document.places.get(path)
        return place is not None and self.document.text[place[2] : place[2] + 1] == "{"

    def _flow_removals(self) -> Iterator[tuple[int, int, str]]:
        """Runs of removed entries between braces, each with the commas that belong to it."""
        mappings = {path[:-1] for path in self._removed if self._is_flow(path[:-1])}
        for mapping in mappings:
            keys = list(self.document.at(mapping))
            gone = [(*mapping, key) in self._removed for key in keys]
            for first in (i for i, removed in enumerate(gone) if removed and not (i and gone[i - 1])):
                last = next((i - 1 for i in range(first, len(gone)) if not gone[i]), len(gone) - 1)
                start = self.document.places[(*mapping, keys[first])][0]
                if last + 1 < len(keys):
                    yield start, self.document.places[(*mapping, keys[last + 1])][0], ""
                    continue
                _, key_end, _, end = self.document.places[(*mapping, keys[last])]
                comma = self.document.text.rfind(",", 0, start) if first else start
                yield comma, max(key_end, end), ""

    def _block_range(self, path: Path, start: int, end: int) -> tuple[int, int]:
        text = self.document.text
        line = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
        stop = self._line_end(end)
        if text[line:start].strip():  # behind "- ": the next key of the mapping moves up
            following = self._next_key(path)
            return start, following if following is not None else end
        return line, stop

    def _next_key(self, path: Path) -> int | None:
        """Where the mapping's next entry that stays begins."""
        mapping = self.document.at(path[:-1])
        keys = list(mapping) if isinstance(mapping, dict) else []
        later = keys[keys.index(path[-1]) + 1 :] if path[-1] in keys else []
        return self.document.places[(*path[:-1], later[0])][0] if later else None

    def _line_end(self, index: int) -> int:
        """Offset of the line after the one that ``index`` is in, whose rest is blank or a comment."""
        text = self.document.text
        number = self.document.span_at(index, index).line
        stop = self.document.line_start(number) + len(self.document.line(number))
        if text[stop : stop + 2] == "\r\n":
            return stop + 2
        return min(stop + 1, len(text))

    def _newline(self) -> str:
        return "\r\n" if "\r\n" in self.document.text else "\n"


def yaml_flow(value: Any, *, quote: str = "") -> str:
    """``value`` on one line; text as it was quoted before (``quote``), or plain where that is still text."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{yaml_flow(key)}: {yaml_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(yaml_flow(item) for item in value) + "]"
    if isinstance(value, str):
        if quote == "'" and value.isprintable():
            return "'" + value.replace("'", "''") + "'"
        return value if quote != '"' and is_plain(value) else quoted(value)
    return json.dumps(value)
