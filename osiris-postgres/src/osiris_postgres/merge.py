"""The SQL that brings staged rows into the target. Every name is quoted; there is no value in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from osiris_postgres.names import column_list, quote
from osiris_postgres.target import Slot


def create_staging(staging: str, slots: Sequence[Slot]) -> str:
    """A temporary table of this transaction, with the target's own types."""
    columns = ", ".join(f"{quote(slot.name)} {slot.staged_type}{_collation(slot)}" for slot in slots)
    return f"CREATE TEMPORARY TABLE {quote(staging)} ({columns}) ON COMMIT DROP"


def _collation(slot: Slot) -> str:
    """Keys must be compared as the target compares them; a collation is not part of a type."""
    return f" COLLATE {slot.column.collation}" if slot.column.collation and not slot.conversion.cast else ""


def insert_all(target: str, staging: str, slots: Sequence[Slot]) -> str:
    """Every staged row, added."""
    values = ", ".join(slot.from_staging("s.") for slot in slots)
    return (
        f"INSERT INTO {target} ({column_list(slot.name for slot in slots)}) OVERRIDING SYSTEM VALUE "
        f"SELECT {values} FROM {staging} s"
    )


def upsert(target: str, staging: str, slots: Sequence[Slot], keys: Sequence[str]) -> str:
    """Insert or update by a unique key, leaving rows alone that would not change."""
    others = [slot for slot in slots if slot.name not in keys]
    insert = insert_all(f"{target} AS t", staging, slots) + f" ON CONFLICT ({column_list(keys)}) DO "
    if not others:
        return insert + "NOTHING"
    sets = ", ".join(f"{quote(slot.name)} = excluded.{quote(slot.name)}" for slot in others)
    return insert + f"UPDATE SET {sets} WHERE {_differs(others, 'excluded.')}"


def _differs(slots: Sequence[Slot], prefix: str) -> str:
    old = ", ".join(slot.compared("t.") for slot in slots)
    new = ", ".join(slot.compared(prefix) for slot in slots)
    return f"ROW({old}) IS DISTINCT FROM ROW({new})"


def update_matching(target: str, staging: str, slots: Sequence[Slot], keys: Sequence[str]) -> str | None:
    """Update what differs where no unique key helps; gives the number of staged rows that changed something."""
    others = [slot for slot in slots if slot.name not in keys]
    if not others:
        return None
    sets = ", ".join(f"{quote(slot.name)} = {slot.from_staging('s.')}" for slot in others)
    new = ", ".join(slot.compared_staged("s.") for slot in others)
    old = ", ".join(slot.compared("t.") for slot in others)
    return (
        f"WITH changed AS (UPDATE {target} t SET {sets} FROM {staging} s WHERE {same_key(slots, keys)} "
        f"AND ROW({old}) IS DISTINCT FROM ROW({new}) RETURNING s.ctid) "
        f"SELECT count(DISTINCT ctid) FROM changed"
    )


def insert_unmatched(target: str, staging: str, slots: Sequence[Slot], keys: Sequence[str]) -> str:
    """Insert the staged rows whose key the target lacks."""
    return insert_all(target, staging, slots) + (
        f" WHERE NOT EXISTS (SELECT 1 FROM {target} t WHERE {same_key(slots, keys)})"
    )


def delete_missing(target: str, staging: str, slots: Sequence[Slot], keys: Sequence[str]) -> str:
    """Delete target rows whose key was not staged."""
    return f"DELETE FROM {target} t WHERE NOT EXISTS (SELECT 1 FROM {staging} s WHERE {same_key(slots, keys)})"


def count_matched(target: str, staging: str, slots: Sequence[Slot], keys: Sequence[str]) -> str:
    """How many staged rows have their key in the target."""
    return f"SELECT count(*) FROM {staging} s WHERE EXISTS (SELECT 1 FROM {target} t WHERE {same_key(slots, keys)})"


def same_key(slots: Sequence[Slot], keys: Sequence[str]) -> str:
    """The target row ``t`` has the key of the staged row ``s``."""
    by_name = {slot.name: slot for slot in slots}
    return " AND ".join(f"t.{quote(key)} = {by_name[key].from_staging('s.')}" for key in keys)


def repeated_keys(staging: str, keys: Sequence[str]) -> str:
    """How many staged rows repeat a key, and the first such keys as text."""
    names = column_list(keys)
    groups = f"SELECT {shown_key('', keys)} AS shown, count(*) AS n FROM {staging} GROUP BY {names} HAVING count(*) > 1"
    return f"SELECT coalesce(sum(n - 1), 0), (array_agg(shown ORDER BY shown))[1:3] FROM ({groups}) repeated"


def added_already(target: str, staging: str, slots: Sequence[Slot], keys: Sequence[str]) -> str:
    """How many staged rows have the key of a row that this transaction put into the target, and the first such keys."""
    ours = "t.xmin::text = (txid_current() % 4294967296)::text"  # 32 of the transaction's 64 bits
    shown = shown_key("s.", keys)
    return (
        f"SELECT count(*), (array_agg({shown} ORDER BY {shown}))[1:3] FROM {staging} s "
        f"JOIN {target} t ON {same_key(slots, keys)} WHERE {ours}"
    )


def shown_key(prefix: str, names: Sequence[str]) -> str:
    """A row's key as people read it: ``id=5, kind=a``. SQL without parameters, so no ``%`` is doubled."""
    shown = (f"{_literal(name + '=')} || coalesce({prefix}{quote(name)}::text, 'NULL')" for name in names)
    return " || ', ' || ".join(shown) or "''"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def keep_one(staging: str, keys: Sequence[str], dedupe: Mapping[str, Any]) -> str:
    """Delete all but one row of each key: the last (or first) by ``order_by``, then by arrival."""
    last = dedupe["keep"] == "last"
    order = []
    for item in dedupe["order_by"]:
        rising = bool(item.get("descending", False)) == last
        order.append(f"{quote(item['column'])} {'ASC NULLS FIRST' if rising else 'DESC NULLS LAST'}")
    order.append(f"ctid {'DESC' if last else 'ASC'}")
    place = f"row_number() OVER (PARTITION BY {column_list(keys)} ORDER BY {', '.join(order)})"
    ranked = f"SELECT ctid, {place} AS place FROM {staging}"
    return f"DELETE FROM {staging} WHERE ctid IN (SELECT ctid FROM ({ranked}) ranked WHERE place > 1)"


def changed_text(staging: str, slot: Slot, key: Sequence[str]) -> str:
    """A staged text that its type would print differently, with the row's key.

    A type has two text forms where it defines a cast of its own: ``10.0.0.1`` is also ``10.0.0.1/32``.
    """
    value, text = slot.from_staging("s."), f"s.{quote(slot.name)}"
    return (
        f"SELECT {shown_key('s.', key)} FROM {staging} s "
        f"WHERE {text} IS NOT NULL AND {text} NOT IN (({value})::text, format('%s', {value})) LIMIT 1"
    )
