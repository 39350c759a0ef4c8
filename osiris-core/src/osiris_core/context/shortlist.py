"""Two stages for a catalogue too large for one prompt: names first, then the chosen tables.

All tables are sent while they fit; shortlisting loses requests that use synonyms only, so what is left out is
always said.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import log

from osiris_core.context.brief import brief
from osiris_core.context.model import TableRef, View

#: Characters per token of the brief's compact lines, measured with o200k_base; errs on the large side.
_CHARACTERS_PER_TOKEN = 2.6
DEFAULT_BUDGET = 6000


@dataclass(frozen=True, slots=True)
class Shortlist:
    """The tables whose columns are sent, and those of which only the names are."""

    chosen: tuple[str, ...]
    left_out: tuple[str, ...]


def approximate_tokens(text: str) -> int:
    """About how many tokens ``text`` costs; an upper estimate for compact lines."""
    return -int(-len(text) // _CHARACTERS_PER_TOKEN)


def shortlist(view: View, request: str, budget: int = DEFAULT_BUDGET, *, first: Sequence[str] = ()) -> Shortlist:
    """Which tables to describe so that the brief stays within ``budget`` tokens.

    Tables named in ``first`` come first, the others are ranked by the words they share with the request, rare words
    before common ones. Ties keep the catalogue's
    order, so equal inputs give equal lists.
    """
    names = list(view.tables)
    if approximate_tokens(brief(view)) <= budget:
        return Shortlist(tuple(names), ())
    scores = _scores(view, request)
    ranked = sorted(names, key=lambda name: (name not in first, -scores[name]))
    chosen: list[str] = []
    frame = approximate_tokens(brief(view, only=()))
    room = budget - frame
    for name in ranked:
        cost = approximate_tokens(brief(view, only={name})) - frame
        if cost <= room:
            chosen.append(name)
            room -= cost
    kept = set(chosen)
    return Shortlist(tuple(n for n in names if n in kept), tuple(n for n in names if n not in kept))


def _scores(view: View, request: str) -> dict[str, float]:
    words = {name: _words(ref) for name, ref in view.tables.items()}
    frequency = Counter(word for found in words.values() for word in found)
    asked = _stems(request)
    return {name: sum(log(1 + len(words) / frequency[word]) for word in found & asked) for name, found in words.items()}


def _words(ref: TableRef) -> frozenset[str]:
    text = " ".join([ref.table.name, *(column.name for column in ref.table.columns)])
    return frozenset(_stems(text))


def _stems(text: str) -> set[str]:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    return {word.rstrip("s") for word in re.findall(r"[^\W_]+", spaced.casefold()) if len(word) > 1}
