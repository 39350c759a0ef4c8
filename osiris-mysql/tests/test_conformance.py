"""mysql.table keeps what its spec promises."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest

from osiris_core import RunError
from osiris_core.testing import Connector, ConnectorSuite, demonstrates
from osiris_core.testing.servers import MySQLDatabase


class TestMySQLTable(ConnectorSuite):
    component = "mysql.table"
    plugin_module = "osiris_mysql.plugin"
    client_libraries = ("pymysql", "pyarrow", "numpy")
    #: A decimal of no fixed scale, beyond DECIMAL(65,30); a name beyond U+FFFF.
    unsupported_columns: ClassVar[frozenset[str]] = frozenset({"decimal_text", "ř🦦"})

    @pytest.fixture
    def connector(self, mysql_database: MySQLDatabase, tmp_path: Path) -> Connector:
        return Connector(
            self.component,
            mysql_database.fields,
            tmp_path,
            execute=mysql_database.execute,
            quote=lambda name: "`" + name.replace("`", "``") + "`",
        )

    @demonstrates("read", "on_invalid_date")
    def test_on_invalid_date_says_what_becomes_of_dates_that_do_not_exist(
        self, connector: Connector, mysql_database: MySQLDatabase
    ) -> None:
        mysql_database.execute(
            "SET sql_mode = ''; CREATE TABLE d (id INT PRIMARY KEY, day DATE); INSERT INTO d VALUES (7, '2024-02-00')"
        )
        with pytest.raises(RunError, match="1 in day; first at column day, id = 7"):
            connector.rows("d", on_invalid_date="error")
        assert connector.rows("d", on_invalid_date="null") == [{"id": 7, "day": None}]
