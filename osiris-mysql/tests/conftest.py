"""Fixtures of the MySQL tests: a connector over a database of the test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from osiris_core.testing import Connector
from osiris_core.testing.servers import MySQLDatabase


@pytest.fixture
def connector(mysql_database: MySQLDatabase, tmp_path: Path) -> Connector:
    """mysql.table over an empty database."""
    return Connector(
        "mysql.table",
        mysql_database.fields,
        tmp_path,
        execute=mysql_database.execute,
        quote=lambda name: "`" + name.replace("`", "``") + "`",
    )
