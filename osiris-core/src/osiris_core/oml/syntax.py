"""What the YAML parser says, in words that help: where it really went wrong, and what to type instead."""

from __future__ import annotations

import re
from typing import Any

from osiris_core.oml.document import Document
from osiris_core.oml.masking import may_hold_secrets
from osiris_core.problems import Fix, Problem

_PLAIN_VALUE = re.compile(r"[^\s,#\]}][^,#\]}\n]*")
_REFERENCE = re.compile(r"\$\{[\w.]*\}")
_CONNECTION = re.compile(r"(?<![\w-])connection[\"']?[ \t]*:[ \t]*\Z")
#: What stands between an opening quote and the end of its line, where it is one plain value.
_CLOSABLE = re.compile(r"@?[\w./-]{1,100}(?=[ \t]*(?:#[^\n]*)?(?:\n|\Z))")
#: Key, colon, and a value on the same line.
_ENTRY = re.compile(r"[ \t]*(?:- )*[\w-]{1,60}[ \t]*:[ \t]+(?P<value>[^\n#\"'\[\]{}&*!|>%@`]{1,200})(?=\n|\Z)")
_RESERVED = "@`%"


def explain(error: Any, document: Document) -> Problem:
    """The parser's ``error`` as a problem. Never repeats the parser's own text, which may quote the file."""
    said = str(getattr(error, "problem", None) or getattr(error, "reason", None) or "")
    mark = getattr(error, "problem_mark", None)
    context = getattr(error, "context_mark", None)
    at = mark.index if mark is not None else int(getattr(error, "position", 0) or 0)
    at = max(0, min(at, len(document.text)))
    began = context.index if context is not None else None
    opened = _runaway_quote(document, at)
    if opened is not None:
        quote = document.text[opened]
        message = f"this quote ({quote}) is closed only in line {document.span_at(at, at).line}"
        return _problem(document, opened, message, _close(document, opened))
    for words, translate in _TRANSLATIONS.items():
        if words in said:
            return translate(document, at, began)
    return _problem(document, at, "the file is not YAML from here on", "check indentation, quotes and brackets")


def _runaway_quote(document: Document, at: int) -> int | None:
    """The quote that was left open in an earlier line and ends just before the place of the error, if it did."""
    text = document.text
    closing = at - 1
    quote = text[closing : closing + 1]
    if quote not in ('"', "'"):
        return None
    opening = text.rfind(quote, 0, closing)
    if opening < 0 or "\n" not in text[opening:closing]:
        return None
    line = text.rfind("\n", 0, opening) + 1
    return opening if text.count(quote, line, opening) % 2 == 0 else None


def _problem(
    document: Document, at: int, message: str, hint: str, end: int | None = None, *, fix: Fix | None = None
) -> Problem:
    text = document.text
    if at >= len(text):  # the end of the file: point at the last thing that is there
        at = max(0, len(text.rstrip()) - 1)
        end = None
    span = document.span_at(at, max(at + 1, end or 0))
    return Problem("OSI-V003", message, hint=hint, span=span, fix=fix)


def _cannot_start(document: Document, at: int, began: int | None) -> Problem:
    text = document.text
    character = text[at : at + 1]
    if character == "\t":
        return _tab(document, at, began)
    if character not in _RESERVED:
        return _problem(document, at, "a value cannot begin with this character", "put the value in quotes")
    match = _PLAIN_VALUE.match(text, at)
    value = match[0].rstrip() if match else character
    plain = re.fullmatch(r"@[\w.-]+", value) is not None
    fix = Fix(at, at + len(value), f'"{value}"') if plain else None
    if character == "@" and _CONNECTION.search(text, max(0, at - 40), at):
        hint = f'@ needs quotes: write "{value}"' if plain else "@ needs quotes: put the alias in quotes"
        return _problem(document, at, "a connection must be quoted", hint, at + len(value), fix=fix)
    # The value may be a secret: it is not repeated in words.
    message = f"a value cannot begin with {character}"
    hint = f"{character} needs quotes: put the value in quotes"
    return _problem(document, at, message, hint, at + len(value), fix=fix)


def _tab(document: Document, at: int, began: int | None) -> Problem:
    text = document.text
    start = text.rfind("\n", 0, at) + 1
    found = text.find("\t", start, max(at + 1, start))
    where = found if found >= 0 else at
    hint = f"replace the tab by spaces{_like_before(document, where)}"
    return _problem(document, where, "a tab cannot be used for indentation", hint)


def _mapping_value(document: Document, at: int, began: int | None) -> Problem:
    text = document.text
    start = text.rfind("\n", 0, at) + 1
    before = text[start:at]
    if re.search(r"[:]\s+[^\"'\s]", before):
        message = "a second colon in one value"
        entry = None if _near_secrets(text, start) else _ENTRY.match(text, start)
        hint = f'write "{entry["value"].strip()}"' if entry is not None else "put the whole value in quotes"
        return _problem(document, at, message, f"{hint}, or begin a new line", at + 1)
    message = "this key is indented differently from its neighbours, or follows an unfinished value"
    key = start + len(before) - len(before.lstrip())
    return _problem(document, key, message, f"line it up with the keys it belongs to{_like_before(document, key)}", at)


