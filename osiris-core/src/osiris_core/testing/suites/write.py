"""Append, merge and replace mean the same on every system."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from osiris_core.data import with_source_table
from osiris_core.errors import OsirisError
from osiris_core.run.faults import StepFault, explain
from osiris_core.secrets import Redactor
from osiris_core.testing.connector import Connector, people
from osiris_core.testing.marks import demonstrates, needs


def refused(connector: Connector, table: str, data: Any, write_mode: str, **config: Any) -> OsirisError:
    """The error, in our terms, of a write that must fail."""
    with pytest.raises(Exception) as caught:
        connector.write(table, data, write_mode, **config)
    return explain(StepFault("load", connector.driver, caught.value), Redactor(), moved=True)


class WriteSuite:
    """``open_writer`` in every mode that the spec promises."""

    @needs("write.append")
    @demonstrates("write", "table", "write_mode")
    def test_append_adds_rows(self, connector: Connector) -> None:
        name = connector.seed(people([1, 2]))
        result = connector.write(name, people([3, 4]))
        assert (result.written, result.deduplicated, result.skipped) == (2, 0, 0)
        assert [row["id"] for row in connector.rows(name)] == [1, 2, 3, 4]

    @needs("write.replace", "write.append")
    def test_replace_makes_the_target_equal(self, connector: Connector) -> None:
        name = connector.seed(people([1, 2, 3]))
        result = connector.write(name, people([3, 9], label="new"), "replace")
        assert result.written == 2
        assert [(row["id"], row["name"]) for row in connector.rows(name)] == [(3, "new3"), (9, "new9")]

    @needs("write.replace", "write.append")
    def test_replace_by_nothing_empties_the_target(self, connector: Connector) -> None:
        name = connector.seed(people([1, 2]))
        assert connector.write(name, people([]), "replace").written == 0
        assert connector.rows(name) == []

    @needs("write.merge")
    @demonstrates("write", "merge_keys")
    def test_merge_updates_inserts_and_leaves(self, connector: Connector) -> None:
        name = connector.seed(people([1, 2, 3]), keys=["id"])
        changes = pa.concat_tables([people([2], label="new"), people([3, 4])])
        result = connector.write(name, changes, "merge", merge_keys=["id"])
        assert (result.written, result.deduplicated, result.skipped, result.deleted) == (3, 0, 0, 0)
        assert result.unchanged in (0, 1)
        assert [row["name"] for row in connector.rows(name)] == ["n1", "new2", "n3", "n4"]

    @needs("write.merge")
    def test_merging_twice_is_merging_once(self, connector: Connector) -> None:
        name = connector.seed(people([1, 2]), keys=["id"])
        for _ in range(2):
            connector.write(name, people([2, 3], label="new"), "merge", merge_keys=["id"])
        assert [row["name"] for row in connector.rows(name)] == ["n1", "new2", "new3"]

    @needs("write.merge")
    def test_merge_sets_null(self, connector: Connector) -> None:
        name = connector.seed(people([1]), keys=["id"])
        schema = people([]).schema
        connector.write(name, pa.table([[1], [None], [None]], schema=schema), "merge", merge_keys=["id"])
        assert connector.rows(name) == [{"id": 1, "name": None, "score": None}]

    @needs("write.merge")
    def test_a_null_merge_key_is_an_error(self, connector: Connector) -> None:
        name = connector.seed(people([1]), keys=["id"])
        data = pa.table(
            {"id": pa.array([2, None], pa.int64()), "name": ["a", "b"], "score": pa.array([1, 2], pa.int32())}
        )
        error = refused(connector, name, data, "merge", merge_keys=["id"])
        assert "id" in error.message
        assert error.exit_code == 4
        assert [row["id"] for row in connector.rows(name)] == [1]

    @needs("write.merge")
    def test_a_merge_key_that_comes_twice_is_an_error(self, connector: Connector) -> None:
        name = connector.seed(people([1]), keys=["id"])
        error = refused(connector, name, people([2, 3, 2]), "merge", merge_keys=["id"])
        assert "id" in error.message
        assert error.exit_code == 4
        assert [row["id"] for row in connector.rows(name)] == [1]

    @needs("write.merge")
    @demonstrates("write", "dedupe")
    @pytest.mark.parametrize(("keep", "expected"), [("last", "c"), ("first", "a")])
    def test_dedupe_keeps_one_of_equal_keys(self, connector: Connector, keep: str, expected: str) -> None:
        name = connector.seed(people([1]), keys=["id"])
        data = pa.table(
            {"id": pa.array([2, 2, 2], pa.int64()), "name": ["b", "c", "a"], "score": pa.array([2, 3, 1], pa.int32())}
        )
        dedupe = {"keep": keep, "order_by": [{"column": "score"}]}
        result = connector.write(name, data, "merge", merge_keys=["id"], dedupe=dedupe)
        assert (result.written, result.deduplicated) == (1, 2)
        assert connector.rows(name)[1]["name"] == expected

    @needs("write.merge")
    @demonstrates("write", "delete_missing")
    def test_delete_missing_deletes_what_the_source_lacks(self, connector: Connector) -> None:
        name = connector.seed(people([1, 2, 3]), keys=["id"])
        result = connector.write(name, people([2, 4]), "merge", merge_keys=["id"], delete_missing=True)
        assert result.deleted == 2
        assert [row["id"] for row in connector.rows(name)] == [2, 4]

    @needs("write.append")
    @demonstrates("write", "create")
    def test_create_makes_a_missing_table_only_when_told(self, connector: Connector) -> None:
        name = connector.new_name()
        error = refused(connector, name, people([1]), "append", create="never")
        assert error.exit_code in (4, 5)
        connector.write(name, people([1]), "append", create="if_missing")
        assert [row["id"] for row in connector.rows(name)] == [1]

    @needs("write.append", "discover")
    @demonstrates("write", "primary_key")
    def test_primary_key_is_made_with_the_table(self, connector: Connector) -> None:
        name = connector.new_name()
        connector.write(name, people([1]), primary_key=["name", "id"])
        assert connector.table(name).primary_key == ("name", "id")

    @needs("read", "write.append", "discover")
    @demonstrates("write", "primary_key")
    def test_what_is_read_from_a_table_makes_one_with_its_key_and_comments(self, connector: Connector) -> None:
        """The reader hands them on, and the writer carries them over: by default, and all of the key or none."""
        comment, comments = 'who\'s "who" \\ 100%\n2nd line', {"name": "ř 'in' `the` passport"}
        schema = with_source_table(people([]).schema, primary_key=["name", "id"], comment=comment, comments=comments)
        source, copy, part = connector.new_name(), connector.new_name(), connector.new_name()
        connector.write(source, people([1]).cast(schema))
        connector.write(copy, connector.read(source))
        connector.write(part, connector.read(source, columns=["id", "score"]))
        made = connector.table(copy)
        assert made.primary_key == ("name", "id")
        assert (made.comment, made.columns[1].comment) == (comment, comments["name"])
        assert connector.table(part).primary_key == ()

    @needs("write.append")
    @demonstrates("write", "on_drift")
    def test_on_drift_says_what_to_do_with_new_columns(self, connector: Connector) -> None:
        wider = people([2]).append_column("extra", pa.array([7], pa.int64()))
        name = connector.seed(people([1]))
        error = refused(connector, name, wider, "append", on_drift="fail")
        assert "extra" in error.message
        connector.write(name, wider, "append", on_drift="ignore_new")
        assert connector.rows(name)[1] == {"id": 2, "name": "n2", "score": 2}
        connector.write(name, people([3]).append_column("extra", pa.array([8], pa.int64())), on_drift="add_columns")
        assert [row["extra"] for row in connector.rows(name)] == [None, None, 8]

    @needs("write.append")
    def test_columns_are_matched_by_name(self, connector: Connector) -> None:
        name = connector.seed(people([1]))
        connector.write(name, people([2]).select(["score", "name", "id"]))
        assert connector.rows(name)[1] == {"id": 2, "name": "n2", "score": 2}

    @needs("write.append")
    def test_an_empty_stream_is_a_success(self, connector: Connector) -> None:
        name = connector.seed(people([1]))
        assert connector.write(name, people([])).written == 0
        assert len(connector.rows(name)) == 1

    @needs("write.append")
    def test_many_partitions_are_one_change(self, connector: Connector) -> None:
        name = connector.seed(people([]))
        result = connector.write(name, [people([1, 2]), people([]), people([3])])
        assert result.written == 3
        assert [row["id"] for row in connector.rows(name)] == [1, 2, 3]

    @needs("write.append")
    def test_rows_of_other_arrow_layouts_are_welcome(self, connector: Connector) -> None:
        """What other Arrow libraries hand out: large and view types, dictionaries."""
        name = connector.seed(people([1]))
        for index, kind in enumerate((pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())), 2):
            data = people([index])
            data = data.set_column(1, "name", data.column("name").cast(kind))
            connector.write(name, data)
        assert [row["name"] for row in connector.rows(name)] == ["n1", "n2", "n3", "n4"]

    @needs("write.append")
    @demonstrates("write", "verify")
    def test_verify_accepts_what_is_right(self, connector: Connector) -> None:
        """That it refuses what is wrong cannot be shown from outside: the component's own tests must."""
        properties = connector.spec.config_schema["write"]["properties"]["verify"]
        choices = properties.get("enum", ("none", "count", "checksum"))
        name = connector.seed(people([]))
        for index, choice in enumerate(choices):
            assert connector.write(name, people([index]), verify=choice).written == 1
        assert len(connector.rows(name)) == len(choices)
