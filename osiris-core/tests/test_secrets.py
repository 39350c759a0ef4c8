"""A secret is never shown, and comes from the secrets file before the environment."""

from __future__ import annotations

import copy
import json
import pickle
import traceback
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osiris_core import ConfigurationError, Connection, Redactor, Secret, first_line
from osiris_core.dotenv import DotenvError, parse_dotenv
from osiris_core.secrets import SecretSource, one_line

VALUE = "hunter2-canary"


def test_no_way_of_showing_a_secret_shows_it() -> None:
    secret = Secret(VALUE, "SHOP_PASSWORD")
    connection = Connection("shop", "mysql", {"host": "db", "password": secret, "auth": {"token": secret}})
    shown = [
        str(secret),
        repr(secret),
        f"{secret}",
        f"{secret:>20}",
        f"{secret!r}",
        "%s" % secret,  # noqa: UP031 - one of the ways
        "{}".format(secret),  # noqa: UP032 - another
        str([secret]),
        repr(connection),
        str({"a": secret}),
        str(vars(type(secret))),
    ]
    assert not any(VALUE in text for text in shown)
    assert secret.reveal() == VALUE
    assert connection.secrets() == [secret, secret]


@pytest.mark.parametrize("store", [json.dumps, pickle.dumps, copy.copy, copy.deepcopy])
def test_a_secret_cannot_be_stored(store: object) -> None:
    with pytest.raises(TypeError) as caught:
        store(Secret(VALUE))  # type: ignore[operator]
    assert VALUE not in str(caught.value)


def test_a_traceback_with_locals_shows_no_secret() -> None:
    def connect(secret: Secret) -> None:
        raise RuntimeError(f"cannot log in with {secret}")

    try:
        connect(Secret(VALUE))
    except RuntimeError as error:
        text = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert "cannot log in with ***" in text
    assert VALUE not in text.replace(repr(VALUE), "")


def test_the_redactor_masks_values_in_text_keys_and_leaves() -> None:
    redactor = Redactor([Secret("open sesame"), Secret("sesame"), Secret("abc", "SHORT")])
    assert redactor.text("say open sesame, not sesame; abc stays") == "say ***, not ***; abc stays"
    assert redactor.value({"open sesame": ["x sesame", 1, None, Secret("q")]}) == {"***": ["x ***", 1, None, "***"]}
    assert redactor.too_short == ["SHORT"]


def test_the_last_net_knows_every_secret_of_the_process() -> None:
    Secret("made-somewhere-else")
    assert Redactor.of_process().text("it is made-somewhere-else") == "it is ***"


@pytest.mark.parametrize(
    "secret", ["canary-one\n", " canary-two ", "canary-ä-three", "canary four+/%", "canary\"five'\\", "canary-6\tx"]
)
def test_no_spelling_of_a_secret_gets_through(secret: str) -> None:
    spellings = [
        secret,
        secret.strip(),
        repr(secret),
        ascii(secret),
        json.dumps(secret),
        json.dumps(secret, ensure_ascii=False),
        repr(secret.encode()),
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
    ]
    redactor = Redactor([Secret(secret)])
    assert [text for text in spellings if "canary" in redactor.text(text)] == []


def test_each_line_of_a_secret_is_masked() -> None:
    redactor = Redactor([Secret("-----BEGIN KEY-----\n  canary-line-one\ncanary-line-two\nend\n")])
    assert redactor.text("bad line: canary-line-two, after canary-line-one; the end") == (
        "bad line: ***, after ***; the end"
    )


def test_a_message_is_masked_before_it_is_cut() -> None:
    Secret("canary-" + "z" * 600)
    text = "\n  cannot log in with canary-" + "z" * 600 + " today\nand more"
    assert first_line(text) == "cannot log in with *** today"
    assert first_line("x" * 600, 10) == "x" * 10
    assert first_line(" \n ") == ""
    assert one_line(ValueError(text), 60) == "ValueError: cannot log in with *** today and more"


def test_every_value_of_a_secrets_file_is_masked_but_settings() -> None:
    SecretSource.from_text("HOST=canary-host.example\nPORT=5432\nTLS=true\nEMPTY=\n")
    shown = Redactor.of_process().text("canary-host.example:5432, TLS true")
    assert shown == "***:5432, TLS true"


@pytest.mark.parametrize(
    ("value", "taken"), [("k\n", "k"), ("k\r\n", "k"), ("k\n\n", "k\n"), ("a\nb", "a\nb"), (" k ", " k "), ("\n", "")]
)
def test_one_line_end_at_the_end_of_a_value_is_not_part_of_it(value: str, taken: str) -> None:
    assert SecretSource({"FILE": value}, {}).get("FILE") == taken
    assert SecretSource({}, {"VARIABLE": value}).get("VARIABLE") == taken


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("A=1\nB=two words\n", {"A": "1", "B": "two words"}),
        ("export A=1\r\n  B = 2  # note\r\n", {"A": "1", "B": "2"}),
        ("# A=1\n\nB='it # is $x \\n'\n", {"B": "it # is $x \\n"}),
        ('A="say \\"hi\\"\\n\\\\ $x"', {"A": 'say "hi"\n\\ $x'}),
        ("A='two\nlines'\nB=p#ss\n", {"A": "two\nlines", "B": "p#ss"}),
        ("A=\nB=''\n", {"A": "", "B": ""}),
        ("A=1\nA=2", {"A": "2"}),
        ("\ufeffA=x=y==", {"A": "x=y=="}),
        ("", {}),
    ],
)
def test_dotenv_files_are_read_as_shells_read_them(text: str, values: dict[str, str]) -> None:
    assert parse_dotenv(text) == values


@pytest.mark.parametrize(
    ("text", "line"), [("A=1\nhunter2\n", 2), ("A='open\nB=1\n", 1), ('A="x" y', 1), ("1A=x", 1), ("=x", 1)]
)
def test_a_line_that_is_no_assignment_is_named_and_not_quoted(text: str, line: int) -> None:
    with pytest.raises(DotenvError) as caught:
        parse_dotenv(text)
    assert str(caught.value) == f"line {line} is not NAME=value"


names = st.from_regex(r"[A-Z_][A-Z0-9_]{0,9}", fullmatch=True)


@given(st.dictionaries(names, st.text(st.characters(exclude_categories=["Cs"]))))
def test_every_value_can_be_written_in_double_quotes(values: dict[str, str]) -> None:
    escaped = {name: value.replace("\\", "\\\\").replace('"', '\\"') for name, value in values.items()}
    assert parse_dotenv("".join(f'{name}="{value}"\n' for name, value in escaped.items())) == values


def test_the_file_goes_over_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IN_BOTH", "environment")
    monkeypatch.setenv("IN_ENVIRONMENT", "environment")
    file = tmp_path / "secrets.env"
    file.write_text("IN_BOTH=f1le\nIN_FILE=f1le\n")
    source = SecretSource.load(file)
    assert [source.get(name) for name in ("IN_BOTH", "IN_ENVIRONMENT", "IN_FILE")] == ["f1le", "environment", "f1le"]
    assert source.missing(["Z_MISSING", "IN_FILE", "A_MISSING", "Z_MISSING"]) == ["A_MISSING", "Z_MISSING"]


@pytest.mark.parametrize("content", [None, b"A=1\nhunter2-canary\n", b"\xff\xfe"])
def test_a_faulty_secrets_file_is_a_configuration_error_without_its_content(
    tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "secrets.env"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        SecretSource.load(file)
    assert (caught.value.code, caught.value.exit_code) == ("OSI-C021", 5)
    assert str(file) in caught.value.message
    assert VALUE not in caught.value.message
