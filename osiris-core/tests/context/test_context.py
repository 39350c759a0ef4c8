"""The brief, the closed schema and the renderer: compact, byte-stable, and closed over what exists."""

from __future__ import annotations

import itertools
import json

import jsonschema_rs
import pytest

from osiris_core.catalog.model import Catalog, Column, Table
from osiris_core.context import (
    Cannot,
    Condition,
    ContextSection,
    Move,
    Rename,
    Source,
    SqlMove,
    View,
    brief,
    closed_schema,
    parse_form,
    pick_cursor,
    printable,
    render_moves,
    render_sql,
    typed_value,
)
from osiris_core.errors import InvalidInputError
from osiris_core.oml import load

ORDERS = Table(
    "orders",
    (
        Column("id", "bigint", "int64", nullable=False),
        Column("customer_id", "bigint", "int64"),
        Column("total", "decimal(10,2)", "decimal128(10, 2)"),
        Column("paid", "boolean", "bool"),
        Column("updated_at", "timestamp", "timestamp[us, tz=UTC]"),
        Column("note", "json", "string", osiris_type="json"),
    ),
    primary_key=("id",),
)
ACCOUNTS = Table(
    "accounts", (Column("id", "int", "int32"), Column("has space", "text", "string")), comment="all \u202eof\nthem"
)


def view(*, transform: str | None = "duckdb.sql") -> View:
    modes = ("append", "merge", "replace")
    return View(
        (
            Source("shop", "mysql.table", Catalog("mysql.table", (ACCOUNTS, ORDERS)), True, ()),
            Source("billing", "postgres.table", Catalog("postgres.table", (ACCOUNTS,)), True, modes, creates=True),
        ),
        transform=transform,
    )


def test_the_brief_says_tables_columns_keys_and_abilities_in_compact_lines() -> None:
    text = brief(view())
    assert "@shop mysql.table [read]" in text
    assert "@billing postgres.table [read append merge replace]" in text
    assert "orders: id*:i customer_id:i total:n paid:b updated_at:ts note:j" in text.splitlines()


def test_a_name_in_two_connections_is_qualified_and_only_such_a_name() -> None:
    assert set(view().tables) == {"accounts@shop", "accounts@billing", "orders"}


def test_comments_come_only_when_asked_and_without_control_or_bidirectional_characters() -> None:
    assert "all" not in brief(view())
    assert '-- "all of them"' in brief(view(), comments=True)


def test_printable_keeps_words_and_bounds_length() -> None:
    assert printable("a\x00b\nc") == "a b c"
    assert printable("x" * 500, 10) == "x" * 9 + "…"


def test_hints_of_plugins_end_the_brief_and_names_only_leaves_columns_out() -> None:
    hinted = View(view().sources, (ContextSection("dates", "are local"),))
    assert brief(hinted).endswith("dates: are local\n")
    assert "customer_id" not in brief(hinted, names_only=True)
    assert "orders" not in brief(hinted, only={"accounts@shop"})


def test_the_closed_schema_is_valid_strict_and_holds_only_what_exists() -> None:
    schema = closed_schema(view())
    jsonschema_rs.meta.validate(schema)
    assert schema["$defs"]["table"]["enum"] == ["accounts@shop", "orders", "accounts@billing"]
    assert schema["$defs"]["target"]["enum"] == ["billing"]
    for node in _objects(schema):
        assert node["additionalProperties"] is False
        assert node["required"] == list(node["properties"])


@pytest.mark.parametrize(
    ("closure", "closed"), [("full", {"table", "column", "target"}), ("tables", {"table", "target"}), ("open", set())]
)
def test_each_step_down_opens_the_commoner_faults_last(closure: str, closed: set[str]) -> None:
    definitions = closed_schema(view(), closure)["$defs"]  # type: ignore[arg-type]
    assert {name for name in ("table", "column", "target") if "enum" in definitions[name]} == closed


def _answer(**answer: object) -> dict[str, object]:
    return {"asked": "orders", "answer": answer}


def _move(**changes: object) -> dict[str, object]:
    move = {"from": "orders", "columns": [], "where": [], "renames": [], "incremental": False}
    return {**move, "to": "billing", "table": "orders", "mode": "merge", "keys": ["id"], **changes}


def test_an_invented_table_does_not_fit_the_schema() -> None:
    with pytest.raises(InvalidInputError, match="ordrs"):
        parse_form(_answer(moves=[_move(**{"from": "ordrs"})]), closed_schema(view()))


