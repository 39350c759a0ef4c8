"""Which columns are copied, and under which names: those the request lists, or all."""

from __future__ import annotations

from dataclasses import replace

from osiris_core.context import Move, pick_cursor
from osiris_llm import words
from osiris_llm.grounding.reading import AskError, Reading, listed
from osiris_llm.mentions import said


def ground_columns(move: Move, reading: Reading) -> Move:
    """The move with the columns the request lists. Filters and keys must be grounded before. Raises AskError."""
    return _choice(_renames(move, reading), reading)


def _renames(move: Move, reading: Reading) -> Move:
    kept = tuple(
        rename
        for rename in move.renames
        if rename.column != rename.to
        and reading.mentions.names(rename.column)
        and reading.mentions.names(rename.to)
        and words.says(reading.mentions.folded, words.RENAMING)
    )
    for rename in set(move.renames) - set(kept):
        reading.note(f'did not rename "{rename.column}": the request does not say so')
    return replace(move, renames=kept)


def _choice(move: Move, reading: Reading) -> Move:
    table = reading.table(move.source).table
    own = [column.name for column in table.columns]
    asked = _asked(move, own, reading)
    if not asked:
        return _all(move, own, reading)
    if set(move.columns) != set(asked):
        _is_a_list(move, asked, own, reading)
        reading.note(f"read {listed(asked)}, the columns the request lists")
    keys = {*move.keys, *(key for key in table.primary_key if key in move.columns)}
    wanted = {*asked, *keys, *(rename.column for rename in move.renames)}
    if move.incremental and (cursor := pick_cursor(table)):
        wanted.add(cursor)
    return replace(move, columns=tuple(name for name in own if name in wanted))


def _is_a_list(move: Move, asked: list[str], own: list[str], reading: Reading) -> None:
    """Raises AskError unless the request's words alone make ``asked`` a choice of columns."""
    announced = words.says(reading.mentions.folded, words.RESTRICTING)
    key = reading.table(move.source).table.primary_key
    beside_the_key = [name for name in asked if name not in (*key, *move.keys)]
    everything = not move.columns or set(move.columns) >= set(own)
    if len(beside_the_key) == 1 and (everything or not announced):
        raise AskError(f"What about {listed(beside_the_key)}? The request names it and the plan does not use it.")
    if everything and not (announced or len(asked) >= 3):
        raise AskError(f"Only {listed(asked)}, or every column?")


def _all(move: Move, own: list[str], reading: Reading) -> Move:
    if move.columns and set(move.columns) < set(own):
        reading.note("copy every column: the request lists none")
    return replace(move, columns=())


def _asked(move: Move, own: list[str], reading: Reading) -> list[str]:
    """Columns that the request names for no other reason than to have them copied."""
    table = reading.table(move.source).table
    otherwise = {*(c.column for c in move.where), *(r.column for r in move.renames), *(r.to for r in move.renames)}
    if move.incremental:
        otherwise.add(pick_cursor(table) or "")
    matched_by = {*move.keys, *table.primary_key}
    named = [name for name in own if name in reading.mentions.columns and name not in otherwise]
    named = [name for name in named if not _part_of_a_name(name, move, table.name)]
    # A key is named to match rows by as often as to be copied; it counts only beside other columns.
    return named if any(name not in matched_by for name in named) else []


def _part_of_a_name(column: str, move: Move, table: str) -> bool:
    others = (table, move.table, move.to)
    return any(column == other or said(column, words.fold(other.replace("_", " "))) for other in others)
