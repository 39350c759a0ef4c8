"""What the specs refuse together, with a sentence of their own, before any system is asked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from osiris_core.testing.cli import Osiris

FIELDS: dict[str, dict[str, Any]] = {
    "mysql": {"host": "127.0.0.1", "port": 1, "user": "u", "password": "${SECRET}", "database": "d"},
    "postgres": {"host": "127.0.0.1", "port": 1, "user": "u", "password": "${SECRET}", "database": "d"},
    "supabase": {"project_ref": "abcdefghijklmnopqrst", "password": "${SECRET}"},
    "duckdb": {"path": "shop.duckdb"},
}
INCREMENTAL = {"table": "orders", "incremental": {"cursor": "id"}}


@pytest.mark.parametrize(
    ("family", "config"),
    [
        *((family, {**INCREMENTAL, "partition": {"column": "id", "count": 4}}) for family in FIELDS),
        *((family, {**INCREMENTAL, "limit": 10}) for family in FIELDS),
        *(
            (family, {"table": "orders", "limit": 10, "partition": {"column": "id", "count": 4}})
            for family in ("mysql", "postgres", "supabase")
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "+".join(sorted(value)),
)
def test_reads_that_would_lose_rows_are_refused(osiris: Osiris, family: str, config: dict[str, Any]) -> None:
    """An incremental read keeps one cursor, so it is not divided; a limit would cut off what never comes again."""
    connections = {"connections": {"shop": {"component": family, **FIELDS[family]}}}
    osiris.directory.joinpath("osiris_connections.yaml").write_text(json.dumps(connections))
    steps = [
        {"id": "orders", "component": f"{family}.table", "mode": "read", "connection": "@shop", "config": config},
        {
            "id": "load",
            "component": f"{family}.table",
            "mode": "write",
            "connection": "@shop",
            "needs": ["orders"],
            "config": {"table": "copy", "write_mode": "append"},
        },
    ]
    pipeline = osiris.directory / "p.yaml"
    pipeline.write_text(json.dumps({"oml_version": "0.0.1", "name": "p", "steps": steps}))
    told = osiris("validate", "p.yaml", "--offline", "--json", env={"SECRET": "canary"})
    assert told.returncode == 2, told.stdout
    errors = [problem for problem in json.loads(told.stdout)["problems"] if problem["severity"] == "error"]
    said = (
        "the cursor would run ahead of the rows",
        "an incremental read would skip rows for ever",
        "rows it cut off would never come",
        "a read in ranges has no order, no limit and no cursor",
        "the parts are read side by side",
        'unknown field "partition"',
    )
    assert [error["message"] for error in errors if error["message"].endswith(said)], errors
