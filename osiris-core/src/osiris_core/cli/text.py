"""Plain text for people: aligned columns, numbers, and names that cannot play tricks on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def shown(text: str) -> str:
    """``text`` with control characters and other invisible ones escaped."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def shown_lines(text: str) -> str:
    """The same for a text of several lines, whose line ends stay."""
    return "\n".join(map(shown, text.split("\n")))


def aligned(rows: Iterable[Sequence[str]], indent: str = "") -> list[str]:
    """One line per row, columns padded to the widest cell; cells are made safe to print."""
    rows = [[shown(cell) for cell in row] for row in rows]
    if not rows:
        return []
    widths = [max(len(row[n]) for row in rows if n < len(row)) for n in range(max(map(len, rows)))]
    return [indent + "  ".join(cell.ljust(widths[n]) for n, cell in enumerate(row)).rstrip() for row in rows]


def alias_name(text: str) -> str:
    """An alias as the user typed it, with or without ``@``."""
    return text.removeprefix("@")


def rows_text(count: int | None) -> str:
    """``~100,000 rows``, or ``""`` when unknown."""
    if count is None:
        return ""
    return f"~{count:,} {'row' if count == 1 else 'rows'}"
