"""The registry of problem codes: whole, consistent, and used by everybody."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from osiris_core.cli.explain import page
from osiris_core.problem_codes import CODES, ProblemCode

ROOT = Path(__file__).parents[2]
CODE = re.compile(r"OSI-[A-Z]\d{3}")
TEXTS = [path for path in ROOT.glob("osiris-*/src/**/*") if path.suffix in (".py", ".yaml", ".json")]


def test_every_code_that_is_used_is_registered() -> None:
    used = {code for path in TEXTS for code in CODE.findall(path.read_text("utf-8"))}
    assert used - CODES.keys() == set()
    assert len(CODES) >= 60


def test_every_code_of_a_pipeline_is_used_somewhere() -> None:
    registry = ROOT / "osiris-core/src/osiris_core/problem_codes.py"
    used = {code for path in TEXTS if path != registry for code in CODE.findall(path.read_text("utf-8"))}
    assert {code for code in CODES if code.startswith("OSI-V")} - used == set()


def test_codes_stand_in_order_within_their_range() -> None:
    letters = "VCPMRX"
    assert list(CODES) == sorted(CODES, key=lambda code: (letters.index(code[4]), code))


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
def test_each_code_says_what_why_and_how(code: ProblemCode) -> None:
    assert code.title[0].isupper()
    assert not code.title.endswith(".")
    assert code.why.endswith((".", "!"))
    assert code.mend
    assert code.exit_code in (1, 2, 3, 4, 5)
    text = page(code)
    assert text.startswith(f"{code.code}: {code.title}")
    assert all(len(line) < 160 for line in text.splitlines())
