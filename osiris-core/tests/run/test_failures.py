"""What goes wrong in a run: attributed to the right step, retried when that can do no harm, rolled back."""

from __future__ import annotations

import time
from typing import Any

import pytest


def fail(phase: str, **more: Any) -> dict[str, Any]:
    return {"phase": phase, **more}


AGAIN = {"kind": "connection", "message": "come again"}


@pytest.mark.parametrize("through_c", [False, True], ids=["python", "arrow-c"])
def test_the_step_at_fault_is_named(lab: Any, through_c: bool) -> None:
    """Also where Arrow's C interface passed on nothing but the text of the error."""
    lab.table("orders", 6)
    result = lab.run(
        lab.read("orders", fail=fail("read", kind="data", message="row 2 is bad")),
        lab.transform("change", "orders"),
        lab.write("load", "change", through_c=through_c),
    )

    assert (result.status, result.exit_code) == ("failed", 4)
    assert result.error == {
        "code": "OSI-R001",
        "message": "row 2 is bad",
        "hint": "mend the lab",
        "retryable": False,
        "exit_code": 4,
        "step": "orders",
    }
    assert lab.event("step_failed", "orders").data["error"]["message"] == "row 2 is bad"
    for step in ("change", "load"):
        error = lab.event("step_failed", step).data["error"]
        assert (error["code"], error["message"]) == ("OSI-R004", 'stopped because step "orders" failed')
    assert lab.told()[-1] == ("run_failed", None)
    assert lab.rows("load") == []


@pytest.mark.parametrize("phase", ["begin", "stage", "commit"])
def test_a_failing_writer_is_aborted_and_closed(lab: Any, lab_module: Any, phase: str) -> None:
    lab.table("orders", 2)
    result = lab.run(lab.read("orders"), lab.write("load", "orders", fail=fail(phase)))
    assert (result.exit_code, result.error["step"]) == (4, "load")
    assert [call[0] for call in lab_module.CALLS][-2:] == ["abort", "close"]
    assert lab.rows("load") == []


def test_a_transform_that_fails_is_named(lab: Any) -> None:
    lab.table("orders", 4)
    result = lab.run(lab.read("orders"), lab.transform("t", "orders", fail=fail("read")), lab.write("load", "t"))
    assert result.error["step"] == "t"


def test_an_unknown_error_of_a_driver_is_a_failed_run(lab: Any) -> None:
    lab.table("orders", 4)
    result = lab.run(lab.read("orders", fail=fail("read", kind="unknown", message="a\nb")), lab.write("load", "orders"))
    assert (result.exit_code, result.error["code"]) == (4, "OSI-R001")
    assert result.error["message"] == "ZeroDivisionError: a"


