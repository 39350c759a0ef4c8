"""``osiris new pipeline --from … --to …``: a copy that validates and runs, written without any model."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from osiris_core.testing.cli import Osiris


@pytest.fixture
def project(tmp_path: Path) -> Path:
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as shop:
        shop.execute("CREATE TABLE orders (id BIGINT PRIMARY KEY, total DECIMAL(10,2))")
        shop.execute("INSERT INTO orders SELECT i, i * 1.5 FROM range(100) t(i)")
        shop.execute("CREATE TABLE log (line VARCHAR)")
    duckdb.connect(str(tmp_path / "lake.duckdb")).close()
    (tmp_path / "osiris_connections.yaml").write_text(
        "connections:\n  shop: {component: duckdb, path: shop.duckdb}\n  lake: {component: duckdb, path: lake.duckdb}\n"
    )
    return tmp_path


def test_the_copy_runs_as_it_is_and_twice_gives_the_same_table(osiris: Osiris, project: Path) -> None:
    made = osiris("new", "pipeline", "--from", "@shop.orders", "--to", "@lake", "--mode", "merge")
    assert made.returncode == 0, made.stderr
    path = project / "pipelines" / "orders-to-lake.yaml"
    for _ in range(2):
        done = osiris("run", path)
        assert done.returncode == 0, done.stderr
    with duckdb.connect(str(project / "lake.duckdb")) as lake:
        assert lake.execute("SELECT count(*), sum(total) FROM orders").fetchone() == (100, 7425)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--from", "@shop.ordrs", "--to", "@lake"), 'did you mean "orders"?'),
        (("--from", "@shop", "--to", "@lake"), "names no table"),
        (("--to", "@lake"), "--from is missing"),
        (("--from", "@shop.log", "--to", "@lake", "--mode", "merge"), "--key"),
        (("--from", "@shop.orders", "--to", "@lake", "--mode", "merge", "--key", "idd"), "idd"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(
    osiris: Osiris, project: Path, options: tuple[str, ...], told: str
) -> None:
    done = osiris("new", "pipeline", *options)
    assert done.returncode == 2
    assert told in done.stderr
    assert not (project / "pipelines").exists()
