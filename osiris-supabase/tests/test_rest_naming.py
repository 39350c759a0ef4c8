"""``naming: snake`` over REST: rows go out under the names that the API's table has."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest
from postgrest_double import PostgrestDouble

from osiris_core.compile import compile_pipeline, write_compiled
from osiris_core.run.runner import run_compiled
from osiris_core.session import Session
from osiris_core.testing.servers import PostgresDatabase
from osiris_core.validate import validate

SOURCE = """
CREATE TABLE orders (
  "OrderID" BIGINT PRIMARY KEY, "Order" INT, "has space" TEXT, "q""uote" DECIMAL(20,4), "🐎 mood" TEXT);
INSERT INTO orders VALUES (1, 7, 'a', 0.1, 'good'), (2, 8, NULL, 12345678901234.5678, NULL)
"""
TARGET = 'CREATE TABLE orders (order_id int8 PRIMARY KEY, "order" int4, has_space text, q_uote numeric, mood text)'


@pytest.fixture
def project(
    tmp_path: Path,
    postgres_database: PostgresDatabase,
    rest: PostgrestDouble,
    rest_fields: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as connection:
        connection.execute(SOURCE)
    postgres_database.execute(TARGET)
    rest.reload()
    monkeypatch.setenv("API_KEY", str(rest_fields["key"]))
    connections = {
        "shop": {"component": "duckdb", "path": "shop.duckdb"},
        "api": {**rest_fields, "component": "supabase", "key": "${API_KEY}"},
    }
    (tmp_path / "osiris_connections.yaml").write_text(json.dumps({"connections": connections}))
    (tmp_path / "osiris.yaml").write_text("validation: strict\n")
    return tmp_path


@pytest.mark.parametrize("mode", ["append", "merge"])
def test_rows_go_out_under_the_names_of_the_target(
    project: Path, postgres_database: PostgresDatabase, rest: PostgrestDouble, mode: str
) -> None:
    keys = {"merge_keys": ["order_id"]} if mode == "merge" else {}
    write = {"table": "orders", "write_mode": mode, **keys, "naming": "snake", "verify": "checksum"}
    steps = [
        {"id": "orders", "component": "duckdb.table", "mode": "read", "connection": "@shop"},
        {"id": "load", "component": "supabase.table", "mode": "write", "connection": "@api"},
    ]
    configured = [{**steps[0], "config": {"table": "orders"}}, {**steps[1], "needs": ["orders"], "config": write}]
    path = project / "orders.yaml"
    path.write_text(json.dumps({"oml_version": "0.0.1", "name": "orders", "steps": configured}))
    session = Session.open(project, plugins=["duckdb", "supabase"])
    validation = validate(path, session)
    assert [problem.message for problem in validation.problems] == []
    outcome = run_compiled(write_compiled(compile_pipeline(validation, session), project / "out"), session)
    assert outcome.result.exit_code == 0, outcome.result.error
    found = postgres_database.query('SELECT order_id, "order", has_space, q_uote::text, mood FROM orders ORDER BY 1')
    assert found == [(1, 7, "a", "0.1000", "good"), (2, 8, None, "12345678901234.5678", None)]
    (columns,) = {value for request in rest.requests for name, value in request.query if name == "columns"}
    assert sorted(columns.replace('"', "").split(",")) == ["has_space", "mood", "order", "order_id", "q_uote"]
