"""Which suggestion is certain enough for ``--fix``: a slip of the finger, never a choice between names."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from osiris_core.problems import did_you_mean

#: Words of other tools for what OML calls differently, by key.
SYNONYMS = {
    "write_mode": {
        "upsert": "merge", "update": "merge", "insert": "append", "add": "append",
        "overwrite": "replace", "truncate": "replace", "full_refresh": "replace",
    },
    "mode": {
        "extract": "read", "extractor": "read", "source": "read", "load": "write", "writer": "write", "sink": "write",
        "reader": "read", "destination": "write", "process": "transform", "processor": "transform", "sql": "transform",
    },
    "op": {"==": "=", "<>": "!=", "eq": "=", "ne": "!=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="},
}  # fmt: skip


@dataclass
class Suggester:
    """Suggestions of one validation, within a budget: comparing words takes time, and input can hold any number of

    faults. Past it nothing is suggested.
    """

    budget: int = 20_000
    _hints: dict[tuple[str, tuple[str, ...]], tuple[str, str | None]] = field(default_factory=dict)

    def hint(self, word: str, known: Collection[str]) -> str:
        """``did you mean …?``, or the known names when they are few, or ``""``."""
        return self._suggest(word, known)[0]

    def certain(self, word: str, known: Collection[str]) -> str | None:
        """The one of ``known`` that ``word`` must mean, or None."""
        return self._suggest(word, known)[1]

    def _suggest(self, word: str, known: Collection[str]) -> tuple[str, str | None]:
        if self.budget < len(known) or len(word) > 100:
            return "", None
        key = (word, tuple(known))
        if key not in self._hints:
            self.budget -= len(known)
            self._hints[key] = (did_you_mean(word, known), certain(word, known))
        return self._hints[key]


def certain(word: object, known: Iterable[object]) -> str | None:
    """The one of ``known`` that ``word`` must mean, or None when none or several could be meant."""
    near = [str(name) for name in known if is_slip(str(word), str(name))]
    return near[0] if len(near) == 1 else None


def is_slip(word: str, name: str) -> bool:
    """Whether ``word`` is ``name`` but for case and separators, or one slip (two in a long word) in its letters.

    Digits never slip: ``sales_2024`` is another table than ``sales_2025``.
    """
    if word == name:
        return False
    one, other = _plain(word), _plain(name)
    if one == other:
        return True
    if _digits(one) != _digits(other) or min(len(one), len(other)) < 4 or abs(len(one) - len(other)) > 1:
        return False
    return _distance(one, other) <= (2 if min(len(one), len(other)) >= 8 else 1)


def _plain(text: str) -> str:
    return "".join(character for character in text.casefold() if character not in "_- .")


def _digits(text: str) -> str:
    return "".join(character for character in text if character.isdigit())


def _distance(one: str, other: str) -> int:
    """Edits (insert, delete, replace, swap neighbours) between two words; 3 stands for more."""
    if max(len(one), len(other)) > 100:
        return 3
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        new = [i]
        for j, b in enumerate(other, 1):
            best = min(row[j] + 1, new[j - 1] + 1, row[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                best = min(best, before[j - 2] + 1)
            new.append(best)
        before, row = row, new
    return min(row[-1], 3)
