"""Where a place in a SQL text stands in the file that holds it."""

from __future__ import annotations

import re

from osiris_core.oml import Document
from osiris_core.problems import Fix, Path, Span

_PLAIN = re.compile(r"\w+", re.ASCII)


def span_in(document: Document, path: Path, text: str, start: int, end: int) -> Span | None:
    """Span of the characters ``[start, end)`` of the scalar ``text`` at ``path``; the whole value's when unsure.

    Exact for plain and quoted scalars on one line and for ``|`` blocks; elsewhere YAML has moved the characters.
    """
    place = document.places.get(path)
    if place is None:
        return document.span(path)
    value_start, value_end = place[2:]
    source = document.text[value_start:value_end]
    if source[:1] == "|":
        return _in_block(document, text, start, end, value_start) or document.span(path)
    at = value_start + (1 if source[:1] in ("'", '"') else 0)
    if document.text[at : at + len(text)] == text:
        return document.span_at(at + start, at + max(end, start + 1))
    return document.span(path)


def fix_in(document: Document, span: Span | None, name: str, meant: str | None) -> Fix | None:
    """The edit that puts the name that is meant in place of ``name``, where that stands just there and is plain."""
    if span is None or meant is None or not _PLAIN.fullmatch(name + meant):
        return None
    written = document.text[span.start_index : span.end_index]
    return Fix(span.start_index, span.end_index, meant) if written == name else None


def _in_block(document: Document, text: str, start: int, end: int, value_start: int) -> Span | None:
    """Each line of a ``|`` block is a line of the file, further to the right."""
    line = text.count("\n", 0, start)
    begin = text.rfind("\n", 0, start) + 1
    content = text[begin:].split("\n", 1)[0]
    number = document.span_at(value_start, value_start).line + 1 + line
    try:
        written = document.line(number)
    except IndexError:
        return None
    if not content or not written.endswith(content):
        return None
    origin = document.line_start(number) + len(written) - len(content)
    first = origin + start - begin
    last = origin + min(max(end, start + 1) - begin, len(content))
    return document.span_at(first, max(last, first))
