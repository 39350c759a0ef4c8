"""The local engine over the lab connector: order, fan-out, partitions, what a run says."""

from __future__ import annotations

from typing import Any


def test_rows_move_and_every_step_is_reported(lab: Any) -> None:
    lab.table("orders", 5)

    result = lab.run(lab.read("orders"), lab.write("load", "orders"))

    assert result.status == "success"
    assert result.exit_code == 0
    assert lab.rows("load") == [1, 2, 3, 4, 5]
    assert lab.told() == [
        ("run_started", None),
        ("step_started", "load"),
        ("step_started", "orders"),
        ("step_completed", "orders"),
        ("step_completed", "load"),
        ("run_completed", None),
    ]
    assert lab.event("step_completed", "orders").data["rows"] == 5
    load = result.steps["load"]
    assert (load["status"], load["rows"], load["written"], load["coerced"]) == ("completed", 5, 5, {"on_lab": 1})
    assert load["duration_ms"] > 0


def test_steps_run_in_dependency_order_whatever_the_order_written(lab: Any, lab_module: Any) -> None:
    lab.table("orders", 3)
    steps = [
        lab.write("second", "again", table="second"),
        lab.write("first", "orders", table="first"),
        {**lab.read("again", table="first"), "needs": ["first"]},
        lab.read("orders"),
    ]

    for order in (steps, steps[::-1], steps[2:] + steps[:2]):
        for name in ("first", "second"):
            (lab.directory / f"{name}.json").unlink(missing_ok=True)
        lab_module.CALLS.clear()

        assert lab.run(*order).status == "success"

        assert lab.rows("second") == [1, 2, 3]
        commits = [step for what, step, *_ in lab_module.CALLS if what == "commit"]
        assert commits == ["first", "second"]


def test_a_step_that_several_read_is_read_once(lab: Any, lab_module: Any) -> None:
    lab.table("orders", 7)

    result = lab.run(
        lab.read("orders"),
        lab.transform("half", "orders"),
        lab.transform("both", "orders", "half"),
        lab.write("one", "orders"),
        lab.write("two", "both"),
    )

    assert result.status == "success"
    assert lab.rows("one") == [1, 2, 3, 4, 5, 6, 7]
    assert sorted(lab.rows("two")) == sorted([*range(1, 8), *range(1, 8)])
    assert [call for call in lab_module.CALLS if call[0] == "open_reader"] == [("open_reader", "orders")]
    assert lab.event("step_completed", "orders").data["spooled"] is True
    assert not (lab.run_dir / "work").exists()


def test_independent_branches_run_side_by_side(lab: Any) -> None:
    lab.table("orders", 4)
    steps = [
        lab.read("a", seconds_per_batch=0.2),
        lab.read("b", seconds_per_batch=0.2),
        lab.write("x", "a"),
        lab.write("y", "b"),
    ]

    def seconds(parallel: int) -> float:
        result = lab.run(*steps, parallel=parallel, run_key=f"k{parallel}")
        assert result.status == "success"
        return float(sum(result.steps[step]["duration_ms"] for step in "xy") / 1000)

    lab.run(*steps, parallel=2, run_key="warm")
    started = [event for event in lab.told("step_started", "step_completed") if event[1] in "xy"]
    assert started[:2] == [("step_started", "x"), ("step_started", "y")]
    assert len(lab.rows("x")) == len(lab.rows("y")) == 4
    lab.run(*steps, parallel=1, run_key="alone")
    alone = [event for event in lab.told("step_started", "step_completed") if event[1] in "xy"]
    assert alone == [(event, step) for step in "xy" for event in ("step_started", "step_completed")]


def test_partitions_are_staged_one_after_the_other(lab: Any, lab_module: Any) -> None:
    lab.table("orders", 9)
    result = lab.run(lab.read("orders", partition={"column": "id", "count": 3}), lab.write("load", "orders"))

    assert result.status == "success"
    assert sorted(lab.rows("load")) == list(range(1, 10))
    assert [call for call in lab_module.CALLS if call[0] == "stage"] == [("stage", "load", str(i)) for i in range(3)]
    assert result.steps["orders"]["rows"] == 9


def test_partitions_are_read_side_by_side(lab: Any, lab_module: Any) -> None:
    lab.table("orders", 9)
    partition = {"column": "id", "count": 3}
    steps = (lab.read("orders", partition=partition), lab.write("load", "orders"))

    assert lab.run(*steps, parallel=3).status == "success"

    assert sorted(lab.rows("load")) == list(range(1, 10))
    assert len([call for call in lab_module.CALLS if call[0] == "stage"]) == 1
    assert len([call for call in lab_module.CALLS if call[0] == "open_reader"]) == 3
    assert lab.value("load")["ledger"]["k1/test/load"].count('"on_lab":3') == 1


def test_an_incremental_read_goes_on_where_its_target_ended(lab: Any) -> None:
    lab.table("orders", 3)
    steps = (lab.read("orders", incremental={"cursor": "id"}), lab.write("load", "orders"))
    assert lab.run(*steps, run_key="monday").status == "success"
    assert lab.value("load")["state"] == {"orders": 3}

    lab.table("orders", 5)
    assert lab.run(*steps, run_key="tuesday").status == "success"

    assert lab.rows("load") == [1, 2, 3, 4, 5]
    assert lab.value("load")["state"] == {"orders": 5}


