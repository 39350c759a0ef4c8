"""The validator: modes, catalogues, mends, what plugins see, and what it leaves alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from osiris_core.catalog.store import Catalogs
from osiris_core.drivers import StepView
from osiris_core.errors import ConnectError, PluginError
from osiris_core.oml import load
from osiris_core.problem_codes import CODES
from osiris_core.problems import Problem
from osiris_core.session import Session
from osiris_core.validate import severity, validate
from osiris_core.validate.mending import mend
from osiris_core.validate.suggest import certain, is_slip

HEAD = 'oml_version: "0.0.1"\nname: copy\n'
COPY = (
    HEAD
    + """\
params:
  least: {type: integer, default: 10}
steps:
  - id: load
    component: duckdb.table
    mode: write
    connection: "@ware"
    needs: [orders]
    config: {table: order_copy, write_mode: merge, merge_keys: [id]}
  - id: orders
    component: duckdb.table
    mode: read
    connection: "@shop"
    config:
      table: orders
      columns: [id, customer_id, total]
      where: [{column: id, op: ">=", value: "${params.least}"}]
"""
)


# -- what comes back -----------------------------------------------------------------------------------
def test_a_valid_pipeline_comes_back_in_order_and_ready_to_bind(shop: Any) -> None:
    validation = shop.check(COPY)
    assert validation.problems == []
    assert validation.ok
    assert validation.exit_code == 0
    assert validation.pipeline.order == ("orders", "load")
    assert [step.id for step in validation.pipeline.steps] == ["load", "orders"]
    assert validation.pipeline.step("orders").config["where"][0]["value"] == "${params.least}"
    assert validation.pipeline.bind().step("orders").config["where"][0]["value"] == 10
    assert sorted(validation.catalogs) == ["shop", "ware"]


def test_an_invalid_pipeline_has_no_pipeline(shop: Any) -> None:
    validation = shop.check(COPY.replace("order_copy", "order_cpy"))
    assert validation.pipeline is None
    assert [problem.code for problem in validation.errors] == ["OSI-V201"]


def test_problems_come_in_the_order_of_the_file_each_once(shop: Any) -> None:
    text = COPY.replace("[id]", "[idd]").replace("customer_id", "custmer_id").replace("name: copy", "name: co py")
    problems = shop.check(text).problems
    starts = [problem.span.start_index for problem in problems]
    assert starts == sorted(starts)
    assert len({(problem.code, problem.path) for problem in problems}) == len(problems)


def test_parameters_from_outside_are_checked_and_bound(shop: Any) -> None:
    assert shop.check(COPY, params={"least": "7"}).pipeline.bind().values == {"least": 7}
    assert shop.codes(COPY, params={"least": "many"}) == ["OSI-V132"]
    assert shop.codes(COPY, params={"leest": "7"}) == ["OSI-V135"]
    open_text = COPY.replace(", default: 10", "")
    assert shop.codes(open_text) == ["OSI-V131"]
    assert shop.codes(open_text, params={"least": "7"}) == []


def test_a_parameter_nobody_uses_is_advice(shop: Any) -> None:
    validation = shop.check(COPY.replace("  least:", "  most: {type: integer, default: 1}\n  least:"))
    assert [(p.code, p.severity) for p in validation.problems] == [("OSI-V136", "warning")]
    assert validation.ok


# -- modes ---------------------------------------------------------------------------------------------
TO_A_FILE = (
    'duckdb.table\n    mode: write\n    connection: "@ware"',
    'file.table\n    mode: write\n    connection: "@files"',
)
STALE = COPY.replace("table: orders", "table: ordrs")


@pytest.mark.parametrize(
    ("mode", "found", "code"), [("strict", ["error"], 2), ("warn", ["warning"], 0), ("off", [], 0)]
)
def test_the_mode_decides_about_the_catalogue(shop: Any, mode: str, found: list[str], code: int) -> None:
    validation = shop.check(STALE, mode)
    assert [problem.severity for problem in validation.problems] == found
    assert validation.exit_code == code


@pytest.mark.parametrize("mode", ["strict", "warn", "off"])
@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("merge_keys: [id]", "merge_keys: [id], password: hunter2"), "OSI-V301"),
        (("needs: [orders]", "needs: [other]"), "OSI-V113"),
        (("table: orders\n      columns: [id, customer_id, total]", "query: DROP TABLE orders"), "OSI-V304"),
        (TO_A_FILE, "OSI-V104"),
        (("@ware", "@wear"), "OSI-C002"),
    ],
    ids=["secret", "needs", "sql", "schema", "connection"],
)  # fmt: skip
def test_no_mode_lets_these_through(shop: Any, mode: str, change: tuple[str, str], code: str) -> None:
    validation = shop.check(COPY.replace(*change), mode)
    assert code in [problem.code for problem in validation.errors]
    assert validation.exit_code == CODES[code].exit_code


def test_a_path_out_of_the_directory_is_refused_in_every_mode(shop: Any) -> None:
    text = COPY.replace(
        'duckdb.table\n    mode: write\n    connection: "@ware"',
        'file.table\n    mode: write\n    connection: "@files"',
    )
    text = text.replace(
        "table: order_copy, write_mode: merge, merge_keys: [id]", "table: ../x.csv, write_mode: replace"
    )
    for mode in ("strict", "warn", "off"):
        assert "OSI-V302" in shop.codes(text, mode)


def test_off_asks_no_system(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("a catalogue was asked")

    monkeypatch.setattr(Catalogs, "get", asked)
    assert shop.codes(COPY, "off") == []
    assert shop.codes(COPY, "strict", use_catalog=False) == []


def test_each_connection_is_asked_once(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    original = Catalogs.get

    def get(self: Catalogs, alias: str | None, *args: Any, **kwargs: Any) -> Any:
        asked.append(alias)
        return original(self, alias, *args, **kwargs)

    monkeypatch.setattr(Catalogs, "get", get)
    more = COPY + COPY[COPY.index("  - id: orders") :].replace("id: orders", "id: again")
    shop.check(more)
    assert sorted(map(str, asked)) == ["shop", "ware"]


@pytest.mark.parametrize(("mode", "code"), [("strict", 5), ("warn", 0)])
def test_a_system_that_does_not_answer(shop: Any, monkeypatch: pytest.MonkeyPatch, mode: str, code: int) -> None:
    def silent(*args: Any, **kwargs: Any) -> None:
        raise ConnectError("nobody is there", hint="switch it on")

    monkeypatch.setattr(Catalogs, "get", silent)
    validation = shop.check(COPY, mode)
    assert [problem.code for problem in validation.problems] == ["OSI-V290"] * 2
    assert "nobody is there" in validation.problems[0].message
    assert validation.problems[0].hint == "switch it on"
    assert validation.exit_code == code


def test_a_broken_plugin_refuses_in_every_mode(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise PluginError("it crashed")

    monkeypatch.setattr(Catalogs, "get", broken)
    assert shop.check(COPY, "warn").exit_code == 5


def test_severity_is_decided_for_every_code_and_mode() -> None:
    for code in CODES.values():
        decided = [severity(code.code, mode) for mode in ("strict", "warn", "off")]
        expected = {"catalog": ["error", "warning", "warning"], "advice": ["warning"] * 3}
        assert decided == expected.get(code.category, ["error"] * 3), code.code
    assert severity("ACME-1", "off") == "error", "a code of somebody else's refuses"
    assert severity("ACME-1", "strict", "warning") == "warning", "unless they say otherwise"


# -- the catalogue, live -------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("ALTER TABLE plain RENAME COLUMN customer_id TO customer", "OSI-V202"),
        ("ALTER TABLE plain DROP COLUMN total", "OSI-V202"),
        ("DROP TABLE plain", "OSI-V201"),
    ],
)
def test_a_change_a_moment_ago_is_seen(own_shop: Any, statement: str, code: str) -> None:
    database = str(own_shop.root / "shop.duckdb")
    with duckdb.connect(database) as connection:
        connection.execute("CREATE TABLE plain AS SELECT id, customer_id, total FROM orders")
    text = COPY.replace("table: orders", "table: plain")
    assert Session.open(own_shop.root, plugins=["duckdb"]) is not None
    assert own_shop.codes(text) == []
    with duckdb.connect(database) as connection:
        connection.execute(statement)
    assert code in own_shop.codes(text)


# -- plugins -------------------------------------------------------------------------------------------
def test_plugins_see_bound_steps_with_the_columns_of_their_inputs(own_shop: Any) -> None:
    seen: dict[str, StepView] = {}

    class Watcher:
        from osiris_core.hookspecs import hookimpl

        @hookimpl
        def osiris_validate_step(self, step: StepView) -> list[Problem]:
            seen[step.id] = step
            return [Problem("OSI-V090", "not here", ("config", "table"))] if step.mode == "write" else []

    own_shop.session.plugins.register("watcher", Watcher())
    validation = own_shop.check(COPY)
    assert seen["orders"].config["where"][0]["value"] == 10
    assert list(seen["load"].inputs["orders"]) == ["id", "customer_id", "total"]
    assert [(p.code, p.span.line) for p in validation.problems] == [("OSI-V090", 11)]


def test_plugins_do_not_see_steps_that_are_refused_already(own_shop: Any) -> None:
    class Watcher:
        from osiris_core.hookspecs import hookimpl

        @hookimpl
        def osiris_validate_step(self, step: StepView) -> list[Problem]:
            raise AssertionError(f"{step.id} was shown")

    own_shop.session.plugins.register("watcher", Watcher())
    text = COPY.replace("columns: [id,", "limit: -1\n      columns: [id,").replace("[id]}", "[]}")
    assert own_shop.codes(text) == ["OSI-V105", "OSI-V105"]


# -- mends ---------------------------------------------------------------------------------------------
FAULTY = """\
# keep me
oml_version: "0.0.1"
name: copy
steps:
  - id: orders
    component: duckdb.tabel   # a slip
    mode: extract
    connection: shop

    config: {tabel: orders, columns: [id, custmer_id, total], limit: "10"}
  - id: load
    component: duckdb.table
    mode: write
    connection: '@waer'
    needs: order
    config:
      # where to
      table: order_copy
      write_mode: upsert
      merge_keys: [id]