def test_an_error_of_ours_is_a_bug(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from osiris_core.run import sink

    def broken(*arguments: Any) -> None:
        raise KeyError("ours")

    monkeypatch.setattr(sink, "_is_exactly_once", broken)
    lab.table("orders", 4)
    result = lab.run(lab.read("orders"), lab.write("load", "orders"))
    assert (result.exit_code, result.error["code"]) == (1, "OSI-X001")
    assert "KeyError: 'ours'" in (lab.run_dir / "traceback.txt").read_text()


@pytest.mark.parametrize(
    ("kind", "before", "after"), [("connection", 5, 4), ("connect", 5, 4), ("run", 4, 4), ("data", 4, 4)]
)
def test_a_lost_connection_is_exit_5_before_and_4_after_the_first_row(
    lab: Any, kind: str, before: int, after: int
) -> None:
    lab.table("orders", 9)
    for phase, expected in (("open", before), ("read", after)):
        reader = lab.read("orders", fail=fail(phase, kind=kind))
        assert lab.run(reader, lab.write("load", "orders")).exit_code == expected, phase


def test_secrets_are_masked_in_unknown_errors(lab: Any) -> None:
    lab.table("orders", 1)
    result = lab.run(lab.read("orders"), lab.write("load", "orders", password_in_error=True))
    assert result.error["message"] == "RuntimeError: cannot log in with ***"
    assert lab.password not in repr(lab.events)


# -- retries ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("phase", ["open", "read"])
def test_a_fault_that_may_pass_is_tried_again(lab: Any, phase: str) -> None:
    lab.table("orders", 6)
    result = lab.run(lab.read("orders", fail=fail(phase, times=2, **AGAIN)), lab.write("load", "orders"))
    assert result.status == "success"
    assert lab.rows("load") == [1, 2, 3, 4, 5, 6]
    retries = [event.data for event in lab.events if event.event == "step_retried"]
    assert [retry["attempt"] for retry in retries] == [1, 2]
    assert retries[0]["error"]["step"] == "orders"
    assert (result.steps["orders"]["rows"], result.steps["load"]["rows"]) == (6, 6)


def test_retries_end(lab: Any) -> None:
    lab.table("orders", 6)
    result = lab.run(lab.read("orders", fail=fail("read", **AGAIN)), lab.write("load", "orders"), retries=3)
    assert result.exit_code == 4
    assert len(lab.told("step_retried")) == 3
    assert result.error["retryable"] is True


def test_what_cannot_pass_is_not_tried_again(lab: Any) -> None:
    lab.table("orders", 6)
    lab.run(lab.read("orders", fail=fail("read", kind="connection", message="no")), lab.write("load", "orders"))
    assert lab.told("step_retried") == []


def test_waits_grow_and_have_jitter() -> None:
    from osiris_core.run.sink import _wait_seconds

    first, third = ([_wait_seconds(0.5, attempt) for _ in range(200)] for attempt in (1, 3))
    assert 0.25 <= min(first) < max(first) <= 0.75
    assert 1.0 <= min(third) < max(third) <= 3.0
    assert _wait_seconds(0.5, 50) <= 45


def test_a_commit_whose_answer_was_lost_is_not_done_twice(lab: Any) -> None:
    """The connection breaks right after COMMIT: the second try asks the ledger."""
    lab.table("orders", 3)
    result = lab.run(lab.read("orders"), lab.write("load", "orders", fail=fail("after_commit", times=1, **AGAIN)))
    assert result.status == "success"
    assert lab.rows("load") == [1, 2, 3]
    assert result.steps["load"]["already_committed"] is True
    assert result.steps["load"]["written"] == 3


def test_without_a_ledger_an_append_that_moved_rows_is_not_tried_again(lab: Any) -> None:
    lab.table("orders", 3)
    options = {"delivery": "at_least_once", "ledger": False}
    result = lab.run(lab.read("orders"), lab.write("load", "orders", fail=fail("after_commit", **AGAIN), **options))
    assert result.exit_code == 4
    assert lab.told("step_retried") == []
    assert lab.rows("load") == [1, 2, 3]


def test_without_a_ledger_a_replace_may_be_tried_again(lab: Any) -> None:
    lab.table("orders", 3)
    options = {"delivery": "at_least_once", "ledger": False, "write_mode": "replace"}
    result = lab.run(
        lab.read("orders"), lab.write("load", "orders", fail=fail("after_commit", times=1, **AGAIN), **options)
    )
    assert result.status == "success"
    assert lab.rows("load") == [1, 2, 3]


def test_a_spool_survives_the_retry_of_its_reader(lab: Any, lab_module: Any) -> None:
    lab.table("orders", 3)
    result = lab.run(
        lab.read("orders"),
        lab.write("one", "orders", fail=fail("stage", times=1, **AGAIN)),
        lab.write("two", "orders"),
    )
    assert result.status == "success"
    assert lab.rows("one") == lab.rows("two") == [1, 2, 3]
    assert [call for call in lab_module.CALLS if call[0] == "open_reader"] == [("open_reader", "orders")]
    assert result.steps["one"]["rows"] == 3


# -- reconciliation ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("config", [{"lose": 1}, {"stop_at": 2}], ids=["miscounted", "stopped early"])
def test_rows_that_do_not_add_up_are_rolled_back(lab: Any, config: dict[str, Any]) -> None:
    lab.table("orders", 5)
    result = lab.run(lab.read("orders"), lab.write("load", "orders", **config))
    assert (result.exit_code, result.error["code"]) == (4, "OSI-R003")
    assert "nothing was written" in result.error["message"]
    assert lab.rows("load") == []


def test_a_commit_that_accounts_for_fewer_rows_is_told(lab: Any) -> None:
    lab.table("orders", 5)
    result = lab.run(lab.read("orders"), lab.write("load", "orders", miscount=2))
    assert (result.exit_code, result.error["code"]) == (4, "OSI-R003")
    assert "read 5 rows, but wrote 3" in result.error["message"]


# -- several sinks -----------------------------------------------------------------------------------------------
def test_independent_branches_go_on_and_dependent_ones_are_skipped(lab: Any) -> None:
    lab.table("orders", 2)
    result = lab.run(
        lab.read("bad", fail=fail("open")),
        lab.write("broken", "bad"),
        {**lab.read("after", table="orders"), "needs": ["broken"]},
        lab.write("never", "after"),
        lab.read("orders"),
        lab.write("fine", "orders"),
    )
    assert result.exit_code == 4
    assert lab.rows("fine") == [1, 2]
    assert result.steps["never"] == {"status": "skipped", "reason": "upstream_failed"}
    assert result.steps["after"] == {"status": "skipped", "reason": "upstream_failed"}


def test_of_several_exit_codes_the_lowest_wins(lab: Any) -> None:
    lab.table("orders", 4)
    steps = [
        lab.read("a", fail=fail("open", kind="connection")),
        lab.read("b", fail=fail("read", kind="data")),
        lab.write("x", "a"),
        lab.write("y", "b"),
    ]
    for order in (steps, [steps[1], steps[0], steps[3], steps[2]]):
        result = lab.run(*order)
        assert (result.exit_code, result.error["step"]) == (4, "b")


def test_every_step_has_one_start_and_one_end(lab: Any) -> None:
    lab.table("orders", 4)
    lab.run(
        lab.read("a"),
        lab.read("b", fail=fail("read")),
        lab.read("unused"),
        lab.transform("t", "a", "b"),
        lab.write("x", "t"),
        lab.write("y", "a"),
    )
    ends = [step for event, step in lab.told("step_completed", "step_failed", "step_skipped")]
    assert sorted(ends) == ["a", "b", "t", "unused", "x", "y"]
    starts = [step for event, step in lab.told("step_started")]
    assert sorted(starts) == sorted(set(starts))


# -- cancellation ------------------------------------------------------------------------------------------------
def test_a_cancelled_run_rolls_back(lab: Any, lab_module: Any) -> None:
    lab.table("orders", 1000)
    asked = time.monotonic() + 0.3
    result = lab.run(
        lab.read("orders", seconds_per_batch=0.01),
        lab.write("load", "orders"),
        lab.read("later"),
        lab.write("never", "later"),
        cancelled=lambda: time.monotonic() > asked,
    )
    assert result.status == "cancelled"
    assert time.monotonic() - asked < 2
    assert lab.told()[-1] == ("run_cancelled", None)
    assert lab.rows("load") == []
    assert [call[0] for call in lab_module.CALLS][-2:] == ["abort", "close"]
    assert result.steps["never"] == {"status": "skipped", "reason": "cancelled"}
    assert result.steps["load"]["error"]["code"] == "OSI-R090"


def test_a_wait_before_a_retry_can_be_cancelled(lab: Any) -> None:
    lab.table("orders", 4)
    asked = time.monotonic() + 0.3
    result = lab.run(
        lab.read("orders", fail=fail("open", **AGAIN)),
        lab.write("load", "orders"),
        cancelled=lambda: time.monotonic() > asked,
        retry_wait=60.0,
    )
    assert result.status == "cancelled"
    assert time.monotonic() - asked < 2


def test_drivers_that_are_blocked_are_interrupted(lab: Any, lab_module: Any) -> None:
    """``StepContext.on_cancel``: a driver inside one long call is woken from another thread."""
    import threading

    woken = threading.Event()

    class Blocked(lab_module.LabWriter):
        def stage(self, stream: Any, partition: int = 0) -> int:
            self._context.on_cancel(woken.set)
            assert woken.wait(10), "nobody interrupted it"
            raise ConnectionError("interrupted")

    lab.table("orders", 4)
    asked = time.monotonic() + 0.3
    lab.registry.driver("lab.table").open_writer = Blocked
    result = lab.run(lab.read("orders"), lab.write("load", "orders"), cancelled=lambda: time.monotonic() > asked)
    assert result.status == "cancelled"
    assert time.monotonic() - asked < 2


def test_a_driver_that_cannot_be_loaded_is_found_before_anything_is_read(lab: Any, lab_module: Any) -> None:
    lab.table("orders", 2)
    loaded = lab.registry.driver

    def driver(name: str) -> Any:
        from osiris_core.errors import PluginError

        if name == "lab.broken":
            raise PluginError("the driver of lab.broken needs a module that is not installed")
        return loaded(name)

    lab.registry.driver = driver
    result = lab.run(
        lab.read("orders"),
        lab.write("load", "orders"),
        {**lab.write("other", "orders"), "component": "lab.broken"},
    )
    assert (result.status, result.exit_code) == ("failed", 5)
    assert lab_module.CALLS == []


@pytest.mark.parametrize("what", ["abort", "close"])
def test_cleaning_up_never_hides_what_happened(lab: Any, lab_module: Any, what: str) -> None:
    class Broken(lab_module.LabWriter):
        pass

    def broken(self: Any) -> None:
        raise OSError("cannot even do that")

    setattr(Broken, what, broken)
    lab.table("orders", 3)
    lab.registry.driver("lab.table").open_writer = Broken
    result = lab.run(lab.read("orders"), lab.write("load", "orders", fail=fail("stage", message="the true reason")))
    assert result.error["message"] == "the true reason"
    assert lab.event("step_warning", "load").data["message"] == "OSError while cleaning up: cannot even do that"
    assert lab.run(lab.read("orders"), lab.write("load", "orders"), run_key="k2").status == "success"
