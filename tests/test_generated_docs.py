"""Reference pages that are made from the code are what the code would make now."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

from osiris_core.problem_codes import CODES
from osiris_core.problems import Problem
from osiris_core.testing.cli import Osiris

ROOT = Path(__file__).parents[1]
NAMES = ["cli.md", "components.md", "events.md", "problem-codes.md", "types.md"]


@pytest.fixture(scope="module")
def generator() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "scripts" / "generate_docs.py"))


@pytest.mark.parametrize("name", NAMES)
def test_the_page_is_up_to_date(generator: dict[str, Any], name: str) -> None:
    make = generator[f"{name.removesuffix('.md').replace('-', '_')}_page"]
    path = ROOT / "docs" / "reference" / name
    assert path.read_text("utf-8") == make(), "run: python scripts/generate_docs.py"


def test_every_problem_links_to_its_heading() -> None:
    page = (ROOT / "docs/reference/problem-codes.md").read_text("utf-8")
    for code in CODES:
        url = Problem(code, "message", ()).to_json()["docs_url"]
        assert str(url).endswith(f"/reference/problem-codes/#{code.lower()}")
        assert f"\n### {code}\n" in page


@pytest.mark.parametrize("name", ["pipeline", "project", "spec", "oml", "manifest", "events"])
def test_the_published_schema_is_printed(osiris: Osiris, name: str) -> None:
    done = osiris("schema", "--of", name)
    assert done.returncode == 0, done.stderr
    schema = json.loads(done.stdout)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["type"] == "object"
