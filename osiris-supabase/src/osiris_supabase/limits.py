"""What the REST channel cannot do, said before a row moves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from osiris_core import Catalog, Problem, StepView

#: How discovery over REST names its server; a catalogue of the SQL channel says PostgreSQL.
REST_SERVER = "PostgREST"
#: Parameters of PostgREST: a condition on a column of such a name would be one of these instead.
PARAMETERS = frozenset({"and", "or", "not", "select", "order", "limit", "offset", "columns", "on_conflict"})
_HINT = "use the SQL channel: a connection with host and password"

#: By mode: field, the values REST can do without (None: none at all).
_LIMITS: dict[str, dict[str, tuple[object, ...]]] = {
    "read": {"query": (), "where_sql": (), "order_by": (), "partition": ()},
    "write": {
        "write_mode": ("append", "merge"),
        "create": ("never",),
        "on_drift": ("fail", "ignore_new"),
        "delete_missing": (False,),
        "dedupe": (),
    },
}


def over_rest(step: StepView, catalog: Catalog | None) -> bool:
    """Whether the step is known to go over REST."""
    channel = step.config.get("channel")
    if channel is not None:
        return bool(channel == "rest")
    return catalog is not None and catalog.server_version.startswith(REST_SERVER)


def rest_problems(step: StepView, catalog: Catalog | None) -> Iterator[Problem]:
    """One problem for each setting that the REST channel cannot honour."""
    if not over_rest(step, catalog):
        return
    for name, possible in _LIMITS.get(step.mode, {}).items():
        if name in step.config and step.config[name] not in possible:
            shown = f"{name}: {step.config[name]}" if possible else name
            yield Problem("OSI-V219", f"the REST channel cannot do {shown}", ("config", name), on_key=True, hint=_HINT)
    for path, column in _filtered(step):
        if column in PARAMETERS:
            message = f'the REST channel has a parameter called "{column}", so it takes no condition on that column'
            yield Problem("OSI-V219", message, ("config", *path), hint=_HINT)


def _filtered(step: StepView) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """``(path, column)`` of every column that the step's config puts a condition on."""
    where, incremental = step.config.get("where"), step.config.get("incremental")
    for index, item in enumerate(where if isinstance(where, list) else ()):
        if isinstance(item, Mapping) and isinstance(item.get("column"), str):
            yield ("where", index, "column"), item["column"]
    if isinstance(incremental, Mapping) and isinstance(incremental.get("cursor"), str):
        yield ("incremental", "cursor"), incremental["cursor"]


def rest_notes(step: StepView) -> list[str]:
    """Sentences for ``osiris plan``."""
    if step.mode == "read":
        return ["reads page by page in the order of the primary key; the pages are not one snapshot"]
    return ["sends requests of up to 1,000 rows, each atomic by itself: at least once, not exactly once"]
