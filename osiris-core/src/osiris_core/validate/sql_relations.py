"""What a SELECT makes of its tables: its columns, and the columns it names that do not exist.

Only what is certain is said. A star over an unknown table, a table function or a pivot makes everything after it
unknown, never wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from osiris_core.sql import ColumnRef
from osiris_core.validate.relations import UNKNOWN, Field, Relation

#: Columns that systems add to every table.
_PSEUDO = frozenset({"rowid", "ctid", "xmin", "xmax", "tableoid", "oid", "filename", "file_row_number"})
#: Whatever holds one of these brings columns of its own.
_EXOTIC = ("Pivot", "Unpivot", "Lateral", "Unnest", "MatchRecognize", "Columns", "TableFromRows", "Lambda")

Tables = Callable[[str, str], Relation | None]
Scope = dict[str, Relation]


@dataclass
class Resolver:
    """Resolves one statement. ``tables`` gives the rows of a table by name and schema, or None when unknown."""

    tables: Tables
    dialect: str
    missing: list[tuple[ColumnRef, list[str]]] = field(default_factory=list)

    def resolve(self, tree: Any) -> Relation:
        """The statement's columns; columns that do not exist end up in ``missing`` with those that do."""
        return self._query(tree, {}, [])

    def _same(self, one: str, other: str) -> bool:
        return one == other or one.lower() == other.lower()

    def _query(self, node: Any, ctes: Mapping[str, Relation], outer: list[Scope]) -> Relation:
        from sqlglot import exp

        known = dict(ctes)
        clause = node.args.get("with_") or node.args.get("with")
        for cte in clause.expressions if clause is not None else ():
            name = cte.alias_or_name.lower()
            if clause.recursive:
                known[name] = UNKNOWN
            found = self._query(cte.this, known, outer) if isinstance(cte.this, exp.Query) else UNKNOWN
            known[name] = _renamed(found, cte.args.get("alias"))
        if isinstance(node, exp.Subquery):
            return self._query(node.this, known, outer) if isinstance(node.this, exp.Query) else UNKNOWN
        if isinstance(node, exp.SetOperation):
            left = self._query(node.left, known, outer)
            self._query(node.right, known, outer)
            by_name = bool(node.args.get("by_name"))
            return UNKNOWN if by_name else Relation(tuple(Field(f.name) for f in left.fields), left.complete)
        return self._select(node, known, outer) if isinstance(node, exp.Select) else UNKNOWN

    # -- one SELECT ----------------------------------------------------------------------------------
    def _select(self, node: Any, ctes: Mapping[str, Relation], outer: list[Scope]) -> Relation:
        scope: Scope = {}
        for source in _sources(node):
            name, relation = self._source(source, ctes, outer)
            scope[name or f"#{len(scope)}"] = relation
        if _is_exotic(node):
            scope["#exotic"] = UNKNOWN
        self._check(node, scope, ctes, outer)
        return self._projected(node, scope)

    def _source(self, node: Any, ctes: Mapping[str, Relation], outer: list[Scope]) -> tuple[str, Relation]:
        from sqlglot import exp

        alias = node.args.get("alias")
        if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier) and not node.args.get("pivots"):
            relation = ctes.get(node.name.lower()) if not node.db else None
            if relation is None:
                relation = self.tables(node.name, node.db)
            return node.alias_or_name, _renamed(relation or UNKNOWN, alias)
        if isinstance(node, exp.Subquery) and not node.args.get("pivots"):
            return node.alias_or_name, _renamed(self._query(node, ctes, outer), alias)
        return node.alias_or_name, UNKNOWN

    def _projected(self, node: Any, scope: Scope) -> Relation:
        from sqlglot import exp

        fields: list[Field] = []
        complete = True
        for item in node.expressions:
            if isinstance(item, exp.Star) or (isinstance(item, exp.Column) and isinstance(item.this, exp.Star)):
                found = _star(item, node, scope)
                fields += found.fields
                complete = complete and found.complete
            elif isinstance(item, exp.Alias | exp.Column):
                inner = item.unalias()
                column = self._field(inner, scope) if isinstance(inner, exp.Column) else None
                fields.append(Field(item.alias_or_name, column.column if column else None))
            else:  # the system makes up a name
                complete = False
        return Relation(tuple(fields), complete)

    def _field(self, column: Any, scope: Scope) -> Field | None:
        """The one field that ``column`` names, when that is certain."""
        found = []
        for name, relation in scope.items():
            if not column.table or self._same(column.table, name):
                found += relation.fields_like(column.name, fold=True)
        return found[0] if len(found) == 1 and all(relation.complete for relation in scope.values()) else None

    # -- columns -------------------------------------------------------------------------------------
    def _check(self, node: Any, scope: Scope, ctes: Mapping[str, Relation], outer: list[Scope]) -> None:
        """Look at every column of this SELECT, and into the queries within its expressions."""
        from sqlglot import exp

        aliases = {item.alias.lower() for item in node.expressions if item.alias}
        sources = {id(source) for source in _sources(node)}
        scopes = [scope, *outer]
        for below in _own_nodes(node, sources):
            if isinstance(below, exp.Query):
                self._query(below, ctes, scopes)
            elif isinstance(below, exp.Column) and not isinstance(below.this, exp.Star):
                self._check_column(below, scopes, aliases)

    def _check_column(self, column: Any, scopes: list[Scope], aliases: set[str]) -> None:
        name, qualifier = column.name, column.table
        everything = [item for scope in scopes for item in scope.items()]
        if qualifier:
            named = [relation for source, relation in everything if self._same(source, qualifier)]
            if not named or not named[0].complete or named[0].fields_like(name, fold=True):
                return
            known = named[0].names()
        else:
            taken = name.lower() in aliases or any(self._same(source, name) for source, _ in everything)
            if taken or not all(relation.complete for _, relation in everything) or not everything:
                return
            if any(relation.fields_like(name, fold=True) for _, relation in everything):
                return
            known = list(dict.fromkeys(known for _, relation in everything for known in relation.names()))
        if name.lower() not in _PSEUDO:
            meta = column.this.meta
            self.missing.append((ColumnRef(name, qualifier, meta.get("start", 0), meta.get("end", -1) + 1), known))


