"""The brief: the compact text a model reads. Byte-stable for equal catalogues, so that providers cache it.

Compact lines cost a seventh of minified JSON for the same catalogue (docs/explanation/context.md).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterator

from osiris_core.catalog.model import Table
from osiris_core.context.model import Source, View, short_type

LEGEND = "i=integer n=decimal f=float t=text d=date ts=timestamp tm=time b=boolean bin=bytes j=json; *=key"
_LONGEST_COMMENT = 80


def brief(view: View, *, only: Collection[str] | None = None, names_only: bool = False, comments: bool = False) -> str:
    """The brief of ``view``.

    Args:
        view: what exists.
        only: table names (as in ``view.tables``) to keep; None keeps all.
        names_only: the first of two stages: table names without columns.
        comments: quote table comments, truncated and stripped of control and bidirectional characters.
    """
    lines: list[str] = []
    for source in view.sources:
        lines.append(_header(source))
        lines.extend(_tables(view, source, only, names_only, comments))
    if not names_only:
        lines.append(f"({LEGEND})")
    lines.extend(f"{printable(hint.title)}: {printable(hint.text)}" for hint in view.hints)
    return "\n".join(lines) + "\n"


def printable(text: str, longest: int = 400) -> str:
    """``text`` on one line without control, format and bidirectional characters, at most ``longest`` long."""
    kept = "".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in text)
    kept = "".join(c for c in kept if unicodedata.category(c) not in ("Cf", "Co", "Cs", "Cn"))
    kept = " ".join(kept.split())
    return kept if len(kept) <= longest else kept[: longest - 1] + "…"


def _header(source: Source) -> str:
    abilities = (["read"] if source.readable else []) + list(source.write_modes)
    return f"@{printable(source.alias)} {source.component} [{' '.join(abilities)}]"


def _tables(
    view: View, source: Source, only: Collection[str] | None, names_only: bool, comments: bool
) -> Iterator[str]:
    for name, ref in view.tables.items():
        if ref.source.alias != source.alias or (only is not None and name not in only):
            continue
        if names_only:
            yield printable(name)
            continue
        yield f"{printable(name)}: {_columns(ref.table)}" + (_comment(ref.table) if comments else "")


def _columns(table: Table) -> str:
    keys = set(table.primary_key)
    return " ".join(
        f"{_name(column.name)}{'*' if column.name in keys else ''}:{short_type(column)}" for column in table.columns
    )


def _name(name: str) -> str:
    shown = printable(name)
    return f'"{shown}"' if " " in shown or ":" in shown else shown


def _comment(table: Table) -> str:
    return f' -- "{printable(table.comment, _LONGEST_COMMENT)}"' if table.comment else ""
