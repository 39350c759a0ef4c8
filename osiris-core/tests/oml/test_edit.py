"""Span edits: fixes, renames, removals and insertions that leave everything else as it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osiris_core.oml import load
from osiris_core.oml.edit import apply_fixes, is_plain, scalar_text
from osiris_core.oml.editor import Editor, yaml_flow
from osiris_core.problems import Fix


def test_fixes_are_applied_in_any_order_and_never_over_each_other() -> None:
    text, applied = apply_fixes("abcdef", [Fix(4, 5, "E"), Fix(0, 2, "AB"), Fix(1, 3, "x"), Fix(4, 5, "Y")])
    assert text == "ABcdEf"
    assert applied == [Fix(0, 2, "AB"), Fix(4, 5, "E")]


@pytest.mark.parametrize(
    ("value", "instead", "text"),
    [
        ("orders", "ordrs", "orders"),
        ("orders", '"ordrs"', '"orders"'),
        ("it's", "'x'", "'it''s'"),
        ("no way", "x", '"no way"'),
        ("true", "x", '"true"'),
        ("@shop", "shop", '"@shop"'),
        ("a\nb", '"x"', '"a\\nb"'),
        ("x", "|\n  text", None),
        ("x", "[a]", None),
    ],
)
def test_a_value_is_quoted_as_the_one_it_replaces(value: str, instead: str, text: str | None) -> None:
    assert scalar_text(value, instead) == text


@given(st.text(max_size=20))
def test_every_text_survives_being_written(value: str) -> None:
    written = scalar_text(value)
    assert written is not None
    document = load(f"a: {yaml_flow([value])}\nb: {written}")
    if "\0" in value:  # no document may hold that one, however it is written
        assert {problem.code for problem in document.problems} == {"OSI-V012"}
    else:
        assert document.problems == []
        assert document.value == {"a": [value], "b": value}


def test_plain_text_is_text() -> None:
    assert is_plain("orders_2")
    assert not any(is_plain(word) for word in ("", "null", "true", "1", "a b", "@x", "a:", "#", "-x"))


BLOCK = """\
# head
steps:
  - id: a  # the first
    config:
      connection: "@x"   # goes
      table: t
      list:
        - 1
        - 2
      # about last
      last: z
  - first: 1
    id: b
"""


def edited(text: str, change: str, *args: object) -> str:
    editor = Editor(load(text))
    getattr(editor, change)(*args)
    return editor.text()


def test_an_entry_is_removed_with_its_line() -> None:
    text = edited(BLOCK, "remove", ("steps", 0, "config", "connection"))
    assert text == BLOCK.replace('      connection: "@x"   # goes\n', "")


def test_a_list_is_removed_with_all_its_lines() -> None:
    text = edited(BLOCK, "remove", ("steps", 0, "config", "list"))
    assert text == BLOCK.replace("      list:\n        - 1\n        - 2\n", "")


def test_the_first_key_behind_a_dash_makes_room_for_the_next() -> None:
    assert edited(BLOCK, "remove", ("steps", 1, "first")).endswith("  - id: b\n")


@pytest.mark.parametrize(
    ("text", "key", "result"),
    [
        ("{a: 1, b: 2, c: 3}", "a", "{b: 2, c: 3}"),
        ("{a: 1, b: 2, c: 3}", "b", "{a: 1, c: 3}"),
        ("{a: 1, b: 2, c: 3}", "c", "{a: 1, b: 2}"),
        ("{a: 1}", "a", "{}"),
        ("{a: 1,\n b: 2}", "b", "{a: 1}"),
    ],
)
def test_an_entry_between_braces_takes_its_comma_along(text: str, key: str, result: str) -> None:
    assert edited(text, "remove", (key,)) == result


def test_an_entry_is_inserted_in_the_style_of_its_mapping() -> None:
    assert edited(BLOCK, "insert_after", ("steps", 0, "config", "table"), "mode", "x y") == BLOCK.replace(
        "      table: t\n", '      table: t\n      mode: "x y"\n'
    )
    assert edited("{a: 1}", "insert_after", ("a",), "b", [1, "x"]) == "{a: 1, b: [1, x]}"
    assert edited("a: 1", "insert_after", ("a",), "b", None) == "a: 1\nb: null"
    assert edited("a: 1\r\n", "insert_after", ("a",), "b", True) == "a: 1\r\nb: true\r\n"


def test_keys_and_values_are_replaced_in_place() -> None:
    editor = Editor(load(BLOCK))
    editor.rename(("steps", 0, "config", "table"), "target")
    editor.replace(("steps", 0, "config", "last"), "new")
    editor.replace(("steps", 0, "config", "connection"), "@y")
    expected = BLOCK.replace("table: t", "target: t").replace("last: z", "last: new").replace("@x", "@y")
    assert editor.text() == expected


@pytest.mark.parametrize("text", ['a"b\\c', "a\x1b[2J\x85", "\u202eb\u2028", "\u200b\U000e0001", "tab\t\nline", "č 🐎"])
@pytest.mark.parametrize("instead_of", ["", '"old"', "'old'"])
def test_what_nobody_would_see_is_an_escape_that_means_the_same(text: str, instead_of: str) -> None:
    written = scalar_text(text, instead_of)
    assert written is not None
    assert written.isprintable()
    assert load(f"key: {written}\n", "p.yaml").value == {"key": text}
    assert load(f"{yaml_flow({'key': text})}\n", "p.yaml").value == {"key": text}
