"""Two stages for a catalogue too large for one prompt: the model picks names first, then sees the columns of those.

What it picks is added to what the request's own words find, and never replaces it: a small model picks badly, words
find no synonyms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from osiris_core.context import Shortlist, View, brief, shortlist
from osiris_llm.prompt import names_messages
from osiris_llm.provider import Message, Provider, Reply, SchemaTooLargeError

#: Names in one prompt; beyond it those that share no word with the request are not even named.
MOST_NAMES = 2000
PICKS = 6


@dataclass(frozen=True, slots=True)
class Stage:
    """What the next prompt shows: ``view`` narrowed to ``tables``, and the call that chose, if there was one."""

    view: View
    tables: Shortlist
    messages: list[Message]
    reply: Reply | None = None

    @property
    def note(self) -> str:
        """What the user is told of what was left out; empty when nothing was."""
        count, everything = len(self.tables.left_out), len(self.tables.left_out) + len(self.tables.chosen)
        if not count:
            return ""
        return f"{count:,} of {everything:,} tables did not fit and were left out; a table named in the request is not"


def narrowed(view: View, request: str, provider: Provider) -> Stage:
    """``view`` as far as one prompt holds it. Asks the model for names only when it does not hold everything."""
    tables = shortlist(view, request)
    if not tables.left_out:
        return Stage(view, tables, [])
    named = list(view.tables) if len(view.tables) <= MOST_NAMES else list(tables.chosen)
    messages = names_messages(brief(view, only=set(named), names_only=True), request)
    answer = _asked(provider, messages, named)
    picked = [name for name in _names(answer) if name in view.tables]
    tables = shortlist(view, request, first=picked)
    kept = _without(view, tables.left_out)
    # A name that two connections had may need no "@alias" any more: what is shown are the names of what is kept.
    return Stage(kept, Shortlist(tuple(kept.tables), tables.left_out), messages, answer)


def _asked(provider: Provider, messages: list[Message], names: Sequence[str]) -> Reply | None:
    """The model's names; None when no schema of them is small enough, and words alone have to do."""
    limits = provider.limits
    characters = sum(map(len, names))
    fits = not (
        (limits.enum_values and len(names) > limits.enum_values)
        or (limits.enum_characters and characters > limits.enum_characters)
    )
    closed: dict[str, Any] = {"type": "string", "enum": list(names)}
    plain: dict[str, Any] = {"type": "string", "maxLength": 128}
    for items in (closed, plain) if fits else (plain,):
        try:
            return provider.complete(messages, _schema(items))
        except SchemaTooLargeError:
            continue
    return None


def _schema(items: Mapping[str, Any]) -> dict[str, Any]:
    tables = {"type": "array", "items": dict(items), "maxItems": PICKS}
    return {"type": "object", "properties": {"tables": tables}, "required": ["tables"], "additionalProperties": False}


def _names(answer: Reply | None) -> list[str]:
    value = answer.value if answer is not None else None
    found = value.get("tables") if isinstance(value, dict) else None
    return [name for name in found if isinstance(name, str)][:PICKS] if isinstance(found, list) else []


def _without(view: View, left_out: Sequence[str]) -> View:
    """``view`` without the tables that did not fit, so that the schema holds what the brief shows."""
    dropped = {(view.tables[name].source.alias, view.tables[name].table.name) for name in left_out}
    sources = [
        replace(
            source,
            catalog=replace(
                source.catalog,
                tables=tuple(t for t in source.catalog.tables if (source.alias, t.name) not in dropped),
                partial=True,
            ),
        )
        for source in view.sources
    ]
    return View(tuple(sources), view.hints, view.transform)
