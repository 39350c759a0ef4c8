"""What discovery says is what exists."""

from __future__ import annotations

import pytest

from osiris_core.catalog.model import Catalog, Scope
from osiris_core.data.edge_values import edge_table
from osiris_core.testing.connector import Connector, people
from osiris_core.testing.marks import needs


class DiscoverSuite:
    """``discover`` and ``probe``."""

    @needs("discover", "write.append")
    def test_discovery_shows_tables_and_columns(self, connector: Connector) -> None:
        name = connector.seed(people([1, 2, 3]))
        table = connector.table(name)
        assert [column.name for column in table.columns] == ["id", "name", "score"]
        assert all(column.arrow and column.type for column in table.columns)

    @needs("discover", "write.merge")
    def test_discovery_shows_keys(self, connector: Connector) -> None:
        table = connector.table(connector.seed(people([1]), keys=["id"]))
        assert ("id",) in (table.primary_key, *table.unique_keys)
        column = table.column("id")
        assert column is not None
        assert not column.nullable

    @needs("discover", "read", "write.append")
    def test_discovered_types_are_those_that_a_read_hands_out(
        self, connector: Connector, unsupported: set[str]
    ) -> None:
        name = connector.seed(edge_table(without=unsupported))
        discovered = {column.name: (column.arrow, column.osiris_type) for column in connector.table(name).columns}
        from osiris_core.data import column_arrow

        handed_out = {field.name: column_arrow(field) for field in connector.read(name).schema}
        assert discovered == handed_out

    @needs("discover", "write.append")
    def test_a_scope_leaves_other_tables_out(self, connector: Connector) -> None:
        wanted, other = connector.seed(people([1])), connector.seed(people([1]))
        catalog = connector.driver.discover(connector.connection, Scope((wanted,)))
        assert catalog.table(wanted) is not None
        assert catalog.table(other) is None

    @needs("discover", "write.append")
    def test_a_catalog_survives_the_cache(self, connector: Connector) -> None:
        name = connector.seed(people([1]))
        catalog = connector.discover(name)
        assert Catalog.from_json(catalog.to_json()) == catalog

    @needs("discover", "write.append")
    def test_rows_do_not_change_a_schema(self, connector: Connector) -> None:
        name = connector.seed(people([1]))
        before = connector.table(name).fingerprint
        connector.write(name, people([2, 3]))
        assert connector.table(name).fingerprint == before

    @needs("discover", "write.append")
    def test_the_probe_changes_with_the_schema_only(self, connector: Connector) -> None:
        name = connector.seed(people([1]))
        scope = Scope((name,))
        before = connector.driver.probe(connector.connection, scope)
        if connector.execute is None or not before:
            pytest.fail("a component with a probe needs Connector.execute") if before else None
            return
        connector.write(name, people([2]))
        assert connector.driver.probe(connector.connection, scope) == before
        connector.execute(f"ALTER TABLE {connector.quote(name)} ADD COLUMN extra integer")
        assert connector.driver.probe(connector.connection, scope) != before
        assert connector.table(name).column("extra") is not None

    @needs("discover")
    def test_check_finds_nothing_wrong(self, connector: Connector) -> None:
        findings = connector.driver.check(connector.connection)
        assert [finding for finding in findings if finding.status == "failed"] == []
