"""The rows of several steps for one target: which of them fit it, and the SQL that combines them."""

from __future__ import annotations

from osiris_core.validate.advice.words import table_of
from osiris_core.validate.draft import DraftStep
from osiris_core.validate.relations import UNKNOWN, Relation
from osiris_core.validate.settings import setting
from osiris_core.validate.types import fits


def feeds(need: str, step: DraftStep) -> bool:
    """Whether the rows of ``need`` are known, and the writer's table takes them as they are."""
    rows, target = step.inputs.get(need, UNKNOWN), table_of(step)
    if not rows.complete or target is None:
        return False
    drifts = setting(step, "on_drift") in ("add_columns", "ignore_new")
    for field in rows.fields:
        place = target.column(field.name)
        if place is None and not drifts:
            return False
        if place is not None and (place.generated or not (field.column is None or fits(field.column, place))):
            return False
    return all(rows.field(name) is not None for name in _wanted(step))


def _wanted(step: DraftStep) -> list[str]:
    """Columns that the target, or the merge, cannot do without."""
    target = table_of(step)
    keys = step.config.get("merge_keys")
    needed = [c.name for c in target.columns if not (c.nullable or c.has_default or c.generated)] if target else []
    return list(dict.fromkeys([*map(str, keys if isinstance(keys, list) else ()), *needed]))


def union(needs: list[str]) -> str:
    """The rows of all, one after the other: for steps of the same columns."""
    return " UNION ALL BY NAME ".join(f"SELECT * FROM {need}" for need in needs)


def join(needs: list[str], step: DraftStep) -> str:
    """A join of two steps that brings the target's columns, where a reference or a common key is seen; else ``""``."""
    target = table_of(step)
    if len(needs) != 2 or target is None:
        return ""
    one, other = ((need, step.inputs.get(need, UNKNOWN)) for need in needs)
    if not (one[1].complete and other[1].complete):
        return ""
    keys = _reference(one, other) or _reference(other, one)
    if not keys:
        return ""
    columns = [
        f"{need}.{name}"
        for name in (c.name for c in target.columns if not c.generated)
        for need in _holder(name, one, other)
    ]
    brought = {column.partition(".")[2] for column in columns}
    if not set(_wanted(step)) <= brought:
        return ""
    return f"SELECT {', '.join(columns)} FROM {needs[0]} JOIN {needs[1]} ON {keys}"


def _reference(one: tuple[str, Relation], other: tuple[str, Relation]) -> str:
    """``one.customer_id = other.id`` for a step called ``customers``."""
    name = other[0].lower()
    singular = name.removesuffix("s")
    for field in one[1].fields:
        if field.name.lower() in (f"{singular}_id", f"{name}_id") and other[1].field("id") is not None:
            return f"{one[0]}.{field.name} = {other[0]}.id"
    return ""


def _holder(name: str, one: tuple[str, Relation], other: tuple[str, Relation]) -> list[str]:
    return [need for need, rows in (one, other) if rows.field(name) is not None][:1]
