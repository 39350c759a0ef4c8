"""What starting costs: help and lists import no validator, no driver and no client library."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    "jsonschema", "jsonschema_rs", "referencing", "pydantic", "yaml", "sqlglot", "pyarrow", "numpy", "pandas",
    "duckdb", "pymysql", "psycopg", "pgpq", "supabase", "postgrest", "httpx", "requests", "asyncio", "ssl",
    "openai", "anthropic", "instructor", "google.genai", "typer", "click", "rich",
)  # fmt: skip
WRAPPER = """\
import json, sys
from osiris_core.cli.main import main
code = main(sys.argv[1:])
sys.stdout.flush()
print("\\n" + json.dumps([code, sorted(sys.modules)]))
"""


def imported(directory: Path, env: dict[str, str], *arguments: str) -> set[str]:
    """Modules in a process that ran this command."""
    result = subprocess.run(
        [sys.executable, "-c", WRAPPER, *arguments],
        cwd=directory,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    code, modules = json.loads(result.stdout.splitlines()[-1])
    assert code == 0
    return set(modules)


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("plugins", "list"), ("plugins", "list", "--json")])
def test_no_heavy_module_is_imported(tmp_path: Path, unmeasured: dict[str, str], arguments: tuple[str, ...]) -> None:
    assert imported(tmp_path, unmeasured, *arguments) & set(HEAVY) == set()


def test_help_needs_next_to_nothing(tmp_path: Path, unmeasured: dict[str, str]) -> None:
    modules = imported(tmp_path, unmeasured, "--help")
    assert modules & {"pluggy", "dataclasses", "inspect", "argparse", "osiris_core.errors"} == set()
    ours = {name for name in modules if name.startswith("osiris_")}
    assert ours == {
        "osiris_core",
        "osiris_core.cli",
        "osiris_core.cli.main",
        "osiris_core.cli.help",
        "osiris_core.cli.commands",
        "osiris_core.cli.text",
        "osiris_core.lazy",
    }


def test_listing_plugins_imports_no_driver(tmp_path: Path, unmeasured: dict[str, str]) -> None:
    modules = imported(tmp_path, unmeasured, "plugins", "list")
    theirs = {name for name in modules if name.startswith("osiris_") and not name.startswith("osiris_core")}
    assert {name.partition(".")[2] for name in theirs} <= {"", "plugin"}, theirs


def test_importing_the_package_imports_no_other_part(tmp_path: Path, unmeasured: dict[str, str]) -> None:
    code = "import sys; old = set(sys.modules); import osiris_core; print(sorted(set(sys.modules) - old))"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=unmeasured, capture_output=True, text=True, check=True
    )
    assert result.stdout == "['__future__', 'osiris_core', 'osiris_core.lazy']\n"
