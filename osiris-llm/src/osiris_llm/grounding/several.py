"""Several tables in one breath, "accounts and contacts": a plain copy of one of them is meant for each."""

from __future__ import annotations

import re
from dataclasses import replace

from osiris_core.context import Move
from osiris_llm import words
from osiris_llm.grounding.reading import Reading


def forgotten_copies(moves: tuple[Move, ...], reading: Reading) -> tuple[Move, ...]:
    """The copies that a form with one plain copy left out: of its connection's other tables that the request names.

    Only where nothing in the request restricts, denies, renames or counts: then no table can be meant in another way.
    """
    if len(moves) != 1 or not _is_plain(moves[0], reading):
        return ()
    move, mentions = moves[0], reading.mentions
    here = reading.table(move.source).source
    beside = _listed_with(reading.table(move.source).table.name, mentions.folded)
    named = [
        ref
        for ref in reading.view.tables.values()
        if ref.source.alias == here.alias and ref.name != move.source and words.fold(ref.table.name).strip() in beside
    ]
    for ref in named:
        reading.note(f'"{ref.table.name}" is copied too: the request names it')
    return tuple(replace(move, source=ref.name, table=ref.table.name, keys=()) for ref in named)


def _listed_with(name: str, folded: str) -> set[str]:
    """The words that stand in one list with ``name``. A table called "by" or "copy" is not meant by that word."""
    # Possessive, and from its beginning only: a word of a hundred thousand letters is looked at once.
    word, between = r"(?<![\w.-])[\w.-]++", r"(?: ?, (?:and )?| and | & | a | und | y | e | et )"
    for match in re.finditer(rf"{word}(?:{between}{word})+", folded):
        found = re.split(between, match[0])
        if words.fold(name).strip() in found:
            return set(found)
    return set()


def _is_plain(move: Move, reading: Reading) -> bool:
    mentions = reading.mentions
    special = (words.RESTRICTING, words.NEGATION, words.JOINING, words.RENAMING, words.VAGUE)
    if mentions.introduced or mentions.numbers or mentions.quoted or mentions.columns:
        return False
    if any(words.says(mentions.folded, entries) for entries in special):
        return False
    own = reading.table(move.source).table.name
    return move.table == own and not (move.columns or move.where or move.renames)
