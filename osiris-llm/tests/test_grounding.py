"""Grounding: certain readings are repaired and told, uncertain ones asked, impossible ones refused."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from osiris_core import Catalog, Column, Table
from osiris_core.context import Cannot, Condition, Form, Move, Rename, Source, SqlMove, View
from osiris_llm.grounding import Grounded, ground

NOW = datetime(2026, 11, 23, tzinfo=UTC)
ORDERS = Table(
    "orders",
    (
        Column("id", "bigint", "int64", nullable=False),
        Column("status", "varchar", "string"),
        Column("total", "decimal(10,2)", "decimal128(10, 2)"),
        Column("placed_at", "timestamptz", "timestamp[us, tz=UTC]"),
        Column("settled", "boolean", "bool"),
    ),
    primary_key=("id",),
)
TIMESHEETS = Table("timesheets", (Column("worker", "varchar", "string"), Column("hours", "int", "int32")))
CUSTOMERS = Table(
    "customers", (Column("id", "bigint", "int64"), Column("name", "varchar", "string")), primary_key=("id",)
)
MODES = ("append", "merge", "replace")
VIEW = View(
    (
        Source("shop", "duckdb.table", Catalog("duckdb.table", (CUSTOMERS, ORDERS, TIMESHEETS)), True, MODES),
        Source("lake", "duckdb.table", Catalog("duckdb.table"), True, MODES, creates=True),
    ),
    transform="duckdb.sql",
)
MOVE = Move("orders", "lake", "orders", "append")


def grounded(request: str, move: Move = MOVE, view: View = VIEW, **changes: object) -> Grounded:
    return ground(Form("", (replace(move, **changes),)), request, view, NOW)  # type: ignore[arg-type]


def only_move(result: Grounded) -> Move:
    assert isinstance(result.answer, tuple), result
    return result.answer[0]


def test_a_form_that_says_what_the_request_says_passes_without_a_word() -> None:
    result = grounded("append the orders to lake")
    assert result == Grounded((MOVE,))


def test_the_mode_the_request_names_wins_and_merge_takes_the_primary_key() -> None:
    result = grounded("merge orders into @lake")
    assert only_move(result) == replace(MOVE, mode="merge", keys=("id",))
    assert any("merge" in note for note in result.notes)


def test_the_only_table_the_request_names_is_read_instead() -> None:
    result = grounded("append customers to lake")
    assert only_move(result).source == "customers"
    assert only_move(result).table == "customers"


def test_the_only_table_that_has_all_the_columns_is_read_instead() -> None:
    result = grounded("append worker and hours to lake", columns=("worker", "hours"))
    assert only_move(result).source == "timesheets"


def test_a_column_the_table_lacks_is_refused_when_the_request_asks_for_it() -> None:
    result = grounded("append orders with their hours to lake", columns=("id", "hours"))
    assert "hours" in result.refusal


def test_columns_nobody_asked_for_are_not_a_choice() -> None:
    result = grounded("append orders to lake", columns=("status", "total"))
    assert only_move(result).columns == ()


def test_a_filter_value_the_request_never_named_becomes_a_question() -> None:
    assert "cancelled" in grounded("append orders to lake", where=(Condition("status", "=", "cancelled"),)).question
    kept = grounded("append the cancelled orders to lake", where=(Condition("status", "=", "cancelled"),))
    assert only_move(kept).where == (Condition("status", "=", "cancelled"),)


def test_an_empty_filter_is_dropped_and_told() -> None:
    result = grounded("append orders to lake", where=(Condition("status", "=", " "),))
    assert only_move(result).where == ()
    assert "nothing" in result.notes[0]


def test_a_condition_that_compares_with_a_column_name_is_dropped() -> None:
    result = grounded("merge orders into lake on id", where=(Condition("id", "=", "id"),))
    assert only_move(result).where == ()


def test_columns_named_only_to_filter_by_are_not_a_choice() -> None:
    where = (Condition("status", "=", "paid"),)
    result = grounded("append only the paid orders (status = 'paid') to lake", columns=("status",), where=where)
    assert only_move(result).columns == ()


@pytest.mark.parametrize(
    "request_text",
    [
        "append last month's orders to lake",
        "přidej objednávky orders za minulý měsíc do lake",
        "先月の orders を lake に追加",
    ],
)
def test_a_date_is_resolved_by_the_clock_and_grounded_in_the_words_of_the_language(request_text: str) -> None:
    result = grounded(request_text, where=(Condition("placed_at", "=", "last_month"),))
    assert only_move(result).where == (
        Condition("placed_at", ">=", "2026-10-01 00:00:00+00:00"),
        Condition("placed_at", "<", "2026-11-01 00:00:00+00:00"),
    )


def test_a_date_the_request_does_not_name_becomes_a_question() -> None:
    assert (
        "last_year"
        in grounded("append orders of this month to lake", where=(Condition("placed_at", "=", "last_year"),)).question
    )


@pytest.mark.parametrize(
    "request_text",
    [
        "delete all orders from lake",
        "copy orders to BigQuery",
        "append orders with discount_code to lake",
        "append orders from @legacy to lake",
        "smaž orders v lake",
    ],
)
def test_what_cannot_be_is_refused_whatever_the_model_answered(request_text: str) -> None:
    result = grounded(request_text)
    assert result.refusal
    assert result.answer is None


@pytest.mark.parametrize(
    "request_text",
    [
        "append the new stuff to lake",
        "append only the important orders to lake",
        "append orders marked 'gift wrap' to lake",
        "append orders above 300 to lake",
        "append the sum of total per status from orders to lake",
    ],
)
def test_an_incomplete_reading_becomes_one_question(request_text: str) -> None:
    result = grounded(request_text)
    assert result.question
    assert result.answer is None


def test_a_table_in_two_connections_without_a_cue_is_asked_about() -> None:
    view = View((VIEW.sources[0], replace(VIEW.sources[0], alias="mirror"), VIEW.sources[1]))
    assert "orders" in grounded("append orders to lake", view=view, source="orders@shop").question
    cued = grounded("append orders from mirror to lake", view=view, source="orders@shop")
    assert only_move(cued).source == "orders@mirror"


def test_a_mode_the_target_lacks_is_refused() -> None:
    view = View((VIEW.sources[0], replace(VIEW.sources[1], write_modes=("append",))))
    assert "cannot merge" in grounded("merge orders into lake", view=view).refusal


def test_incremental_is_what_the_request_says() -> None:
    assert only_move(grounded("incrementally merge orders into lake")).incremental
    assert not only_move(grounded("merge orders into lake", incremental=True)).incremental


def test_a_rename_stays() -> None:
    result = grounded("append orders to lake, rename total to amount", renames=(Rename("total", "amount"),))
    assert only_move(result).renames == (Rename("total", "amount"),)


def test_a_declined_answer_is_a_question_or_a_refusal() -> None:
    assert ground(Form("", Cannot("ambiguous", "which?")), "copy it", VIEW, NOW).question == "which?"
    assert ground(Form("", Cannot("missing_table", "no such")), "copy it", VIEW, NOW).refusal == "no such"


def test_a_refusal_that_the_catalogue_disproves_is_not_repeated() -> None:
    refusal = ground(Form("", Cannot("missing_table", "There is no orders.")), "copy the orders", VIEW, NOW).refusal
    assert "There is no" not in refusal
    assert '"orders" is there to read' in refusal


def test_sql_needs_a_named_input_a_target_and_keys_for_a_merge() -> None:
    form = SqlMove(("orders",), "SELECT 1", "lake", "t", "replace")
    request = "sum of total per status from orders into lake table t, replace"
    assert ground(Form("", form), request, VIEW, NOW).answer == form
    assert ground(Form("", replace(form, mode="merge")), "join orders into lake", VIEW, NOW).question
    assert ground(Form("", form), "sum it all up", VIEW, NOW).question


def test_the_table_the_request_introduces_is_written_and_never_the_sources_name_instead() -> None:
    result = grounded("append orders to lake as table archive_of_all")
    assert only_move(result).table == "archive_of_all"
    assert any("archive_of_all" in note for note in result.notes)
    assert "archive" in grounded("append orders and the table archive to lake").question


def test_two_tables_are_not_written_into_one() -> None:
    moves = (MOVE, replace(MOVE, source="customers", table="customers"))
    found = ground(Form("", moves), "append orders and customers to lake as table both", VIEW, NOW)
    assert "two into one" in found.question


def where(result: Grounded) -> list[tuple[str, str]]:
    return [(condition.op, condition.value) for condition in only_move(result).where]


def test_a_month_without_since_ends_with_the_month() -> None:
    open_ended = (Condition("placed_at", "=", "since:2026-02-01"),)
    result = grounded("append the orders placed_at in February 2026 to lake", where=open_ended)
    assert where(result) == [(">=", "2026-02-01 00:00:00+00:00"), ("<", "2026-03-01 00:00:00+00:00")]
    assert any("2026-02" in note for note in result.notes)
    since = grounded("append the orders placed_at since February 2026 to lake", where=open_ended)
    assert where(since) == [(">=", "2026-02-01 00:00:00+00:00")]
    no_month = (Condition("placed_at", "=", "since:2026-02-10"),)
    assert grounded("append the orders of 10 2 2026 by placed_at to lake", where=no_month).question


def test_two_months_with_both_sides_are_a_span_though_the_form_lost_its_end() -> None:
    for end in ("since:2026-01-01", "since:2026-03-31"):
        open_ended = (Condition("placed_at", "=", end),)
        result = grounded("append orders placed_at from January until March 2026 to lake", where=open_ended)
        assert where(result) == [(">=", "2026-01-01 00:00:00+00:00"), ("<", "2026-04-01 00:00:00+00:00")]
    listed = grounded("append orders placed_at in January, March 2026 to lake", where=open_ended)
    assert listed == Grounded(
        None, question='Which time is meant for placed_at? "since:2026-03-31" is not in the request.'
    )


def test_an_incremental_read_gets_no_time_that_nobody_named() -> None:
    invented = (Condition("placed_at", "=", "since:2026-01-01"),)
    result = grounded("incrementally append the orders to lake", where=invented, incremental=True)
    assert where(result) == []
    assert any("incremental" in note for note in result.notes)
    named = grounded("incrementally append the orders since January 2026 to lake", where=invented, incremental=True)
    assert where(named) == [(">=", "2026-01-01 00:00:00+00:00")]


def test_tables_named_in_one_breath_are_all_copied_and_told() -> None:
    result = grounded("replace orders and customers in lake", mode="replace")
    assert isinstance(result.answer, tuple)
    assert [(move.source, move.table) for move in result.answer] == [("orders", "orders"), ("customers", "customers")]
    assert any("customers" in note for note in result.notes)


@pytest.mark.parametrize(
    "request_text", ["append orders but not customers to lake", "append only orders, customers to lake"]
)
def test_tables_that_a_request_restricts_are_asked_about(request_text: str) -> None:
    question = 'What about "customers"? The request names it and the plan does not use it.'
    assert grounded(request_text) == Grounded(None, question=question)


def test_a_name_for_what_a_query_computes_is_no_unknown_name() -> None:
    form = SqlMove(
        ("orders",), "SELECT status, SUM(total) AS total_sum FROM orders GROUP BY status", "lake", "s", "append"
    )
    request = "from orders compute the sum of total per status, call it total_sum, append to lake table s"
    assert ground(Form("", form), request, VIEW, NOW) == Grounded(form)
    assert ground(Form("", form), "append to lake the sum of total per total_sum of orders", VIEW, NOW).refusal


def test_months_over_the_turn_of_a_year_stay_as_the_form_has_them() -> None:
    right = (Condition("placed_at", "=", "2025-11..2026-02"),)
    result = grounded("append orders placed_at from November 2025 until February 2026 to lake", where=right)
    assert where(result) == [(">=", "2025-11-01 00:00:00+00:00"), ("<", "2026-03-01 00:00:00+00:00")]
    lost = (Condition("placed_at", "=", "since:2025-11-01"),)
    turned = grounded("append orders placed_at from November 2025 until February 2026 to lake", where=lost)
    assert turned == Grounded(
        None, question='Which time is meant for placed_at? "since:2025-11-01" is not in the request.'
    )


@pytest.mark.parametrize("long", ["a" * 100_000, "-." * 50_000, "a, " * 30_000, "x and " * 20_000])
def test_a_long_request_is_looked_at_in_time(long: str) -> None:
    start = time.process_time()
    grounded(f"{long} append the orders to lake")
    assert time.process_time() - start < 10


def test_a_table_called_like_a_small_word_is_not_copied_by_that_word() -> None:
    tables = tuple(replace(CUSTOMERS, name=name) for name in ("by", "copy"))
    shop = Source("shop", "duckdb.table", Catalog("duckdb.table", (*tables, ORDERS)), True, MODES)
    view = replace(VIEW, sources=(shop, VIEW.sources[1]))
    result = grounded("replace lake orders by a copy of orders", view=view, mode="replace")
    question = 'What about "by", "copy"? The request names it and the plan does not use it.'
    assert result == Grounded(None, question=question)
