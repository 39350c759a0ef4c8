"""The manifest's YAML: what is written is what every reader reads."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from osiris_core.compile.yaml_text import yaml_text
from osiris_core.oml import load

# What OML and manifests may hold: text without control characters other than tab and line feed, and no surrogates.
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | text
entries = st.dictionaries(text, scalars | st.lists(scalars, max_size=3), max_size=4)
maps = st.recursive(
    st.dictionaries(text, scalars | st.lists(scalars, max_size=3), max_size=4),
    lambda inner: st.dictionaries(text, inner | st.lists(inner.filter(bool), min_size=1, max_size=3), max_size=3),
    max_leaves=6,
)


@given(maps)
def test_a_yaml_1_1_reader_reads_the_same_value(value: dict[str, Any]) -> None:
    assert (yaml.safe_load(yaml_text(value)) or {}) == value


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), scalars, min_size=1, max_size=5))
def test_our_own_loader_reads_the_same_value(value: dict[str, Any]) -> None:
    document = load(yaml_text(value))
    refused = {problem.code for problem in document.problems}
    assert refused <= {"OSI-V012"}  # control characters are refused, never misread
    if not refused:
        assert document.value == value


def test_text_that_looks_like_something_else_is_quoted() -> None:
    value = {"a": "no", "b": "22:22", "c": "0123", "d": "1e3", "e": "", "f": "~", "g": "@shop", "h": "- x", "i": "null"}
    assert yaml_text(value) == (
        'a: "no"\nb: "22:22"\nc: "0123"\nd: "1e3"\ne: ""\nf: "~"\ng: "@shop"\nh: "- x"\ni: "null"\n'
    )


def test_the_layout_is_for_people() -> None:
    value = {"name": "orders", "steps": [{"id": "a", "needs": []}, {"id": "b", "needs": ["a"]}], "secrets": {}}
    assert yaml_text(value) == (
        "name: orders\nsteps:\n  - id: a\n    needs: []\n  - id: b\n    needs: [a]\nsecrets: {}\n"
    )
