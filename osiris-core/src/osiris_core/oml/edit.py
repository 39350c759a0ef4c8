"""Span edits: change single characters of a file and keep every comment and blank."""

from __future__ import annotations

import re
from collections.abc import Iterable

from osiris_core.problems import Fix

#: Text that YAML reads as itself without quotes, in a block and between brackets.
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


def apply_fixes(text: str, fixes: Iterable[Fix]) -> tuple[str, list[Fix]]:
    """``text`` with every fix applied that overlaps none before it, and those that were applied."""
    applied: list[Fix] = []
    parts: list[str] = []
    position = 0
    for fix in sorted(set(fixes), key=lambda fix: (fix.start_index, fix.end_index, fix.text)):
        clashes = applied and fix.start_index < applied[-1].end_index
        same_place = applied and fix.start_index == applied[-1].start_index
        if clashes or same_place:
            continue
        parts += [text[position : fix.start_index], fix.text]
        position = fix.end_index
        applied.append(fix)
    return "".join([*parts, text[position:]]), applied


def scalar_text(value: str, instead_of: str = "") -> str | None:
    """YAML for the text ``value``, quoted as ``instead_of`` was. None when that was no scalar on one line."""
    if "\n" in instead_of or instead_of[:1] in ("|", ">", "[", "{"):
        return None
    if instead_of.startswith("'") and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    if not instead_of.startswith('"') and is_plain(value):
        return value
    return quoted(value)


def quoted(value: str) -> str:
    """``value`` in double quotes; what nobody would see, or what turns a line around, is written as an escape."""
    return '"' + "".join(map(_escaped, value)) + '"'


def _escaped(sign: str) -> str:
    if sign in '"\\':
        return f"\\{sign}"
    return sign if sign.isprintable() else sign.encode("unicode_escape").decode()  # YAML has the same escapes


def is_plain(value: str) -> bool:
    """Whether ``value`` may stand without quotes and is still text."""
    from osiris_core.oml.scalars import resolve

    return _PLAIN.fullmatch(value) is not None and isinstance(resolve(value), str)
