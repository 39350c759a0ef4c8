"""The commands in real processes: compile, plan, diff, discover, doctor, connections."""

from __future__ import annotations

import json
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from osiris_core.catalog import Column, Table
from osiris_core.testing.cli import Osiris


@pytest.fixture
def run(shelf: Any, osiris: Osiris) -> Any:
    """``run("compile", …)`` in the shelf's project."""

    def call(*arguments: str, **env: str) -> CompletedProcess[str]:
        return osiris(*arguments, cwd=shelf.root, env={**shelf.environment, **env})

    return call


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


# -- compile -------------------------------------------------------------------------------------------
def test_compile_writes_and_says_what_comes_next(shelf: Any, run: Any) -> None:
    done = run("compile", "copy.yaml")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "copy-orders → build/copy-orders"
    assert "next: osiris run build/copy-orders" in done.stdout
    assert (shelf.root / "build/copy-orders/cfg/manifest.yaml").is_file()
    assert "compiled_at" in json.loads((shelf.root / "build/copy-orders/meta.json").read_text())


def test_compile_refuses_what_validate_refuses_and_leaves_the_old_directory(shelf: Any, run: Any) -> None:
    assert run("compile", "copy.yaml", "--out", "out").returncode == 0
    before = (shelf.root / "out/cfg/manifest.yaml").read_bytes()
    edit(shelf.pipeline, "merge_keys: [id]", "merge_keys: [idd]")
    validated, compiled = run("validate", "copy.yaml", "--json"), run("compile", "copy.yaml", "--out", "out", "--json")
    assert validated.returncode == compiled.returncode == 2
    assert json.loads(compiled.stdout)["problems"] == json.loads(validated.stdout)["problems"]
    assert (shelf.root / "out/cfg/manifest.yaml").read_bytes() == before
    shown = run("compile", "copy.yaml", "--out", "out").stderr
    assert "merge_keys: [idd]" in shown
    assert "^^^" in shown


def test_compile_binds_parameters(shelf: Any, run: Any) -> None:
    assert run("compile", "copy.yaml", "--out", "out", "--param", "least=5").returncode == 0
    assert json.loads((shelf.root / "out/cfg/orders.json").read_text())["where"][0]["value"] == 5
    assert run("compile", "copy.yaml", "--out", "out", "--param", "least=five").returncode == 2
    assert run("compile", "copy.yaml", "--out", "out", "--param", "least").returncode == 2


def test_compile_names_all_missing_secrets(shelf: Any, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SHOP_PASSWORD", "WARE_PASSWORD"):
        shelf.forget(name, monkeypatch)
    done = run("compile", "copy.yaml", "--out", "out")
    assert done.returncode == 5
    assert "SHOP_PASSWORD" in done.stderr
    assert "WARE_PASSWORD" in done.stderr
    assert not (shelf.root / "out").exists()


# -- plan and diff -------------------------------------------------------------------------------------
def test_plan_tells_what_a_run_would_do(shelf: Any, run: Any) -> None:
    edit(shelf.pipeline, "write_mode: merge, merge_keys: [id]", "write_mode: replace")
    text = run("plan", "copy.yaml").stdout
    assert text.splitlines()[0] == "copy-orders: 2 steps; nothing was read or written"
    steps = json.loads(run("plan", "copy.yaml", "--json").stdout)["steps"]
    assert [step["id"] for step in steps] == ["orders", "load"]
    assert steps[0]["approximate_rows"] == 100_000
    assert steps[1]["notes"] == ["replaces by a swap"]
    assert steps[1]["delivery"] == "exactly_once"
    assert "~100,000 rows" in text


def test_plan_says_which_table_is_made(shelf: Any, run: Any) -> None:
    shelf.tables("ware")
    edit(shelf.pipeline, "write_mode: merge, merge_keys: [id]", "write_mode: append, create: if_missing")
    steps = json.loads(run("plan", "copy.yaml", "--json").stdout)["steps"]
    assert steps[1]["notes"] == ['table "orders" does not exist yet and is made']
    assert steps[1]["warnings"] == []


def test_plan_of_a_compiled_directory_warns_of_drift(shelf: Any, run: Any) -> None:
    assert run("compile", "copy.yaml", "--out", "out").returncode == 0
    shelf.alter("shop", columns=(Column("id", "bigint", "int64", nullable=False),))
    done = run("plan", "out", "--json")
    assert done.returncode == 0, done.stderr
    warnings = json.loads(done.stdout)["steps"][0]["warnings"]
    assert warnings == ['column "total" is gone since the compile', 'column "note" is gone since the compile']


def test_plan_refuses_an_edited_directory(shelf: Any, run: Any) -> None:
    run("compile", "copy.yaml", "--out", "out")
    edit(shelf.root / "out/cfg/orders.json", '"value": 10', '"value": 0')
    done = run("plan", "out")
    assert done.returncode == 3
    assert "OSI-M005: cfg/orders.json is not what was compiled" in done.stderr


def test_diff_names_every_difference(shelf: Any, run: Any) -> None:
    assert run("compile", "copy.yaml", "--out", "old").returncode == 0
    assert run("diff", "old", "copy.yaml").stdout == "no difference\n"
    edit(shelf.pipeline, "default: 10", "default: 12")
    edit(shelf.pipeline, "id: load", "id: store")
    shelf.alter("shop", primary_key=())
    done = run("diff", "old", "copy.yaml", "--json")
    assert done.returncode == 0, done.stderr
    found = {(item["what"], item["where"]): item["message"] for item in json.loads(done.stdout)["differences"]}
    assert found == {
        ("param", "least"): "10 → 12",
        ("step", "load"): 'step "load" is gone',
        ("step", "store"): 'step "store" is new: write shelf.table',
        ("field", "orders/config/where/0/value"): "10 → 12",
        ("schema", "orders/orders"): "the primary key (id) is gone",
    }


# -- discover ------------------------------------------------------------------------------------------
def test_discover_shows_tables_for_people(shelf: Any, run: Any) -> None:
    note = Column("note", "text", "string", case_insensitive=True, generated=True)
    shelf.alter("shop", columns=(Column("id", "bigint", "int64", nullable=False), note))
    done = run("discover", "@shop")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "@shop  shelf.table  1  1 table",
        "",
        "orders  ~100,000 rows",
        "  id    bigint  int64   key, not null",
        "  note  text    string  generated, ignores case",
        "  unique (note)",
    ]


