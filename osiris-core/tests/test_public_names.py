"""What plugins and embedding programs may import: every public name works, and plugins use no other."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import osiris_core

ROOT = Path(__file__).parents[2]
#: Every package of the workspace but core itself.
PLUGINS = sorted(path for path in ROOT.glob("osiris-*/src/osiris_*") if path.name != "osiris_core")
#: Public modules; connectors have no business with the second row.
CONNECTORS = {"osiris_core", "osiris_core.data", "osiris_core.testing", "osiris_core.sql"}
PROGRAMS = {f"osiris_core.{name}" for name in ("oml", "validate", "compile", "run", "context")}


@pytest.mark.parametrize("name", osiris_core.__all__)
def test_every_public_name_can_be_imported(name: str) -> None:
    value = getattr(osiris_core, name)
    assert value is not None
    assert getattr(osiris_core, name) is value


def test_the_names_for_type_checkers_are_those_of_the_running_program() -> None:
    tree = ast.parse(Path(str(osiris_core.__file__)).read_text("utf-8"))
    (guarded,) = (node for node in tree.body if isinstance(node, ast.If))
    declared = {
        alias.name: node.module for node in guarded.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    homes = {name: f"osiris_core.{module}" for module, names in osiris_core._HOMES.items() for name in names}
    assert declared == homes
    assert set(declared) | {"API_VERSION", "__version__"} == set(osiris_core.__all__)
    assert sorted(osiris_core.__all__) == sorted(dir(osiris_core))


def test_other_names_do_not_exist() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        osiris_core.nothing


@pytest.mark.parametrize("package", PLUGINS, ids=lambda path: str(path.name))
def test_plugins_import_public_names_only(package: Path) -> None:
    has_components = (package / "components").is_dir()
    public = CONNECTORS if has_components else CONNECTORS | PROGRAMS
    found = [f"{path.name}: {name}" for path in package.rglob("*.py") for name in private_imports(path, public)]
    assert found == []


@pytest.mark.parametrize("module", sorted(CONNECTORS | PROGRAMS))
def test_public_modules_say_what_is_public(module: str) -> None:
    loaded = import_module(module)
    assert all(getattr(loaded, name) is not None for name in loaded.__all__)


def private_imports(path: Path, public: set[str]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if is_private(alias.name, public))
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            if is_private(node.module, public):
                yield node.module
            elif node.module in public:
                known = {*import_module(node.module).__all__, *(name.rpartition(".")[2] for name in public)}
                yield from (f"{node.module}.{alias.name}" for alias in node.names if alias.name not in known)


def is_private(module: str, public: set[str]) -> bool:
    return module.split(".", maxsplit=1)[0] == "osiris_core" and module not in public
