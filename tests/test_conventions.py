"""Habits of this repository that a machine can check."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from osiris_core import hookspecs

ROOT = Path(__file__).parents[1]
HOOKS = sorted(name for name in vars(hookspecs) if name.startswith("osiris_"))
SOURCES = sorted(ROOT.glob("osiris-*/src/**/*.py"))
#: One entry after the other, each of a few lines: longer than a module should be, and none the worse for it.
TABLES = {"problem_codes.py"}
MODULE_LINES = 400
FUNCTION_LINES = 60


def modules_of_tests() -> list[Path]:
    """Every test module but this one, which names what it looks for."""
    return [path for path in files_of_the_repository() if "tests" in path.parts and path != Path(__file__)]


def files_of_the_repository() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_nothing_names_the_machine_that_it_was_written_on() -> None:
    """No path of somebody's home or work directory, and no package index's host."""
    places = re.compile(rb"/(?:root|home/\w+|Users/\w+|work|opt/osiris)[/-]\w|https?://(?:pypi|files\.pythonhosted)\.")
    found = [
        f"{path.relative_to(ROOT)}: {match[0].decode()}"
        for path in files_of_the_repository()
        if path != Path(__file__)
        for match in places.finditer(path.read_bytes())
    ]
    assert found == []


def test_the_licence_is_apache_2() -> None:
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text


@pytest.mark.parametrize("hook", HOOKS)
def test_the_hook_says_what_it_takes_and_what_a_failure_does(hook: str) -> None:
    function = getattr(hookspecs, hook)
    text = function.__doc__ or ""
    assert set(function.__annotations__) - {"return"} == set(function.__code__.co_varnames), "types are missing"
    assert "return" in function.__annotations__
    assert re.search(r"\b(Isolated|Failing)\b", text), "what a failure does is missing"
    assert re.search(r"Added in API \d+\.\d+", text), "the version is missing"
    assert "Example" in text
    assert f"def {hook}(" in text, "the example implements another hook"


@pytest.mark.parametrize("hook", HOOKS)
def test_a_test_implements_or_calls_the_hook(hook: str) -> None:
    method = hook.removeprefix("osiris_")
    used = re.compile(rf"\b{hook}\b|plugins\.{method}\(")
    assert any(used.search(path.read_text("utf-8")) for path in modules_of_tests() if path.suffix == ".py")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_and_functions_are_small(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.count("\n") <= MODULE_LINES or path.name in TABLES
    long = [
        f"{node.name}: {(node.end_lineno or 0) - node.lineno + 1} lines"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > FUNCTION_LINES
    ]
    assert long == []


def test_no_test_is_skipped() -> None:
    """A missing server fails with the command that installs it; nothing is left out in silence."""
    skips = re.compile(r"pytest\.skip\(|mark\.skip|mark\.xfail|importorskip|unittest\.skip")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in modules_of_tests()
        if path.suffix == ".py"
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if skips.search(line)
    ]
    assert found == []


def called(function: ast.AST) -> set[str]:
    """The names of the functions and methods that a function calls."""
    calls = [node.func for node in ast.walk(function) if isinstance(node, ast.Call)]
    return {getattr(call, "id", "") or getattr(call, "attr", "") for call in calls}


def test_every_test_asserts_something() -> None:
    """By itself, or by a function of its module or of a conftest that does."""
    of_pytest, silent = {"raises", "warns", "fail"}, []
    modules = sorted((p for p in modules_of_tests() if p.suffix == ".py"), key=lambda path: path.name != "conftest.py")
    shared: set[str] = set()
    for path in modules:  # those called conftest first
        functions = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.FunctionDef)]
        asserts = {
            function.name
            for function in functions
            if called(function) & of_pytest or any(isinstance(node, ast.Assert) for node in ast.walk(function))
        }
        shared |= asserts if path.name == "conftest.py" else set()
        tests = [function for function in functions if function.name.startswith("test_")]
        silent += [
            f"{path.name}: {t.name}" for t in tests if t.name not in asserts and not called(t) & (asserts | shared)
        ]
    assert silent == []


@pytest.mark.parametrize("command", ["ruff check", "ruff format --check", "lint-imports"])
def test_style_and_one_way_imports(command: str) -> None:
    program, *arguments = command.split()
    script = Path(sys.executable).with_name(program)
    done = subprocess.run([script, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_benchmark_is_explained() -> None:
    page = (ROOT / "benchmarks" / "README.md").read_text("utf-8")
    programs = [path.name for path in files_of_the_repository() if path.parent == ROOT / "benchmarks"]
    assert [name for name in programs if name.endswith(".py") and f"`{name}`" not in page] == []
