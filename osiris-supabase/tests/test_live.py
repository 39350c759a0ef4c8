"""A live Supabase project, when the environment names one; no test exists otherwise.

OSIRIS_LIVE_SUPABASE_URL and OSIRIS_LIVE_SUPABASE_KEY switch on REST (a table ``osiris_live`` with ``id int8 primary
key, name text, score int4`` must exist and be the test's own); OSIRIS_LIVE_SUPABASE_HOST, _USER and _PASSWORD (and
_PORT) switch on SQL.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from osiris_core.testing import Connector, people

TABLE = "osiris_live"
_PREFIX = "OSIRIS_LIVE_SUPABASE_"


def _channels() -> list[dict[str, Any]]:
    """The fields of each connection that the environment describes in full."""
    found: list[dict[str, Any]] = []
    names = {"sql": ("host", "user", "password"), "rest": ("url", "key")}
    for channel, wanted in names.items():
        fields: dict[str, Any] = {name: os.environ.get(_PREFIX + name.upper()) for name in wanted}
        if all(fields.values()):
            found.append({**fields, "channel": channel})
    return [f | {"port": int(os.environ.get(f"{_PREFIX}PORT", "5432"))} if "host" in f else f for f in found]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per channel that is switched on."""
    channels = _channels()
    metafunc.parametrize("fields", channels, ids=[str(fields["channel"]) for fields in channels])


if _channels():

    def test_a_live_project(fields: dict[str, Any], tmp_path: Path) -> None:
        connector = Connector("supabase.table", fields, tmp_path)
        assert [f for f in connector.driver.check(connector.connection) if f.status == "failed"] == []
        create: dict[str, Any] = {"create": "never"} if fields["channel"] == "rest" else {}
        connector.write(TABLE, people([1, 2, 3]), "merge", merge_keys=["id"], **create)
        connector.write(TABLE, people([2], label="new"), "merge", merge_keys=["id"], **create)
        rows = {row["id"]: row["name"] for row in connector.rows(TABLE)}
        assert {key: rows[key] for key in (1, 2, 3)} == {1: "n1", 2: "new2", 3: "n3"}
