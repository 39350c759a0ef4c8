"""The form: the small answer a model gives, from which OML is rendered. It never holds what code can derive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from osiris_core.errors import InvalidInputError


@dataclass(frozen=True, slots=True)
class Condition:
    """``column op value``. ``value`` is text as the model wrote it; lists for ``in`` are comma-separated."""

    column: str
    op: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Rename:
    """Column ``column`` of the source is called ``to`` in the target."""

    column: str
    to: str


@dataclass(frozen=True, slots=True)
class Move:
    """Copy one table. Empty ``columns`` means all; empty ``keys`` means the primary key for a merge."""

    source: str
    to: str
    table: str
    mode: str
    columns: tuple[str, ...] = ()
    where: tuple[Condition, ...] = ()
    renames: tuple[Rename, ...] = ()
    incremental: bool = False
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SqlMove:
    """One SELECT over named input tables, written to one target."""

    inputs: tuple[str, ...]
    query: str
    to: str
    table: str
    mode: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cannot:
    """The request cannot be met; ``question`` asks for what is missing."""

    reason: str
    question: str


@dataclass(frozen=True, slots=True)
class Form:
    """What the model answered. ``asked`` are the words of the request that name the source."""

    asked: str
    answer: tuple[Move, ...] | SqlMove | Cannot


def parse_form(value: Any, schema: Mapping[str, Any]) -> Form:
    """A form from decoded JSON, checked against ``schema`` (the closed schema that was sent).

    Raises:
        InvalidInputError: the value does not fit; the message names every place, never a value from outside.
    """
    import jsonschema_rs

    errors = [
        f"/{'/'.join(str(part) for part in error.instance_path)}: {error.message[:200]}"
        for error in jsonschema_rs.Draft202012Validator(dict(schema)).iter_errors(value)
    ]
    if errors:
        raise InvalidInputError("; ".join(errors[:8]), code="OSI-V001")
    answer = value["answer"]
    return Form(value["asked"], _answer(answer))


def _answer(answer: Mapping[str, Any]) -> tuple[Move, ...] | SqlMove | Cannot:
    if "cannot" in answer:
        return Cannot(answer["cannot"], answer["question"])
    if "sql" in answer:
        sql = answer["sql"]
        return SqlMove(tuple(sql["inputs"]), sql["query"], sql["to"], sql["table"], sql["mode"], tuple(sql["keys"]))
    return tuple(_move(move) for move in answer["moves"])


def _move(move: Mapping[str, Any]) -> Move:
    return Move(
        source=move["from"],
        to=move["to"],
        table=move["table"],
        mode=move["mode"],
        columns=tuple(move["columns"]),
        where=tuple(Condition(item["column"], item["op"], item["value"]) for item in move["where"]),
        renames=tuple(Rename(item["column"], item["to"]) for item in move["renames"]),
        incremental=move["incremental"],
        keys=tuple(move["keys"]),
    )
