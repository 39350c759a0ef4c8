"""Reading dotenv files: ``NAME=value`` lines, as shells and other tools write them."""

from __future__ import annotations

import re

_LINE = re.compile(
    r"""[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*
    (?: '(?P<single>[^']*)' | "(?P<double>(?:[^"\\]|\\.)*)" | (?P<plain>[^\r\n'"][^\r\n]*?|) )
    [ \t]*(?:(?<=[ \t'"])\#[^\r\n]*)?(?:\r?\n|\Z)""",
    re.VERBOSE | re.DOTALL,
)
_NOTHING = re.compile(r"[ \t]*(?:\#[^\r\n]*)?(?:\r?\n|\Z)")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


class DotenvError(ValueError):
    """A line that is no assignment; ``line`` counts from 1. Never quotes the line."""

    def __init__(self, line: int) -> None:
        super().__init__(f"line {line} is not NAME=value")
        self.line = line


def parse_dotenv(text: str) -> dict[str, str]:
    """The assignments in ``text``; of two for one name the last wins, as in a shell. Raises DotenvError.

    Single quotes keep everything as it is, double quotes know ``\\n \\r \\t \\" \\\\``; both may span lines. Without
    quotes a value ends at the line's end or before `` #``. Variables inside values are not expanded.
    """
    values: dict[str, str] = {}
    text = text.removeprefix("\ufeff")
    at = 0
    while at < len(text):
        nothing = _NOTHING.match(text, at)
        if nothing is not None and nothing.end() > at:
            at = nothing.end()
            continue
        match = _LINE.match(text, at)
        if match is None:
            raise DotenvError(text.count("\n", 0, at) + 1)
        values[match["name"]] = _value(match)
        at = match.end()
    return values


def _value(match: re.Match[str]) -> str:
    if match["single"] is not None:
        return match["single"]
    if match["double"] is not None:
        return _ESCAPE.sub(lambda escape: _ESCAPES.get(escape[1], escape[1]), match["double"])
    return match["plain"] or ""
