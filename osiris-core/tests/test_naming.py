"""``snake_case``: what it makes of names, what it refuses, and what holds for every name there is."""

from __future__ import annotations

import random
import re
import sys
import unicodedata
from collections import Counter

import pytest

from osiris_core import snake_case
from osiris_core.naming import LONGEST_NAME, snake_names, source_spellings

#: Letters of several scripts, marks, digits, signs, blanks and emoji: what names are made of, and what hurts.
ALPHABET = (
    "abzABZ019__  -.\"'`%$/\\()\t\n\0äÄéßẞŁłøÆœıİſǅŋ½²№™ﬁĳЖж日ñ１Ａª🐎👩🇨🇿\u0303\u0301\u200b\u200d\ufe0f\u20e3\u00ad"
)


@pytest.mark.parametrize(
    ("name", "snake"),
    [
        ("OrderID", "order_id"),
        ("Order", "order"),
        ("has space", "has_space"),
        ('q"uote', "q_uote"),
        ("mood 🐎", "mood"),
        ("❤️ per day", "per_day"),
        ("HTTPServer2Name", "http_server2_name"),
        ("SHA256", "sha256"),
        ("1st", "_1st"),
        ("a.b-c/d", "a_b_c_d"),
        ("  padded  ", "padded"),
        ("Žofie's Größe", "zofie_s_grosse"),
        ("ÉtatCivil", "etat_civil"),
        ("E\u0301tatCivil", "etat_civil"),
        ("ÆrøKommune", "aero_kommune"),
        ("İstanbul", "istanbul"),
        ("m² №1", "m2_no1"),
        ("_id", "_id"),
        ("__a__b__", "__a__b__"),
        ("a _ b", "a_b"),
        ("select", "select"),
    ],
)
def test_names(name: str, snake: str) -> None:
    assert snake_case(name) == snake


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("🐎", "no letter and no digit"),
        ("_", "no letter and no digit"),
        ("", "no letter and no digit"),
        ("Имя", 'letters beyond a-z, such as "и"'),
        ("日本 code", 'letters beyond a-z, such as "日"'),
        ("x" * 64, "longer than 63 bytes"),
        ("aB" * 22, "longer than 63 bytes"),
    ],
)
def test_what_would_lose_its_meaning_is_refused(name: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)) as caught:
        snake_case(name)
    assert f'"{name}"' in str(caught.value)


def test_the_longest_name_is_kept_whole() -> None:
    assert snake_case("X" * LONGEST_NAME) == "x" * LONGEST_NAME


def test_for_every_name_it_is_plain_and_stable_or_refused() -> None:
    draw = random.Random(20261123)
    outcomes: Counter[bool] = Counter()
    for _ in range(50_000):
        name = "".join(draw.choices(ALPHABET, k=draw.randint(0, 12)))
        try:
            snake = snake_case(name)
        except ValueError:
            outcomes[False] += 1
            continue
        outcomes[True] += 1
        assert re.fullmatch(r"[a-z_][a-z0-9_]*", snake), name
        assert re.search("[a-z0-9]", snake), name
        assert len(snake.encode()) <= LONGEST_NAME, name
        assert snake_case(snake) == snake, name
        assert snake_case(name) == snake, name
        assert snake_case(unicodedata.normalize("NFD", name)) == snake_case(unicodedata.normalize("NFC", name)), name
    assert min(outcomes.values()) > 5_000, "both outcomes are tried"


def test_every_single_character_is_named_or_refused() -> None:
    for code in range(sys.maxunicode + 1):
        try:
            snake = snake_case(chr(code))
        except ValueError:
            continue
        assert re.fullmatch(r"[a-z_][a-z0-9_]*", snake), hex(code)


def test_what_is_snake_case_already_stays() -> None:
    draw = random.Random(7)
    for _ in range(20_000):
        name = draw.choice("abcxyz_") + "".join(draw.choices("abcxyz0189_", k=draw.randint(0, 20))) + "z"
        assert snake_case(name) == name


def test_all_that_is_wrong_is_told_at_once() -> None:
    names, wrong = snake_names(["Order ID", "id", "order-id", "🐎", "orderID"])
    assert wrong == [
        'the column "🐎" has no letter and no digit',
        'the columns "Order ID", "order-id" and "orderID" would all be "order_id"',
    ]
    assert snake_names(["Order ID", "id"]) == (["order_id", "id"], [])
    assert names.count("order_id") == 3


def test_a_key_in_the_spelling_of_the_source_is_found_wherever_it_stands() -> None:
    config = {
        "merge_keys": ["Order ID", "shop"],
        "primary_key": ["shop", "Order ID"],
        "dedupe": {"keep": "last", "order_by": [{"column": "At"}, {"column": "nobody"}]},
    }
    renamed = {"Order ID": "order_id", "shop": "shop", "At": "at"}
    assert list(source_spellings(config, renamed)) == [
        (("merge_keys", 0), "Order ID"),
        (("primary_key", 1), "Order ID"),
        (("dedupe", "order_by", 0, "column"), "At"),
    ]
    assert list(source_spellings({"merge_keys": None, "dedupe": {"order_by": [7]}}, renamed)) == []