def test_each_target_of_an_incremental_read_has_its_own_state(lab: Any) -> None:
    lab.table("orders", 3)
    reader = lab.read("orders", incremental={"cursor": "id"})
    lab.run(reader, lab.write("one", "orders"), run_key="monday")

    lab.run(reader, lab.write("one", "orders"), lab.write("two", "orders"), run_key="tuesday")

    assert lab.rows("one") == lab.rows("two") == [1, 2, 3]


def test_what_is_committed_under_a_run_key_is_not_written_again(lab: Any) -> None:
    lab.table("orders", 3)
    steps = (lab.read("orders"), lab.write("load", "orders"))
    lab.run(*steps)

    result = lab.run(*steps)

    assert result.status == "success"
    assert lab.rows("load") == [1, 2, 3]
    assert result.steps["load"]["already_committed"] is True
    assert result.steps["load"]["written"] == 3
    assert result.steps["orders"] == {"status": "skipped", "reason": "already_committed"}


def test_a_step_that_no_sink_needs_is_skipped(lab: Any) -> None:
    lab.table("orders", 1)
    result = lab.run(lab.read("orders"), lab.read("other"), lab.write("load", "orders"))
    assert result.steps["other"] == {"status": "skipped", "reason": "not_needed"}


def test_a_dry_run_asks_the_systems_and_moves_nothing(lab: Any, lab_module: Any) -> None:
    lab.table("orders", 2)
    result = lab.run(lab.read("orders"), lab.write("load", "orders"), dry_run=True)
    assert result.status == "success"
    assert {value["reason"] for value in result.steps.values()} == {"dry_run"}
    assert lab_module.CALLS == []


def test_rows_can_be_read_ahead_of_the_writer(lab: Any) -> None:
    lab.table("orders", 50)
    result = lab.run(lab.read("orders"), lab.write("load", "orders"), prefetch_bytes=100)
    assert result.status == "success"
    assert lab.rows("load") == list(range(1, 51))
    assert result.steps["orders"]["rows"] == 50


def test_a_driver_that_knows_a_stream_of_its_own_may_read_it_directly(lab: Any, lab_module: Any) -> None:
    """Then the engine has counted nothing, and what ``stage`` says it took decides."""

    class Fusing(lab_module.LabWriter):
        def stage(self, stream: Any, partition: int = 0) -> int:
            return int(super().stage(stream.origin, partition))

    lab.table("orders", 3)
    lab.registry.driver("lab.table").open_writer = Fusing
    result = lab.run(lab.read("orders"), lab.write("load", "orders"))
    assert result.status == "success"
    assert (result.steps["load"]["rows"], result.steps["load"]["written"]) == (3, 3)
    assert result.steps["load"]["coerced"] == {"on_lab": 1}
    orders = result.steps["orders"]
    assert (orders["fused"], "rows" in orders) == (True, False)

    result = lab.run(lab.read("orders"), lab.write("load", "orders", lose=1), run_key="k2")
    assert result.error["code"] == "OSI-R003"


def test_columns_get_the_names_of_the_target_on_their_way(lab: Any, lab_module: Any) -> None:
    """``naming: snake`` is the engine's: no writer does anything for it, and the state stays the source's."""
    columns = {"id": "int64", "Order ID": "int64"}
    lab.table("orders", [{"id": n, "Order ID": n * 10} for n in (1, 2)], columns=columns)
    steps = (lab.read("orders", incremental={"cursor": "id"}), lab.write("load", "orders", naming="snake"))
    result = lab.run(*steps)
    assert (result.status, result.steps["load"]["written"]) == ("success", 2)
    loaded = lab.value("load")
    assert loaded["rows"] == [{"id": 1, "order_id": 10}, {"id": 2, "order_id": 20}]
    assert loaded["state"] == {"orders": 2}

    lab.table("orders", [{"id": n, "Order ID": n * 10} for n in (1, 2, 3)], columns=columns)
    assert lab.run(*steps, run_key="k2").steps["load"]["written"] == 1
    for number, options in enumerate(({"parallel": 2}, {"prefetch_bytes": 100}), 3):
        sinks = [lab.write(f"load{number}{at}", "orders", naming="snake", through_c=at) for at in (False, True)]
        assert lab.run(lab.read("orders"), *sinks, run_key=f"k{number}", **options).status == "success"
        for sink in sinks:
            assert [row["order_id"] for row in lab.value(sink["id"])["rows"]] == [10, 20, 30]


def test_two_columns_of_one_name_stop_a_run_before_a_row_is_read(lab: Any) -> None:
    lab.table("orders", [{"id": 1, "ID": 2}], columns={"id": "int64", "ID": "int64"})
    lab.table("load", [{"id": 7}], columns={"id": "int64"})
    result = lab.run(lab.read("orders"), lab.write("load", "orders", naming="snake"))
    assert (result.status, result.exit_code, result.error["code"]) == ("failed", 4, "OSI-R114")
    assert 'the columns "id" and "ID" would all be "id"' in result.error["message"]
    assert result.error["step"] == "load"
    assert result.steps["orders"].get("rows", 0) == 0
    assert lab.rows("load") == [7]
