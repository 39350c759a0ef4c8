"""The golden end-to-end test: one pipeline, file → SQL → DuckDB merge, and every byte it leaves behind.

``OSIRIS_UPDATE_GOLDEN=1`` writes ``expected/`` again; look at the difference before committing it.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import duckdb
import pytest

from osiris_core.testing.cli import Osiris

EXPECTED = Path(__file__).with_name("expected")

PIPELINE = """\
oml_version: "0.0.1"
name: daily-sales
params:
  since: {type: string, default: "2026-01-02"}
steps:
  - id: load
    component: duckdb.table
    mode: write
    connection: "@warehouse"
    needs: [daily]
    config: {table: daily_sales, write_mode: merge, merge_keys: [day]}
  - id: daily
    component: duckdb.sql
    mode: transform
    needs: [orders, shops]
    config:
      sql: |
        SELECT o.day, s.city, sum(o.total) AS total, count(*) AS orders
        FROM orders o JOIN shops s ON s.id = o.shop
        WHERE o.day >= CAST(${params.since} AS DATE)
        GROUP BY ALL
  - id: orders
    component: file.table
    mode: read
    connection: "@files"
    config: {table: orders.csv, types: {shop: integer, day: date, total: "decimal(10,2)"}}
  - id: shops
    component: file.table
    mode: read
    connection: "@files"
    config: {table: shops.jsonl}
"""
CONNECTIONS = """\
connections:
  files: {component: file, root: data}
  warehouse: {component: duckdb, path: warehouse.duckdb}
"""
ORDERS = "shop,day,total\n1,2026-01-01,9.99\n1,2026-01-02,10.50\n1,2026-01-02,0.10\n1,2026-01-03,7.00\n"
SHOPS = '{"id": 1, "city": "Brno–střed 🦦"}\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    for name, text in {
        "osiris.yaml": "validation: strict\n",
        "osiris_connections.yaml": CONNECTIONS,
        "p.yaml": PIPELINE,
        "data/orders.csv": ORDERS,
        "data/shops.jsonl": SHOPS,
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as database:
        database.execute(
            "CREATE TABLE daily_sales (day DATE PRIMARY KEY, city VARCHAR, total DECIMAL(38, 2), orders BIGINT)"
        )
        database.execute("INSERT INTO daily_sales VALUES ('2026-01-01', 'kept', 1, 1), ('2026-01-02', 'old', 2, 2)")
    return tmp_path


def test_a_pipeline_leaves_exactly_this(project: Path, osiris: Osiris) -> None:
    compiled = osiris("compile", "p.yaml", "--out", "out", cwd=project)
    assert compiled.returncode == 0, compiled.stderr
    done = osiris("run", "p.yaml", "--json", cwd=project)
    assert done.returncode == 0, done.stderr
    record = Path(json.loads(done.stdout)["run_dir"])

    found = {
        f"cfg/{path.name}": stable(path.read_text("utf-8")) for path in sorted((project / "out" / "cfg").iterdir())
    }
    events = [json.loads(line) for line in (record / "events.jsonl").read_text("utf-8").splitlines()]
    # How often a step tells of its progress is up to the clock.
    found["events.jsonl"] = "".join(event_line(event) for event in events if event["event"] != "step_progress")
    found["daily_sales.txt"] = table(project)
    assert {path.name: path.read_bytes() for path in (record / "cfg").iterdir()} == {
        path.name: path.read_bytes() for path in (project / "out" / "cfg").iterdir()
    }
    compare(found)


def compare(found: dict[str, str]) -> None:
    if os.environ.get("OSIRIS_UPDATE_GOLDEN"):
        for name, text in found.items():
            (EXPECTED / name).parent.mkdir(parents=True, exist_ok=True)
            (EXPECTED / name).write_text(text, encoding="utf-8")
    files = [path for path in EXPECTED.rglob("*") if path.is_file()]
    assert found == {path.relative_to(EXPECTED).as_posix(): path.read_text("utf-8") for path in files}


def stable(text: str) -> str:
    """Without fingerprints and versions: other tests hold them, and they change with every spec."""
    text = re.sub(r'"?\b[0-9a-f]{64}\b"?', "FINGERPRINT", text)
    return re.sub(r'(component_version|osiris-\w+): "[^"]+"', r"\1: VERSION", text)


def event_line(event: dict[str, Any]) -> str:
    """One event without times, ids, numbers and sizes in memory."""
    gone = ("ts", "run_id", "run_key", "seq", "duration_ms", "bytes")
    return json.dumps({key: value for key, value in event.items() if key not in gone}, ensure_ascii=False) + "\n"


def table(project: Path) -> str:
    with duckdb.connect(str(project / "warehouse.duckdb")) as database:
        rows = database.execute("SELECT * FROM daily_sales ORDER BY day").fetchall()
    return "".join("\t".join(map(str, row)) + "\n" for row in rows)
