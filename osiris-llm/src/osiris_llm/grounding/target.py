"""Where rows go and how: connection, table, mode, keys, and whether the read is incremental."""

from __future__ import annotations

import re
from dataclasses import replace

from osiris_core.context import Move
from osiris_llm import words
from osiris_llm.grounding.reading import AskError, Reading, RefuseError, listed


def ground_target(move: Move, reading: Reading) -> Move:
    """The move with the target, mode and keys the request means. Raises AskError, RefuseError."""
    move = _table(_connection(move, reading), reading)
    return _incremental(_keys(_mode(move, reading), reading), reading)


def _connection(move: Move, reading: Reading) -> Move:
    source = reading.table(move.source).source.alias
    if move.to in reading.mentions.aliases and move.to != source:
        return move
    others = [alias for alias in reading.view.targets if alias != source]
    named = [alias for alias in others if alias in reading.mentions.aliases]
    if len(named) == 1:
        reading.note(f'write to "@{named[0]}", the connection the request names')
        return replace(move, to=named[0])
    if len(others) != 1 or move.to == source:
        raise AskError(f"Where should it be written: {listed(others)}?")
    return move


def _table(move: Move, reading: Reading) -> Move:
    """The target is called like its source, unless the request introduces another name and the form took it."""
    own = reading.table(move.source).table.name
    mentions = reading.mentions
    other_thing = move.table in mentions.aliases or (move.table in mentions.tables and move.table != own)
    introduced = [name for name in mentions.introduced if name not in {rename.to for rename in move.renames}]
    taken = move.table in introduced or (not introduced and (move.table == own or mentions.names(move.table)))
    if taken and not other_thing:
        return move
    if len(introduced) == 1 and _is_target(introduced[0], reading):
        reading.note(f'write to table "{introduced[0]}", as the request says')
        return replace(move, table=introduced[0])
    if introduced:
        raise AskError(f"Should the table be called {listed(introduced)}?")
    reading.note(f'write to table "{own}", called like its source')
    return replace(move, table=own)


def _is_target(name: str, reading: Reading) -> bool:
    """Whether the request says "as table NAME" or "into lake table NAME": nothing else can be meant."""
    word = re.escape(words.fold(name).strip())
    aliases = "|".join(re.escape(words.fold(alias).strip()) for alias in reading.mentions.aliases) or "-"
    cue = rf"(?:{words.pattern(words.AS)}|{words.pattern(words.INTO)} @?(?:{aliases})) {words.pattern(words.TABLE)}"
    return re.search(rf"(?<!\w){cue} ['\"`]?{word}(?!\w)", reading.mentions.folded) is not None


def _mode(move: Move, reading: Reading) -> Move:
    said = [mode for mode, entries in words.MODES.items() if words.says(reading.mentions.folded, entries)]
    target = reading.view.source(move.to)
    if len(said) == 1 and said[0] != move.mode:
        reading.note(f"{said[0]}, as the request says")
        move = replace(move, mode=said[0])
    elif len(said) > 1 and move.mode not in said:
        raise AskError(f"How should rows be written: {listed(said)}?")
    elif not said:
        move = _default_mode(move, reading)
    if move.mode not in target.write_modes:
        raise RefuseError(f'"@{move.to}" cannot {move.mode}; it can {listed(target.write_modes)}.')
    return move


def _default_mode(move: Move, reading: Reading) -> Move:
    exists = reading.view.source(move.to).catalog.table(move.table) is not None
    mode = "merge" if reading.table(move.source).table.primary_key else "append"
    if exists and move.mode != mode:
        raise AskError(f'"{move.table}" already exists in "@{move.to}": append, merge or replace?')
    if move.mode != mode:
        reading.note(f"{mode}: the request does not say how to write")
    return replace(move, mode=mode)


def _keys(move: Move, reading: Reading) -> Move:
    if move.mode != "merge":
        return replace(move, keys=())
    table = reading.table(move.source).table
    unique = {tuple(sorted(key)) for key in (table.primary_key, *table.unique_keys) if key}
    own = all(table.column(key) is not None for key in move.keys)
    asked = own and all(_matched_by(key, reading) for key in move.keys)
    if move.keys and own and (tuple(sorted(move.keys)) in unique or asked):
        return move
    if not table.primary_key:
        raise AskError(f'By which columns is a row of "{table.name}" recognised?')
    if move.keys != table.primary_key:
        reading.note(f"merge on {listed(table.primary_key)}, the primary key")
    return replace(move, keys=table.primary_key)


def _matched_by(key: str, reading: Reading) -> bool:
    """Whether the request says ``key`` right after a word such as "on"."""
    name = re.escape(words.fold(key).strip())
    cue = rf"(?<![a-z0-9_]){words.pattern(words.MATCHING)}\s+(the\s+)?"
    return re.search(rf"{cue}{name}(?![a-z0-9_])", reading.mentions.folded) is not None


def _incremental(move: Move, reading: Reading) -> Move:
    wanted = words.says(reading.mentions.folded, words.INCREMENTAL)
    if wanted != move.incremental:
        told = "read incrementally" if wanted else "read the whole table: the request does not say incrementally"
        reading.note(told)
    return replace(move, incremental=wanted)
