"""What a SELECT makes of its tables, and the columns it names in vain."""

from __future__ import annotations

import pytest

from osiris_core.catalog.model import Column
from osiris_core.sql import parse_select
from osiris_core.validate.relations import Field, Relation
from osiris_core.validate.sql_relations import Resolver

ID, NAME, TOTAL = (
    Column(name, "x", arrow) for name, arrow in (("id", "int64"), ("name", "string"), ("total", "double"))
)
TABLES = {
    "orders": Relation((Field("id", ID), Field("total", TOTAL))),
    "customers": Relation((Field("id", ID), Field("name", NAME))),
    "open": Relation((Field("id", ID),), complete=False),
}


def resolved(text: str) -> tuple[Relation, list[str]]:
    resolver = Resolver(lambda name, schema: TABLES.get(name), "duckdb")
    relation = resolver.resolve(parse_select(text, "duckdb").tree)
    return relation, [f"{ref.table}.{ref.name}".lstrip(".") for ref, _ in resolver.missing]


@pytest.mark.parametrize(
    ("text", "names", "complete"),
    [
        ("SELECT * FROM orders", ["id", "total"], True),
        ("FROM orders", ["id", "total"], True),
        ("SELECT o.* FROM orders o JOIN customers c USING (id)", ["id", "total"], True),
        ("SELECT id AS key, total * 2 AS twice FROM orders", ["key", "twice"], True),
        ("SELECT count(*) FROM orders", [], False),
        ("SELECT id, count(*) AS n FROM orders GROUP BY id", ["id", "n"], True),
        ("SELECT * FROM orders o, customers c", ["id", "total", "id", "name"], False),
        ("SELECT * FROM orders JOIN customers USING (id)", [], False),
        ("SELECT * EXCLUDE (id) FROM orders", [], False),
        ("SELECT * FROM open", ["id"], False),
        ("SELECT * FROM nowhere", [], False),
        ("SELECT * FROM range(3)", [], False),
        ("WITH x AS (SELECT id FROM orders) SELECT *, 1 AS one FROM x", ["id", "one"], True),
        ("WITH x(a) AS (SELECT id FROM orders) SELECT * FROM x", ["a"], True),
        ("SELECT * FROM (SELECT total FROM orders) s(t)", ["t"], True),
        ("SELECT id FROM orders UNION ALL SELECT id FROM customers", ["id"], True),
        ("WITH RECURSIVE n AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM n) SELECT * FROM n", ["a"], True),
    ],
)
def test_what_comes_out(text: str, names: list[str], complete: bool) -> None:
    relation, missing = resolved(text)
    assert (relation.names(), relation.complete) == (names, complete)
    assert missing == []


def test_a_column_keeps_its_type_under_another_name() -> None:
    relation, _ = resolved("WITH x AS (SELECT total AS t FROM orders) SELECT x.t AS u, id + 1 AS v FROM x, customers")
    assert [field.arrow for field in relation.fields] == ["double", ""]


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("SELECT nope FROM orders", ["nope"]),
        ("SELECT o.nope, o.id FROM orders o", ["o.nope"]),
        ("SELECT id FROM orders WHERE nope > 1 GROUP BY gone ORDER BY lost", ["gone", "lost", "nope"]),
        ("SELECT id FROM orders o JOIN customers c ON o.id = c.total", ["c.total"]),
        ("SELECT (SELECT max(nope) FROM customers) FROM orders", ["nope"]),
        ("WITH x AS (SELECT id FROM orders) SELECT total FROM x", ["total"]),
        ("SELECT id FROM orders WHERE id IN (SELECT name FROM orders)", ["name"]),
        ("SELECT s.b FROM (SELECT id AS a FROM orders) s", ["s.b"]),
    ],
)
def test_columns_that_do_not_exist(text: str, missing: list[str]) -> None:
    assert sorted(resolved(text)[1]) == missing


@pytest.mark.parametrize(
    "text",
    [
        "SELECT ID, Total FROM orders",
        "SELECT id AS x FROM orders ORDER BY x",
        "SELECT total AS t FROM orders GROUP BY t HAVING t > 1",
        "SELECT (SELECT max(name) FROM customers c WHERE c.id = orders.id) FROM orders",
        "SELECT id FROM customers WHERE EXISTS (SELECT 1 FROM orders o WHERE o.id = customers.id AND total > 1)",
        "SELECT nope FROM open",
        "SELECT nope FROM orders, open",
        "SELECT rowid FROM orders",
        "SELECT orders FROM orders",
        "SELECT x FROM orders, unnest([1]) u(x)",
        "SELECT list_transform([1], x -> x + 1) AS l FROM orders",
        "SELECT struct.field FROM (SELECT {'field': 1} AS struct) q",
        "SELECT COLUMNS('i.*') FROM orders",
        "SELECT id, row_number() OVER w AS n FROM orders WINDOW w AS (ORDER BY total)",
        "SELECT * FROM orders PIVOT (sum(total) FOR id IN (1, 2))",
        "SELECT current_date AS today FROM orders",
    ],
)
def test_columns_that_may_exist_are_not_denied(text: str) -> None:
    assert resolved(text)[1] == []
