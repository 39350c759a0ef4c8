"""A shop: two DuckDB databases and a directory of files, as a project."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from osiris_core.oml import load
from osiris_core.session import Session
from osiris_core.validate import Validation, validate

SHOP = """
CREATE TABLE customers (id BIGINT PRIMARY KEY, name VARCHAR NOT NULL, email VARCHAR UNIQUE, born DATE, vip BOOLEAN);
CREATE TABLE orders (
  id BIGINT PRIMARY KEY, customer_id BIGINT NOT NULL, total DECIMAL(10,2), placed_at TIMESTAMPTZ, note VARCHAR,
  gross DECIMAL(12,2) GENERATED ALWAYS AS (total * 2)
);
CREATE VIEW big_orders AS SELECT * FROM orders WHERE total > 100;
INSERT INTO customers SELECT i, 'customer ' || i, 'c' || i || '@example.com', DATE '1990-01-01', i % 2 = 0
  FROM range(20) t(i);
INSERT INTO orders SELECT i, i % 20, i * 1.25, TIMESTAMPTZ '2026-01-01 00:00:00+00', NULL FROM range(200) t(i);
"""
WARE = """
CREATE TABLE order_copy (id BIGINT PRIMARY KEY, customer_id BIGINT NOT NULL, total DECIMAL(10,2));
CREATE TABLE order_gross (id BIGINT, customer_id BIGINT, total DECIMAL(10,2),
  gross DECIMAL(12,2) GENERATED ALWAYS AS (total * 2));
"""
CONNECTIONS = """\
connections:
  shop: {component: duckdb, path: shop.duckdb}
  ware: {component: duckdb, path: ware.duckdb}
  files: {component: file, root: data}
"""


def make_shop(root: Path) -> None:
    """Put the project into ``root``."""
    for name, ddl in (("shop", SHOP), ("ware", WARE)):
        with duckdb.connect(str(root / f"{name}.duckdb")) as database:
            database.execute(ddl)
    (root / "data").mkdir()
    (root / "osiris.yaml").write_text("validation: strict\n")
    (root / "osiris_connections.yaml").write_text(CONNECTIONS)


class Shop:
    """One project; ``check`` validates a text in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.session = Session.open(root, plugins=["duckdb"])

    def check(self, text: str, mode: str = "strict", **options: Any) -> Validation:
        """Validate ``text`` in the open session."""
        return validate(load(text, "pipeline.yaml"), self.session, mode=mode, **options)

    def codes(self, text: str, mode: str = "strict", **options: Any) -> list[str]:
        """Codes of all problems, in the order of the file."""
        return [problem.code for problem in self.check(text, mode, **options).problems]


@pytest.fixture(scope="session")
def shop_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop nobody writes to."""
    root = tmp_path_factory.mktemp("shop")
    make_shop(root)
    return root


@pytest.fixture(scope="module")
def shop(shop_template: Path) -> Iterator[Shop]:
    """A shop for tests that only look at it."""
    kept = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("OSIRIS_")}
    yield Shop(shop_template)
    os.environ.update(kept)


@pytest.fixture
def own_shop(shop_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A shop of the test's own, to change and to run in."""
    for name in [name for name in os.environ if name.startswith("OSIRIS_")]:
        monkeypatch.delenv(name)
    root = tmp_path / "shop"
    shutil.copytree(shop_template, root, ignore=shutil.ignore_patterns(".osiris"))
    return Shop(root)
