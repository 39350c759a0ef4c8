"""SQL in pipelines: parsed, proved to be one reading statement, and bound with parameters as values.

``bind`` needs nothing; the rest needs the extra ``osiris-core[sql]`` (sqlglot) and says so when it is absent.
A dialect is a component's family: ``mysql``, ``postgres``, ``supabase`` or ``duckdb``.

Parsing is a guard, not a wall: drivers run a query in a read-only transaction as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from osiris_core.errors import InvalidInputError, PluginError

__all__ = [
    "ColumnRef",
    "Output",
    "ParamStyle",
    "Select",
    "SqlError",
    "TableRef",
    "bind",
    "check_condition",
    "parse_select",
]

ParamStyle = Literal["pyformat", "dollar", "qmark"]

#: ``${params.NAME}``; ``$${params.NAME}`` is that text itself.
_PARAM = re.compile(r"(?P<escape>\$)?\$\{params\.(?P<name>[A-Za-z_][A-Za-z0-9_]{0,62})\}")
_WORD = re.compile(r"[A-Za-z_]+")
_KEYWORDS = (
    "SELECT", "FROM", "WHERE", "GROUP", "ORDER", "HAVING", "LIMIT", "OFFSET", "JOIN", "INNER", "LEFT", "RIGHT", "OUTER",
    "CROSS", "UNION", "WITH", "DISTINCT", "BETWEEN", "AND", "NOT", "NULL", "CASE", "WHEN", "THEN", "ELSE", "END",
)  # fmt: skip
_DIALECTS = {"supabase": "postgres", "mariadb": "mysql", "file": "duckdb"}


class SqlError(InvalidInputError):
    """SQL that is refused. ``start`` and ``end`` are character offsets into the text."""

    default_code = "OSI-V306"

    def __init__(self, code: str, message: str, start: int = 0, end: int = 0, *, hint: str = "") -> None:
        super().__init__(message, code=code, hint=hint)
        self.start = start
        self.end = max(end, start + 1)


@dataclass(frozen=True, slots=True)
class TableRef:
    """A table that a statement reads; common table expressions are not among them."""

    name: str
    schema: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class ColumnRef:
    """A column that a statement names; ``table`` is the qualifier as written, or ``""``."""

    name: str
    table: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Output:
    """A column of a statement's result; ``column`` is the column it passes on, ``""`` when it computes something."""

    name: str
    column: str


@dataclass(frozen=True)
class Select:
    """One parsed, reading statement. ``lead``: how many characters the tree has before ``text``."""

    text: str
    dialect: str
    tree: Any
    lead: int = 0

    def place(self, name: TableRef | ColumnRef) -> tuple[int, int]:
        """Offsets of a name into ``text``."""
        return max(0, name.start - self.lead), max(0, name.end - self.lead)

    def tables(self) -> list[TableRef]:
        """Every table it reads, in the order of the tree, each as often as it is named."""
        return list(_tables(self.tree))

    def columns(self) -> list[ColumnRef]:
        """Every column it names, aliases included where they are used as columns; an optimizer's hint names none."""
        from sqlglot import exp

        found = []
        for column in self.tree.find_all(exp.Column):
            if column.find_ancestor(exp.Hint):
                continue
            start, end = _place(column.this)
            found.append(ColumnRef(column.name, column.table, start, end))
        return found

    def outputs(self) -> list[Output]:
        """The columns of its result; of a union those of the first part. A star is an output called ``*``."""
        from sqlglot import exp

        found = []
        for item in self.tree.selects:
            value = item.unalias()
            found.append(Output(item.alias_or_name, value.name if isinstance(value, exp.Column) else ""))
        return found

    def groups(self) -> list[str]:
        """The columns by which it groups, as far as they are named there."""
        from sqlglot import exp

        group = self.tree.args.get("group")
        return [item.name for item in group.expressions if isinstance(item, exp.Column)] if group else []

    def literals(self) -> list[str]:
        """Every text and number that it holds, as written."""
        from sqlglot import exp

        return [str(literal.this) for literal in self.tree.find_all(exp.Literal)]


def parse_select(text: str, dialect: str) -> Select:
    """Parse ``text`` and prove that it is one SELECT that reads tables only.

    Raises SqlError (OSI-V303 several statements, V304 no SELECT, V305 forbidden function, V306 not parsed, V309
    locks or writes), PluginError when sqlglot is not installed.
    """
    from osiris_core.sql_rules import refuse_unsafe

    name = _dialect(dialect)
    plain, tokens = _tokens(text, name)
    _one_statement(text, tokens)
    tree = _parsed(plain, text, name)
    refuse_unsafe(tree, name, text)
    return Select(text, name, tree)


