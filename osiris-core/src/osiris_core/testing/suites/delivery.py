"""Exactly once: whatever is interrupted, a plain re-run under the same run key gives the exact table."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from osiris_core.data import BatchStream
from osiris_core.drivers import Driver
from osiris_core.errors import InvalidInputError
from osiris_core.testing.connector import Connector, people, stream_of
from osiris_core.testing.crash import Moment, write_and_die
from osiris_core.testing.marks import needs


class DeliverySuite:
    """The writer's protocol and its ledger. Only for components whose every channel is ``exactly_once``."""

    @needs("write.append", delivery="exactly_once")
    def test_a_run_key_is_committed_once(self, connector: Connector) -> None:
        name = connector.seed(people([]))
        first = connector.write(name, people([1, 2]), run_key="monday")
        again = connector.write(name, people([1, 2]), run_key="monday")
        assert not first.already_committed
        assert again.already_committed
        assert (again.written, again.deduplicated, again.skipped) == (2, 0, 0)
        connector.write(name, people([1, 2]), run_key="tuesday")
        assert [row["id"] for row in connector.rows(name)] == [1, 1, 2, 2]

    @needs("write.append", delivery="exactly_once")
    def test_the_ledger_keeps_the_coercions(self, connector: Connector) -> None:
        name = connector.seed(people([]))
        connector.write(name, people([1]), run_key="k", coerced={"on_invalid_date": 3})
        again = connector.write(name, people([1]), run_key="k")
        assert dict(again.coerced) == {"on_invalid_date": 3}

    @needs("write.append", delivery="exactly_once")
    def test_state_is_remembered_with_the_commit(self, connector: Connector) -> None:
        name = connector.seed(people([]))
        state = {"orders": {"cursor": "2026-11-23T08:00:00.000001Z", "n": 9007199254740993, "é": None}}
        connector.write(name, people([1]), run_key="monday", state=state)
        assert self._state(connector, name) == state
        connector.write(name, people([2]), run_key="tuesday")
        assert self._state(connector, name) == state, "a commit without state keeps the old one"

    @needs("write.append", delivery="exactly_once")
    @pytest.mark.parametrize("with_state", [(), (0, 1), (0, 2, 4)], ids=["no state", "old state", "both"])
    def test_the_ledger_keeps_what_reruns_and_incremental_reads_need(
        self, connector: Connector, with_state: tuple[int, ...]
    ) -> None:
        """Shown and pruned: younger run keys stay exactly once, incremental reads go on from where they were."""
        name = connector.seed(people([]))
        driver, connection = connector.driver, connector.connection
        if type(driver).prune_ledger is Driver.prune_ledger:
            with pytest.raises(InvalidInputError, match="keeps no ledger"):
                driver.prune_ledger(connection, 1)
            return
        commits = [(f"key {number}", {"n": number} if number in with_state else None) for number in range(6)]
        states = [state for _, state in commits if state is not None]
        for number, (key, state) in enumerate(commits):
            if number == 3:
                between = time.monotonic() + 0.1
                time.sleep(2)
            connector.write(name, people([number]), run_key=key, state=state)
        shown = self._ledger(connector, name)
        assert [(key, holds) for key, holds, _ in shown][:6] == [(key, s is not None) for key, s in commits][::-1]
        assert [rows for *_, rows in shown][:6] == [1] * 6
        gone = [key for number, (key, _) in enumerate(commits[:3]) if number != max(with_state, default=-1)]
        days = (time.monotonic() - between) / 86_400
        assert driver.prune_ledger(connection, days, dry_run=True) >= len(gone)
        assert self._ledger(connector, name) == shown, "a dry run removes nothing"
        assert driver.prune_ledger(connection, days) >= len(gone)
        kept = [key for key, _ in commits if key not in gone]
        assert [key for key, *_ in self._ledger(connector, name)] == kept[::-1]
        assert driver.prune_ledger(connection, 1) == 0
        for key in kept:
            assert connector.write(name, people([9]), run_key=key).already_committed
        assert self._state(connector, name) == (states[-1] if states else None)
        assert [row["id"] for row in connector.rows(name)] == [0, 1, 2, 3, 4, 5]

    def _ledger(self, connector: Connector, name: str) -> list[tuple[str, bool, int]]:
        """Run key, whether there is state, and rows of each entry of a table, the newest first."""
        entries = connector.driver.ledger_entries(connector.connection)
        return [(entry.run_key, entry.holds_state, entry.rows) for entry in entries if name in entry.table]

    def _state(self, connector: Connector, name: str) -> Any:
        config = connector.compiled("write", connector.write_config(name, "append"))
        writer = connector.driver.open_writer(connector.connection, config, connector.context())
        try:
            writer.begin()
            return writer.read_state()
        finally:
            writer.abort()
            writer.close()

    @needs("write.append", delivery="exactly_once")
    @pytest.mark.parametrize("end", ["abort", "close"])
    def test_what_is_not_committed_leaves_nothing(self, connector: Connector, end: str) -> None:
        name = connector.seed(people([1]))
        config = connector.compiled("write", connector.write_config(name, "append"))
        writer = connector.driver.open_writer(connector.connection, config, connector.context(run_key="k"))
        writer.begin()
        writer.stage(stream_of(people([2])), 0)
        if end == "abort":
            writer.abort()
            writer.abort()
        writer.close()
        writer.close()
        assert [row["id"] for row in connector.rows(name)] == [1]
        assert not connector.write(name, people([2]), run_key="k").already_committed
        assert [row["id"] for row in connector.rows(name)] == [1, 2]

    @needs("write.append", delivery="exactly_once")
    def test_a_source_that_breaks_leaves_nothing(self, connector: Connector) -> None:
        name = connector.seed(people([1]))

        def broken() -> Iterator[pa.RecordBatch]:
            yield from people([2, 3]).to_batches()
            raise ConnectionResetError("the source went away")

        config = connector.compiled("write", connector.write_config(name, "append"))
        writer = connector.driver.open_writer(connector.connection, config, connector.context())
        writer.begin()
        with pytest.raises(Exception):  # noqa: B017 - Arrow's C interface changes its type
            writer.stage(BatchStream(people([]).schema, broken()), 0)
        writer.abort()
        writer.close()
        assert [row["id"] for row in connector.rows(name)] == [1]

    @needs("write.append", delivery="exactly_once")
    def test_nothing_is_visible_before_the_commit(self, connector: Connector) -> None:
        name = connector.seed(people([1]))
        config = connector.compiled("write", connector.write_config(name, "append"))
        writer = connector.driver.open_writer(connector.connection, config, connector.context())
        writer.begin()
        writer.stage(stream_of(people([2])), 0)
        assert [row["id"] for row in connector.rows(name)] == [1]
        writer.commit()
        writer.close()
        assert [row["id"] for row in connector.rows(name)] == [1, 2]

    @needs("write.append", delivery="exactly_once")
    @pytest.mark.parametrize("write_mode", ["append", "merge", "replace"])
    @pytest.mark.parametrize("moment", ["after_begin", "after_stage", "after_commit"])
    def test_a_kill_and_a_plain_rerun_give_the_exact_table(
        self, connector: Connector, write_mode: str, moment: Moment
    ) -> None:
        if connector.spec.support(f"write.{write_mode}") != "full":
            return
        keys: dict[str, Any] = {"merge_keys": ["id"]} if write_mode == "merge" else {}
        name = connector.seed(people([1, 2]), keys=["id"] if keys else ())
        data = people([2, 3], label="new")
        write_and_die(connector, name, data, write_mode, moment=moment, run_key="k", **keys)
        before = [row["name"] for row in connector.rows(name)]
        result = connector.write(name, data, write_mode, run_key="k", **keys)
        after = sorted(row["name"] for row in connector.rows(name))
        expected = {
            "append": ["n1", "n2", "new2", "new3"],
            "merge": ["n1", "new2", "new3"],
            "replace": ["new2", "new3"],
        }
        assert after == expected[write_mode]
        assert result.written == 2
        assert result.already_committed is (moment == "after_commit")
        if moment != "after_commit":
            assert before == ["n1", "n2"], "a kill before the commit left something behind"
