"""What a person is shown of a file: carets where they belong, nothing invisible, no secret."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osiris_core.oml import load
from osiris_core.oml.masking import holds_credentials, is_secret_key, may_hold_secrets

CANARY = "hunter2canary"


def shown(text: str, *path: str | int) -> str:
    document = load(text)
    span = document.span(path)
    assert span is not None
    return document.snippet(span)


def test_the_caret_stands_under_the_value() -> None:
    assert shown("a: 1\ntable: ordrs\n", "table") == "   2 | table: ordrs\n     |        ^^^^^"


def test_wide_characters_take_two_columns_and_combining_ones_none() -> None:
    assert shown("漢字: {e\u0301: 1, b: xy}", "漢字", "b").splitlines()[1] == "     | " + " " * 16 + "^^"


def test_tabs_become_blanks() -> None:
    assert shown("a:\tb", "a") == "   1 | a:    b\n     |       ^"


@pytest.mark.parametrize(
    ("character", "escaped"),
    [("\u202e", r"\u202e"), ("\u200b", r"\u200b"), ("\u00ad", r"\xad"), ("\U000e0001", r"\U000e0001")],
)
def test_characters_that_deceive_the_eye_are_written_out(character: str, escaped: str) -> None:
    text = shown(f'a: "x{character}y"', "a")
    assert escaped in text
    assert character not in text


def test_a_long_line_is_cropped_around_the_caret() -> None:
    text = shown("{" + ", ".join(f"key{i}: {i}" for i in range(500)) + "}", "key300")
    source, carets = text.splitlines()
    assert len(source) < 140
    assert source[7] == "…"
    assert source.endswith("…")
    assert source[carets.index("^") : carets.rindex("^") + 1] == "300"


@pytest.mark.parametrize(
    "text",
    [
        f"a: {{password: {CANARY}, b: @x}}",
        f"a: {{b: @x, password: '{CANARY}'}}",
        f"password: {CANARY}: @x",
        f'{{"api_key": "{CANARY}", b: @}}',
        f"password:\n  @{CANARY}",
        f"password: |\n  first\n  {CANARY}\n @",
        f'password: "first\n  {CANARY}\n  @',
        f"db:\n  password: >-\n    a\n    {CANARY} @\n   @",
        f"url: postgres://app:{CANARY}@host/db: x",
        f"- token={CANARY} : @\n- [",
        f"# secret: {CANARY}\na: [",
        f"a: [eyJ{CANARY}AAAA.{CANARY}.x, @",
        f"a: [sk-{CANARY}abcdef, @",
        f"key: {CANARY}, and more {CANARY}: @",
        f"dsn: 'x{CANARY}\n\n @",
    ],
)
def test_secrets_are_hidden_in_text_that_is_not_yaml(text: str) -> None:
    document = load(text)
    assert document.problems, "the text must be faulty"
    for problem in document.problems:
        assert CANARY not in problem.message + problem.hint
        assert problem.span is not None
        assert CANARY not in document.snippet(problem.span)


def test_no_line_of_a_block_that_holds_a_secret_is_shown() -> None:
    document = load(f"private_key: |\n  one\n  {CANARY}\nb: 1\n")
    for line in (1, 2, 3):
        start = document.line_start(line)
        assert CANARY not in document.snippet(document.span_at(start, start + 1))


def test_a_masked_value_is_never_shown_and_its_neighbours_are() -> None:
    document = load(f"a: {{b: {CANARY}, c: 2}}")
    document.mask(("a", "b"))
    span = document.span(("a", "c"))
    assert span is not None
    assert document.snippet(span) == "   1 | a: {b: ***, c: 2}\n     |                ^"


def test_references_to_secrets_are_no_secrets() -> None:
    assert "${SHOP_PASSWORD}" in shown('password: "${SHOP_PASSWORD}"', "password")


@pytest.mark.parametrize(
    "key", ["password", "db_password", "PASSWD", "api_key", "apiKey", "key", "access_token", "dsn"]
)
def test_keys_of_secrets(key: str) -> None:
    assert is_secret_key(key)
    assert may_hold_secrets(f"{key}: x")


@pytest.mark.parametrize(
    "key", ["merge_keys", "primary_key", "table", "keyboard", "author", "columns", "passenger_id", 3]
)
def test_keys_that_only_look_like_it(key: object) -> None:
    assert not is_secret_key(key)


def test_credentials_by_their_own_form() -> None:
    assert holds_credentials("mysql://app:secret@host/db")
    assert holds_credentials("see eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoiYW5vbiJ9.x")
    assert holds_credentials("-----BEGIN RSA PRIVATE KEY-----\nabc")
    assert not holds_credentials("https://example.com/a:b@c")
    assert not holds_credentials("postgres://${USER}:${PASSWORD}@host/db")


@given(st.text(max_size=40), st.integers(0, 40), st.integers(0, 10))
def test_any_span_of_any_text_can_be_shown(text: str, start: int, length: int) -> None:
    document = load(text)
    start = min(start, len(document.text))
    source, carets = document.snippet(document.span_at(start, min(start + length, len(document.text)))).split("\n")
    assert source[:7].endswith("| ")
    assert "^" in carets
