"""Mutated pipelines: validate, compile and run accept and refuse the same, in every mode, and never crash.

A mutant that is accepted under ``strict`` really runs on DuckDB, and succeeds. ``AGREEMENT_EXAMPLES`` sets how many
mutants are tried.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from copy import deepcopy
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, note, settings
from hypothesis import strategies as st

from osiris_core.cli.main import main

EXAMPLES = int(os.environ.get("AGREEMENT_EXAMPLES", "15"))
MODES = ("strict", "warn", "off")

COPY: dict[str, Any] = {
    "oml_version": "0.0.1",
    "name": "copy",
    "params": {"least": {"type": "integer", "default": 10}},
    "steps": [
        {
            "id": "orders", "component": "duckdb.table", "mode": "read", "connection": "@shop",
            "config": {
                "table": "orders", "columns": ["id", "customer_id", "total"],
                "where": [{"column": "id", "op": ">=", "value": "${params.least}"}],
                "order_by": [{"column": "id"}], "limit": 50,
            },
        },
        {
            "id": "load", "component": "duckdb.table", "mode": "write", "connection": "@ware", "needs": ["orders"],
            "config": {
                "table": "order_copy", "write_mode": "merge", "merge_keys": ["id"], "delete_missing": False,
                "verify": "count",
            },
        },
    ],
}  # fmt: skip
SUMS: dict[str, Any] = {
    "oml_version": "0.0.1",
    "name": "sums",
    "params": {"day": {"type": "date", "default": "2026-01-01"}},
    "steps": [
        {
            "id": "customers", "component": "duckdb.table", "mode": "read", "connection": "@shop",
            "config": {"table": "customers"},
        },
        {
            "id": "orders", "component": "duckdb.table", "mode": "read", "connection": "@shop",
            "config": {"query": "SELECT id, customer_id, total FROM orders WHERE placed_at >= ${params.day}"},
        },
        {
            "id": "sums", "component": "duckdb.sql", "mode": "transform", "needs": ["customers", "orders"],
            "config": {
                "sql": "SELECT c.id, c.name, sum(o.total) AS total FROM customers c JOIN orders o "
                "ON o.customer_id = c.id GROUP BY ALL"
            },
        },
        {
            "id": "file", "component": "file.table", "mode": "write", "connection": "@files", "needs": ["sums"],
            "config": {"table": "sums.csv", "write_mode": "replace"},
        },
    ],
}  # fmt: skip
#: Keys and values that mean something somewhere, so that mutants are nearly right more often than plain nonsense.
KEYS = (
    "id", "component", "mode", "connection", "needs", "config", "table", "columns", "where", "order_by", "limit",
    "query", "where_sql", "incremental", "write_mode", "merge_keys", "create", "on_drift", "dedupe", "require",
    "sql", "password", "params", "description", "sql_params", "path", "root", "colums", "x",
)  # fmt: skip
WORDS = (
    "x", "orders", "customers", "id", "sums", "load", "order_copy", "big_orders", "order_gross", "gross",
    "customer_id", "note", "name", "vip", "@shop", "@ware", "@files", "@nowhere", "duckdb.table", "duckdb.sql",
    "file.table", "mysql.table", "read", "write", "transform", "append", "merge", "replace", "upsert", "if_missing",
    "add_columns", "ignore_new", "exactly_once", "0.1.0", "${params.least}", "${params.day}", "${params.nope}",
    "${HOME}", "../x.csv", "/etc/x.csv", "new.csv", "new.parquet", "SELEC", "naïve😀",
)  # fmt: skip
SQL = (
    "SELECT * FROM orders", "SELECT id FROM customers, orders", "SELECT 1; SELECT 2", "DELETE FROM orders", "id > 3",
    "id > 3)",
)  # fmt: skip
VALUES: list[Any] = [None, True, False, 0, -1, 7, 2**70, 1.5, "", [], {}, [1], ["id", "id"], {"a": 1}, *WORDS, *SQL]


READS: list[dict[str, Any]] = [
    {"limit": 3}, {"order_by": [{"column": "id", "descending": True}]}, {"where_sql": "id % 2 = 0"},
    {"where": [{"column": "id", "op": "in", "value": [1, 2, 3]}]}, {"where": [{"column": "id", "op": "is_not_null"}]},
    {"where": [{"column": "total", "op": "<", "value": 100.5}, {"column": "id", "op": "!=", "value": 20}]},
    {"where": [{"column": "placed_at", "op": ">", "value": "2025-01-01"}]},
    {"columns": ["total", "id", "customer_id"]}, {"columns": ["id", "customer_id", "total", "note"]},
    {"where": [{"column": "note", "op": "like", "value": "%x%"}]},
]  # fmt: skip
WRITES: list[dict[str, Any]] = [
    {"write_mode": "append"}, {"write_mode": "replace"}, {"on_drift": "ignore_new"}, {"on_drift": "add_columns"},
    {"table": "fresh", "create": "if_missing"}, {"table": "fresh.parquet"}, {"verify": "none"},
    {"require": "exactly_once"},
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every path below ``value``."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for part in path:
        value = value[part]
    return value


@st.composite
def mutants(draw: st.DrawFn) -> dict[str, Any]:
    """A valid pipeline after one to three mutations."""
    value = deepcopy(draw(st.sampled_from([COPY, SUMS])))
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3]))):
        mutation = draw(st.sampled_from([drop, rename, retype, reorder, inject, vary, vary]))
        mutation(draw, value)
    return dict(value)


def drop(draw: st.DrawFn, value: Any) -> None:
    path = draw(st.sampled_from(list(places(value)) or [()]))
    if path:
        del at(value, path[:-1])[path[-1]]


def rename(draw: st.DrawFn, value: Any) -> None:
    keys = [path for path in places(value) if isinstance(path[-1], str)]
    if keys:
        path = draw(st.sampled_from(keys))
        mapping = at(value, path[:-1])
        mapping[draw(st.sampled_from(KEYS))] = mapping.pop(path[-1])


def retype(draw: st.DrawFn, value: Any) -> None:
    path = draw(st.sampled_from(list(places(value)) or [()]))
    if path:
        at(value, path[:-1])[path[-1]] = deepcopy(draw(st.sampled_from(VALUES)))


def reorder(draw: st.DrawFn, value: Any) -> None:
    lists = [path for path in places(value) if isinstance(at(value, path), list)]
    if lists:
        items = at(value, draw(st.sampled_from(lists)))
        items[:] = draw(st.permutations(items))


def inject(draw: st.DrawFn, value: Any) -> None:
    holders = [path for path in places(value) if isinstance(at(value, path), dict | list)]
    if not holders:
        return
    holder = at(value, draw(st.sampled_from(holders)))
    new = deepcopy(draw(st.sampled_from(VALUES)))
    if isinstance(holder, dict):
        holder[draw(st.sampled_from(KEYS))] = new
    else:
        holder.append(deepcopy(draw(st.sampled_from(holder))) if holder and draw(st.booleans()) else new)


def vary(draw: st.DrawFn, value: Any) -> None:
    """A change that leaves most pipelines valid."""
    configs = [step["config"] for step in value.get("steps", ()) if isinstance(step, dict) and "config" in step]
    configs = [config for config in configs if isinstance(config, dict)]
    readers = [config for config in configs if "write_mode" not in config and "sql" not in config]
    writers = [config for config in configs if "write_mode" in config]
    if readers and draw(st.booleans()):
        change = draw(st.sampled_from(READS))
        draw(st.sampled_from(readers)).update(deepcopy(change))
    elif writers:
        config = draw(st.sampled_from(writers))
        config.update(deepcopy(draw(st.sampled_from(WRITES))))
        if config["write_mode"] != "merge":
            config.pop("merge_keys", None)
            config.pop("delete_missing", None)


class Lab:
    """Runs commands in this process, each time on a fresh copy of the shop."""

    def __init__(self, template: Path, root: Path) -> None:
        self.template = template
        self.root = root
        self.numbers = count()

    def call(self, command: str, text: str, mode: str) -> tuple[int, list[str], str]:
        """Exit code, codes of the problems that refuse, and what was said on stderr."""
        directory = self.root / str(next(self.numbers))
        shutil.copytree(self.template, directory, ignore=shutil.ignore_patterns(".osiris"))
        (directory / "pipeline.yaml").write_text(text)
        stdout, stderr = io.StringIO(), io.StringIO()
        arguments = [command, str(directory / "pipeline.yaml"), "--project", str(directory), "--mode", mode, "--json"]
        if command == "compile":
            arguments += ["--out", str(directory / "out")]
        with redirect_stdout(stdout), redirect_stderr(stderr):
            exit_code = main(arguments)
        shutil.rmtree(directory)
        said = json.loads(stdout.getvalue())
        codes = sorted(p["code"] for p in said.get("problems", ()) if p["severity"] == "error")
        return exit_code, codes, stderr.getvalue()


@pytest.fixture
def lab(shop_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    for name in [name for name in os.environ if name.startswith("OSIRIS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OSIRIS_PLUGINS", "duckdb")
    handler = signal.getsignal(signal.SIGTERM)
    yield Lab(shop_template, tmp_path)
    signal.signal(signal.SIGTERM, handler)


def agree(lab: Lab, pipeline: dict[str, Any]) -> bool:
    """Assert that all commands say the same about ``pipeline``, in every mode; whether strict accepts it."""
    accepted = False
    text = json.dumps(pipeline, ensure_ascii=False, indent=1)
    for mode in MODES:
        validated, codes, said = lab.call("validate", text, mode)
        assert "Traceback" not in said
        assert validated in (0, 2, 5)
        assert bool(codes) == (validated != 0)
        assert lab.call("compile", text, mode)[:2] == (validated, codes)
        ran, refused, said = lab.call("run", text, mode)
        assert "Traceback" not in said
        if validated:
            assert (ran, refused) == (validated, codes)
        elif mode == "strict":
            assert ran == 0, said
            accepted = True
        else:  # what strict would have refused may fail as it runs, and says so
            assert ran in (0, 4), said
    return accepted


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(mutant=mutants())
def test_mutants_are_accepted_by_all_commands_or_refused_by_all(mutant: dict[str, Any], lab: Lab) -> None:
    note(json.dumps(mutant, ensure_ascii=False, indent=1))
    accepted = agree(lab, mutant)
    event("accepted" if accepted else "refused")


@pytest.mark.parametrize("pipeline", [COPY, SUMS], ids=["copy", "sums"])
def test_what_is_mutated_is_valid_and_runs(pipeline: dict[str, Any], lab: Lab) -> None:
    agree(lab, pipeline)
    assert lab.call("run", json.dumps(pipeline), "strict")[0] == 0
