"""Grounding: hold the form against the request and the catalogue, by code alone.

A certain reading is repaired and told; an uncertain one becomes one question; what cannot be is refused.
The enemy is the plan that is valid and wrong, so nothing ungrounded passes in silence.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from osiris_core.context import Cannot, Condition, Form, Move, SqlMove, TableRef, View
from osiris_llm import dates, words
from osiris_llm.mentions import Mentions, read, said

_EMPTY_OPERATORS = ("is_null", "is_not_null")
_PASSED = ("true", "false")


@dataclass(frozen=True, slots=True)
class Grounded:
    """The form after grounding: moves (or SQL) with notes of what was repaired, or a refusal, or a question."""

    answer: tuple[Move, ...] | SqlMove | None
    notes: tuple[str, ...] = ()
    refusal: str = ""
    question: str = ""


class _AskError(Exception):
    pass


class _RefuseError(Exception):
    pass


def ground(form: Form, request: str, view: View, now: datetime) -> Grounded:
    """Hold ``form`` against ``request`` and ``view``; ``now`` (aware, UTC) is the clock dates are resolved by."""
    mentions = read(request, view)
    notes: list[str] = []
    try:
        _refuse_what_cannot_be(mentions, view)
        if isinstance(form.answer, Cannot):
            return _declined(form.answer)
        if isinstance(form.answer, SqlMove):
            return Grounded(_ground_sql(form.answer, mentions, view, notes), tuple(notes))
        moves = tuple(_Move(move, mentions, view, now, notes).grounded() for move in form.answer)
        _check_whole(moves, mentions, view)
        return Grounded(moves, tuple(dict.fromkeys(notes)))
    except _AskError as question:
        return Grounded(None, tuple(notes), question=str(question))
    except _RefuseError as refusal:
        return Grounded(None, tuple(notes), refusal=str(refusal))


def _declined(answer: Cannot) -> Grounded:
    if answer.reason == "ambiguous":
        return Grounded(None, question=answer.question or "What exactly should be copied?")
    return Grounded(None, refusal=answer.question or answer.reason.replace("_", " "), question=answer.question)


def _refuse_what_cannot_be(mentions: Mentions, view: View) -> None:
    if words.says(mentions.folded, words.UNSUPPORTED):
        raise _RefuseError("Osiris copies and transforms rows; it does not delete, mask, encrypt or schedule them.")
    for system in words.SYSTEMS:
        named = system.strip()
        if words.says(mentions.folded, (system,)) and not any(named in source.alias.lower() for source in view.sources):
            raise _RefuseError(f'There is no connection to "{named}".')
    unknown = [word for word in mentions.unknown if not _introduced(word, mentions)]
    if unknown:
        raise _RefuseError(f"These names exist nowhere in the connected databases: {', '.join(unknown)}.")


def _introduced(word: str, mentions: Mentions) -> bool:
    """Whether the request introduces ``word`` as a name to be made: "as table X", "called X", "to X"."""
    before = mentions.folded.split(f" {words.fold(word).strip()}")[0][-24:]
    cues = (
        "table ",
        "called ",
        "named ",
        "as ",
        "into ",
        "to ",
        "=",
        "tabulk",
        "jako ",
        "tabelle ",
        "als ",
        "tabla ",
        "como ",
        "tabela ",
        "comme ",
    )
    return any(cue in f"{before} " for cue in cues) and not word.startswith("@")


class _Move:
    """One move on its way through the checks; each either passes, repairs with a note, asks or refuses."""

    def __init__(self, move: Move, mentions: Mentions, view: View, now: datetime, notes: list[str]) -> None:
        self.move = move
        self.mentions = mentions
        self.view = view
        self.now = now
        self.notes = notes

    def grounded(self) -> Move:
        self._source()
        self._columns_belong()
        self._columns_are_asked_for()
        self._target()
        self._target_table()
        self._mode()
        self._keys()
        self._filters()
        self._incremental()
        return self.move

    @property
    def ref(self) -> TableRef:
        return self.view.tables[self.move.source]

    def _note(self, text: str) -> None:
        self.notes.append(text)

    def _source(self) -> None:
        named = [ref for ref in self.view.tables.values() if ref.table.name in self.mentions.tables]
        exact = [ref for ref in named if words.says(self.mentions.folded, (words.fold(ref.table.name).strip(),))]
        if self.ref.table.name in self.mentions.tables:
            self._source_alias([ref for ref in named if ref.table.name == self.ref.table.name])
            return
        reads = [ref for ref in (exact or named) if ref.source.alias != self.move.to] or exact or named
        if len(reads) == 1:
            self._note(f'read "{reads[0].name}", the table the request names, instead of "{self.move.source}"')
            self.move = replace(self.move, source=reads[0].name)
        elif not reads and not self._columns_name_the_table():
            raise _AskError(f'Which table should be read? The request names none; "{self.ref.table.name}" is a guess.')

    def _source_alias(self, same: list[TableRef]) -> None:
        if len(same) < 2:
            return
        cued = [ref for ref in same if ref.source.alias in self.mentions.aliases and ref.source.alias != self.move.to]
        if len(cued) != 1:
            raise _AskError(f'"{self.ref.table.name}" exists in {_listed(r.source.alias for r in same)}: which one?')
        self.move = replace(self.move, source=cued[0].name)

    def _columns_name_the_table(self) -> bool:
        """Whether one table only has the columns that the request names; it is read then."""
        holders = [ref for ref in self.view.tables.values() if _holds(ref, self.mentions.columns)]
        if not self.mentions.columns or len(holders) != 1:
            return False
        if holders[0].name != self.move.source:
            self._note(f'read "{holders[0].name}", the only table that has {_listed(self.mentions.columns)}')
            self.move = replace(self.move, source=holders[0].name)
        return True

    def _columns_belong(self) -> None:
        used = {*self.move.columns, *(c.column for c in self.move.where), *(r.column for r in self.move.renames)}
        missing = sorted(name for name in used if self.ref.table.column(name) is None)
        if not missing:
            return
        holders = [ref for ref in self.view.tables.values() if _holds(ref, used)]
        if len(holders) == 1 and self.ref.table.name not in self.mentions.tables:
            self._note(f'read "{holders[0].name}", the only table that has {_listed(used)}')
            self.move = replace(self.move, source=holders[0].name)
            return
        asked = [name for name in missing if self.mentions.names(name)]
        if asked:
            raise _RefuseError(f'"{self.ref.table.name}" has no column {_listed(asked)}.')
        self._drop_columns(set(missing))

    def _drop_columns(self, missing: set[str]) -> None:
        if any(condition.column in missing for condition in self.move.where):
            raise _AskError(f'Which column of "{self.ref.table.name}" should the rows be chosen by?')
        self._note(f"left out {_listed(missing)}: not in the table and not in the request")
        columns = tuple(name for name in self.move.columns if name not in missing)
        renames = tuple(rename for rename in self.move.renames if rename.column not in missing)
        self.move = replace(self.move, columns=columns, renames=renames)

    def _columns_are_asked_for(self) -> None:
        own = [column.name for column in self.ref.table.columns]
        if self.move.columns and set(self.move.columns) <= self._used_otherwise():
            self._note("copy every column: the request names columns only to filter or to match by")
            self.move = replace(self.move, columns=())
        if not self.move.columns or set(self.move.columns) == set(own):
            self._named_columns_are_taken(own)
            return
        unasked = [name for name in self.move.columns if not self.mentions.names(name)]
        if len(unasked) == len(self.move.columns):
            self._note("copy every column: the request names none")
            self.move = replace(self.move, columns=())
        elif unasked:
            keys = set(self.ref.table.primary_key)
            self._note(f"left out {_listed(unasked)}: the request does not name them") if not keys & set(
                unasked
            ) else self._note(f"kept the key {_listed(keys & set(unasked))}")
            kept = tuple(name for name in self.move.columns if name not in unasked or name in keys)
            self.move = replace(self.move, columns=kept)

    def _used_otherwise(self) -> set[str]:
        """Columns that the plan filters by, renames or matches rows by."""
        move = self.move
        return {*(c.column for c in move.where), *(r.column for r in move.renames), *move.keys}

    def _named_columns_are_taken(self, own: list[str]) -> None:
        """All columns were chosen: fine unless the request lists columns and announces a restriction."""
        used = self._used_otherwise()
        listed = [name for name in own if name in self.mentions.columns and name not in used]
        listed = [name for name in listed if name != self.ref.table.name and not said(self.ref.table.name, f" {name} ")]
        announced = words.says(self.mentions.folded, words.RESTRICTING)
        if len(listed) >= 2 and (announced or len(listed) >= 3) and not self.move.where:
            self._note(f"read only {_listed(listed)}, the columns the request lists")
            self.move = replace(self.move, columns=tuple(listed))

    def _target(self) -> None:
        targets = set(self.view.targets)
        if self.move.to in self.mentions.aliases and self.move.to != self.ref.source.alias:
            return
        named = [a for a in self.view.targets if a in self.mentions.aliases and a != self.ref.source.alias]
        if len(named) == 1:
            self._note(f'write to "@{named[0]}", the connection the request names')
            self.move = replace(self.move, to=named[0])
        elif len(targets - {self.ref.source.alias}) != 1 or self.move.to == self.ref.source.alias:
            raise _AskError(f"Where should it be written: {_listed(targets - {self.ref.source.alias})}?")

    def _target_table(self) -> None:
        name = self.move.table
        if name == self.ref.table.name or (self.mentions.names(name) and name not in self.mentions.aliases):
            return
        self._note(f'write to table "{self.ref.table.name}", called like its source')
        self.move = replace(self.move, table=self.ref.table.name)

    def _mode(self) -> None:
        said_modes = [mode for mode, entries in words.MODES.items() if words.says(self.mentions.folded, entries)]
        offered = self.view.source(self.move.to).write_modes
        if len(said_modes) == 1 and said_modes[0] != self.move.mode:
            self._note(f"{said_modes[0]}, as the request says")
            self.move = replace(self.move, mode=said_modes[0])
        elif len(said_modes) > 1 and self.move.mode not in said_modes:
            raise _AskError(f"How should rows be written: {_listed(said_modes)}?")
        elif not said_modes:
            self._default_mode()
        if self.move.mode not in offered:
            raise _RefuseError(f'"@{self.move.to}" cannot {self.move.mode}; it can {_listed(offered)}.')

    def _default_mode(self) -> None:
        exists = self.view.source(self.move.to).catalog.table(self.move.table) is not None
        mode = "merge" if self.ref.table.primary_key else "append"
        if exists and self.move.mode != mode:
            raise _AskError(f'"{self.move.table}" already exists in "@{self.move.to}": append, merge or replace?')
        if self.move.mode != mode:
            self._note(f"{mode}: the request does not say how to write")
            self.move = replace(self.move, mode=mode)

    def _keys(self) -> None:
        if self.move.mode != "merge":
            self.move = replace(self.move, keys=())
            return
        table = self.ref.table
        unique = {tuple(sorted(key)) for key in (table.primary_key, *table.unique_keys) if key}
        if self.move.keys and (
            tuple(sorted(self.move.keys)) in unique or all(self.mentions.names(key) for key in self.move.keys)
        ):
            return
        if not table.primary_key:
            raise _AskError(f'By which columns is a row of "{table.name}" recognised?')
        if self.move.keys != table.primary_key:
            self._note(f"merge on {_listed(table.primary_key)}, the primary key")
        self.move = replace(self.move, keys=table.primary_key)
        if self.move.columns:
            missing = tuple(key for key in table.primary_key if key not in self.move.columns)
            self.move = replace(self.move, columns=(*missing, *self.move.columns))

    def _filters(self) -> None:
        where: list[Condition] = []
        for condition in self.move.where:
            where.extend(self._filter(condition))
        self.move = replace(self.move, where=tuple(dict.fromkeys(where)))

    def _filter(self, condition: Condition) -> Iterable[Condition]:
        if condition.op in _EMPTY_OPERATORS:
            return [replace(condition, value="")]
        value = condition.value.strip()
        if not value or (self.ref.table.column(value) is not None and value not in self.mentions.quoted):
            self._note(f"dropped the condition on {condition.column}: it compares with nothing")
            return []
        column = self.ref.table.column(condition.column)
        temporal = column is not None and column.arrow.startswith(("date", "timestamp"))
        interval = dates.resolve(condition.value, self.now) if temporal else None
        if interval is not None and column is not None:
            self._date_is_asked_for(condition)
            return _bounds(condition, interval, as_date=column.arrow.startswith("date"))
        for value in condition.value.split(",") if condition.op in ("in", "not_in") else [condition.value]:
            self._value_is_asked_for(condition, value.strip())
        return [condition]

    def _date_is_asked_for(self, condition: Condition) -> None:
        value = condition.value.strip().lower()
        entries = words.DATES.get(value)
        numbers = {part.lstrip("0") for part in value.replace(":", "-").replace("..", "-").split("-") if part.isdigit()}
        months = {i + 1 for i, names in enumerate(words.MONTHS) if words.says(self.mentions.folded, names)}
        if entries is not None and words.says(self.mentions.folded, entries):
            return
        spoken = {number.lstrip("0") for number in self.mentions.numbers} | {str(month) for month in months}
        written = set(self.mentions.folded.replace("-", " ").replace(".", " ").replace("/", " ").split())
        spoken |= {part.lstrip("0") for part in written if part.isdigit()}
        years = {str(self.now.year), str(self.now.year - 1)} if months else set()
        if (
            entries is None
            and numbers
            and all(n in spoken | years or n == "1" or n in ("30", "31", "28") for n in numbers)
        ):
            return
        raise _AskError(f'Which time is meant for {condition.column}? "{condition.value}" is not in the request.')

    def _value_is_asked_for(self, condition: Condition, value: str) -> None:
        if value.lower() in _PASSED:
            if not self.mentions.names(condition.column):
                raise _AskError(f"Should {condition.column} be {value}? The request does not say so.")
            return
        number = value.replace(",", ".")
        if said(value, self.mentions.folded) or number in {n.replace(",", ".") for n in self.mentions.numbers}:
            return
        if words.fold(value).strip("% ") in self.mentions.folded:
            return
        raise _AskError(f'Should {condition.column} be {condition.op} "{value}"? The request does not say so.')

    def _incremental(self) -> None:
        wanted = words.says(self.mentions.folded, words.INCREMENTAL)
        if wanted != self.move.incremental:
            self._note(
                "read incrementally" if wanted else "read the whole table: the request does not say incrementally"
            )
            self.move = replace(self.move, incremental=wanted)


def _bounds(condition: Condition, interval: dates.Interval, *, as_date: bool) -> list[Condition]:
    start = dates.spelled(interval.start, as_date=as_date) if interval.start else None
    end = dates.spelled(interval.end, as_date=as_date) if interval.end else None
    column, op = condition.column, condition.op
    if op in ("<", "<=") and start is not None:
        return [Condition(column, "<", (end or start) if op == "<=" else start)]
    if op in (">", ">=") and (start or end) is not None:
        return [Condition(column, ">=", (end or start or "") if op == ">" else (start or end or ""))]
    lower = [Condition(column, ">=", start)] if start else []
    return lower + ([Condition(column, "<", end)] if end else [])


def _check_whole(moves: tuple[Move, ...], mentions: Mentions, view: View) -> None:
    """What only the whole answer shows: named tables, quotes, numbers and restrictions left unused."""
    used = {view.tables[move.source].table.name for move in moves} | {move.table for move in moves}
    unused = [n for n in mentions.tables - used if not _part_of(n, used) and n not in mentions.columns]
    if unused:
        raise _AskError(f"What about {_listed(unused)}? The request names it and the plan does not use it.")
    spoken = " ".join([*used, *(c.value for m in moves for c in m.where), *(r.to for m in moves for r in m.renames)])
    spoken = words.fold(" ".join([spoken, *(c for m in moves for c in (*m.columns, *m.keys))]))
    left = [text for text in mentions.quoted if words.fold(text).strip() not in spoken]
    if left:
        raise _AskError(f"What is {_listed(left)} for? The plan does not use it.")
    filtered = any(move.where or move.columns or move.renames or move.incremental for move in moves)
    if not filtered and (mentions.numbers or words.says(mentions.folded, words.RESTRICTING)):
        raise _AskError("Which rows or columns exactly? The request restricts them and the plan copies everything.")
    if not filtered and any(words.says(mentions.folded, entries) for entries in words.DATES.values()):
        raise _AskError("Which column says the time that the request names?")
    if words.says(mentions.folded, words.JOINING):
        raise _AskError("Should rows be joined or summed? The plan only copies them.")


def _ground_sql(form: SqlMove, mentions: Mentions, view: View, notes: list[str]) -> SqlMove:
    named = [n for n in form.inputs if view.tables[n].table.name in mentions.tables]
    if not named and not mentions.columns:
        raise _AskError("Which tables should the query read? The request names none of them.")
    if form.to not in mentions.aliases and len(view.targets) > 1:
        raise _AskError(f"Where should it be written: {_listed(view.targets)}?")
    said_modes = [mode for mode, entries in words.MODES.items() if words.says(mentions.folded, entries)]
    mode = said_modes[0] if len(said_modes) == 1 else form.mode
    if mode == "merge" and not form.keys:
        raise _AskError("By which columns is a row of the result recognised?")
    if mode != form.mode:
        notes.append(f"{mode}, as the request says")
    return replace(form, mode=mode, keys=form.keys if mode == "merge" else ())


def _holds(ref: TableRef, names: Iterable[str]) -> bool:
    return all(ref.table.column(name) is not None for name in names)


def _part_of(name: str, used: set[str]) -> bool:
    """Whether a mention of ``name`` is only a part of a longer name that is used (``orders`` in ``orders_items``)."""
    return any(name != other and (name in other or said(name, words.fold(other.replace("_", " ")))) for other in used)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in sorted(names))