def test_discover_filters_and_suggests(shelf: Any, run: Any) -> None:
    shelf.tables("shop", Table("orders", ()), Table("order_items", ()), Table("customers", ()))
    found = json.loads(run("discover", "shop", "--table", "order*", "--json").stdout)
    assert [table["name"] for table in found["catalogs"][0]["tables"]] == ["order_items", "orders"]
    done = run("discover", "@shop", "--table", "ordrs")
    assert done.returncode == 2
    assert 'did you mean "orders"?' in done.stderr


def test_discover_of_an_unknown_alias_is_refused(run: Any) -> None:
    done = run("discover", "@shp")
    assert done.returncode == 5
    assert 'did you mean "shop"?' in done.stderr


def test_names_cannot_play_tricks_on_a_terminal(shelf: Any, run: Any) -> None:
    shelf.tables("shop", Table("red\x1b[31m", (Column("a\nb", "text", "string"),)))
    text = run("discover", "@shop").stdout
    assert "\x1b" not in text
    assert "red\\x1b[31m" in text
    assert "a\\nb" in text


def test_offline_says_what_was_not_checked(shelf: Any, run: Any) -> None:
    assert run("discover", "@shop", "--offline").returncode == 5
    run("discover", "@shop")
    shelf.tables("shop")
    done = run("discover", "@shop", "--offline")
    assert done.returncode == 0
    assert "orders" in done.stdout
    assert "note: offline: what exists behind @shop was not checked since" in done.stderr


# -- doctor and connections ----------------------------------------------------------------------------
def test_doctor_fails_with_category_and_mend(run: Any) -> None:
    done = run("doctor")
    assert done.returncode == 5
    assert "failed  authentication  the password is wrong" in done.stdout
    assert "→ set the right one" in done.stdout
    assert run("doctor", "@ware").returncode == 0


def test_connections_test_speaks_json(run: Any) -> None:
    done = run("connections", "test", "--json")
    assert done.returncode == 5
    report = json.loads(done.stdout)
    assert report["ok"] is False
    assert [(f["subject"], f["status"]) for f in report["findings"]] == [
        ("@shop (shelf)", "failed"),
        ("@ware (shelf)", "ok"),
    ]


def test_a_missing_secret_is_a_finding_and_the_others_are_still_checked(
    shelf: Any, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.forget("SHOP_PASSWORD", monkeypatch)
    done = run("connections", "test")
    assert done.returncode == 5
    assert "failed  secret" in done.stdout
    assert "SHOP_PASSWORD" in done.stdout
    assert "ok  authentication" in done.stdout


def test_doctor_warns_of_a_secret_too_short_to_mask(run: Any) -> None:
    assert "the value of SHOP_PASSWORD is too short to be masked" in run("doctor", SHOP_PASSWORD="abc").stdout


def test_doctor_finds_a_state_directory_that_cannot_be(shelf: Any, run: Any) -> None:
    (shelf.root / ".osiris").write_text("a file")
    done = run("doctor", "@ware")
    assert done.returncode == 5
    assert ".osiris cannot be written" in done.stdout


def test_connections_list_shows_no_secret(run: Any) -> None:
    done = run("connections", "list")
    assert done.returncode == 0, done.stderr
    assert "@shop  shelf  " in done.stdout
    assert "SHOP_PASSWORD (set)" in done.stdout
    assert "canary" not in done.stdout
    listed = json.loads(run("connections", "list", "--json").stdout)["connections"]
    assert listed[0]["fields"]["host"] == "db.internal"
    assert listed[0]["variables"] == {"SHOP_PASSWORD": True}


def test_a_faulty_connections_file_is_told_with_line_and_caret(shelf: Any, run: Any) -> None:
    edit(shelf.root / "osiris_connections.yaml", '"${SHOP_PASSWORD}"', "hunter2-in-clear")
    done = run("connections", "list")
    assert done.returncode == 5
    assert "osiris_connections.yaml:2:" in done.stderr
    assert "hunter2" not in done.stdout + done.stderr
