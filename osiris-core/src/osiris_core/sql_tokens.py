"""Places in SQL where a server may find other words than the parser does."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from osiris_core.sql import SqlError

#: Parsing takes about a second for five times as many.
MOST_TOKENS = 10_000

#: Comments that some server runs (``/*!``), nests, or does not know as one (``{#``).
_HIDDEN = re.compile(r"/\*(?:!|M!|[\s\S]*?/\*)|\{#")
#: ``--`` begins a comment in MySQL only before one of its own blanks.
_HIDDEN_MYSQL = re.compile(_HIDDEN.pattern + r"|--(?![ \t\r\n]|\Z)")
#: Blanks to the parser, but letters to a server, or the end of a line to only one of them.
_ODD_BLANK = re.compile(r"[^\S \t\n\r\f]|\r(?!\n)")
_UNICODE = re.compile(r"[uU]&['\"]")
_HINT = re.compile(r"/\*\+[\w\s(),.@]*\*/")
_TEXTS = frozenset(
    {"STRING", "NATIONAL_STRING", "BYTE_STRING", "HEX_STRING", "BIT_STRING", "RAW_STRING", "UNICODE_STRING"}
    | {"HEREDOC_STRING"}
)


def refuse_hidden(text: str, tokens: Sequence[Any], dialect: str, values: Sequence[tuple[int, int]]) -> None:
    """Raise SqlError for what a server may read otherwise. ``values``: where a bound value stands in for a text."""
    if len(tokens) > MOST_TOKENS:
        start = tokens[MOST_TOKENS].start
        message = f"the SQL has more than {MOST_TOKENS:,} words"
        raise SqlError("OSI-V306", message, start, start + 1, hint="keep long lists in a table, and join it")
    for start, gap in _gaps(text, tokens):
        _check_gap(gap, start, dialect)
    for token in tokens:
        if token.token_type.name == "HINT" and not _HINT.fullmatch(text, token.start, token.end + 1):
            raise _refusal("this comment may be read as SQL by a server", token.start, token.end + 1)
    if dialect != "mysql":
        _check_texts(text, tokens, values)


def _gaps(text: str, tokens: Sequence[Any]) -> Iterator[tuple[int, str]]:
    """``(start, what stands there)`` before, between and after the tokens: blanks and comments."""
    position = 0
    for start, end in [*((token.start, token.end + 1) for token in tokens), (len(text), len(text))]:
        if start > position:
            yield position, text[position:start]
        position = max(position, end)


def _check_gap(gap: str, start: int, dialect: str) -> None:
    hidden = (_HIDDEN_MYSQL if dialect == "mysql" else _HIDDEN).search(gap)
    if hidden:
        at = start + hidden.start()
        raise _refusal("this comment may be read as SQL by a server", at, at + 3)
    odd = _ODD_BLANK.search(gap) if dialect != "duckdb" else None
    if odd:
        at = start + odd.start()
        message = f"this blank (U+{ord(odd[0]):04X}) is none to every server"
        raise SqlError("OSI-V304", message, at, at + 1, hint="type a plain space or a new line")


def _check_texts(text: str, tokens: Sequence[Any], values: Sequence[tuple[int, int]]) -> None:
    """PostgreSQL joins texts that follow one another, with the escapes of the first; the parser ends the first."""
    for token in tokens:
        if _UNICODE.match(text, token.start):
            raise _refusal("a text or name with Unicode escapes (U&) is refused", token.start, token.start + 3)
    bound = {start for start, _ in values}
    for left, right in pairwise(tokens):
        if left.token_type.name in _TEXTS and (right.token_type.name in _TEXTS or right.start in bound):
            message = "two texts stand side by side"
            raise SqlError("OSI-V304", message, left.start, right.end + 1, hint="join them with ||")


def _refusal(message: str, start: int, end: int) -> SqlError:
    return SqlError("OSI-V304", message, start, end, hint="remove it")
