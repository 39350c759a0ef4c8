"""The conformance suite of ``postgres.table`` and of components built upon it. Needs ``osiris-core[testing]``."""

from __future__ import annotations

import pyarrow as pa
import pytest

from osiris_core import RunError
from osiris_core.testing import Connector, ConnectorSuite, demonstrates, people


class PostgresSuite(ConnectorSuite):
    """What ``ConnectorSuite`` asks, and a demonstration of each field of ``postgres.table``'s own."""

    @demonstrates("write", "on_nul")
    @pytest.mark.parametrize(("on_nul", "expected"), [("strip", "ab"), ("replace", "a\ufffdb")])
    def test_on_nul_says_what_becomes_of_the_character(self, connector: Connector, on_nul: str, expected: str) -> None:
        name = connector.seed(people([]))
        data = people([7]).set_column(1, "name", pa.array(["a\0b"]))
        with pytest.raises(RunError, match='column "name" has 1 value'):
            connector.write(name, data, on_nul="error")
        assert connector.write(name, data, on_nul=on_nul).coerced == {"on_nul": 1}
        assert connector.rows(name)[0]["name"] == expected

    @demonstrates("write", "on_time_zone")
    def test_on_time_zone_takes_local_times_as_utc(self, connector: Connector) -> None:
        name = connector.seed(pa.table({"id": pa.array([], pa.int64()), "at": pa.array([], pa.timestamp("us", "UTC"))}))
        local = pa.table({"id": pa.array([1], pa.int64()), "at": pa.array([0], pa.timestamp("us"))})
        with pytest.raises(RunError, match="time zone"):
            connector.write(name, local, on_time_zone="error")
        assert connector.write(name, local, on_time_zone="utc").coerced == {"on_time_zone": 1}
        assert connector.read(name)["at"].cast(pa.int64()).to_pylist() == [0]

    @demonstrates("write", "json_type")
    @pytest.mark.parametrize("json_type", ["json", "jsonb"])
    def test_json_type_is_the_type_of_a_column_that_is_made(self, connector: Connector, json_type: str) -> None:
        name = connector.new_name()
        schema = pa.schema([pa.field("j", pa.string(), metadata={b"osiris.type": b"json"})])
        connector.write(name, pa.table([['{"b": 1.0, "a":2}']], schema=schema), json_type=json_type)
        kept = '{"b": 1.0, "a":2}' if json_type == "json" else '{"a": 2, "b": 1.0}'
        assert connector.read(name)["j"].to_pylist() == [kept]