"""


def test_certain_mends_are_made_and_everything_else_stays(own_shop: Any) -> None:
    file: Path = own_shop.root / "faulty.yaml"
    file.write_text(FAULTY)
    file.chmod(0o640)
    validation, done = mend(file, lambda: validate(file, own_shop.session, mode="strict"))
    mended = FAULTY
    for old, new in (
        ("duckdb.tabel", "duckdb.table"), ("extract", "read"), ("connection: shop", 'connection: "@shop"'),
        ("{tabel", "{table"), ("custmer_id", "customer_id"), ('"10"', "10"), ("needs: order", "needs: [order]"),
        ("[order]", "[orders]"), ("upsert", "merge"), ("'@waer'", "'@ware'"),
    ):  # fmt: skip
        mended = mended.replace(old, new)
    assert file.read_text() == mended
    assert validation.problems == []
    assert {done_one.code for done_one in done} >= {"OSI-V120", "OSI-V104", "OSI-V127", "OSI-V102", "OSI-V202"}
    assert file.stat().st_mode & 0o777 == 0o640


def test_windows_line_ends_survive_a_mend(own_shop: Any) -> None:
    file: Path = own_shop.root / "faulty.yaml"
    file.write_bytes(COPY.replace("write_mode: merge", "write_mode: upsert").replace("\n", "\r\n").encode())
    mend(file, lambda: validate(file, own_shop.session, mode="strict"))
    assert file.read_bytes() == COPY.replace("\n", "\r\n").encode()


def test_what_is_not_certain_is_left(own_shop: Any) -> None:
    file: Path = own_shop.root / "faulty.yaml"
    text = COPY.replace("table: orders", "table: order_2026").replace("merge_keys: [id]", "merge_keys: [customer]")
    file.write_text(text)
    validation, done = mend(file, lambda: validate(file, own_shop.session, mode="strict"))
    assert done == []
    assert file.read_text() == text
    assert not validation.ok


def test_two_slips_to_one_key_are_not_mended_into_a_duplicate(own_shop: Any) -> None:
    file: Path = own_shop.root / "faulty.yaml"
    file.write_text(COPY.replace("columns: [id, customer_id, total]", "colums: [id]\n      columsn: [total]"))
    mend(file, lambda: validate(file, own_shop.session, mode="strict"))
    assert load(file.read_text()).problems == []


@pytest.mark.parametrize(
    "block",
    [
        "sql: |\n        SELECT id,\n          {}\n        FROM {}",
        'sql: "SELECT id, {} FROM {}"',
        "sql: SELECT id, {} FROM {}",
    ],
    ids=["block", "quoted", "plain"],
)
def test_names_in_sql_are_mended_in_place(own_shop: Any, block: str) -> None:
    text = (
        COPY[: COPY.index("  - id: load")]
        + """\
  - id: orders
    component: duckdb.table
    mode: read
    connection: "@shop"
    config: {table: orders, columns: [id, total]}
  - id: sums
    component: duckdb.sql
    mode: transform
    needs: [orders]
    config:
      BLOCK
  - id: file
    component: file.table
    mode: write
    connection: "@files"
    needs: [sums]
    config: {table: sums.csv, write_mode: replace}
