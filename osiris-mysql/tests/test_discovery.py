"""Discovery says what exists, in a number of queries that does not grow, and the probe sees every change."""

from __future__ import annotations

from pathlib import Path

import pytest

from osiris_core import Column, ForeignKey, Scope
from osiris_core.testing import Connector
from osiris_core.testing.servers import MySQLDatabase, MySQLServer
from osiris_mysql.typemap import parse


def columns(connector: Connector, table: str = "t") -> dict[str, Column]:
    return {column.name: column for column in connector.table(table).columns}


def is_mariadb(database: MySQLDatabase) -> bool:
    return "MariaDB" in database.query("SELECT VERSION()")[0][0]


def has_vectors(database: MySQLDatabase) -> bool:
    version = database.query("SELECT VERSION()")[0][0].split(".")
    return [int(version[0]), int(version[1])] >= ([11, 7] if is_mariadb(database) else [9, 0])


def test_generated_and_defaulted_columns_are_marked(mysql_database: MySQLDatabase, connector: Connector) -> None:
    """TRAPS types: generated columns are marked, whatever the server calls them; a default is not one."""
    mysql_database.execute(
        "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, a INT NOT NULL DEFAULT 5, b INT NOT NULL, c INT, "
        "v INT AS (b + 1) VIRTUAL, s INT AS (b + 2) STORED, "
        "made DATETIME DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP)"
    )
    found = columns(connector)
    assert [name for name, column in found.items() if column.generated] == ["v", "s"]
    assert [name for name, column in found.items() if column.has_default] == ["id", "a", "made"]
    assert [name for name, column in found.items() if not column.nullable] == ["id", "a", "b"]


def test_persistent_columns_of_mariadb_are_generated(mysql_database: MySQLDatabase, connector: Connector) -> None:
    word = "PERSISTENT" if is_mariadb(mysql_database) else "STORED"
    mysql_database.execute(f"CREATE TABLE t (a INT, p INT AS (a * 2) {word})")
    assert columns(connector)["p"].generated


def test_keys_are_those_of_whole_columns(mysql_database: MySQLDatabase, connector: Connector) -> None:
    mysql_database.execute(
        "CREATE TABLE t (b INT, a INT, c VARCHAR(50), d INT, PRIMARY KEY (b, a), UNIQUE KEY u (d, a), "
        "UNIQUE KEY prefix (c(10)), KEY plain (d))"
    )
    table = connector.table("t")
    assert table.primary_key == ("b", "a")
    assert table.unique_keys == (("d", "a"),)


def test_foreign_keys_name_both_sides(mysql_database: MySQLDatabase, connector: Connector) -> None:
    mysql_database.execute(
        "CREATE TABLE parent (x INT, y INT, PRIMARY KEY (x, y)); "
        "CREATE TABLE child (id INT PRIMARY KEY, px INT, py INT, "
        "CONSTRAINT up FOREIGN KEY (px, py) REFERENCES parent (x, y))"
    )
    assert connector.table("child").foreign_keys == (ForeignKey(("px", "py"), "parent", ("x", "y")),)


def test_text_that_ignores_case_is_marked(mysql_database: MySQLDatabase, connector: Connector) -> None:
    """TRAPS types: 'ABC ' and 'abc' are one key value under a _ci collation."""
    mysql_database.execute(
        "CREATE TABLE t (a VARCHAR(9) COLLATE utf8mb4_general_ci, b VARCHAR(9) COLLATE utf8mb4_bin, "
        "c VARBINARY(9), d INT)"
    )
    assert [name for name, column in columns(connector).items() if column.case_insensitive] == ["a"]


def test_json_is_recognised_by_type_or_check(mysql_database: MySQLDatabase, connector: Connector) -> None:
    """MariaDB's JSON is LONGTEXT with a json_valid check."""
    mysql_database.execute(
        "CREATE TABLE t (a JSON, b LONGTEXT, c LONGTEXT CHECK (json_valid(c)), "
        "`d``e` LONGTEXT CHECK (json_valid(`d``e`)), f LONGTEXT CHECK (json_valid(f) OR f = 'x'))"
    )
    assert [name for name, column in columns(connector).items() if column.osiris_type == "json"] == ["a", "c", "d`e"]