def test_cannot_is_an_answer() -> None:
    form = parse_form(_answer(cannot="ambiguous", question="which?"), closed_schema(view()))
    assert form.answer == Cannot("ambiguous", "which?")


def test_a_move_renders_to_the_same_oml_whatever_else_happened() -> None:
    form = parse_form(
        _answer(moves=[_move(where=[{"column": "total", "op": ">", "value": "10"}])]), closed_schema(view())
    )
    assert isinstance(form.answer, tuple)
    text = render_moves(form.answer, view(), name="copy orders", notes=["asked: orders"])
    assert text == render_moves(form.answer, view(), name="copy orders", notes=["asked: orders"])
    document = load(text)
    assert not document.problems
    read, write = document.value["steps"]
    assert read["config"]["where"] == [{"column": "total", "op": ">", "value": 10}]
    assert write["needs"] == ["orders"]
    assert write["config"] == {"table": "orders", "write_mode": "merge", "merge_keys": ["id"], "create": "if_missing"}


def test_merge_keys_default_to_the_primary_key_and_follow_a_rename() -> None:
    move = Move("orders", "billing", "t", "merge", renames=(Rename("id", "order_id"),))
    steps = load(render_moves([move], view(), name="n")).value["steps"]
    assert steps[1]["config"]["sql"].startswith('SELECT "id" AS "order_id", "customer_id"')
    assert steps[2]["config"]["merge_keys"] == ["order_id"]


def test_a_rename_without_a_transform_component_says_what_to_install() -> None:
    move = Move("orders", "billing", "t", "append", renames=(Rename("id", "order_id"),))
    with pytest.raises(InvalidInputError) as error:
        render_moves([move], view(transform=None), name="n")
    assert "osiris-duckdb" in error.value.hint


def test_sql_reads_each_input_and_writes_the_result() -> None:
    form = SqlMove(("orders", "accounts@shop"), "SELECT 1\n", "billing", "joined", "replace")
    steps = load(render_sql(form, view(), name="n")).value["steps"]
    assert [step["mode"] for step in steps] == ["read", "read", "transform", "write"]
    assert steps[2]["needs"] == ["orders", "accounts"]


def test_step_ids_are_identifiers_and_unique_whatever_the_names() -> None:
    moves = [Move("orders", "billing", name, "append") for name in ("2026 orders", "2026-orders", "řádky")]
    ids = [step["id"] for step in load(render_moves(moves, view(), name="n")).value["steps"]]
    assert len({step_id.lower() for step_id in ids}) == len(ids)
    assert all(step_id.isidentifier() and step_id.isascii() for step_id in ids)


def test_values_are_typed_by_the_column_they_compare_with() -> None:
    columns = {column.name: column for column in ORDERS.columns}
    assert typed_value("7", columns["id"]) == 7
    assert typed_value("7.5", columns["total"]) == 7.5
    assert typed_value("TRUE", columns["paid"]) is True
    assert typed_value("2026-01-01", columns["updated_at"]) == "2026-01-01"
    with pytest.raises(InvalidInputError, match="does not compare"):
        render_moves([Move("orders", "billing", "t", "append", where=(Condition("id", "=", "x"),))], view(), name="n")


def test_the_cursor_is_a_wellknown_name_or_the_only_timestamp_or_the_integer_key() -> None:
    assert pick_cursor(ORDERS) == "updated_at"
    assert pick_cursor(Table("t", (Column("at", "ts", "timestamp[us]"),))) == "at"
    assert pick_cursor(Table("t", (Column("id", "int", "int64"),), primary_key=("id",))) == "id"
    assert pick_cursor(ACCOUNTS) is None


def test_the_schema_of_sixty_tables_fits_in_few_characters() -> None:
    tables = tuple(Table(f"t{i}", tuple(Column(f"c{j}", "int", "int32") for j in range(10))) for i in range(60))
    big = View((Source("a", "x.table", Catalog("x.table", tables), True, ("append",)),))
    assert len(json.dumps(closed_schema(big))) < 6000


def _objects(value: object) -> list[dict[str, object]]:
    if isinstance(value, dict):
        own = [value] if value.get("type") == "object" else []
        return own + list(itertools.chain.from_iterable(_objects(item) for item in value.values()))
    if isinstance(value, list):
        return list(itertools.chain.from_iterable(_objects(item) for item in value))
    return []