def check_condition(text: str, dialect: str) -> Select:
    """Prove that ``text`` is one condition that may stand after WHERE; returns it as ``SELECT * … WHERE``.

    Raises like ``parse_select``, with OSI-V307 for what is more or less than a condition.
    """
    from osiris_core.sql_rules import refuse_unsafe

    name = _dialect(dialect)
    plain, tokens = _tokens(text, name)
    _balanced(text, tokens)
    _no_comments(plain, tokens)
    lead = "SELECT * FROM osiris_rows WHERE ("
    tree = _parsed(f"{lead}{plain}\n)", text, name, lead=len(lead))
    _only_condition(tree, text)
    refuse_unsafe(tree, name, text, lead=len(lead))
    return Select(text, name, tree, len(lead))


def bind(text: str, params: Mapping[str, Any], style: ParamStyle) -> tuple[str, dict[str, Any] | list[Any]]:
    """``text`` with ``${params.NAME}`` as placeholders of ``style``, and the values to hand over beside it.

    ``pyformat`` (``%(NAME)s``, every other ``%`` doubled) and ``dollar`` (``$NAME``) give a dict, ``qmark`` (``?``) a
    list. Raises InvalidInputError for a name that ``params`` lacks.
    """
    named: dict[str, Any] = {}
    listed: list[Any] = []
    parts: list[str] = []
    position = 0
    for match in _PARAM.finditer(text):
        parts.append(_literal(text[position : match.start()], style))
        position = match.end()
        if match["escape"]:
            parts.append(_literal(match[0][1:], style))
            continue
        name = match["name"]
        if name not in params:
            raise InvalidInputError(f'the SQL names the parameter "{name}", which has no value', code="OSI-V131")
        named[name] = params[name]
        listed.append(params[name])
        parts.append({"pyformat": f"%({name})s", "dollar": f"${name}", "qmark": "?"}[style])
    parts.append(_literal(text[position:], style))
    return "".join(parts), listed if style == "qmark" else named


def _literal(text: str, style: ParamStyle) -> str:
    return text.replace("%", "%%") if style == "pyformat" else text


# -- parsing -----------------------------------------------------------------------------------------------
def _dialect(family: str) -> str:
    return _DIALECTS.get(family, family)


def _sqlglot() -> Any:
    try:
        import sqlglot
    except ModuleNotFoundError as error:
        raise PluginError(
            "this pipeline holds SQL, and sqlglot, which checks it, is not installed",
            code="OSI-P020",
            hint="pip install 'osiris-core[sql]'",
        ) from error
    import logging

    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)  # what it would warn about is refused
    return sqlglot


def _tokens(text: str, dialect: str) -> tuple[str, list[Any]]:
    """The text with every parameter as a number of the same length, and its tokens."""
    sqlglot = _sqlglot()
    from osiris_core.sql_tokens import refuse_hidden

    plain = _PARAM.sub(lambda match: " " + match[0][1:] if match["escape"] else "1" * len(match[0]), text)
    try:
        tokens = list(sqlglot.Dialect.get_or_raise(dialect).tokenize(plain))
    except ValueError as error:  # an unknown dialect
        raise SqlError("OSI-V306", f'SQL of "{dialect}" cannot be checked') from error
    except Exception as error:
        raise SqlError("OSI-V306", "the SQL holds a quote or comment that is never closed", 0, len(text)) from error
    refuse_hidden(plain, tokens, dialect, [m.span() for m in _PARAM.finditer(text) if not m["escape"]])
    starts = {token.start for token in tokens}
    for match in _PARAM.finditer(text):
        if not match["escape"] and match.start() not in starts:
            raise SqlError(
                "OSI-V306",
                "a parameter cannot stand within quotes, a name or a comment",
                *match.span(),
                hint="it is bound as a value: remove the quotes around it",
            )
    if not tokens:
        raise SqlError("OSI-V306", "the SQL is empty", 0, len(text))
    return plain, tokens


def _one_statement(text: str, tokens: list[Any]) -> None:
    kinds = [token.token_type.name for token in tokens]
    if "SEMICOLON" in kinds:
        first = kinds.index("SEMICOLON")
        rest = [index for index in range(first, len(kinds)) if kinds[index] != "SEMICOLON"]
        start = tokens[rest[0]].start if rest else tokens[-1].end + 1
        if rest or text[start:].strip():
            raise SqlError(
                "OSI-V303", "a second statement begins here", start, tokens[-1].end + 1, hint="keep one SELECT"
            )


def _balanced(text: str, tokens: list[Any]) -> None:
    """No statement end, and no parenthesis that closes more than the condition opened."""
    depth = 0
    for token in tokens:
        kind = token.token_type.name
        depth += {"L_PAREN": 1, "R_PAREN": -1}.get(kind, 0)
        if kind == "SEMICOLON" or depth < 0:
            message = "a condition ends before this"
            raise SqlError("OSI-V307", message, token.start, token.end + 1, hint="write one expression")
    if depth:
        raise SqlError("OSI-V307", "a parenthesis of the condition is never closed", 0, len(text))