"""
    )
    file: Path = own_shop.root / "faulty.yaml"
    file.write_text(text.replace("BLOCK", block.format("totl", "ordrs")))
    validation, done = mend(file, lambda: validate(file, own_shop.session, mode="strict"))
    assert validation.ok
    assert file.read_text() == text.replace("BLOCK", block.format("total", "orders"))
    assert {one.code for one in done} == {"OSI-V150", "OSI-V213"}


def test_syntax_is_mended_where_it_is_certain(own_shop: Any) -> None:
    file: Path = own_shop.root / "faulty.yaml"
    file.write_text(COPY.replace('"@ware"', "@ware").replace('"${params.least}"', "${params.least}"))
    validation, _ = mend(file, lambda: validate(file, own_shop.session, mode="strict"))
    assert validation.problems == []
    assert file.read_text() == COPY


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("ordrs", ["orders", "customers"], "orders"),
        ("Orders", ["orders"], "orders"),
        ("order_items", ["orderitems"], "orderitems"),
        ("tabel", ["table", "label"], None),
        ("customer", ["customer_id"], None),
        ("custmoer_id", ["customer_id"], "customer_id"),
        ("sales_2025", ["sales_2024"], None),
        ("ax", ["ay"], None),
        ("col_x", ["col_a", "col_b"], None),
        ("invoices", ["orders"], None),
        ("orders", ["orders"], None),
    ],
)
def test_only_a_slip_of_the_finger_is_certain(word: str, known: list[str], meant: str | None) -> None:
    assert certain(word, known) == meant


def test_a_very_long_word_is_compared_with_nothing() -> None:
    assert not is_slip("a" * 100_000, "b" * 100_000)


# -- JSON ----------------------------------------------------------------------------------------------
def test_problems_are_json_values(shop: Any) -> None:
    problem = shop.check(STALE).problems[0].to_json()
    assert json.loads(json.dumps(problem)) == problem
    assert problem["path"] == "/steps/1/config/table"
    assert (problem["line"], problem["severity"], problem["code"]) == (17, "error", "OSI-V201")
    assert problem["docs_url"].lower().endswith("osi-v201")