def _like_before(document: Document, at: int) -> str:
    """How far the line above is indented, for the line that holds ``at``: its key, behind the dash of a list item."""
    number = document.span_at(at, at).line
    for earlier in range(number - 1, max(0, number - 50), -1):
        line = document.line(earlier)
        if line.strip() and not line.lstrip().startswith("#"):
            dashes = re.match(r"[ \t]*(?:- +)*", line)
            width = len(dashes[0]) if dashes else 0
            spaces = width + 2 if line.rstrip().endswith(":") else width
            verb = "wants it" if spaces > width else "has"
            return "" if "\t" in line[:width] else f": {spaces} spaces, as line {earlier} {verb}"
    return ""


def _expected_key(document: Document, at: int, began: int | None) -> Problem:
    text = document.text
    if text[at : at + 1] == "-":
        message = "a list item cannot stand here, where a key is expected"
    else:
        message = "this line does not fit into the mapping above it"
    end = _end_of_word(text, at)
    return _problem(document, at, message, "check its indentation, and quotes in the line before", end)


def _expected_colon(document: Document, at: int, began: int | None) -> Problem:
    start = began if began is not None else at
    end = _end_of_word(document.text, start)
    return _problem(document, start, "a colon is missing after this key", "write key: value", end)


def _expected_item(document: Document, at: int, began: int | None) -> Problem:
    end = _end_of_word(document.text, at)
    message = "this line stands among list items but does not begin with '- '"
    return _problem(document, at, message, "begin it with '- ', or indent it into the item above", end)


def _flow(document: Document, at: int, began: int | None) -> Problem:
    text = document.text
    brace = text.rfind("$", max(0, at - 2), at)
    reference = _REFERENCE.match(text, brace) if brace >= 0 else None
    if reference is not None:
        quoted = f'"{reference[0]}"'
        clean = text[reference.end() : reference.end() + 1] in (",", "}", "]", "\n", " ", "")
        clean = clean and text[brace - 1 : brace] in (" ", "[")
        fix = Fix(brace, reference.end(), quoted) if clean else None
        message = "a parameter inside braces or brackets must be quoted"
        return _problem(document, brace, message, f"${{ needs quotes: write {quoted}", reference.end(), fix=fix)
    opened = text[began] if began is not None and began < len(text) else "["
    closing = "}" if opened == "{" else "]"
    if began is None:
        return _problem(document, at, f"a comma or {closing} is missing", f"add {closing}, or the comma")
    line = document.span_at(began, began).line
    here = document.span_at(min(at, len(text)), min(at, len(text))).line
    if at >= len(text) or here > line:
        message = f"the {opened} in line {line} is never closed by {closing}"
        return _problem(document, began, message, f"add {closing}, or a comma between the values")
    hint = f"write {closing} before it, or a comma when more values follow"
    return _problem(document, at, f"a comma or {closing} is missing before this", hint)


def _close(document: Document, opened: int) -> str:
    """Where the quote is missing; a plain value is shown as it should be, nothing that may be a secret."""
    text = document.text
    quote = text[opened : opened + 1]
    match = _CLOSABLE.match(text, opened + 1)
    if match and not _near_secrets(text, opened):
        return f"the closing quote is missing: write {quote}{match[0]}{quote}"
    line = document.span_at(opened, opened).line
    return f"the closing quote is missing: add {quote} at the end of the value, in line {line}"


def _near_secrets(text: str, at: int) -> bool:
    """Whether the line around ``at`` may hold a secret, so that it is not repeated in words.

    A value may stand lines below its key, so everything above counts.
    """
    end = text.find("\n", at)
    return may_hold_secrets(text[: end if end >= 0 else len(text)])


def _unclosed_quote(document: Document, at: int, began: int | None) -> Problem:
    start = began if began is not None else at
    quote = document.text[start : start + 1]
    return _problem(document, start, f"this quote ({quote}) is never closed", _close(document, start))


def _escape(document: Document, at: int, began: int | None) -> Problem:
    message = "this is no escape sequence of a double-quoted text"
    return _problem(document, at, message, "double the backslash, or use single quotes", at + 1)


def _sequence(document: Document, at: int, began: int | None) -> Problem:
    return _problem(document, at, "a list item cannot stand here", "begin the list on a line of its own")


def _block_scalar(document: Document, at: int, began: int | None) -> Problem:
    return _problem(document, at, "the text block after | or > begins wrongly", "begin it on the next line, indented")


def _directive(document: Document, at: int, began: int | None) -> Problem:
    return _problem(document, at, "this line is a YAML directive that is not understood", "remove it")


def _content(document: Document, at: int, began: int | None) -> Problem:
    end = _end_of_word(document.text, at)
    message = "something follows the end of the document's value"
    return _problem(document, at, message, "check the indentation and brackets before it", end)


def _flow_node(document: Document, at: int, began: int | None) -> Problem:
    return _problem(document, at, "a value is missing here", "remove the extra comma or bracket, or add the value")


def _end_of_word(text: str, at: int) -> int:
    match = re.compile(r"[^\s:]+").match(text, at)
    return match.end() if match else at + 1


_TRANSLATIONS = {
    "tab character": _tab,
    "cannot start any token": _cannot_start,
    "mapping values are not allowed": _mapping_value,
    "mapping keys are not allowed": _mapping_value,
    "did not find expected key": _expected_key,
    "could not find expected ':'": _expected_colon,
    "did not find expected '-' indicator": _expected_item,
    "did not find expected ',' or": _flow,
    "unexpected end of stream": _unclosed_quote,
    "unexpected document indicator": _unclosed_quote,
    "escape": _escape,
    "block sequence entries are not allowed": _sequence,
    "comment or line break": _block_scalar,
    "indentation indicator": _block_scalar,
    "directive": _directive,
    "incompatible YAML document": _directive,
    "did not find expected node content": _flow_node,
    "<document start>": _content,
}