def _no_comments(text: str, tokens: list[Any]) -> None:
    """A comment at the end of a condition would swallow what is written after it."""
    position = 0
    for start, end in [*((token.start, token.end + 1) for token in tokens), (len(text), len(text))]:
        gap = text[position:start]
        if gap.strip():
            at = position + len(gap) - len(gap.lstrip())
            raise SqlError("OSI-V307", "a condition holds no comments", at, max(start, at + 1), hint="remove it")
        position = max(position, end)


def _parsed(plain: str, text: str, dialect: str, *, lead: int = 0) -> Any:
    import sqlglot
    from sqlglot.errors import ParseError

    try:
        statements = [tree for tree in sqlglot.parse(plain, read=dialect) if tree is not None]
    except ParseError as error:
        start, end = _error_place(error, plain, lead, text)
        start, end, hint = _slip(text, start, end)
        raise SqlError("OSI-V306", f"this is not SQL of {dialect} from here on", start, end, hint=hint) from error
    except RecursionError as error:
        raise SqlError("OSI-V306", "the SQL is nested too deeply", 0, len(text)) from error
    except Exception as error:  # the parser's own faults on strange input
        raise SqlError("OSI-V306", f"the SQL cannot be parsed as {dialect}", 0, len(text)) from error
    if len(statements) != 1:
        raise SqlError("OSI-V303", "this is not one statement", 0, len(text))
    return statements[0]


def _slip(text: str, start: int, end: int) -> tuple[int, int, str]:
    """A keyword that is misspelt just before the place of the error, or the place itself."""
    from difflib import get_close_matches

    for word in list(_WORD.finditer(text, 0, end))[-3:]:
        upper = word[0].upper()
        near = [] if upper in _KEYWORDS else get_close_matches(upper, _KEYWORDS, n=1, cutoff=0.74)
        if near and sorted(near[0]) != sorted(upper) and len(upper) < 4:
            near = []
        if near:
            return *word.span(), f"did you mean {near[0]}?"
    return start, end, ""


def _error_place(error: Any, plain: str, lead: int, text: str) -> tuple[int, int]:
    """Offsets of the token the parser stumbled over."""
    found = error.errors[0] if error.errors else {}
    context, highlight = found.get("start_context") or "", found.get("highlight") or ""
    line, column = found.get("line") or 1, found.get("col") or 1
    lines = plain.splitlines(keepends=True)
    end = sum(len(earlier) for earlier in lines[: line - 1]) + column
    start = end - len(highlight)
    if plain[start:end] != highlight and plain.startswith(context):  # a highlight over several lines
        start, end = len(context), len(context) + len(highlight)
    start, end = start - lead, end - lead
    return (start, end) if 0 <= start < len(text) else (max(0, len(text.rstrip()) - 1), len(text))


def _only_condition(tree: Any, text: str) -> None:
    """The tree must be exactly the SELECT around the condition, with nothing grown onto it."""
    from sqlglot import exp

    where = tree.args.get("where")
    grown = [
        key
        for key, value in tree.args.items()
        if value and key not in ("expressions", "from", "from_", "where", "kind", "hint", "distinct")
    ]
    if type(tree) is not exp.Select or where is None or grown or not isinstance(where.this, exp.Paren):
        raise SqlError("OSI-V307", "this is more than one condition", 0, len(text))
    if isinstance(where.this.this, exp.Query | exp.Tuple | exp.Alias):
        raise SqlError("OSI-V307", "this is not a condition", 0, len(text))


# -- names -------------------------------------------------------------------------------------------------
def _tables(tree: Any) -> Iterator[TableRef]:
    from sqlglot import exp

    for table in tree.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier) or (not table.db and _is_cte(table)):
            continue
        start, end = _place(table.this)
        yield TableRef(table.name, table.db, start, end)


def _is_cte(table: Any) -> bool:
    """Whether a table without schema names a common table expression that is in scope there."""
    from sqlglot import exp

    inside: Any = table
    node = table.parent
    while node is not None:
        clause = node.args.get("with_") or node.args.get("with")
        if isinstance(clause, exp.With):
            for cte in clause.expressions:
                if inside is clause and not clause.recursive and (cte is _child(clause, table) or cte is None):
                    break
                if cte.alias_or_name.lower() == table.name.lower():
                    return True
        inside, node = node, node.parent
    return False


def _child(clause: Any, node: Any) -> Any:
    """The direct child of ``clause`` that holds ``node``."""
    above: Any = node
    while above is not None and above.parent is not clause:
        above = above.parent
    return above


def _place(identifier: Any) -> tuple[int, int]:
    meta = getattr(identifier, "meta", {}) or {}
    start = meta.get("start")
    return (start, meta["end"] + 1) if isinstance(start, int) and "end" in meta else (0, 0)
