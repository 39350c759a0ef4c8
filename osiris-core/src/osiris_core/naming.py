"""``naming: snake``: what a column is called in the target. One rule for every writer, without a look at any system."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

#: Bytes of the longest name: PostgreSQL's limit, the lowest among the targets, so that a name is good on all of them.
LONGEST_NAME = 63
#: Latin letters that Unicode does not take apart, as PostgreSQL's ``unaccent`` and most people spell them.
_LATIN = str.maketrans(
    {
        "ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ħ": "h", "ı": "i", "ł": "l",
        "ŧ": "t", "ŋ": "n",
    }
)  # fmt: skip
_SEPARATOR = re.compile(r"[^a-z0-9_]+")


def snake_case(name: str) -> str:
    """``name`` in lower case with ``_`` between its words: ``OrderID`` is ``order_id``, ``has space`` ``has_space``.

    - A word begins where a capital follows a small letter or a digit, and where a small letter follows the last of
      several capitals: ``HTTPServer2Name`` is ``http_server2_name``.
    - Accents fall off (``Žofie's Größe`` is ``zofie_s_grosse``): dropping the whole letter, as others do, leaves
      words that nobody can read.
    - Whatever is no letter, digit or ``_`` separates words: runs of it are one ``_``, and nothing at either end.
    - A leading digit gets a ``_`` before it, so that the name needs no quotes: ``1st`` is ``_1st``.
    - What is snake case already stays as it is, with every ``_`` it has.

    The same on every machine and for every target; applied twice it is applied once.

    Raises ValueError for a name that this would take the meaning from: one without any letter or digit (an emoji), one
    with letters that are not Latin, and one of more than 63 bytes afterwards, which PostgreSQL would cut in silence.
    """
    plain = unicodedata.normalize("NFKD", _words_apart(unicodedata.normalize("NFKC", name)).lower())
    plain = "".join(c for c in plain.translate(_LATIN) if not unicodedata.category(c).startswith("M"))
    foreign = next((c for c in plain if c.isalnum() and not c.isascii() and unicodedata.category(c) != "Lm"), None)
    if foreign is not None:
        raise ValueError(f'"{name}" has letters beyond a-z, such as "{foreign}"')
    snake = _joined(plain)
    if not any(character.isalnum() for character in snake):
        raise ValueError(f'"{name}" has no letter and no digit')
    if len(snake) > LONGEST_NAME:
        raise ValueError(f'"{name}" would be "{snake}", which is longer than {LONGEST_NAME} bytes')
    return snake


def snake_names(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """``names`` in snake case, and what is wrong with that: a clause for each column without a name, or with another's.

    The names are of use only when nothing is wrong.
    """
    found: list[str] = []
    wrong: list[str] = []
    sources: defaultdict[str, list[str]] = defaultdict(list)
    for name in names:
        try:
            found.append(snake_case(name))
            sources[found[-1]].append(name)
        except ValueError as error:
            wrong.append(f"the column {error}")
    for snake, alike in sources.items():
        if len(alike) > 1:
            quoted = [f'"{name}"' for name in alike]
            wrong.append(f'the columns {", ".join(quoted[:-1])} and {quoted[-1]} would all be "{snake}"')
    return found, wrong


def source_spellings(
    config: Mapping[str, Any], renamed: Mapping[str, str]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Path and name of each column that a write config spells as the source does, and not as the target will.

    ``renamed``: the name in the target by the name in the source.
    """
    targets = set(renamed.values())
    for path, name in _columns_named(config):
        if isinstance(name, str) and name in renamed and name not in targets:
            yield path, name


def _columns_named(config: Mapping[str, Any]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    for key in ("merge_keys", "primary_key"):
        names = config.get(key)
        yield from (((key, at), name) for at, name in enumerate(names if isinstance(names, list) else ()))
    dedupe = config.get("dedupe")
    order = dedupe.get("order_by") if isinstance(dedupe, Mapping) else None
    for at, item in enumerate(order if isinstance(order, list) else ()):
        if isinstance(item, Mapping):
            yield ("dedupe", "order_by", at, "column"), item.get("column")


def _words_apart(name: str) -> str:
    """``name`` with ``_`` wherever a capital begins a word."""
    parts: list[str] = []
    for at, character in enumerate(name):
        before, after = name[at - 1 : at], name[at + 1 : at + 2]
        after_word = before.islower() or before.isdigit() or (before.isupper() and after.islower())
        parts.append(f"_{character}" if character.isupper() and after_word else character)
    return "".join(parts)


def _joined(plain: str) -> str:
    """ASCII letters, digits and ``_``, with one ``_`` for what else is between them."""
    snake = _SEPARATOR.sub(" ", plain).strip(" ")
    snake = snake.replace("_ ", "_").replace(" _", "_").replace(" ", "_")
    return f"_{snake}" if snake[:1].isdigit() else snake
