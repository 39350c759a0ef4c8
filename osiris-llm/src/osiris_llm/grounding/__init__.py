"""Grounding: hold the form against the request and the catalogue, by code alone.

A certain reading is repaired and told; an uncertain one becomes one question; what cannot be is refused.
The enemy is the plan that is valid and wrong, so nothing ungrounded passes in silence.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from osiris_core.context import Cannot, Form, Move, SqlMove, View
from osiris_llm import words
from osiris_llm.grounding.columns import ground_columns
from osiris_llm.grounding.filters import ground_filters
from osiris_llm.grounding.query import query_problems, with_own_names
from osiris_llm.grounding.reading import AskError, Reading, RefuseError, listed
from osiris_llm.grounding.several import forgotten_copies
from osiris_llm.grounding.source import ground_source
from osiris_llm.grounding.target import ground_target
from osiris_llm.grounding.whole import check_whole
from osiris_llm.mentions import Mentions, read

__all__ = ["Grounded", "ground"]


@dataclass(frozen=True, slots=True)
class Grounded:
    """The form after grounding: moves (or SQL) with notes of what was repaired, or a refusal, or a question.

    ``problems`` are for the model to mend: its query is none that the request asks for.
    """

    answer: tuple[Move, ...] | SqlMove | None
    notes: tuple[str, ...] = ()
    refusal: str = ""
    question: str = ""
    problems: tuple[str, ...] = ()


def ground(form: Form, request: str, view: View, now: datetime) -> Grounded:
    """Hold ``form`` against ``request`` and ``view``; ``now`` (aware, UTC) is the clock dates are resolved by."""
    reading = Reading(read(request, view), view, now)
    try:
        _refuse_what_cannot_be(reading.mentions, view)
        if isinstance(form.answer, Cannot):
            return _declined(form.answer, reading.mentions)
        if isinstance(form.answer, SqlMove):
            answer = with_own_names(_ground_sql(form.answer, reading.mentions, view, reading.notes), reading)
            return Grounded(answer, tuple(reading.notes), problems=query_problems(answer, reading))
        moves = tuple(_grounded(move, reading) for move in form.answer)
        moves += tuple(_grounded(move, reading) for move in forgotten_copies(moves, reading))
        check_whole(moves, reading.mentions, view)
        return Grounded(moves, tuple(dict.fromkeys(reading.notes)))
    except AskError as question:
        return Grounded(None, tuple(reading.notes), question=str(question))
    except RefuseError as refusal:
        return Grounded(None, tuple(reading.notes), refusal=str(refusal))


def _grounded(move: Move, reading: Reading) -> Move:
    """Columns come last: those that filter or match rows are not a choice."""
    for check in (ground_source, ground_target, ground_filters, ground_columns):
        move = check(move, reading)
    return move


def _declined(answer: Cannot, mentions: Mentions) -> Grounded:
    if answer.reason == "ambiguous":
        return Grounded(None, question=answer.question or "What exactly should be copied?")
    refusal = answer.question or answer.reason.replace("_", " ")
    if answer.reason == "missing_table" and mentions.tables:
        # Not repeated, for it is not true. Asking such a model once more brings the same answer.
        named = listed(sorted(mentions.tables))
        refusal = f"The model found nothing to copy, although {named} is there to read. Please say it in other words."
    return Grounded(None, refusal=refusal, question=answer.question)


def _refuse_what_cannot_be(mentions: Mentions, view: View) -> None:
    if words.says(mentions.folded, words.UNSUPPORTED):
        raise RefuseError("Osiris copies and transforms rows; it does not delete, mask, encrypt or schedule them.")
    for system in words.SYSTEMS:
        named = system.strip()
        if words.says(mentions.folded, (system,)) and not any(named in source.alias.lower() for source in view.sources):
            raise RefuseError(f'There is no connection to "{named}".')
    unknown = [word for word in mentions.unknown if not _introduced(word, mentions)]
    if unknown:
        raise RefuseError(f"These names exist nowhere in the connected databases: {', '.join(unknown)}.")


def _introduced(word: str, mentions: Mentions) -> bool:
    """Whether the request introduces ``word`` as a name to be made: "as table X", "call it X", "to X"."""
    before = mentions.folded.split(f" {words.fold(word).strip()}")[0][-24:] + " "
    announced = words.says(before, words.MAKING) or words.says(before, words.RENAMING)
    return announced and not word.startswith("@")


def _ground_sql(form: SqlMove, mentions: Mentions, view: View, notes: list[str]) -> SqlMove:
    named = [n for n in form.inputs if n in view.tables and view.tables[n].table.name in mentions.tables]
    if not named and not mentions.columns:
        raise AskError("Which tables should the query read? The request names none of them.")
    if form.to not in mentions.aliases and len(view.targets) > 1:
        raise AskError(f"Where should it be written: {listed(view.targets)}?")
    said_modes = [mode for mode, entries in words.MODES.items() if words.says(mentions.folded, entries)]
    mode = said_modes[0] if len(said_modes) == 1 else form.mode
    if mode == "merge" and not form.keys:
        raise AskError("By which columns is a row of the result recognised?")
    if mode != form.mode:
        notes.append(f"{mode}, as the request says")
    return replace(form, mode=mode, keys=form.keys if mode == "merge" else ())
