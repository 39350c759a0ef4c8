"""What discovery returns: tables, columns and keys as they really are, never a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

from osiris_core.canonical import fingerprint

TableKind = Literal["table", "view", "file"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: exactly as the system spells it.
        type: the system's own type text, for example ``bigint unsigned`` or ``numeric(10,2)``.
        arrow: the Arrow type a reader hands out, in pyarrow's spelling (``int64``, ``decimal128(10, 2)``,
            ``timestamp[us, tz=UTC]``); ``""`` when the component cannot represent it.
        osiris_type: the ``osiris.type`` metadata of what Arrow cannot say (``json``, ``time``, …), or ``""``.
        nullable: whether NULL is allowed.
        generated: computed by the server, so it must not be written.
        has_default: the server fills it when a writer leaves it out (default, identity, auto_increment).
        case_insensitive: its collation compares ``'a'`` and ``'A'`` as equal.
        comment: the column's comment; reaches a model only when the user asks for comments.
    """

    name: str
    type: str
    arrow: str
    nullable: bool = True
    generated: bool = False
    has_default: bool = False
    case_insensitive: bool = False
    osiris_type: str = ""
    comment: str = ""


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """``columns`` of this table refer to ``ref_columns`` of ``ref_table``."""

    columns: tuple[str, ...]
    ref_table: str
    ref_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """One table, view or file.

    Attributes:
        name: what OML calls it (``config.table``), relative to the connection.
        columns: in the system's order.
        primary_key: column names, empty when there is none.
        unique_keys: further unique keys whose columns are all NOT NULL or not; each a tuple of column names.
        approximate_rows: the server's own estimate, never a count; None when unknown.
    """

    name: str
    columns: tuple[Column, ...]
    kind: TableKind = "table"
    primary_key: tuple[str, ...] = ()
    unique_keys: tuple[tuple[str, ...], ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    approximate_rows: int | None = None
    comment: str = ""

    def column(self, name: str) -> Column | None:
        """The column called exactly ``name``, or None."""
        return next((column for column in self.columns if column.name == name), None)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over names, types, keys and generated columns; not row counts, not comments."""
        return fingerprint(self.identity())

    def identity(self) -> dict[str, Any]:
        """What the fingerprint is made of, as a JSON value."""
        return {
            "name": self.name,
            "kind": self.kind,
            "columns": [
                [c.name, c.type, c.arrow, c.osiris_type, c.nullable, c.generated, c.has_default, c.case_insensitive]
                for c in self.columns
            ],
            "primary_key": list(self.primary_key),
            "unique_keys": sorted(self.unique_keys),
        }

    def shape(self) -> Table:
        """The table without what may change from one minute to the next: comments, row counts, foreign keys."""
        columns = tuple(replace(column, comment="") if column.comment else column for column in self.columns)
        return replace(self, columns=columns, foreign_keys=(), approximate_rows=None, comment="")

    def to_json(self) -> dict[str, Any]:
        """JSON value from which ``from_json`` builds an equal table; what equals its default is left out."""
        return {**_changed(self), "columns": [_changed(column) for column in self.columns]}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Table:
        """Inverse of ``to_json``. Raises KeyError or TypeError on anything else."""
        data = dict(value)
        data["columns"] = tuple(Column(**column) for column in data["columns"])
        data["primary_key"] = tuple(data.get("primary_key", ()))
        data["unique_keys"] = tuple(tuple(key) for key in data.get("unique_keys", ()))
        data["foreign_keys"] = tuple(
            ForeignKey(tuple(key["columns"]), key["ref_table"], tuple(key["ref_columns"]))
            for key in data.get("foreign_keys", ())
        )
        return cls(**data)


@dataclass(frozen=True, slots=True)
class Scope:
    """What to discover. ``tables`` are exact names or globs; empty means everything the connection sees."""

    tables: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The canonical form that goes into the catalog's key."""
        return {"tables": sorted(set(self.tables))}

    def matches(self, name: str) -> bool:
        """Whether a table called ``name`` is in scope (shell globs, case-sensitive)."""
        from fnmatch import fnmatchcase

        return not self.tables or any(name == wanted or fnmatchcase(name, wanted) for wanted in self.tables)


@dataclass(frozen=True, slots=True)
class Catalog:
    """The tables one connection sees.

    Attributes:
        component: component name, for example ``mysql.table``.
        tables: sorted by name.
        server_version: for people; not part of any fingerprint.
        probe: the driver's cheap schema token at discovery time; ``""`` when the driver has none.
        partial: true when a scope left tables out.
    """

    component: str
    tables: tuple[Table, ...] = ()
    server_version: str = ""
    probe: str = ""
    partial: bool = False

    def table(self, name: str) -> Table | None:
        """The table called exactly ``name``, or None."""
        return next((table for table in self.tables if table.name == name), None)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the identity of every table."""
        return fingerprint({table.name: table.identity() for table in self.tables})

    def to_json(self) -> dict[str, Any]:
        """JSON value from which ``from_json`` builds an equal catalog; what equals its default is left out."""
        return {**_changed(self), "tables": [table.to_json() for table in self.tables]}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Catalog:
        """Inverse of ``to_json``. Raises KeyError or TypeError on anything else."""
        data = dict(value)
        data["tables"] = tuple(Table.from_json(item) for item in data["tables"])
        return cls(**data)


def _changed(item: Catalog | Table | Column) -> dict[str, Any]:
    """The fields of ``item`` that differ from the defaults of its class."""
    values = ((name, getattr(item, name), default) for name, default in _DEFAULTS[type(item)])
    return {name: _plain(value) for name, value, default in values if value != default}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return asdict(value) if isinstance(value, ForeignKey) else value


_DEFAULTS = {kind: tuple((f.name, f.default) for f in fields(kind)) for kind in (Catalog, Table, Column)}
