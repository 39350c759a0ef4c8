"""Hold grounding against wrong forms, without any model: every frozen move request, its right form corrupted at random.

    python benchmarks/authoring/corrupt.py [--times 150] [--seed 1]

A right form must pass unchanged in meaning. A corrupted one must come out right, or as a question or a refusal; a plan
that differs from the right one is silently wrong. The words and rules of grounding were tuned on these requests, so the
figures are a floor against regressions, not an estimate for other requests; ``evaluate.py`` asks a model.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlglot
from frozen import Request, load_requests, make_project
from sqlglot import exp

from osiris_core import Session
from osiris_core.context import OPERATORS, Condition, Form, Move, Rename, View, build_view
from osiris_llm.grounding import ground

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
_OPERATORS: dict[type, str] = {exp.EQ: "=", exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<="}
_DATES = {
    "a06": "last_month",
    "a20": "2026-01..2026-03",
    "b05": "since:2026-02-01",
    "b06": "2026-02",
    "b26": "last_month",
}


def right_form(request: Request, view: View) -> tuple[Move, ...]:
    """The form that says what the request's expected SQL says."""
    return tuple(_move(request, target, sql, view) for target, sql in request.tables.items())


def _move(request: Request, target: str, sql: str, view: View) -> Move:
    query = sqlglot.parse_one(sql, read="duckdb")
    table = query.find(exp.Table)
    assert table is not None
    source = table.name if table.name in view.tables else f"{table.name}@{table.db}"
    renames = tuple(Rename(e.this.name, e.alias) for e in query.expressions if isinstance(e, exp.Alias))
    columns = () if renames else tuple(e.name for e in query.expressions if not isinstance(e, exp.Star))
    where = tuple(_condition(item) for item in _conditions(query))
    if request.id in _DATES:
        where = (Condition(where[0].column, "=", _DATES[request.id]),)
    name = target.split(".")[1]
    return Move(source, "lake", name, "append", columns, where, renames, "incremental" in request.expect)


def _conditions(query: Any) -> list[Any]:
    where = query.args.get("where")
    if where is None:
        return []
    return list(where.this.flatten()) if isinstance(where.this, exp.And) else [where.this]


def _condition(item: Any) -> Condition:
    if isinstance(item, exp.Not):
        return Condition(item.this.name, "=", "false")
    if isinstance(item, exp.Is):
        return Condition(item.this.name, "is_null")
    value = item.right.this if isinstance(item.right, exp.Cast) else item.right
    return Condition(item.left.name, _OPERATORS[type(item)], str(value.this))


def corruptions(view: View, rng: random.Random) -> dict[str, Callable[[Move], Move]]:
    """Ways a form goes wrong, by name."""
    tables = list(view.tables)

    def own(move: Move) -> list[str]:
        return [column.name for column in view.tables[move.source].table.columns]

    def other_table(move: Move) -> Move:
        source = rng.choice(tables)
        columns = [column.name for column in view.tables[source].table.columns]
        name = view.tables[source].table.name
        return replace(move, source=source, table=name, columns=tuple(rng.sample(columns, 2)), where=())

    def first(move: Move, **changes: str) -> Move:
        return replace(move, where=(replace(move.where[0], **changes), *move.where[1:])) if move.where else move

    words = ["1", "true", "paid", "2026", "last_month", "open", ""]
    values = ["0", "x", "false", "last_year", "lake", "orders", "300", "paid"]
    return {
        "nothing": lambda move: move,
        "source": lambda move: replace(move, source=rng.choice(tables)),
        "source and columns": other_table,
        "columns": lambda move: replace(move, columns=tuple(rng.sample(own(move), min(len(own(move)), 3)))),
        "condition added": lambda move: replace(
            move, where=(*move.where, Condition(rng.choice(own(move)), rng.choice(OPERATORS), rng.choice(words)))
        ),
        "conditions dropped": lambda move: replace(move, where=()),
        "value": lambda move: first(move, value=rng.choice(values)),
        "operator": lambda move: first(move, op=rng.choice(OPERATORS)),
        "target": lambda move: replace(move, to=rng.choice(view.targets)),
        "target table": lambda move: replace(move, table=rng.choice(["x", "data", rng.choice(tables)])),
        "mode": lambda move: replace(move, mode=rng.choice(["append", "merge", "replace"])),
        "rename": lambda move: replace(move, renames=(*move.renames, Rename(rng.choice(own(move)), "name"))),
        "incremental": lambda move: replace(move, incremental=not move.incremental),
        "keys": lambda move: replace(move, mode="merge", keys=(rng.choice(view.columns),)),
    }


def meaning(moves: tuple[Move, ...], view: View) -> object:
    """What the moves do; mode and keys apart, which any first write makes equal."""
    return sorted(
        (
            move.source,
            move.table,
            move.to,
            sorted(set(move.columns) or {column.name for column in view.tables[move.source].table.columns}),
            sorted(map(str, move.where)),
            sorted(map(str, move.renames)),
            move.incremental,
        )
        for move in moves
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="Hold grounding against corrupted forms.")
    parser.add_argument("--times", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    views: dict[tuple[str, ...], View] = {}
    outcomes: Counter[tuple[str, str]] = Counter()
    refused_right = []
    with tempfile.TemporaryDirectory() as scratch:
        for request in load_requests():
            if not request.tables or request.kind == "sql":
                continue
            if request.connections not in views:
                directory = Path(scratch) / "-".join(request.connections)
                make_project(directory, request.connections)
                views[request.connections] = build_view(Session.open(directory))
            view = views[request.connections]
            form = right_form(request, view)
            wanted = ground(Form("", form), request.text, view, NOW).answer
            if not isinstance(wanted, tuple):
                refused_right.append(request.id)
                continue
            ways = corruptions(view, rng)
            for _ in range(args.times):
                way = rng.choice(list(ways))
                at = rng.randrange(len(form))
                wrong = (*form[:at], ways[way](form[at]), *form[at + 1 :])
                answer = ground(Form("", wrong), request.text, view, NOW).answer
                right = isinstance(answer, tuple) and meaning(answer, view) == meaning(wanted, view)
                outcomes[way, "declined" if answer is None else "right" if right else "wrong"] += 1
    print(f"{'corrupted':20}{'right':>8}{'declined':>10}{'silently wrong':>16}")
    for way in sorted({name for name, _ in outcomes}):
        print(f"{way:20}{outcomes[way, 'right']:8}{outcomes[way, 'declined']:10}{outcomes[way, 'wrong']:16}")
    silent = sum(count for (_, outcome), count in outcomes.items() if outcome == "wrong")
    print(f"silently wrong: {silent} of {outcomes.total()}; right forms refused: {refused_right or 'none'}")
    return 1 if refused_right or silent > outcomes.total() * 0.01 else 0


if __name__ == "__main__":
    raise SystemExit(main())
