"""A live Supabase project, where the environment names one; else pytest reports these tests as deselected.

OSIRIS_LIVE_SUPABASE_URL and _KEY switch on REST (a table ``osiris_live`` with ``id int8 primary key, name text, score
int4`` must exist and be the test's own); _HOST, _USER and _PASSWORD (and _PORT) switch on SQL. See conftest.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from live_project import LIVE_FIELDS, live_fields

from osiris_core.testing import Connector, people

TABLE = "osiris_live"


@pytest.mark.parametrize("live_channel", LIVE_FIELDS)
def test_a_live_project(live_channel: str, tmp_path: Path) -> None:
    connector = Connector("supabase.table", live_fields(live_channel), tmp_path)
    assert [f for f in connector.driver.check(connector.connection) if f.status == "failed"] == []
    create: dict[str, Any] = {"create": "never"} if live_channel == "rest" else {}
    connector.write(TABLE, people([1, 2, 3]), "merge", merge_keys=["id"], **create)
    connector.write(TABLE, people([2], label="new"), "merge", merge_keys=["id"], **create)
    rows = {row["id"]: row["name"] for row in connector.rows(TABLE)}
    assert {key: rows[key] for key in (1, 2, 3)} == {1: "n1", 2: "new2", 3: "n3"}
