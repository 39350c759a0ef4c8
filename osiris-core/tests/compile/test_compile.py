"""Compiling: one canonical manifest, nothing secret in it, and read back only when it is what was written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from osiris_core.catalog import Column, Table
from osiris_core.compile import Compiled, check_installed, compile_pipeline, load_compiled, write_compiled
from osiris_core.compile.build import config_files
from osiris_core.compile.store import compiled_files, manifest_schema
from osiris_core.drivers import StepView
from osiris_core.errors import CompileError, ConfigurationError, InvalidInputError
from osiris_core.hookspecs import hookimpl
from osiris_core.problems import Problem
from osiris_core.validate import validate


def compiled_in(shelf: Any, session: Any = None, params: Mapping[str, Any] | None = None, **options: Any) -> Compiled:
    session = session or shelf.session(**options)
    return compile_pipeline(validate(shelf.pipeline, session, params=params), session)


def test_the_manifest_says_what_will_run_and_nothing_that_varies(shelf: Any) -> None:
    manifest = compiled_in(shelf).manifest
    shown = {key: value for key, value in manifest.items() if key != "fingerprints"}
    assert shown == {
        "manifest_version": 1,
        "name": "copy-orders",
        "oml_version": "0.0.1",
        "params": {"least": 10},
        "steps": [
            {
                "id": "orders",
                "component": "shelf.table",
                "component_version": "1.0.0",
                "mode": "read",
                "connection": "@shop",
                "needs": [],
                "config": "cfg/orders.json",
            },
            {
                "id": "load",
                "component": "shelf.table",
                "component_version": "1.0.0",
                "mode": "write",
                "connection": "@ware",
                "needs": ["orders"],
                "config": "cfg/load.json",
            },
        ],
        "secrets": {
            "shop": {"/password": {"$secret": "SHOP_PASSWORD"}},
            "ware": {"/password": {"$secret": "WARE_PASSWORD"}},
        },
        "distributions": {"osiris-shelf": "1.0"},
    }
    assert list(manifest["fingerprints"]) == ["connections", "oml", "params", "schemas", "specs", "steps", "manifest"]


def test_configs_are_bound_and_pinned_by_the_driver(shelf: Any) -> None:
    compiled = compiled_in(shelf, params={"least": "12"})
    assert compiled.configs["orders"] == {
        "table": "orders",
        "where": [{"column": "total", "op": ">", "value": 12}],
        "columns": ["id", "total", "note"],
    }
    assert compiled.manifest["params"] == {"least": 12}


def test_schemas_are_kept_whole_but_without_what_moves(shelf: Any) -> None:
    compiled = compiled_in(shelf)
    table = compiled.schemas["orders"]["orders"]
    assert table is not None
    assert [column.name for column in table.columns] == ["id", "total", "note"]
    assert table.approximate_rows is None
    assert compiled.manifest["fingerprints"]["schemas"]["orders"] == {"orders": table.fingerprint}


def test_a_target_that_does_not_exist_yet_is_null(shelf: Any) -> None:
    shelf.tables("ware")
    text = shelf.pipeline.read_text()
    shelf.pipeline.write_text(
        text.replace("write_mode: merge, merge_keys: [id]", "write_mode: append, create: if_missing")
    )
    compiled = compiled_in(shelf)
    assert compiled.schemas["load"] == {"orders": None}
    assert compiled.manifest["fingerprints"]["schemas"]["load"] == {"orders": None}


@pytest.mark.parametrize(
    ("name", "change"),
    [
        (
            "params",
            lambda shelf: shelf.pipeline.write_text(shelf.pipeline.read_text().replace("default: 10", "default: 11")),
        ),
        ("steps", lambda shelf: shelf.pipeline.write_text(shelf.pipeline.read_text().replace('op: ">"', 'op: ">="'))),
        ("schemas", lambda shelf: shelf.alter("shop", unique_keys=())),
        ("connections", lambda shelf: _edit(shelf.root / "osiris_connections.yaml", "db.internal", "db2.internal")),
    ],
)
def test_each_input_has_its_own_fingerprint(shelf: Any, name: str, change: Any) -> None:
    before = compiled_in(shelf).manifest["fingerprints"]
    change(shelf)
    after = compiled_in(shelf).manifest["fingerprints"]
    assert before[name] != after[name]
    assert before["manifest"] != after["manifest"]


def _columns() -> tuple[Column, ...]:
    return (
        Column("id", "bigint", "int64", nullable=False),
        Column("total", "decimal(10,2)", "decimal128(10, 2)"),
        Column("note", "text", "string"),
    )


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_comments_layout_passwords_and_row_counts_change_nothing(shelf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before = compiled_files(compiled_in(shelf))
    shelf.pipeline.write_text("# a comment\n" + shelf.pipeline.read_text().replace("[id]", "[ id ]"))
    monkeypatch.setenv("SHOP_PASSWORD", "changed")
    shelf.alter("shop", approximate_rows=7, comment="busy")
    assert compiled_files(compiled_in(shelf)) == before


def test_numbers_that_json_cannot_hold_arrive_whole(shelf: Any, tmp_path: Path) -> None:
    compiled = compiled_in(shelf, params={"least": str(2**60 + 1)})
    write_compiled(compiled, tmp_path / "out")
    config = load_compiled(tmp_path / "out").configs["orders"]
    assert config["where"][0]["value"] == 2**60 + 1
    raw = json.loads((tmp_path / "out/cfg/orders.json").read_text())
    assert raw["where"][0]["value"] == {"$int": "1152921504606846977"}


def test_what_validate_refuses_is_refused_with_the_same_problems(shelf: Any, tmp_path: Path) -> None:
    _edit(shelf.pipeline, "merge_keys: [id]", "merge_keys: [idd]")
    session = shelf.session()
    validation = validate(shelf.pipeline, session)
    with pytest.raises(InvalidInputError) as caught:
        compile_pipeline(validation, session)
    assert list(caught.value.problems) == validation.problems
    assert caught.value.exit_code == validation.exit_code == 2


def test_a_refusal_of_the_configuration_keeps_its_exit_code(shelf: Any) -> None:
    _edit(shelf.pipeline, '"@shop"', '"@shopp"')
    session = shelf.session()
    with pytest.raises(ConfigurationError) as caught:
        compile_pipeline(validate(shelf.pipeline, session), session)
    assert caught.value.exit_code == 5
    assert any("shopp" in problem.message for problem in caught.value.problems)


class Failing:
    @hookimpl
    def osiris_compile_step(self, step: StepView) -> None:
        raise RuntimeError(f"cannot compile {step.id}")


class NotJson:
    @hookimpl
    def osiris_compile_step(self, step: StepView) -> Mapping[str, Any]:
        return {**step.config, "seen": {1, 2}}


class Policy:
    @hookimpl
    def osiris_check_manifest(self, manifest: Mapping[str, Any]) -> list[Problem]:
        writes = [step for step in manifest["steps"] if step["mode"] == "write"]
        return [Problem("OSI-M090", f"{step['connection']} is read-only", hint="ask the owner") for step in writes]


@pytest.mark.parametrize(
    ("plugin", "code", "words"),
    [
        (Failing(), "OSI-M001", ['plugin "mischief" failed', "cannot compile orders"]),
        (NotJson(), "OSI-M002", ['step "orders"', "set has no JSON form"]),
        (Policy(), "OSI-M090", ["@ware is read-only"]),
    ],
)
def test_a_plugin_that_fails_or_objects_refuses_the_compile(
    shelf: Any, plugin: Any, code: str, words: list[str]
) -> None:
    session = shelf.session()
    session.plugins.register("mischief", plugin)
    with pytest.raises(CompileError) as caught:
        compiled_in(shelf, session)
    assert caught.value.exit_code == 3
    assert caught.value.code == code
    assert all(word in caught.value.message for word in words)


def test_ids_that_differ_only_in_case_do_not_share_a_file() -> None:
    files = config_files(["Orders", "orders", "load"])
    assert files["load"] == "cfg/load.json"
    assert len({file.casefold() for file in files.values()}) == 3
    assert files == config_files(["load", "orders", "Orders"])


def test_written_and_read_back_is_the_same(shelf: Any, tmp_path: Path) -> None:
    compiled = compiled_in(shelf)
    out = write_compiled(compiled, tmp_path / "out", meta={"note": "varies"})
    loaded = load_compiled(out)
    assert (loaded.manifest, loaded.configs, loaded.schemas) == (compiled.manifest, compiled.configs, compiled.schemas)
    assert loaded.fingerprint == compiled.fingerprint
    names = sorted(path.name for path in (out / "cfg").iterdir())
    assert names == ["load.json", "manifest.schemas.json", "manifest.yaml", "orders.json"]
    assert json.loads((out / "meta.json").read_text()) == {"note": "varies"}


def test_compiling_again_leaves_no_old_file_and_touches_nothing_else(shelf: Any, tmp_path: Path) -> None:
    out = write_compiled(compiled_in(shelf), tmp_path / "out")
    (out / "notes.txt").write_text("mine")
    shelf.pipeline.write_text(
        shelf.pipeline.read_text().replace("orders]", "source]").replace("id: orders", "id: source")
    )
    write_compiled(compiled_in(shelf), out)
    assert sorted(path.name for path in out.iterdir()) == ["cfg", "notes.txt"]
    assert not (out / "cfg" / "orders.json").exists()
    assert load_compiled(out).step("source")["mode"] == "read"


def test_somebody_elses_cfg_is_not_replaced(shelf: Any, tmp_path: Path) -> None:
    (tmp_path / "cfg").mkdir()
    (tmp_path / "cfg" / "nginx.conf").write_text("mine")
    with pytest.raises(InvalidInputError, match="was not made by osiris compile"):
        write_compiled(compiled_in(shelf), tmp_path)
    assert [path.name for path in (tmp_path / "cfg").iterdir()] == ["nginx.conf"]


def test_a_directory_that_cannot_be_written_is_a_configuration_error(shelf: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        write_compiled(compiled_in(shelf), tmp_path / "file")


def damaged(name: str, old: str, new: str) -> Any:
    return pytest.param(name, old, new, id=f"{name}-{old}")


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        damaged("orders.json", '"value": 10', '"value": 0'),
        damaged("orders.json", "{", ""),
        damaged("load.json", '"orders"', '"customers"'),
        damaged("load.json", '"id"', '"id", {"$int": "x"}'),
        damaged("manifest.schemas.json", "bigint", "int"),
        damaged("manifest.schemas.json", '"columns"', '"columnz"'),
        damaged("manifest.yaml", "mode: read", "mode: write"),
        damaged("manifest.yaml", '"@ware"', '"@shop"'),
        damaged("manifest.yaml", "cfg/orders.json", "cfg/../orders.json"),
        damaged("manifest.yaml", "cfg/orders.json", "cfg/load.json"),
        damaged("manifest.yaml", "$secret: SHOP_PASSWORD", "$secret: OTHER"),
        damaged("manifest.yaml", "{$secret: SHOP_PASSWORD}", "hunter2"),
        damaged("manifest.yaml", "name: copy-orders", "name: &a copy-orders"),
        damaged("manifest.yaml", "steps:", "steps"),
    ],
)
def test_an_edit_is_refused(shelf: Any, tmp_path: Path, name: str, old: str, new: str) -> None:
    out = write_compiled(compiled_in(shelf), tmp_path / "out")
    _edit(out / "cfg" / name, old, new)
    with pytest.raises(CompileError) as caught:
        load_compiled(out)
    assert (caught.value.code, caught.value.exit_code) == ("OSI-M005", 3)
    assert f"cfg/{name}" in caught.value.message
    assert "hunter2" not in caught.value.message


def test_an_edit_of_every_number_is_refused(shelf: Any, tmp_path: Path) -> None:
    """The fingerprints hold for the whole manifest, themselves included."""
    out = write_compiled(compiled_in(shelf), tmp_path / "out")
    manifest = (out / "cfg/manifest.yaml").read_text()
    swapped = manifest.translate(str.maketrans("0123456789", "1234567890"))
    for number in range(len(manifest.splitlines())):
        lines = manifest.splitlines()
        if lines[number].startswith("#") or lines[number] == swapped.splitlines()[number]:
            continue
        lines[number] = swapped.splitlines()[number]
        (out / "cfg/manifest.yaml").write_text("\n".join(lines) + "\n")
        with pytest.raises(CompileError):
            load_compiled(out)


def test_configs_of_two_compiles_cannot_be_mixed(shelf: Any, tmp_path: Path) -> None:
    one = write_compiled(compiled_in(shelf), tmp_path / "one")
    two = write_compiled(compiled_in(shelf, params={"least": "99"}), tmp_path / "two")
    (one / "cfg/orders.json").write_text((two / "cfg/orders.json").read_text())
    with pytest.raises(CompileError, match=r"cfg/orders.json is not what was compiled"):
        load_compiled(one)


@pytest.mark.parametrize("name", ["orders.json", "manifest.schemas.json"])
def test_a_missing_file_is_refused(shelf: Any, tmp_path: Path, name: str) -> None:
    out = write_compiled(compiled_in(shelf), tmp_path / "out")
    (out / "cfg" / name).unlink()
    with pytest.raises(CompileError, match="No such file"):
        load_compiled(out)


def test_a_directory_without_manifest_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="holds no compiled pipeline") as caught:
        load_compiled(tmp_path)
    assert caught.value.code == "OSI-M004"


def test_a_manifest_of_another_version_says_so(shelf: Any, tmp_path: Path) -> None:
    out = write_compiled(compiled_in(shelf), tmp_path / "out")
    _edit(out / "cfg/manifest.yaml", "manifest_version: 1", "manifest_version: 2")
    with pytest.raises(CompileError, match="manifest version 2; this Osiris reads 1") as caught:
        load_compiled(out)
    assert caught.value.code == "OSI-M007"


def test_another_plugin_version_is_a_lock_mismatch(shelf: Any) -> None:
    session = shelf.session()
    compiled = compiled_in(shelf, session)
    check_installed(compiled, session)
    older = {**compiled.manifest, "distributions": {"osiris-shelf": "0.9"}}
    with pytest.raises(CompileError, match=r"osiris-shelf 0\.9 is wanted, 1\.0 is installed") as caught:
        check_installed(replace(compiled, manifest=older), session)
    assert (caught.value.code, caught.value.exit_code) == ("OSI-M006", 3)


def test_a_policy_of_the_place_that_runs_it_is_asked_too(shelf: Any) -> None:
    compiled, session = compiled_in(shelf), shelf.session()
    session.plugins.register("policy", Policy())
    with pytest.raises(CompileError, match="@ware is read-only"):
        check_installed(compiled, session)


def test_another_spec_is_a_lock_mismatch(shelf: Any) -> None:
    session = shelf.session()
    compiled = compiled_in(shelf, session)
    prints = {**compiled.manifest["fingerprints"], "specs": {"shelf.table": "0" * 64}}
    with pytest.raises(CompileError, match=r"the spec of shelf\.table is not the one compiled with"):
        check_installed(replace(compiled, manifest={**compiled.manifest, "fingerprints": prints}), session)


def test_the_manifest_follows_its_published_schema(shelf: Any) -> None:
    schema = manifest_schema()
    jsonschema_rs.meta.validate(schema)
    validator = jsonschema_rs.Draft202012Validator(schema)
    manifest = yaml.safe_load(compiled_files(compiled_in(shelf))["cfg/manifest.yaml"])
    assert validator.is_valid(manifest)
    for bad in ("hunter2", {"$secret": "not a name"}, {"$secret": "A", "value": "b"}, {}):
        assert not validator.is_valid({**manifest, "secrets": {"shop": {"/password": bad}}})
    assert not validator.is_valid({**manifest, "host": "db.internal"})


def test_tables_of_another_step_do_not_matter(shelf: Any) -> None:
    before = compiled_in(shelf).fingerprint
    shelf.tables("shop", *(Table("orders", _columns(), primary_key=("id",), unique_keys=(("note",),)), Table("x", ())))
    assert compiled_in(shelf).fingerprint == before
