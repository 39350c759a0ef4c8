"""Making projects, pipelines and connectors: what is written works, and nothing is ever overwritten."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from osiris_core.cli.new import connector_files
from osiris_core.testing.cli import Osiris

FILES = {"osiris.yaml", "osiris_connections.yaml", "pipelines/example.yaml", ".gitignore", ".osiris/oml.schema.json"}


@pytest.fixture
def osiris(tmp_path: Path) -> Osiris:
    return Osiris(tmp_path)


def files_in(directory: Path) -> set[str]:
    return {path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()}


def test_init_makes_a_project_that_works(osiris: Osiris, tmp_path: Path) -> None:
    result = osiris("init", "shop")
    assert result.returncode == 0, result.stderr
    project = tmp_path / "shop"
    assert files_in(project) == FILES
    assert yaml.safe_load((project / "osiris.yaml").read_text())["validation"] == "strict"
    assert osiris("connections", "list", cwd=project).returncode == 0

    example = project / "pipelines" / "example.yaml"
    modeline = example.read_text().splitlines()[0]
    named = modeline.removeprefix("# yaml-language-server: $schema=")
    schema = json.loads((example.parent / named).read_text())
    assert schema["title"].startswith("Osiris pipeline")
    validated = json.loads(osiris("validate", example, "--json", cwd=project).stdout)
    assert {problem["code"] for problem in validated["problems"]} == {"OSI-C002"}, "only the connections are missing"


def test_the_commented_connections_are_right_when_uncommented(osiris: Osiris, tmp_path: Path) -> None:
    osiris("init")
    file = tmp_path / "osiris_connections.yaml"
    head, _, commented = file.read_text().partition("connections: {}\n")
    lines = [line.removeprefix("# ") for line in commented.splitlines()]
    file.write_text("\n".join([head, "connections:", *lines, ""]))
    result = osiris("connections", "list", "--json")
    assert result.returncode == 0, result.stderr
    assert "shop" in result.stdout


@pytest.mark.parametrize("present", sorted(FILES - {".gitignore", ".osiris/oml.schema.json"}))
def test_init_overwrites_nothing_and_writes_nothing_then(osiris: Osiris, tmp_path: Path, present: str) -> None:
    file = tmp_path / present
    file.parent.mkdir(exist_ok=True)
    file.write_text("mine")
    result = osiris("init")
    assert result.returncode == 2
    assert "OSI-V052" in result.stderr
    assert files_in(tmp_path) == {present}
    assert file.read_text() == "mine"


def test_init_leaves_a_gitignore_as_it_is(osiris: Osiris, tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("mine\n")
    result = osiris("init", "--json")
    assert result.returncode == 0
    assert set(json.loads(result.stdout)["files"]) == FILES - {".gitignore"}
    assert (tmp_path / ".gitignore").read_text() == "mine\n"


@pytest.mark.parametrize("of", ["pipeline", "project", "spec", "oml", "manifest", "events"])
def test_each_published_schema_is_printed_and_written_alike(osiris: Osiris, tmp_path: Path, of: str) -> None:
    printed = osiris("schema", "--of", of)
    assert printed.returncode == 0, printed.stderr
    schema = json.loads(printed.stdout)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"].startswith("urn:osiris:schema:")
    written = osiris("schema", "--of", of, "--out", "sub/schema.json")
    assert (written.returncode, written.stdout) == (0, "")
    assert json.loads((tmp_path / "sub" / "schema.json").read_text()) == schema


def test_a_new_pipeline_has_its_place_and_is_never_overwritten(osiris: Osiris, tmp_path: Path) -> None:
    (tmp_path / "osiris.yaml").write_text("validation: strict\n")
    below = tmp_path / "notes"
    below.mkdir()
    assert osiris("new", "pipeline", "daily-orders", cwd=below).returncode == 0
    path = tmp_path / "pipelines" / "daily-orders.yaml"
    assert yaml.safe_load(path.read_text())["name"] == "daily-orders"
    text = path.read_text()
    again = osiris("new", "pipeline", "daily-orders", cwd=below)
    assert again.returncode == 2
    assert path.read_text() == text


def test_a_new_pipeline_runs_once_its_connection_exists(osiris: Osiris, tmp_path: Path) -> None:
    assert osiris("new", "pipeline", "copy").returncode == 0
    (tmp_path / "osiris_connections.yaml").write_text("connections: {files: {component: file, root: data}}\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "orders.csv").write_text("id,total\n1,9.5\n2,10.25\n")
    result = osiris("run", "pipelines/copy.yaml")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "data" / "orders.parquet").read_bytes()[:4] == b"PAR1"


@pytest.mark.parametrize(
    "arguments",
    [("connector", "Shop"), ("connector", "../x"), ("connector", "1st"), ("pipeline", "../x"), ("pipeline", "a/b")],
)
def test_names_that_would_lead_elsewhere_are_refused(
    osiris: Osiris, tmp_path: Path, arguments: tuple[str, str]
) -> None:
    assert osiris("new", *arguments).returncode == 2
    assert files_in(tmp_path) == set()


def test_every_placeholder_of_the_connector_is_filled() -> None:
    files = connector_files("my_shop")
    assert "src/osiris_my_shop/components/my_shop.table/spec.yaml" in files
    assert not any("@@" in name + text or "NAME" in name for name, text in files.items())
    assert "osiris-my-shop" in files["pyproject.toml"]


def test_a_new_connector_installs_and_passes_the_conformance_kit(
    osiris: Osiris, tmp_path: Path, unmeasured: dict[str, str]
) -> None:
    made = osiris("new", "connector", "my_shop", "--json")
    assert made.returncode == 0, made.stderr
    package = tmp_path / "osiris-my-shop"
    assert files_in(package) == set(connector_files("my_shop"))
    assert osiris("new", "connector", "my_shop").returncode == 2

    site = tmp_path / "site"
    install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps", "--target", site, package]
    subprocess.run([*install, "--python", sys.executable], check=True, capture_output=True, text=True)
    env = {"PYTHONPATH": str(site), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    listed = osiris("components", "list", "--json", env=env)
    row = next(row for row in json.loads(listed.stdout) if row["name"] == "my_shop.table")
    assert (row["owners"], row["error"]) == (["my_shop"], None)
    checked = osiris("components", "check", package / "src/osiris_my_shop/components/my_shop.table", env=env)
    assert (checked.returncode, checked.stderr) == (0, "")

    tests = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=package,
        env={**unmeasured, **env, "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert tests.returncode == 0, tests.stdout[-4000:]
    assert " passed" in tests.stdout
