"""What only the whole answer shows: names, quotes, numbers and restrictions of the request left unused."""

from __future__ import annotations

from osiris_core.context import Move, View
from osiris_llm import words
from osiris_llm.grounding.reading import AskError, listed
from osiris_llm.mentions import Mentions, said


def check_whole(moves: tuple[Move, ...], mentions: Mentions, view: View) -> None:
    """Raises AskError where the request says more than the plan does."""
    _every_name_is_used(moves, mentions, view)
    _every_quote_is_used(moves, mentions)
    _every_number_is_used(moves, mentions)
    _restrictions_are_met(moves, mentions)
    if words.says(mentions.folded, words.JOINING):
        raise AskError("Should rows be joined or summed? The plan only copies them.")


def _every_name_is_used(moves: tuple[Move, ...], mentions: Mentions, view: View) -> None:
    read = [view.tables[move.source].table.name for move in moves]
    used = {*read, *(move.table for move in moves)}
    unused = [name for name in mentions.tables - used if not _part_of(name, used) and name not in mentions.columns]
    if unused:
        raise AskError(f"What about {listed(unused)}? The request names it and the plan does not use it.")
    if len(set(read)) < len(read) or not moves:
        raise AskError("Which tables should be copied? The plan reads one twice.")
    if len({(move.to, move.table) for move in moves}) < len(moves):
        raise AskError("What should the tables be called? The plan writes two into one.")


def _every_quote_is_used(moves: tuple[Move, ...], mentions: Mentions) -> None:
    values = [condition.value for move in moves for condition in move.where]
    names = [n for m in moves for n in (m.source, m.table, *m.columns, *m.keys, *(r.to for r in m.renames))]
    names += [condition.column for move in moves for condition in move.where]
    spoken = words.fold(" ".join([*values, *names]))
    left = [text for text in mentions.quoted if words.fold(text).strip() not in spoken]
    if left:
        raise AskError(f"What is {listed(left)} for? The plan does not use it.")


def _every_number_is_used(moves: tuple[Move, ...], mentions: Mentions) -> None:
    if mentions.numbers and not any(move.where for move in moves):
        raise AskError(f"What is {listed(mentions.numbers)} for? The plan does not use it.")


def _restrictions_are_met(moves: tuple[Move, ...], mentions: Mentions) -> None:
    chooses_rows = any(move.where for move in moves)
    chooses = chooses_rows or any(move.columns or move.renames or move.incremental for move in moves)
    if words.says(mentions.folded, words.VAGUE) and not chooses_rows:
        raise AskError("Which rows exactly? The request says it without a column or a value.")
    if words.says(mentions.folded, words.RESTRICTING) and not chooses:
        raise AskError("Which rows or columns exactly? The request restricts them and the plan copies everything.")
    if any(words.says(mentions.folded, entries) for entries in words.DATES.values()) and not chooses_rows:
        raise AskError("Which column says the time that the request names?")


def _part_of(name: str, used: set[str]) -> bool:
    """Whether a mention of ``name`` is only a part of a longer name that is used (``orders`` in ``orders_items``)."""
    return any(name != other and (name in other or said(name, words.fold(other.replace("_", " ")))) for other in used)
