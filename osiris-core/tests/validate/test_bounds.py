"""However many faults a file holds, it is refused at once, with a bounded number of messages."""

from __future__ import annotations

import time
from typing import Any

import pytest

from osiris_core.cli.output import format_problem
from osiris_core.validate.draft import MAX_OF_A_KIND

HEAD = 'oml_version: "0.0.1"\nname: x\nsteps:\n'
N = 4000


def read(config: str, name: str = "a", connection: str = "@shop") -> str:
    return (
        f'  - {{id: {name}, component: duckdb.table, mode: read, connection: "{connection}", config: {{{config}}}}}\n'
    )


def transform(name: str, needs: str, sql: str = "SELECT 1") -> str:
    return f'  - {{id: {name}, component: duckdb.sql, mode: transform, needs: [{needs}], config: {{sql: "{sql}"}}}}\n'


def many(template: str, count: int = N, between: str = ", ") -> str:
    return between.join(template.replace("@@", str(number)) for number in range(count))


CONDITIONS = many('{column: 1, op: "is"}')
REFERENCES = many('{column: id, op: "=", value: "${params.p@@}"}')
INPUTS = {
    "needs of steps that do not exist": HEAD + "".join(transform(f"s{i}", f"t{i}") for i in range(N)),
    "needs of one step": HEAD + read("table: orders") + transform("b", many("n@@", 30_000)),
    "one id": HEAD + "".join(transform("s", "s") for _ in range(N)),
    "a circle": HEAD + "".join(transform(f"s{i}", f"s{(i + 1) % N}") for i in range(N)),
    "keys at the top": HEAD.replace("steps", many("stesp@@: 1", 30_000, "\n") + "\nsteps") + read("table: orders"),
    "keys of a config": HEAD + read(many("tabel@@: 1", 30_000)),
    "columns": HEAD + read("table: orders, columns: [" + many("colum@@, colum@@", 20_000) + "]"),
    "conditions": HEAD + read(f"table: orders, where: [{CONDITIONS}]"),
    "references": HEAD + read(f"table: orders, where: [{REFERENCES}]"),
    "references in one text": HEAD + read('table: "' + "${params.x}" * 30_000 + '"'),
    "components": HEAD
    + "".join(read("table: orders", f"s{i}").replace("duckdb.table", f"duckdb.t{i}") for i in range(N)),
    "connections": HEAD + "".join(read("table: orders", f"s{i}", f"@shp{i}") for i in range(N)),
    "tables": HEAD + "".join(read(f"table: ordr{i}", f"s{i}") for i in range(N)),
    "parameters": HEAD.replace("steps", "params:\n" + many("  p@@: 1", 20_000, "\n") + "\nsteps")
    + read("table: orders"),
    "secrets": HEAD + read("table: orders, " + many("password@@: hunter@@", 15_000)),
    "steps that are none": HEAD + "  - x\n" * 60_000,
    "a long name": HEAD + read("table: orders, tabel" + "x" * 1000 + ": 1") + read("table: " + "y" * 200_000, "b"),
    "a long sum": HEAD + read("table: orders") + transform("b", "a", "SELECT " + "1+" * 20_000 + "1 FROM a"),
    "columns of SQL": HEAD + read("table: orders") + transform("b", "a", "SELECT " + many("c@@", 2000) + " FROM a"),
    "tables of SQL": HEAD + read("table: orders") + transform("b", "a", "SELECT 1 FROM " + many("t@@", 1000)),
}


@pytest.mark.parametrize("name", INPUTS)
def test_any_number_of_faults_is_refused_at_once(name: str, shop: Any) -> None:
    shop.codes(HEAD + read("table: orders") + transform("b", "a"))  # what is loaded once is loaded
    start = time.process_time()
    validation = shop.check(INPUTS[name])
    shown = "".join(format_problem(problem, validation.document) for problem in validation.problems[:20])
    spent = time.process_time() - start
    assert not validation.ok
    assert len(validation.problems) <= 4 * MAX_OF_A_KIND
    assert len(shown) < 60_000
    assert spent < 15, "a second as a user runs it; branch coverage and a busy machine cost several times that"


def test_more_of_a_kind_than_are_shown_is_said(shop: Any) -> None:
    validation = shop.check(INPUTS["one id"])
    assert sum(problem.code == "OSI-V112" for problem in validation.problems) == MAX_OF_A_KIND
    assert any("OSI-V112" in note for note in validation.notes)


@pytest.mark.parametrize(
    "text",
    [
        "-" * 40 + "\nhello: [",
        "-" * 50_000 + "\nhello: [",
        "--\n" * 20_000 + "hello: [",
        "-- " + "\n" * 50_000 + "hello: [",
    ],
)
def test_what_may_be_sql_is_looked_at_once(text: str, shop: Any) -> None:
    shop.check("hello: [")
    start = time.process_time()
    validation = shop.check(text)
    spent = time.process_time() - start
    assert validation.problems
    assert spent < 1
