"""Plugins that tests of the command install for themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from osiris_core.testing.cli import clean_environment

#: Installs a distribution: a plugin module with this source, and commands by entry-point name.
Install = Callable[[str, str, dict[str, str]], None]


@pytest.fixture
def install(tmp_path: Path) -> tuple[Install, dict[str, str]]:
    """A function that installs, and the environment in which a process sees what it did."""
    site = tmp_path / "site"
    site.mkdir()

    def add(name: str, source: str, commands: dict[str, str]) -> None:
        site.joinpath(f"{name}.py").write_text(source)
        info = site / f"dist_{name}-1.0.dist-info"
        info.mkdir()
        info.joinpath("METADATA").write_text(f"Metadata-Version: 2.1\nName: dist-{name}\nVersion: 1.0\n")
        lines = "".join(f"{command} = {name}:{function}\n" for command, function in commands.items())
        info.joinpath("entry_points.txt").write_text(f"[osiris]\n{name} = {name}\n[osiris.commands]\n{lines}")

    return add, {"PYTHONPATH": str(site)}


@pytest.fixture
def unmeasured() -> dict[str, str]:
    """The environment of a process whose imports are looked at: coverage, in it, would import modules of its own."""
    return {name: value for name, value in clean_environment().items() if not name.startswith("COV")}
