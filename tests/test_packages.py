"""What each published package must hold: in the tree, in its wheel, and alone in a fresh environment."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from osiris_core.testing.cli import Osiris, clean_environment

ROOT = Path(__file__).parents[1]
PACKAGES = sorted(path.parent.name for path in ROOT.glob("osiris-*/pyproject.toml"))
PLUGINS = [name for name in PACKAGES if name != "osiris-core"]


def project(package: str) -> dict[str, object]:
    loaded: dict[str, object] = tomllib.loads((ROOT / package / "pyproject.toml").read_text("utf-8"))["project"]
    return loaded


def source(package: str) -> Path:
    return ROOT / package / "src" / package.replace("-", "_")


def uv(*arguments: str | Path, cwd: Path = ROOT) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "uv", *map(str, arguments)],
        cwd=cwd,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("package", PACKAGES)
def test_the_tree_of_the_package_is_complete(package: str) -> None:
    assert (source(package) / "py.typed").exists()
    assert (ROOT / package / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    readme = (ROOT / package / "README.md").read_text("utf-8")
    assert len(readme) > 400, "the README says too little for a page of its own on an index"
    version = re.search(r'^__version__ = "(.+)"$', (source(package) / "__init__.py").read_text("utf-8"), re.M)
    assert version
    assert f"## {version[1]} " in (ROOT / package / "CHANGELOG.md").read_text("utf-8")


@pytest.mark.parametrize("package", PLUGINS)
def test_the_plugin_states_the_core_versions_that_it_works_with(package: str) -> None:
    dependencies = project(package)["dependencies"]
    assert isinstance(dependencies, list)
    core = [text for text in dependencies if re.match(r"osiris-core\b", text)]
    assert len(core) == 1
    assert re.fullmatch(r"osiris-core(\[[a-z,]+\])?>=[\d.]+,<[\d.]+", core[0])


@pytest.mark.parametrize("package", PACKAGES)
def test_the_wheel_ships_what_the_package_needs(package: str, tmp_path: Path, osiris: Osiris) -> None:
    """Every spec is in the wheel as it is in the tree, and valid; so are the schemas, the marker and the licence."""
    uv("build", "--quiet", "--wheel", "--out-dir", tmp_path / "dist", ROOT / package)
    (path,) = (tmp_path / "dist").glob("*.whl")
    wheel = zipfile.ZipFile(path)
    names = wheel.namelist()
    module = package.replace("-", "_")
    data = [file for pattern in ("*.yaml", "*.json", "py.typed") for file in source(package).rglob(pattern)]
    for file in data:
        name = f"{module}/{file.relative_to(source(package)).as_posix()}"
        assert wheel.read(name) == file.read_bytes()
    assert f"{module}/py.typed" in names
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    assert not [name for name in names if name.startswith("tests/") or "__pycache__" in name]
    wheel.extractall(tmp_path / "wheel")
    for spec in (tmp_path / "wheel").rglob("components/*/spec.yaml"):
        checked = osiris("components", "check", spec)
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_core_and_mysql_alone_list_mysql_table(tmp_path: Path) -> None:
    """Without DuckDB, Supabase or any LLM SDK."""
    home = tmp_path / "venv"
    uv("venv", "--quiet", home)
    python = home / "bin" / "python"
    constraints = ROOT / "constraints.txt"
    uv("pip", "install", "--quiet", "--python", python, "-c", constraints, "./osiris-core", "./osiris-mysql")
    listed = subprocess.run(
        [home / "bin" / "osiris", "components", "list", "--json"],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert listed.returncode == 0, listed.stderr
    components = {component["name"]: component for component in json.loads(listed.stdout)}
    assert components["mysql.table"]["capabilities"]["read"] == "full"
    installed = {line.split("==")[0] for line in uv("pip", "freeze", "--python", python).splitlines()}
    unwanted = {"duckdb", "supabase", "openai", "anthropic", "instructor", "google-genai", "litellm", "pydantic"}
    assert not installed & unwanted
