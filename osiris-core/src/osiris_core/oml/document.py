"""A loaded YAML document: its value, and where each key and value stands in the text."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from osiris_core.problems import Path, Problem, Span

#: Character offsets: start and end of the key (of the value itself in a list and at the root), then of the value.
Place = tuple[int, int, int, int]

_WORD = re.compile(r"[^\s:,{}\[\]]+")
_BREAK = re.compile(r"\r\n|\r|\n")
#: A secret's value may have begun this many lines earlier, in a text that could not be parsed.
_LINES_BEFORE = 40


@dataclass
class Document:
    """Text, plain value (dict, list, str, int, float, bool or None) and the problems found so far.

    Attributes:
        file: what messages call it.
        value: None for an empty document, and when the text could not be parsed.
        problems: what the loader refused; their spans are set.
        places: offsets of every key and value, by path.
        parsed: whether the whole text was understood.
    """

    file: str
    text: str
    value: Any = None
    problems: list[Problem] = field(default_factory=list)
    places: dict[Path, Place] = field(default_factory=dict)
    parsed: bool = False
    _hidden: list[tuple[int, int]] = field(default_factory=list)

    def span(self, path: Sequence[str | int], on_key: bool = False) -> Span | None:
        """Where the value (or key) at ``path`` stands; the nearest ancestor's place when it does not exist.

        What is missing from a mapping is shown at that mapping's own key, or at its first one when it has none (in a
        list, and at the root). None for an empty document.
        """
        path = tuple(path)
        exact = path in self.places
        while path and path not in self.places:
            path = path[:-1]
        place = self.places.get(path)
        if place is None:
            return None
        key_start, key_end, start, end = place
        on_key = (on_key and key_start < key_end) or (not exact and bool(path) and isinstance(path[-1], str))
        if on_key or start == end:
            return self.span_at(key_start, key_end)
        if not exact:
            first = _WORD.match(self.text, start)
            end = first.end() if first else end
        return self.span_at(start, end)

    def at(self, path: Sequence[str | int]) -> Any:
        """The value at ``path``; None when there is none."""
        value = self.value
        for part in path:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def span_at(self, start: int, end: int) -> Span:
        """Span of the characters ``[start, end)``."""
        line, column = self._position(start)
        end_line, end_column = self._position(max(start, end))
        return Span(line, column, end_line, end_column, start, max(start, end))

    def line(self, number: int) -> str:
        """Source line ``number``, counted from 1, without its break."""
        start = self._starts[number - 1]
        stop = self._starts[number] if number < len(self._starts) else len(self.text)
        return self.text[start:stop].rstrip("\r\n")

    def line_start(self, number: int) -> int:
        """Offset of the first character of line ``number``."""
        return self._starts[number - 1]

    def mask(self, path: Sequence[str | int]) -> None:
        """Never show the value at ``path`` in a snippet."""
        place = self.places.get(tuple(path))
        if place is not None:
            self._hidden.append(place[2:])

    def secret_by_form(self, number: int, near: int = 0) -> list[tuple[int, int]]:
        """The ranges of source line ``number``, around its character ``near``, that look like secrets in the text."""
        line = self.line(number)
        found = self._by_form(number, line, near)
        return [(max(0, start), min(end, len(line))) for start, end in found if end > 0 and start < len(line)]

    def snippet(self, span: Span) -> str:
        """The first source line of ``span`` with carets under it.

        Invisible characters are escaped; values of keys that name secrets, masked ones and credentials show as ``***``.
        """
        from osiris_core.oml.display import excerpt

        line = self.line(span.line)
        start = span.column - 1
        end = span.end_column - 1 if span.end_line == span.line else len(line)
        return excerpt(line, span.line, start, end, self._masked_in(span.line, line, start))

    def _masked_in(self, number: int, line: str, near: int) -> list[tuple[int, int]]:
        origin = self._starts[number - 1]
        ranges = [(start - origin, end - origin) for start, end in (*self._hidden, *self._secret_values)]
        return ranges + self._by_form(number, line, near)

    def _by_form(self, number: int, line: str, near: int) -> list[tuple[int, int]]:
        from osiris_core.oml.display import LEAD_IN, LEAD_OUT
        from osiris_core.oml.masking import continues_secret, secret_ranges

        origin = self._starts[number - 1]
        first = number - 1 if self.parsed else max(0, number - 1 - _LINES_BEFORE)
        begin = max(self._starts[first], origin + near - LEAD_IN)
        region = self.text[begin : min(origin + len(line), origin + near + LEAD_OUT)]
        ranges = [(begin + start - origin, begin + end - origin) for start, end in secret_ranges(region)]
        if not self.parsed:
            before = [self.line(earlier)[:1000] for earlier in range(first + 1, number)]
            if continues_secret(before, line[:1000]):
                ranges.append((0, len(line)))
        return ranges

    @cached_property
    def _secret_values(self) -> list[tuple[int, int]]:
        from osiris_core.oml.masking import is_reference, is_secret_key

        return [
            (start, end)
            for path, (_, _, start, end) in self.places.items()
            if path and is_secret_key(path[-1]) and not is_reference(self.text[start:end])
        ]

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(match.end() for match in _BREAK.finditer(self.text))]

    def _position(self, index: int) -> tuple[int, int]:
        line = bisect_right(self._starts, index)
        return line, index - self._starts[line - 1] + 1
