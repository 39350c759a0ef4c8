"""Words and lines that several mends share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from osiris_core.catalog.model import Catalog, Column, Table
from osiris_core.oml.editor import yaml_flow
from osiris_core.validate.draft import Draft, DraftStep
from osiris_core.validate.types import family_of

#: A value that a condition on a column of each family accepts.
_BY_FAMILY: dict[str, Any] = {
    "number": 100, "boolean": True, "text": "abc", "date": "2026-01-31", "timestamp": "2026-01-31T12:00:00Z",
    "time": "12:30:00", "duration": "12:30:00",
}  # fmt: skip
_PARAM_OF: dict[str, str] = {"number": "number", "boolean": "boolean", "date": "date", "timestamp": "timestamp"}
#: A value of each type that a parameter may have.
BY_PARAM_TYPE: dict[str, Any] = {
    "string": "abc", "integer": 10, "number": 1.5, "boolean": True, "date": "2026-01-31",
    "timestamp": "2026-01-31T12:00:00Z",
}  # fmt: skip
MOST_NAMES = 15


def entry(key: str, value: Any) -> str:
    """``key: value`` on one line of YAML."""
    return f"{key}: {yaml_flow(value)}"


def listed(names: Iterable[str]) -> str:
    """Names with commas between; of very many, how many more there are."""
    names = list(names)
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def choose(names: Sequence[str]) -> str:
    """``write a``, or ``write one of: a, b``."""
    return f"write {names[0]}" if len(names) == 1 else f"write one of: {listed(names)}"


def nearest(word: object, names: Sequence[str]) -> list[str]:
    """``names`` when they are few, else those that look most like ``word``."""
    if len(names) <= MOST_NAMES or not isinstance(word, str):
        return list(names)
    from difflib import get_close_matches

    return get_close_matches(word[:100], names[:2000], n=8, cutoff=0.3) or list(names)


def sample_for(column: Column | None) -> Any:
    """A value that can be compared with ``column``."""
    return _BY_FAMILY.get(family_of(column), "abc") if column is not None else 100


def param_type_for(column: Column | None) -> str:
    """The type of a parameter that is compared with ``column``."""
    if column is not None and column.arrow.startswith(("int", "uint")):
        return "integer"
    return _PARAM_OF.get(family_of(column), "string") if column is not None else "string"


def identifier(text: object, otherwise: str) -> str:
    """A plain name made of ``text``: letters, digits and ``_``."""
    plain = re.sub(r"\W+", "_", str(text), flags=re.ASCII).strip("_")[:63]
    return plain if plain and not plain[0].isdigit() else otherwise


def table_of(step: DraftStep) -> Table | None:
    """The table that the step names, where the catalogue has it."""
    name = step.config.get("table")
    return step.catalog.table(name) if step.catalog is not None and isinstance(name, str) else None


def tables_read(step: DraftStep, draft: Draft) -> set[str]:
    """Tables behind the step's connection that the pipeline reads: to write them would feed them to themselves."""
    found: set[str] = set()
    for other in draft.steps:
        if other.mode == "read" and other.connection == step.connection:
            found.add(str(other.config.get("table", "")))
            found |= {table.name for select in other.selects.values() for table in select.tables()}
    return found - {""}


def table_names(step: DraftStep | None, draft: Draft) -> list[str]:
    """Tables that the step may name, first those with its columns and its own name.

    A writer's are no views, and none that the pipeline reads.
    """
    if step is None or step.catalog is None:
        return []
    columns = step.config.get("columns")
    wanted = [str(name) for name in columns] if isinstance(columns, list) else []
    writes = step.mode == "write"
    read = tables_read(step, draft) if writes else set()
    tables = [t for t in step.catalog.tables if not writes or (t.kind != "view" and t.name not in read)]
    tables.sort(key=lambda table: (not all(table.column(name) for name in wanted), table.name != step.id, table.kind))
    return [table.name for table in tables]


def catalog_of(alias: str, component: str, draft: Draft) -> Catalog | None:
    """What is behind ``alias``, asked for only where this validation asks systems; None when nobody says.

    A system that the file does not name is not connected to: what is known of it from before has to do.
    """
    known = draft.catalogs.get(alias)
    if known is not None and known.component == component:
        return known
    from osiris_core.errors import OsirisError

    if (alias, component) not in draft.asked and draft.asks:
        named = _names(draft, alias)
        catalogs = draft.session.catalogs
        notes = list(catalogs.notes)
        try:
            draft.asked[alias, component] = catalogs.get(alias, component, offline=None if named else True)
        except OsirisError:  # nobody waits twice for a system that is not there
            draft.asks = not named
        if not named:  # that a name in a mend is from the cache is no remark on this validation
            catalogs.notes[:] = notes
    return draft.asked.get((alias, component))


def _names(draft: Draft, alias: str) -> bool:
    """Whether the file names the connection, be it YAML or not."""
    written = rf"connection[\"']?[ \t]*:[ \t]*[\"']?@{re.escape(alias)}(?![\w-])"
    return any(step.alias == alias for step in draft.steps) or re.search(written, draft.document.text) is not None


def condition_column(step: DraftStep | None, path: Sequence[str | int], draft: Draft) -> Column | None:
    """The column of the condition that ``path`` leads into."""
    table = table_of(step) if step is not None else None
    if table is None or len(path) < 5 or path[3] != "where":
        return None
    return table.column(str(draft.document.at((*path[:5], "column"))))
