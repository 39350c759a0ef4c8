"""Fixtures that the tests of core share."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from osiris_core.catalog import Column, Table
from osiris_core.session import Session

SHELF = Path(__file__).parent / "shelf"

ORDERS = Table(
    "orders",
    (
        Column("id", "bigint", "int64", nullable=False),
        Column("total", "decimal(10,2)", "decimal128(10, 2)"),
        Column("note", "text", "string"),
    ),
    primary_key=("id",),
    unique_keys=(("note",),),
    approximate_rows=100_000,
)

PIPELINE = """\
oml_version: "0.0.1"
name: copy-orders
params:
  least: {type: integer, default: 10}
steps:
  - id: load
    component: shelf.table
    mode: write
    connection: "@ware"
    needs: [orders]
    config: {table: orders, write_mode: merge, merge_keys: [id]}
  - id: orders
    component: shelf.table
    mode: read
    connection: "@shop"
    config: {table: orders, where: [{column: total, op: ">", value: "${params.least}"}]}
"""

CONNECTIONS = """\
connections:
  shop: {component: shelf, path: shop.json, host: db.internal, password: "${SHOP_PASSWORD}"}
  ware: {component: shelf, path: ware.json, password: "${WARE_PASSWORD}"}
"""


class ShelfProject:
    """A project whose connections ``@shop`` and ``@ware`` are files that a test alters at will.

    ``environment`` is what a process in it needs: the plugin on its path, and the secrets.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.pipeline = root / "copy.yaml"
        self.pipeline.write_text(PIPELINE)
        (root / "osiris_connections.yaml").write_text(CONNECTIONS)
        (root / "osiris.yaml").write_text("validation: strict\n")
        self.tables("shop", ORDERS)
        self.tables("ware", ORDERS)
        self.environment = {
            "PYTHONPATH": str(SHELF),
            "OSIRIS_PLUGINS": "shelf",
            "SHOP_PASSWORD": "canary-of-the-shop",
            "WARE_PASSWORD": "open sesame",
        }

    def tables(self, alias: str, *tables: Table, **facts: Any) -> None:
        """Make these the tables behind ``alias``; ``facts`` such as ``version`` and ``blind`` go beside them."""
        value = {"version": "1", "tables": [table.to_json() for table in tables], **facts}
        (self.root / f"{alias}.json").write_text(json.dumps(value))

    def alter(self, alias: str, **changes: Any) -> None:
        """``ALTER TABLE orders`` behind ``alias``: ``ORDERS`` with fields replaced."""
        self.tables(alias, replace(ORDERS, **changes))

    def session(self, **options: Any) -> Session:
        """A fresh session, as a new process would have it."""
        return Session.open(self.root, plugins=["shelf"], **options)

    def forget(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Unset a secret, in this process and in those started from it."""
        monkeypatch.delenv(name)
        del self.environment[name]

    def calls(self) -> list[tuple[str, str]]:
        """What the driver was asked in this process since the last time: ``("probe", "shop.json")``, …"""
        from osiris_shelf.driver import CALLS

        asked = list(CALLS)
        CALLS.clear()
        return asked

    def cached(self) -> list[Path]:
        """Every file of the catalog cache."""
        return sorted((self.root / ".osiris" / "catalog").rglob("*.json"))


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ShelfProject]:
    """A project on the plugin of ``tests/shelf``, with its secrets in the environment."""
    monkeypatch.syspath_prepend(SHELF)
    project = ShelfProject(tmp_path)
    secrets: Mapping[str, str] = project.environment
    for name in ("SHOP_PASSWORD", "WARE_PASSWORD"):
        monkeypatch.setenv(name, secrets[name])
    for name in [name for name in os.environ if name.startswith("OSIRIS_")]:
        monkeypatch.delenv(name)
    project.calls()
    yield project
    project.calls()
