"""The loader: YAML 1.2's core schema, places, and everything it refuses."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osiris_core.oml import Document, load, load_file
from osiris_core.oml import loader as loader_module
from osiris_core.oml.loader import MAX_BYTES, MAX_OF_A_KIND, MAX_VALUES


def codes(document: Document) -> list[str]:
    return [problem.code for problem in document.problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("22:22", "22:22"),
        ("0123", 123),
        ("0o17", 15),
        ("0x1F", 31),
        ("0b11", "0b11"),
        ("1e3", 1000.0),
        ("-1.5", -1.5),
        (".5", 0.5),
        ("1_000", "1_000"),
        ("123456789012345678901234567890", 123456789012345678901234567890),
        ("2026-01-01", "2026-01-01"),
        ("'12'", "12"),
        ('"\\u00e9"', "é"),
        ("0.0.1", "0.0.1"),
        ("+", "+"),
        ("-", "-"),
        (".", "."),
    ],
)
def test_scalars_follow_the_core_schema(text: str, value: Any) -> None:
    document = load(f"key: {text}\n" if text != "-" else 'key: "-"\n')
    assert document.problems == []
    assert document.value == {"key": value}
    assert type(document.value["key"]) is type(value)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: *x", "OSI-V007"),
        ("a: &x 1", "OSI-V007"),
        ("a: !!str 1", "OSI-V008"),
        ("a: 1\n---\nb: 2", "OSI-V009"),
        ("a: 1\na: 2", "OSI-V006"),
        ("1: a", "OSI-V011"),
        ("true: a", "OSI-V011"),
        ("null: a", "OSI-V011"),
        ("? [a]\n: b", "OSI-V011"),
        ("? \n: a", "OSI-V011"),
        ("<<: {a: 1}", "OSI-V016"),
        ("a: .inf", "OSI-V013"),
        ("a: .NaN", "OSI-V013"),
        ("a: 1e999", "OSI-V013"),
        ("a: " + "9" * 1000, "OSI-V013"),
        ("a: \x07", "OSI-V012"),
        ('a: "x\\0y"', "OSI-V012"),
        ("a: b\x85c", "OSI-V012"),
        ("a: \ud800", "OSI-V012"),
        ("a: \u2028", "OSI-V012"),
        ("%TAG ! x\n---\na: 1", "OSI-V014"),
        ("%YAML 2.0\n---\na: 1", "OSI-V003"),
        ("[" * 5000, "OSI-V010"),
        ("- " * 5000, "OSI-V010"),
        ("a: [" + "1," * MAX_VALUES + "]", "OSI-V010"),
        ("a: '" + "x" * MAX_BYTES + "'", "OSI-V010"),
        ("a: [1", "OSI-V003"),
        ("a:\tb\n\tc: d", "OSI-V003"),
    ],
)
def test_what_is_refused(text: str, code: str) -> None:
    assert codes(load(text)) == [code]


def test_the_merge_key_and_a_quoted_one_are_told_apart() -> None:
    assert load('"<<": 1').value == {"<<": 1}


def test_an_empty_text_is_no_problem_of_the_loader() -> None:
    for text in ("", "\n\n", "# nothing\n", "---\n"):
        document = load(text)
        assert document.value is None
        assert document.problems == []
        assert document.parsed


def test_every_duplicate_is_found_and_the_first_value_kept() -> None:
    document = load("a: 1\nb: {c: 1, c: 2, d: [{e: 1, e: 2}]}\na: 2\n")
    assert codes(document) == ["OSI-V006"] * 3
    assert document.value == {"a": 1, "b": {"c": 1, "d": [{"e": 1}]}}
    assert "line 1" in document.problems[-1].message


def test_of_one_kind_only_the_first_are_reported() -> None:
    document = load("\n".join(f"a{i}: &x{i} 1" for i in range(100)))
    assert len(document.problems) == MAX_OF_A_KIND


def test_what_hangs_under_a_refused_key_has_no_place() -> None:
    document = load("a: {b: 1}\na: {c: [2, {d: 3}]}\ne: 4\n")
    assert set(document.places) == {(), ("a",), ("a", "b"), ("e",)}


def test_places_of_keys_and_values() -> None:
    text = "steps:\n  - id: a # c\n    'where': [1, {q: z}]\n    sql: |\n      SELECT 1\n\n# end\nlast:\n"
    document = load(text)

    def written(*path: str | int, key: bool = False) -> str:
        start, end = document.places[path][:2] if key else document.places[path][2:]
        return text[start:end]

    assert written("steps", 0, "id") == "a"
    assert written("steps", 0, "where", key=True) == "'where'"
    assert written("steps", 0, "where") == "[1, {q: z}]"
    assert written("steps", 0, "where", 1, "q") == "z"
    assert written("steps", 0, "sql") == "|\n      SELECT 1"
    assert written("steps", 0).startswith("id: a # c")
    assert written("steps", 0).endswith("SELECT 1")
    assert written("last") == ""
    span = document.span(("last",))
    assert span is not None
    assert (span.line, span.column) == (8, 1)


def test_positions_count_characters_not_bytes_and_know_all_line_ends() -> None:
    document = load("é: 😀\r\nb: x\rc: 漢字 y\n")
    span = document.span(("c",))
    assert span is not None
    assert (span.line, span.column, span.end_column) == (3, 4, 8)
    assert document.text[span.start_index : span.end_index] == "漢字 y"


def test_a_byte_order_mark_is_left_out() -> None:
    document = load("\ufeffa: 1")
    assert document.value == {"a": 1}
    assert document.places[("a",)] == (0, 1, 3, 4)


def test_big_integers_are_exact_and_floats_are_floats() -> None:
    value = load(f"a: {2**200}\nb: 1.0\n").value
    assert value["a"] == 2**200
    assert isinstance(value["b"], float)


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda path: None, "OSI-V001"),
        (lambda path: path.mkdir(), "OSI-V001"),
        (lambda path: path.write_bytes(b"a: \xff"), "OSI-V002"),
        (lambda path: path.write_bytes(b"#" * (MAX_BYTES + 1)), "OSI-V010"),
    ],
    ids=["missing", "directory", "latin-1", "large"],
)
def test_files_that_cannot_be_read_are_problems(tmp_path: Path, make: Any, code: str) -> None:
    path = tmp_path / "pipeline.yaml"
    make(path)
    document = load_file(path)
    assert codes(document) == [code]
    assert document.value is None


def test_the_pure_python_parser_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: {b: [1, 'x', no]}\nc: |\n  text\n  more\nd: é\n"
    fast = load(text)
    monkeypatch.setattr(loader_module, "_events", loader_module._python_events)
    slow = load(text)
    assert slow.value == fast.value
    assert slow.places == fast.places
    assert codes(load("a: @x")) == ["OSI-V003"]
    assert codes(load("[" * 3000)) == ["OSI-V010"]


BOMBS = {
    "aliases": "a: &a [x]\n" + "".join(f"b{i}: &b{i} [*a, *a]\n" for i in range(3000)),
    "flow lists": "[" * MAX_BYTES,
    "flow mappings": "{" * MAX_BYTES,
    "block lists": "- " * (MAX_BYTES // 2),
    "explicit keys": "? " * (MAX_BYTES // 2),
    "values": "- 1\n" * (MAX_BYTES // 4),
    "empty keys": "a:\n" * (MAX_BYTES // 3),
    "tag directives": "".join(f"%TAG !{i}! x\n" for i in range(50_000)),
    "documents": "---\n" * (MAX_BYTES // 4),
    "one long line": "x" * (MAX_BYTES - 2),
    "quoted escapes": '"' + "\\x41" * (MAX_BYTES // 4 - 1) + '"',
    "folded lines": ">\n" + " a\n\n" * (MAX_BYTES // 4 - 1),
    "broken quotes": "a: '" + "''" * (MAX_BYTES // 2 - 4),
    "colons": ":" * MAX_BYTES,
    "commas": "[" + "," * (MAX_BYTES - 1),
    "indentation": "".join(" " * i + "a:\n" for i in range(1400)),
    "secret-looking words": "password_token_" * (MAX_BYTES // 16) + ": @",
    "addresses": "a: @" + "x://u:p" * (MAX_BYTES // 8),
    "tokens": "a: @" + "eyJ" * (MAX_BYTES // 4),
}


@pytest.mark.parametrize("name", BOMBS)
def test_no_text_takes_a_second_or_much_memory(name: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    document = load(BOMBS[name])
    for problem in document.problems:
        if problem.span is not None:
            assert len(document.snippet(problem.span)) < 1000
    assert time.process_time() - start < (1 if sys.gettrace() is None else 4)  # measuring coverage costs the rest
    unit = 1024 if sys.platform != "darwin" else 1
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit
    assert grown < 300 * 1024 * 1024


yaml_like = st.text(alphabet="ab:-[]{}#&*!|>'\"%@`,?\\ \n\t0.~é😀\x07\u2028", max_size=60)


@given(yaml_like)
def test_any_text_gives_a_value_or_problems_with_places_inside_it(text: str) -> None:
    document = load(text)
    assert document.parsed or document.problems
    for problem in document.problems:
        assert problem.span is None or 0 <= problem.span.start_index <= problem.span.end_index <= len(document.text) + 1
        if problem.span is not None:
            assert "\n" in document.snippet(problem.span)
    for path, (key_start, key_end, start, end) in document.places.items():
        assert 0 <= key_start <= key_end <= len(document.text)
        assert 0 <= start <= end <= len(document.text)
        assert document.span(path) is not None


text = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\u2028\u2029\ufeff\ufffe\uffff"))
plain_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)


@given(plain_values)
def test_json_is_read_as_what_it_says(value: Any) -> None:
    document = load(json.dumps(value, ensure_ascii=False))
    assert document.problems == []
    assert document.value == value
