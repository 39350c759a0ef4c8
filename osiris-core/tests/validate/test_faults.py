"""Every fault of ``tests/faults`` gives its golden message: NAME.yaml in, NAME.txt out.

After a deliberate change of wording: ``UPDATE_GOLDEN=1 python -m pytest osiris-core/tests/validate/test_faults.py``,
then read the difference.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from osiris_core.cli.output import format_problem
from osiris_core.oml import load_file
from osiris_core.problem_codes import CODES
from osiris_core.validate import Validation, validate

FAULTS = Path(__file__).parents[1] / "faults"
NAMES = sorted(path.stem for path in FAULTS.glob("*.yaml"))
CANARY = "hunter2-canary"
#: What is no text, and what is empty.
WITHOUT_A_PLACE = {"OSI-V002", "OSI-V004"}


@pytest.fixture(scope="module")
def check(shop: Any) -> Callable[[str], Validation]:
    """Validation of a fault by its name, made once."""
    for alias, component in (("files", "file.table"), ("shop", "duckdb.table"), ("ware", "duckdb.table")):
        shop.session.catalogs.get(alias, component)  # of what a file does not name, a mend knows what is cached

    @cache
    def checked(name: str) -> Validation:
        return validate(load_file(FAULTS / f"{name}.yaml", f"{name}.yaml"), shop.session, mode="strict")

    return checked


def shown(validation: Validation) -> str:
    """What a person sees, after the exit code."""
    messages = [format_problem(problem, validation.document) for problem in validation.problems]
    notes = [f"note: {note}" for note in validation.notes]
    return "\n".join([f"exit code {validation.exit_code}", *messages, *notes]) + "\n"


@pytest.mark.parametrize("name", NAMES)
def test_each_fault_has_its_golden_message(name: str, check: Callable[[str], Validation]) -> None:
    golden = FAULTS / f"{name}.txt"
    text = shown(check(name))
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def test_there_are_more_than_forty_faults_of_as_many_kinds() -> None:
    kinds = {line.split()[2].rstrip(":") for path in FAULTS.glob("*.txt") for line in _heads(path)}
    assert len(NAMES) >= 40
    assert len(kinds) >= 40
    assert kinds <= CODES.keys()


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("secret") or name == "many_at_once"])
def test_no_message_holds_the_secret(name: str, check: Callable[[str], Validation]) -> None:
    assert CANARY in (FAULTS / f"{name}.yaml").read_text()
    assert CANARY not in shown(check(name))


@pytest.mark.parametrize("name", NAMES)
def test_each_message_has_a_place_and_a_mend(name: str, check: Callable[[str], Validation]) -> None:
    validation = check(name)
    assert validation.problems
    for problem in validation.problems:
        assert CODES[problem.code].mend
        assert (problem.span is None) == (problem.code in WITHOUT_A_PLACE), problem.code


def _heads(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.startswith(f"{path.stem}.yaml:")]
