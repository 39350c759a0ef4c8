"""A query must be the one that the request asks for; what is not is put back to the model in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from osiris_core import Catalog, Column, Table
from osiris_core.context import Form, Source, SqlMove, View
from osiris_llm.grounding import ground

NUMBERS = tuple(Column(name, "bigint", "int64") for name in ("id", "customer_id", "total"))
ORDERS = Table("orders", (*NUMBERS, Column("status", "varchar", "string")))
CUSTOMERS = Table("customers", (Column("id", "bigint", "int64"), Column("name", "varchar", "string")))
MODES = ("append", "merge", "replace")
VIEW = View(
    (
        Source("shop", "duckdb.table", Catalog("duckdb.table", (CUSTOMERS, ORDERS)), True, MODES),
        Source("lake", "duckdb.table", Catalog("duckdb.table"), True, MODES, creates=True),
    ),
    transform="duckdb.sql",
)
SUM = "put into lake table revenue the sum of total per customer_id from orders, column called earned; replace"
JOIN = "join orders with customers: order id, customer name as customer, into lake table report, replace"


def problems(request: str, query: str, *inputs: str) -> str:
    form = SqlMove(inputs or ("orders",), query, "lake", "revenue", "replace")
    form = replace(form, table="report") if "report" in request else form
    result = ground(Form("", form), request, VIEW, datetime(2026, 11, 23, tzinfo=UTC))
    assert not result.question and not result.refusal
    return "; ".join(result.problems)


@pytest.mark.parametrize(
    ("request_text", "query", "inputs"),
    [
        (SUM, "SELECT customer_id, SUM(total) AS earned FROM orders GROUP BY customer_id", ()),
        (
            JOIN,
            "SELECT o.id, c.name AS customer FROM orders o JOIN customers c ON c.id = o.customer_id",
            ("orders", "customers"),
        ),
        (
            "join the paid orders with customers: total and name, into lake table report, replace",
            "SELECT o.total, c.name FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.status = 'paid'",
            ("orders", "customers"),
        ),
    ],
)
def test_a_query_that_gives_what_is_asked_for_passes(request_text: str, query: str, inputs: tuple[str, ...]) -> None:
    assert problems(request_text, query, *inputs) == ""


@pytest.mark.parametrize(
    ("query", "inputs", "said"),
    [
        ("SELECT SUM(total) AS earned FROM orders GROUP BY customer_id", (), 'give "customer_id" in the result'),
        ("SELECT customer_id, SUM(total) AS revenue FROM orders GROUP BY customer_id", (), '"earned"'),
        ("SELECT SUM(total) AS earned FROM orders", (), 'use the column "customer_id"'),
        (
            "SELECT o.customer_id, SUM(o.total) AS earned FROM orders o JOIN customers c ON c.id = o.customer_id"
            " GROUP BY o.customer_id",
            ("orders", "customers"),
            'do not read "customers"',
        ),
        ("SELECT customer_id, status, SUM(total) AS earned FROM orders GROUP BY 1, 2", (), 'leave "status" out'),
        ("SELECT customer_id, SUM(total) AS earned FROM orders WHERE total > 50 GROUP BY customer_id", (), '"50"'),
        ("SELECT * FROM orders", (), "list the columns"),
    ],
)
def test_a_query_that_says_more_less_or_other_is_put_back(query: str, inputs: tuple[str, ...], said: str) -> None:
    assert said in problems(SUM, query, *inputs)


def test_a_column_keeps_its_name_and_that_is_told() -> None:
    renamed = "SELECT o.id AS order_id, c.name AS customer FROM orders o JOIN customers c ON c.id = o.customer_id"
    form = SqlMove(("orders", "customers"), renamed, "lake", "report", "replace")
    result = ground(Form("", form), JOIN, VIEW, datetime(2026, 11, 23, tzinfo=UTC))
    assert isinstance(result.answer, SqlMove)
    assert result.answer.query == renamed.replace(" AS order_id", "")
    assert any('"id" keeps its name' in note for note in result.notes)
    assert not result.problems


@pytest.mark.parametrize(
    "query",
    [
        "SELECT total AS customer_id, SUM(id) AS earned FROM orders GROUP BY total ORDER BY customer_id LIMIT 3",
        "SELECT total AS cost, 'total AS cost' AS earned, customer_id FROM orders",
        "SELECT q.total AS cost, q.customer_id FROM (SELECT id AS cost, total, customer_id FROM orders) q",
        'SELECT "a\\q" AS cost, customer_id FROM orders',
    ],
)
def test_a_name_that_is_written_again_is_left_as_it_is(query: str) -> None:
    form = SqlMove(("orders",), query, "lake", "revenue", "replace")
    result = ground(Form("", form), SUM, VIEW, datetime(2026, 11, 23, tzinfo=UTC))
    assert isinstance(result.answer, SqlMove)
    assert result.answer.query == query


def test_two_columns_of_one_name_are_put_back_and_no_table_is_forgotten() -> None:
    twice = "SELECT o.id AS a, c.id AS b, c.name AS customer FROM orders o JOIN customers c ON c.id = o.customer_id"
    assert "under its own name" in problems(JOIN, twice, "orders", "customers")
    assert 'read "customers" too' in problems(JOIN, "SELECT id, total AS customer FROM orders")


def test_a_query_that_cannot_be_read_is_left_to_the_validator() -> None:
    assert problems(SUM, "SELEC customer_id FROM orders") == ""