def _sources(node: Any) -> Iterator[Any]:
    clause = node.args.get("from_") or node.args.get("from")
    if clause is not None:
        yield clause.this
        yield from (join.this for join in clause.this.args.get("joins") or ())
    yield from (join.this for join in node.args.get("joins") or ())


def _own_nodes(node: Any, sources: set[int]) -> Iterator[Any]:
    """Everything below ``node`` but its tables and common table expressions; queries are yielded, not entered."""
    from sqlglot import exp

    waiting = [child for child in node.iter_expressions() if not isinstance(child, exp.With)]
    while waiting:
        below = waiting.pop()
        if id(below) in sources:
            continue
        yield below
        if not isinstance(below, exp.Query):
            waiting += below.iter_expressions()


def _is_exotic(node: Any) -> bool:
    return any(type(below).__name__ in _EXOTIC for below in _own_nodes(node, set()))


def _star(item: Any, node: Any, scope: Scope) -> Relation:
    """Columns of ``*`` or ``t.*``; unknown where names are merged, left out or replaced."""
    from sqlglot import exp

    star = item if isinstance(item, exp.Star) else item.this
    joins = node.args.get("joins") or ()
    merged = any(join.args.get("using") or join.args.get("method") == "NATURAL" for join in joins)
    if any(star.args.values()) or (merged and item is star):
        return UNKNOWN
    if item is star:
        chosen = list(scope.values())
    else:
        chosen = [relation for name, relation in scope.items() if name.lower() == item.table.lower()] or [UNKNOWN]
    fields = tuple(field for relation in chosen for field in relation.fields)
    distinct = len({field.name.lower() for field in fields}) == len(fields)
    return Relation(fields, distinct and all(relation.complete for relation in chosen))


def _renamed(relation: Relation, alias: Any) -> Relation:
    """``relation`` under the column names of an alias such as ``AS t(a, b)``."""
    names = [column.name for column in alias.args.get("columns") or ()] if alias is not None else []
    if not names:
        return relation
    if not relation.complete or len(names) > len(relation.fields):
        return Relation(tuple(Field(name) for name in names), complete=False)
    renamed = [Field(name, old.column) for name, old in zip(names, relation.fields, strict=False)]
    return Relation((*renamed, *relation.fields[len(names) :]), relation.complete)
