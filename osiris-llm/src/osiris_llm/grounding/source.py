"""Which table is read: the one the request names, or the only one that has the columns it names."""

from __future__ import annotations

from dataclasses import replace

from osiris_core.context import Move, TableRef
from osiris_llm import words
from osiris_llm.grounding.reading import AskError, Reading, RefuseError, holds, listed


def ground_source(move: Move, reading: Reading) -> Move:
    """The move with the table the request means. Raises AskError, RefuseError."""
    return _columns_belong(_table_is_named(move, reading), reading)


def _table_is_named(move: Move, reading: Reading) -> Move:
    mentions, chosen = reading.mentions, reading.table(move.source)
    named = [ref for ref in reading.view.tables.values() if ref.table.name in mentions.tables]
    if chosen.table.name in mentions.tables:
        return _from_the_right_connection(move, [r for r in named if r.table.name == chosen.table.name], reading)
    exact = [ref for ref in named if words.says(mentions.folded, (words.fold(ref.table.name).strip(),))]
    reads = [ref for ref in (exact or named) if ref.source.alias != move.to] or exact or named
    if len(reads) == 1:
        reading.note(f'read "{reads[0].name}", the table the request names, instead of "{move.source}"')
        return replace(move, source=reads[0].name)
    holders = [ref for ref in reading.view.tables.values() if mentions.columns and holds(ref, mentions.columns)]
    if reads or len(holders) != 1:
        raise AskError(f'Which table should be read? "{chosen.table.name}" is a guess.')
    if holders[0].name != move.source:
        reading.note(f'read "{holders[0].name}", the only table that has {listed(mentions.columns)}')
    return replace(move, source=holders[0].name)


def _from_the_right_connection(move: Move, same: list[TableRef], reading: Reading) -> Move:
    if len(same) < 2:
        return move
    cued = [ref for ref in same if ref.source.alias in reading.mentions.aliases and ref.source.alias != move.to]
    if len(cued) != 1:
        raise AskError(f"{listed({same[0].table.name})} exists in {listed(r.source.alias for r in same)}: which one?")
    return replace(move, source=cued[0].name)


def _columns_belong(move: Move, reading: Reading) -> Move:
    used = {*move.columns, *(c.column for c in move.where), *(r.column for r in move.renames)}
    ref = reading.table(move.source)
    missing = {name for name in used if ref.table.column(name) is None}
    if not missing:
        return move
    asked = [name for name in missing if reading.mentions.names(name)]
    if asked:
        raise RefuseError(f'"{ref.table.name}" has no column {listed(asked)}.')
    if any(condition.column in missing for condition in move.where):
        raise AskError(f'Which column of "{ref.table.name}" should the rows be chosen by?')
    reading.note(f"left out {listed(missing)}: not in the table and not in the request")
    return replace(
        move,
        columns=tuple(name for name in move.columns if name not in missing),
        renames=tuple(rename for rename in move.renames if rename.column not in missing),
    )
