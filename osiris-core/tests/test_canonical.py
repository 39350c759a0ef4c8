"""Canonical JSON: one spelling, values kept apart, nothing lost."""

from __future__ import annotations

import json
import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osiris_core.canonical import canonical_json, fingerprint, parse, pretty_json

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.decimals(allow_nan=False, allow_infinity=False)
)
keys = st.text(st.characters(exclude_categories=["Cs"])).filter(lambda key: not key.startswith("$"))
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=20)


def typed(value: object) -> object:
    """``value`` with its types, so that 1, 1.0, True and Decimal(1) differ."""
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
    return type(value).__name__, str(value)


@given(values)
def test_every_value_comes_back_with_its_type(value: object) -> None:
    assert typed(parse(canonical_json(value))) == typed(value)
    assert typed(parse(pretty_json(value))) == typed(value)


@given(st.dictionaries(keys, values))
def test_the_order_of_keys_does_not_matter(value: dict[str, object]) -> None:
    assert canonical_json(dict(reversed(value.items()))) == canonical_json(value)


def test_numbers_that_a_double_cannot_hold_are_text_for_other_readers() -> None:
    text = canonical_json({"exact": 2**53 - 1, "big": 2**53, "price": Decimal("1.10")})
    assert json.loads(text) == {"exact": 2**53 - 1, "big": {"$int": "9007199254740992"}, "price": {"$decimal": "1.10"}}


def test_equal_looking_values_have_different_fingerprints() -> None:
    alike = [1, 1.0, True, "1", Decimal(1), [1], None, "", 2**60, str(2**60)]
    assert len({fingerprint({"value": value}) for value in alike}) == len(alike)


def test_a_fingerprint_tells_names_apart() -> None:
    assert fingerprint({"a": 1, "b": 2}) != fingerprint({"a": 2, "b": 1})


@pytest.mark.parametrize("value", [math.nan, math.inf, Decimal("NaN"), "\ud800", {"$int": "1"}, {"$decimal": 1}])
def test_what_has_no_json_form_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        canonical_json({"value": value})


@pytest.mark.parametrize("value", [{1: "a"}, {1, 2}, b"bytes", object()])
def test_what_is_not_json_is_a_type_error(value: object) -> None:
    with pytest.raises(TypeError):
        canonical_json(value)


@pytest.mark.parametrize(
    "text", ["NaN", '{"$int": "x"}', '{"$int": 5}', '{"$decimal": "x"}', '{"$int": "5", "a": 1}', "{"]
)
def test_text_that_was_not_written_by_us_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(text)
