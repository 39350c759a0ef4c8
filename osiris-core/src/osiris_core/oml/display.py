"""Showing a piece of source to a person: widths, invisible characters made visible, secrets masked."""

from __future__ import annotations

import unicodedata
from bisect import bisect_left
from collections.abc import Iterable

MASK = "***"
#: A source line wider than this is cropped around the caret.
MAX_WIDTH = 120
#: Characters of a line that are looked at before and after the caret: enough to recognise a long secret.
LEAD_IN = 8000
LEAD_OUT = 1000
_TAB = "    "


def visible(text: str) -> str:
    """``text`` with control, bidirectional and zero-width characters escaped."""
    return "".join(_cell(character)[0] for character in text)


def excerpt(line: str, number: int, start: int, end: int, masked: Iterable[tuple[int, int]]) -> str:
    """Source line ``number`` with carets under ``[start, end)`` and ``***`` for every range in ``masked``.

    All offsets count characters of ``line``.
    """
    cut = max(0, start - LEAD_IN)
    line = line[cut : start + LEAD_OUT]
    start, end = min(start - cut, len(line)), min(max(end - cut, start - cut), len(line))
    shown, columns = _cells(line, [(left - cut, right - cut) for left, right in masked])
    left = columns[start]
    caret = max(1, columns[end] - left)
    return _frame(shown, columns, number, left, caret, cropped=cut > 0)


def _cells(line: str, masked: list[tuple[int, int]]) -> tuple[list[str], list[int]]:
    """What is printed for each character, and the display column at which each starts (one more at the end)."""
    hidden = _hidden(len(line), masked)
    shown: list[str] = []
    columns = [0]
    for index, character in enumerate(line):
        if not hidden[index]:
            text, width = _cell(character)
        elif index == 0 or not hidden[index - 1]:
            text, width = MASK, len(MASK)
        else:
            text, width = "", 0
        shown.append(text)
        columns.append(columns[-1] + width)
    return shown, columns


def _hidden(length: int, masked: list[tuple[int, int]]) -> bytearray:
    hidden = bytearray(length)
    for left, right in masked:
        first, last = max(0, left), min(length, right)
        if first < last:
            hidden[first:last] = b"\1" * (last - first)
    return hidden


def _cell(character: str) -> tuple[str, int]:
    """What is printed for one character, and how many terminal columns it takes."""
    if " " <= character <= "~":
        return character, 1
    if character == "\t":
        return _TAB, len(_TAB)
    category = unicodedata.category(character)
    if character == "\u200d" or category in ("Mn", "Me"):  # joiner of emoji; combining marks
        return character, 0
    if category in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"):
        code = ord(character)
        escaped = f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
        return escaped, len(escaped)
    return character, 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _frame(shown: list[str], columns: list[int], number: int, left: int, caret: int, *, cropped: bool) -> str:
    first, last = 0, len(shown)
    if columns[-1] > MAX_WIDTH:  # keep a third of the width before the caret
        first = bisect_left(columns, max(0, left - MAX_WIDTH // 3))
        last = min(last, bisect_left(columns, columns[first] + MAX_WIDTH))
    before = "…" if first or cropped else ""
    text = before + "".join(shown[first:last]).rstrip() + ("…" if last < len(shown) else "")
    left += len(before) - columns[first]
    caret = min(caret, max(1, MAX_WIDTH - left))
    margin = f"{number:4d} | "
    return f"{margin}{text}\n{' ' * (len(margin) - 2)}| {' ' * left}{'^' * caret}"
