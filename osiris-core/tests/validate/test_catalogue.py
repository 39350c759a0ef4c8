"""Steps against tables of every kind, on a system whose schema is a file."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from osiris_core.catalog import Column, Table
from osiris_core.oml import load
from osiris_core.validate import Validation, validate

ID = Column("id", "bigint", "int64", nullable=False)
CODE = Column("code", "varchar(8)", "string", nullable=False)
TOTAL = Column("total", "decimal(10,2)", "decimal128(10, 2)")
ORDERS = Table("orders", (ID, CODE, TOTAL), primary_key=("id",), unique_keys=(("code",),))


def check(shelf: Any, write: str, read: str = "{table: orders}", **options: Any) -> Validation:
    text = f"""\
oml_version: "0.0.1"
name: copy
steps:
  - id: orders
    component: shelf.table
    mode: read
    connection: "@shop"
    config: {read}
  - id: load
    component: shelf.table
    mode: write
    connection: "@ware"
    needs: [orders]
    config: {write}
"""
    return validate(load(text, "copy.yaml"), shelf.session(), mode=options.pop("mode", "strict"), **options)


def codes(validation: Validation) -> list[str]:
    return [problem.code for problem in validation.problems]


MERGE = "{table: orders, write_mode: merge, merge_keys: [id]}"
APPEND = "{table: orders, write_mode: append}"


@pytest.fixture
def tables(shelf: Any) -> Any:
    """``tables(source, target)`` puts one table behind each connection."""

    def put(source: Table = ORDERS, target: Table | None = ORDERS) -> None:
        shelf.tables("shop", source)
        shelf.tables("ware", *([target] if target is not None else []))

    put()
    return put


def test_equal_tables_go_together(shelf: Any, tables: Any) -> None:
    assert codes(check(shelf, MERGE)) == []
    assert codes(check(shelf, APPEND)) == []


@pytest.mark.parametrize(
    ("target", "write", "found"),
    [
        (replace(ORDERS, kind="view"), APPEND, ["OSI-V216"]),
        (replace(ORDERS, primary_key=(), unique_keys=()), MERGE, ["OSI-V204"]),
        (replace(ORDERS, primary_key=("id", "code"), unique_keys=()), MERGE, ["OSI-V204"]),
        (ORDERS, "{table: orders, write_mode: merge, merge_keys: [code]}", []),
        (ORDERS, "{table: orders, write_mode: merge, merge_keys: [total]}", ["OSI-V204"]),
        (ORDERS, "{table: orders, write_mode: merge, merge_keys: [cod]}", ["OSI-V203"]),
        (replace(ORDERS, columns=(replace(ID, generated=True), CODE, TOTAL)), MERGE, ["OSI-V206", "OSI-V206"]),
        (replace(ORDERS, columns=(ID, CODE, replace(TOTAL, generated=True))), APPEND, ["OSI-V206"]),
        (replace(ORDERS, columns=(ID, CODE)), APPEND, ["OSI-V209"]),
        (
            replace(ORDERS, columns=(ID, CODE, TOTAL, Column("new", "int", "int32", nullable=False))),
            APPEND,
            ["OSI-V215"],
        ),
        (
            replace(ORDERS, columns=(ID, CODE, TOTAL, Column("new", "int", "int32", False, has_default=True))),
            APPEND,
            [],
        ),
        (replace(ORDERS, columns=(ID, CODE, TOTAL, Column("new", "int", "int32", False, generated=True))), APPEND, []),
        (replace(ORDERS, columns=(ID, replace(CODE, arrow="int64", type="bigint"), TOTAL)), APPEND, ["OSI-V210"]),
        (replace(ORDERS, columns=(ID, replace(CODE, arrow=""), TOTAL)), APPEND, []),
        (None, APPEND, ["OSI-V201"]),
        (None, "{table: orders, write_mode: append, create: if_missing}", []),
        (None, "{table: orders, write_mode: merge, merge_keys: [nope], create: if_missing}", ["OSI-V203"]),
        (replace(ORDERS, kind="file", columns=(ID,)), APPEND, []),
    ],
)
def test_what_the_target_refuses(shelf: Any, tables: Any, target: Table | None, write: str, found: list[str]) -> None:
    tables(ORDERS, target)
    assert sorted(codes(check(shelf, write))) == found


@pytest.mark.parametrize("where", ["source", "target"])
def test_a_key_that_ignores_case_is_worth_a_word(shelf: Any, tables: Any, where: str) -> None:
    folded = replace(ORDERS, columns=(ID, replace(CODE, case_insensitive=True), TOTAL))
    tables(folded if where == "source" else ORDERS, folded if where == "target" else ORDERS)
    validation = check(shelf, "{table: orders, write_mode: merge, merge_keys: [code]}")
    assert [(p.code, p.severity) for p in validation.problems] == [("OSI-V211", "warning")]


GEOMETRY = replace(ORDERS, columns=(ID, CODE, TOTAL, Column("place", "geometry", "")))


def test_a_type_that_cannot_be_carried_is_refused_when_asked_for_and_left_out_otherwise(
    shelf: Any, tables: Any
) -> None:
    tables(GEOMETRY)
    asked = check(shelf, APPEND, "{table: orders, columns: [id, code, place]}")
    assert codes(asked) == ["OSI-V207", "OSI-V209"]
    silent = check(shelf, APPEND)
    assert [(p.code, p.severity) for p in silent.problems] == [("OSI-V218", "warning")]
    assert "place" in silent.problems[0].message


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ('{column: total, op: ">", value: 5}', []),
        ('{column: total, op: ">", value: "5.25"}', []),
        ('{column: total, op: ">", value: five}', ["OSI-V208"]),
        ("{column: id, op: in, value: [1, two, 3]}", ["OSI-V208"]),
        ("{column: id, op: like, value: 1%}", ["OSI-V208"]),
        ("{column: code, op: like, value: A%}", []),
        ("{column: cod, op: is_null}", ["OSI-V202"]),
    ],
)
def test_conditions_fit_their_columns(shelf: Any, tables: Any, condition: str, found: list[str]) -> None:
    assert codes(check(shelf, APPEND, f"{{table: orders, where: [{condition}]}}")) == found


def test_a_name_is_missed_by_case_too(shelf: Any, tables: Any) -> None:
    (problem,) = check(shelf, APPEND, "{table: Orders}").problems
    assert problem.suggestion == "orders"
    assert problem.fix is not None


def test_a_step_may_change_what_its_connection_allows(shelf: Any, tables: Any) -> None:
    shelf.tables("other", replace(ORDERS, name="elsewhere"))
    validation = check(shelf, APPEND, "{table: elsewhere, path: other.json}")
    assert codes(validation) == []
    assert validation.step_catalogs["orders"].table("elsewhere") is not None
    assert codes(check(shelf, APPEND, "{table: orders, host: db}")) == ["OSI-V308"]
    assert codes(check(shelf, APPEND, "{table: orders, path: 5}")) == ["OSI-V103"]
    assert codes(check(shelf, APPEND, "{table: orders, path: ../../x.json}", mode="off")) == ["OSI-V302"]
    assert codes(check(shelf, APPEND, "{table: orders, password: canary}")) == ["OSI-V301"]


@pytest.mark.parametrize(("mode", "exit_code"), [("strict", 5), ("warn", 0), ("off", 0)])
def test_a_missing_secret_is_named(
    shelf: Any, tables: Any, monkeypatch: pytest.MonkeyPatch, mode: str, exit_code: int
) -> None:
    shelf.forget("SHOP_PASSWORD", monkeypatch)
    validation = check(shelf, APPEND, mode=mode)
    assert validation.exit_code == exit_code
    found = [problem for problem in validation.problems if "SHOP_PASSWORD" in problem.message]
    assert bool(found) == (mode != "off")


def test_the_shelf_is_asked_once_for_all_its_steps(shelf: Any, tables: Any) -> None:
    check(shelf, MERGE)
    shelf.calls()
    check(shelf, MERGE)
    assert sorted(shelf.calls()) == [("probe", "shop.json"), ("probe", "ware.json")]
