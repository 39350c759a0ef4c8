"""Equal inputs give equal bytes, whatever surrounds the process; and no byte of them is a secret."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from osiris_core.testing.cli import Osiris

SURROUNDINGS = [
    {"PYTHONHASHSEED": "0", "LC_ALL": "C", "TZ": "UTC"},
    {"PYTHONHASHSEED": "1", "LC_ALL": "C.UTF-8", "TZ": "Asia/Tokyo"},
    {"PYTHONHASHSEED": "4242", "LC_ALL": "tr_TR.UTF-8", "TZ": "America/St_Johns", "LANG": "de_DE"},
    {"PYTHONHASHSEED": "random", "PYTHONUTF8": "0", "TZ": "Pacific/Apia", "COLUMNS": "20"},
]


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (directory / "cfg").iterdir()}


def test_the_manifest_is_the_same_to_the_byte_everywhere(shelf: Any, osiris: Osiris, tmp_path_factory: Any) -> None:
    """Hash seed, locale, time zone, directory, order of plugins and of the connections' file: none shows."""
    text = shelf.pipeline.read_text().replace(
        "default: 10}", 'default: 10}\n  text: {type: string, default: "№ 1 – İğ ß"}'
    )
    shelf.pipeline.write_text(text)
    found = []
    for number, surroundings in enumerate(SURROUNDINGS):
        root = tmp_path_factory.mktemp(f"place{number}")
        shutil.copytree(shelf.root, root, dirs_exist_ok=True)
        if number % 2:
            lines = (root / "osiris_connections.yaml").read_text().splitlines()
            (root / "osiris_connections.yaml").write_text("\n".join([lines[0], lines[2], lines[1], ""]))
        env = {**shelf.environment, **surroundings, "OSIRIS_PLUGINS": ["shelf,duckdb", "duckdb,shelf"][number % 2]}
        cwd = root if number < 2 else root.parent
        done = osiris("compile", root / "copy.yaml", "--out", root / "out", "--project", root, cwd=cwd, env=env)
        assert done.returncode == 0, done.stderr
        found.append(contents(root / "out"))
    assert all(other == found[0] for other in found[1:])
    assert set(found[0]) == {"manifest.yaml", "manifest.schemas.json", "orders.json", "load.json"}


def test_no_byte_of_what_is_compiled_or_printed_is_secret_or_a_place(shelf: Any, osiris: Osiris) -> None:
    done = osiris("compile", shelf.pipeline, "--out", "out", "--json", cwd=shelf.root, env=shelf.environment)
    assert done.returncode == 0, done.stderr
    compiled = b"".join(contents(shelf.root / "out").values()).decode()
    kept = "".join(path.read_text() for path in shelf.root.rglob("*") if path.is_file() and ".osiris" in path.parts)
    for secret in ("canary-of-the-shop", "open sesame"):
        assert secret not in compiled + kept + done.stdout + done.stderr
        assert secret not in (shelf.root / "out/meta.json").read_text()
    for place in ("db.internal", str(shelf.root), "shop.json"):
        assert place not in compiled
    assert "SHOP_PASSWORD" in compiled


@pytest.mark.parametrize("secret", ["orders", "id", "10", "note"])
def test_a_secret_that_looks_like_a_name_changes_nothing(shelf: Any, osiris: Osiris, secret: str) -> None:
    """Compiling never looks for secret values in its output: it never had one."""
    osiris("compile", shelf.pipeline, "--out", "one", cwd=shelf.root, env=shelf.environment)
    env = {**shelf.environment, "SHOP_PASSWORD": secret}
    assert osiris("compile", shelf.pipeline, "--out", "two", cwd=shelf.root, env=env).returncode == 0
    assert contents(shelf.root / "one") == contents(shelf.root / "two")
