"""The gate that all the validator says goes through: no message, hint, example or path repeats a secret of the file.

A check names what it found, and a mend shows what to type instead. What they repeat may be a password that somebody
wrote where a table's name belongs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from osiris_core.oml.display import LEAD_OUT, MASK
from osiris_core.oml.masking import holds_credentials, is_reference, is_secret_key, may_hold_secrets, secret_ranges

if TYPE_CHECKING:
    from osiris_core.oml import Document
    from osiris_core.problems import Path, Problem

#: What a secret is recognised by; shorter words are too common to be anybody's secret. YAML has its own use for the
#: signs before a word.
_WORD = re.compile(r"[^\s\"'`,;{}\[\]()*&!@%][^\s\"'`,;{}\[\]()]{3,}")
#: A mend may make a name of a value: then a part of the word is left of it.
_PART = re.compile(r"[^\W_]{6,}")
#: So much of a word is looked for: what is said may be cut.
_ENOUGH = 24
#: So much of one text, so many lines of a file that is no YAML (and parts of a line), and so many words are looked at.
_MOST_TEXT, _MOST_LINES, _MOST_PARTS, _MOST_WORDS = 4096, 2000, 9, 2000
#: A secret's value may stand so many lines below its key.
_LINES_BELOW = 40


class Guard:
    """What is secret in one document."""

    def __init__(self, document: Document) -> None:
        self._document = document

    def repeats(self, said: str) -> bool:
        """Whether ``said`` holds a secret, by its own form or because it is one of the file's."""
        return holds_credentials(said) or bool(self._own_ranges(said)) or any(word in said for word in self._words)

    def passed(self, problem: Problem) -> Problem:
        """``problem`` as it may be said: a mend that repeats a secret is left out, a message has ``***`` for it."""
        hint = "" if self.repeats(problem.hint) else problem.hint
        example = "" if self.repeats(problem.example) else problem.example
        message, path = self._masked(problem.message), self._masked_path(problem.path)
        if (hint, example, message, path) == (problem.hint, problem.example, problem.message, problem.path):
            return problem
        return replace(problem, message=message, hint=hint, example=example, path=path)

    def _masked(self, said: str) -> str:
        if not self.repeats(said):
            return said
        for word in self._words:
            said = said.replace(word, MASK)
        for start, end in sorted(self._own_ranges(said), reverse=True):
            if not said.startswith(MASK, start):
                said = said[:start] + MASK + said[end:]
        return said

    def _own_ranges(self, said: str) -> list[tuple[int, int]]:
        """What looks like a secret and comes from the document; ``secret: a word of ours`` does not."""
        return [(start, end) for start, end in _ranges(said) if any(map(self._has, _WORD.findall(said[start:end])))]

    def _has(self, word: str) -> bool:
        return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", self._document.text) is not None

    def _masked_path(self, path: Path) -> Path:
        return tuple(self._masked(part) if isinstance(part, str) else part for part in path)

    @cached_property
    def _words(self) -> list[str]:
        """Words that stand in secret places of the document and nowhere else, the longest first."""
        if not may_hold_secrets(self._document.text):
            return []
        secret: list[str] = []
        public: list[str] = []
        for text, is_secret in self._texts():
            (secret if is_secret else public).append(text)
        found = {word[:_ENOUGH] for text in secret for form in (_WORD, _PART) for word in form.findall(text)}
        said = "\n".join(public)
        words = [word for word in sorted(found, key=len, reverse=True)[:_MOST_WORDS] if word not in said]
        return [word for word in words if not word.isdecimal() or len(word) > 5]

    def _texts(self) -> Iterator[tuple[str, bool]]:
        """Pieces of the document, and whether each is secret."""
        if self._document.value is not None:
            yield from _leaves(self._document.value, ())
        if self._document.problems:  # what the loader refused is no value
            yield from self._pieces_of_lines()

    def _pieces_of_lines(self) -> Iterator[tuple[str, bool]]:
        """The same of a text that could not be parsed, line by line."""
        document = self._document
        near = left = 0
        for number in range(1, document.span_at(len(document.text), 0).line + 1):
            line = document.line(number)
            near = _LINES_BELOW if may_hold_secrets(line) else near - 1
            left += near > 0
            if near <= 0 or left > _MOST_LINES:
                yield line, False
                continue
            starts = range(0, len(line) + 1, LEAD_OUT)[:_MOST_PARTS]
            ranges = [found for at in starts for found in document.secret_by_form(number, at)]
            yield from _cut(line, ranges)


def _leaves(value: Any, path: Path) -> Iterator[tuple[str, bool]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _cut(str(key), _ranges(str(key)))
            yield from _leaves(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, (*path, index))
    elif isinstance(value, str) and _in_secret_place(path) and not is_reference(value):
        yield value, True
    else:
        yield from _cut(str(value), _ranges(str(value)))


def _in_secret_place(path: Path) -> bool:
    """Whether a value belongs to a secret's key; a parameter's declaration says more about it than its value."""
    if path[:1] == ("params",) and len(path) > 2 and path[2] != "default":
        return False
    return any(is_secret_key(part) for part in path)


def _cut(text: str, ranges: list[tuple[int, int]]) -> Iterator[tuple[str, bool]]:
    """``text`` in pieces: what is in ``ranges`` is secret."""
    done = 0
    for start, end in sorted(ranges):
        yield text[done:start], False
        yield text[max(start, done) : end], True
        done = max(done, end)
    yield text[done:], False


def _ranges(text: str) -> list[tuple[int, int]]:
    """What is secret in a text by its form."""
    return secret_ranges(text[:_MOST_TEXT]) if may_hold_secrets(text) else []
