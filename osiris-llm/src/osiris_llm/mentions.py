"""What a request mentions: the tables, columns, aliases, numbers, quotes and unknown identifiers in its words."""

from __future__ import annotations

import re
from dataclasses import dataclass

from osiris_core.context import View
from osiris_llm.words import TABLE, fold, pattern

_QUOTED = re.compile(r"'([^'\n]{1,80})'|\"([^\"\n]{1,80})\"|`([^`\n]{1,80})`|„([^“\n]{1,80})“|「([^」\n]{1,80})」")
_NUMBER = re.compile(r"(?<![\w.-])-?\d+(?:[.,]\d+)?(?![\w-])")
_IDENTIFIER = re.compile(r"(?<![\w@])[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)+(?!\w)")
#: "table NAME" introduces a name when no table is called so. German writes nouns with a capital.
_NEW_TABLE = re.compile(rf"(?:{pattern(TABLE)}|Tabelle)\s+['\"`]?([A-Za-z_]\w*)")
_SMALL_WORDS = frozenset(
    """a all and as aus by called da de del des die do du e en for from im in into is it las los nach named of on only
    over para po que so than that the there they to und von where which with y z ze""".split()  # noqa: SIM905
)
_ALIAS = re.compile(r"@([A-Za-z_][\w-]*)")


@dataclass(frozen=True, slots=True)
class Mentions:
    """Everything in a request that grounding can hold an answer against."""

    text: str
    folded: str
    tables: frozenset[str]
    aliases: frozenset[str]
    columns: frozenset[str]
    quoted: tuple[str, ...]
    numbers: tuple[str, ...]
    unknown: tuple[str, ...]
    introduced: tuple[str, ...]

    def names(self, name: str) -> bool:
        """Whether the request says ``name``: whole, in singular or plural, or as separate words."""
        return said(name, self.folded)


def read(request: str, view: View) -> Mentions:
    """The mentions of ``request``, held against ``view``."""
    folded = fold(request)
    bare = {ref.table.name for ref in view.tables.values()}
    aliases = {source.alias for source in view.sources}
    columns = {name for name in view.columns if said(name, folded)}
    quoted = tuple(next(part for part in match if part) for match in _QUOTED.findall(request))
    known = {word.casefold() for word in (*bare, *aliases, *view.columns)}
    unknown = [word for word in _IDENTIFIER.findall(request) if word.casefold() not in known]
    unknown += [f"@{word}" for word in _ALIAS.findall(request) if word not in aliases]
    return Mentions(
        text=request,
        folded=folded,
        tables=frozenset(name for name in bare if said(name, folded)),
        aliases=frozenset(alias for alias in aliases if _whole(alias, folded)),
        columns=frozenset(columns),
        quoted=quoted,
        numbers=tuple(_NUMBER.findall(request)),
        unknown=tuple(dict.fromkeys(unknown)),
        introduced=tuple(w for w in _NEW_TABLE.findall(request) if w.casefold() not in known and w not in _SMALL_WORDS),
    )


def said(name: str, folded: str) -> bool:
    """Whether ``folded`` (a folded request) says ``name``: ``order_items`` as "order items", ``orders`` as "order"."""
    plain = fold(name).strip()
    spaced = " ".join(re.split(r"[\W_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).casefold())).strip()
    return any(_whole(form, folded) for form in {plain, fold(spaced).strip(), *_numbers(plain), *_numbers(spaced)})


def _numbers(word: str) -> tuple[str, ...]:
    """Singular and plural of an English name: what people say for ``orders`` and ``company``."""
    if len(word) < 4:
        return ()
    if word.endswith("ies"):
        return (word[:-3] + "y",)
    if word.endswith(("ses", "xes", "ches", "shes")):
        return (word[:-2],)
    if word.endswith("s"):
        return (word[:-1],)
    return (word + "s", word[:-1] + "ies") if word.endswith("y") else (word + "s",)


def _whole(word: str, folded: str) -> bool:
    if not word.isascii() or word not in folded:  # most names are not there: no pattern is compiled for them
        return word in folded
    return re.search(rf"(?<![a-z0-9_]){re.escape(word)}(?![a-z0-9_])", folded) is not None
