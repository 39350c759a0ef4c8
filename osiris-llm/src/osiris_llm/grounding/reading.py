"""What every check of grounding looks at, and how a check ends when the reading is not certain."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from osiris_core.context import TableRef, View
from osiris_llm.mentions import Mentions


class AskError(Exception):
    """The reading is uncertain; the text is the one question to put."""


class RefuseError(Exception):
    """What is asked for cannot be; the text says why."""


@dataclass(frozen=True)
class Reading:
    """The request's mentions, what exists, the clock (aware, UTC), and the notes of what was repaired."""

    mentions: Mentions
    view: View
    now: datetime
    notes: list[str] = field(default_factory=list)

    def table(self, name: str) -> TableRef:
        """The table a move reads."""
        return self.view.tables[name]

    def note(self, text: str) -> None:
        """Tell the user of a repair."""
        self.notes.append(text)


def listed(names: Iterable[str]) -> str:
    """Names in quotes, sorted, for a sentence."""
    return ", ".join(f'"{name}"' for name in sorted(names))


def holds(ref: TableRef, names: Iterable[str]) -> bool:
    """Whether the table has every column of ``names``."""
    return all(ref.table.column(name) is not None for name in names)