def test_views_and_row_estimates(mysql_database: MySQLDatabase, connector: Connector) -> None:
    mysql_database.execute("CREATE TABLE t (a INT COMMENT 'the a') COMMENT 'the t'; CREATE VIEW v AS SELECT a FROM t")
    mysql_database.insert("t", [(1,), (2,)])
    mysql_database.execute("ANALYZE TABLE t")
    catalog = connector.discover()
    view, table = catalog.table("v"), catalog.table("t")
    assert view is not None
    assert table is not None
    assert (view.kind, view.approximate_rows, view.column("a") is not None) == ("view", None, True)
    assert (table.kind, table.comment, table.columns[0].comment) == ("table", "the t", "the a")
    assert table.approximate_rows is not None


def test_a_type_without_arrow_is_left_out(mysql_database: MySQLDatabase, connector: Connector) -> None:
    assert parse("vector(3)").arrow == ""
    if has_vectors(mysql_database):  # older servers have no type that Osiris cannot represent
        mysql_database.execute("CREATE TABLE t (a INT, v VECTOR(3))")
        assert columns(connector)["v"].arrow == ""
        assert connector.read("t").column_names == ["a"]


def test_globs_and_names_limit_the_scope(mysql_database: MySQLDatabase, connector: Connector) -> None:
    for name in ("orders", "order_items", "people", "odd[name"):
        mysql_database.execute(f"CREATE TABLE `{name}` (a INT)")
    assert [table.name for table in connector.discover("order*").tables] == ["order_items", "orders"]
    assert [table.name for table in connector.discover("people", "none").tables] == ["people"]
    assert connector.discover("people").partial
    assert not connector.discover().partial
    assert len(connector.discover().tables) == 4
    assert connector.read("odd[name").column_names == ["a"]


def test_the_number_of_queries_does_not_grow(own_mysql_server: MySQLServer, tmp_path: Path) -> None:
    """A database of many tables is discovered with a constant number of queries: counted where nobody else asks."""
    database = own_mysql_server.create_database()
    connector = Connector("mysql.table", database.fields, tmp_path, execute=database.execute)

    def queries() -> int:
        before = int(own_mysql_server.query("SHOW GLOBAL STATUS LIKE 'Questions'")[0][1])
        connector.discover()
        return int(own_mysql_server.query("SHOW GLOBAL STATUS LIKE 'Questions'")[0][1]) - before

    database.execute("CREATE TABLE one (a INT PRIMARY KEY)")
    few = queries()
    for number in range(60):
        database.execute(f"CREATE TABLE t{number} (a INT PRIMARY KEY, b VARCHAR(9) UNIQUE)")
    assert queries() == few
    assert len(connector.discover().tables) == 61


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE t ADD COLUMN z INT",
        "ALTER TABLE t DROP COLUMN b",
        "ALTER TABLE t CHANGE b c INT",
        "ALTER TABLE t MODIFY b BIGINT",
        "ALTER TABLE t MODIFY b INT NOT NULL",
        "ALTER TABLE t ALTER b SET DEFAULT 3",
        "ALTER TABLE t ADD UNIQUE KEY u (b)",
        "ALTER TABLE t DROP PRIMARY KEY",
        "ALTER TABLE t MODIFY x VARCHAR(9) COLLATE utf8mb4_bin",
        "ALTER TABLE t MODIFY x VARCHAR(9) AFTER a",
        "ALTER TABLE t ADD CHECK (json_valid(x))",
        "DROP TABLE t",
        "RENAME TABLE t TO t2",
        "CREATE TABLE u (a INT)",
    ],
)
def test_the_probe_sees_every_change(mysql_database: MySQLDatabase, connector: Connector, change: str) -> None:
    """An ALTER TABLE a moment ago is seen."""
    mysql_database.execute("CREATE TABLE t (a INT PRIMARY KEY, b INT, x VARCHAR(9) COLLATE utf8mb4_general_ci)")
    driver, connection = connector.driver, connector.connection
    before = driver.probe(connection, Scope())
    assert driver.probe(connection, Scope()) == before
    assert connector.discover().probe == before
    mysql_database.execute(change)
    assert driver.probe(connection, Scope()) != before


def test_the_probe_of_a_scope_ignores_other_tables(mysql_database: MySQLDatabase, connector: Connector) -> None:
    mysql_database.execute("CREATE TABLE t (a INT)")
    before = connector.driver.probe(connector.connection, Scope(("t",)))
    mysql_database.execute("CREATE TABLE u (a INT)")
    assert connector.driver.probe(connector.connection, Scope(("t",))) == before
