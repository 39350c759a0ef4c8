"""Distributions as ``pip install`` leaves them, made in a directory that goes on Python's path."""

from __future__ import annotations

import textwrap
from itertools import count
from pathlib import Path

import pytest

_numbers = count()

SPEC = """\
apiVersion: osiris/v1
name: {component}
version: 1.2.3
title: Table of {component}
modes: [read]
capabilities: {{discover: full, read: full}}
driver: "{module}:TheDriver"
configSchema:
  read: {{type: object, properties: {{table: {{type: string}}}}, additionalProperties: false}}
examples: [{{mode: read, config: {{table: orders}}}}]
context: {{guidance: name the table}}
"""
OWNER = """\
from pathlib import Path
from osiris_core import Component, hookimpl
OSIRIS_API = "1.0"

@hookimpl
def osiris_components():
    return [Component("{component}", Path(__file__).with_name("{module}.spec.yaml"))]
"""


class Site:
    """A directory of installed distributions. Module names are never used twice in one process."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.environment = {"PYTHONPATH": str(directory), "XDG_CACHE_HOME": str(directory / "cache")}

    def add(self, name: str, source: str, *, commands: dict[str, str] | None = None) -> str:
        """Install a distribution whose plugin ``name`` is a module with this source; returns the module's name."""
        module = f"plugin_{name}_{next(_numbers)}"
        self.directory.joinpath(f"{module}.py").write_text(textwrap.dedent(source))
        info = self.directory / f"{module}-1.0.dist-info"
        info.mkdir()
        info.joinpath("METADATA").write_text(f"Metadata-Version: 2.1\nName: dist-{module}\nVersion: 1.0\n")
        entries = f"[osiris]\n{name} = {module}\n"
        if commands:
            entries += "[osiris.commands]\n" + "".join(f"{line} = {module}:{fn}\n" for line, fn in commands.items())
        info.joinpath("entry_points.txt").write_text(entries)
        return module

    def add_owner(self, name: str, component: str, more: str = "") -> str:
        """Install a plugin that owns ``component``; ``more`` source goes to the end of its module."""
        module = self.add(name, "")
        source = OWNER.format(component=component, module=module) + textwrap.dedent(more)
        self.directory.joinpath(f"{module}.py").write_text(source)
        spec = SPEC.format(component=component, module=module)
        self.directory.joinpath(f"{module}.spec.yaml").write_text(spec)
        return module


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """An empty site that this process and its children see, with a spec cache of its own."""
    directory = tmp_path / "site"
    directory.mkdir()
    site = Site(directory)
    monkeypatch.syspath_prepend(directory)
    monkeypatch.setenv("XDG_CACHE_HOME", site.environment["XDG_CACHE_HOME"])
    monkeypatch.delenv("OSIRIS_PLUGINS", raising=False)
    return site
