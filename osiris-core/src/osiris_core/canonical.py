"""One spelling for every JSON value, and fingerprints over it.

The style is RFC 8785's (sorted keys, no space, shortest floats, UTF-8) with two changes that keep values apart:
``1.0`` is not ``1``, and what a double cannot hold travels as tagged text, ``{"$int": "9007199254740993"}`` and
``{"$decimal": "1.10"}``, so that a reader in any language gets every digit.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

#: Integers beyond this lose digits in a double, as JSON numbers are read in most languages.
LARGEST_EXACT = 2**53 - 1
_TAGS = {"$int": int, "$decimal": Decimal}


def canonical_json(value: Any) -> str:
    """``value`` in its one spelling. Raises ValueError for NaN, infinity, lone surrogates and reserved keys,

    TypeError for what is not JSON, Decimal or a tuple.
    """
    text = json.dumps(to_json(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    text.encode()  # a lone surrogate has no bytes: UnicodeEncodeError is a ValueError
    return text


def pretty_json(value: Any) -> str:
    """The same value, indented for people and diffs; as deterministic as ``canonical_json``. Ends with a newline."""
    text = json.dumps(to_json(value), sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    text.encode()
    return text


def parse(text: str) -> Any:
    """Inverse of both: big integers and decimals come back as they were. Raises ValueError."""
    return json.loads(text, object_hook=_decode, parse_constant=_refuse_constant)


def from_json(value: Any) -> Any:
    """Inverse of ``to_json``. Raises ValueError."""
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if isinstance(value, dict):
        return _decode({key: from_json(item) for key, item in value.items()})
    return value


def fingerprint(parts: Mapping[str, Any]) -> str:
    """SHA-256 (hex) over the canonical JSON of a *named* map, so that two inputs never swap unseen."""
    return hashlib.sha256(canonical_json(dict(parts)).encode()).hexdigest()


def to_json(value: Any) -> Any:
    """``value`` with only what JSON has: big integers and decimals tagged, tuples as lists. Raises as above."""
    if value is None or isinstance(value, str | bool | float):
        return value
    if isinstance(value, int):
        return value if abs(value) <= LARGEST_EXACT else {"$int": str(value)}
    if isinstance(value, Decimal):
        return {"$decimal": str(_finite(value))}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if isinstance(value, Mapping):
        return {_key(key): to_json(item) for key, item in value.items()}
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"keys are text, not {type(key).__name__}")
    if key in _TAGS:
        raise ValueError(f"the key {key} is reserved")
    return key


def _finite(value: Decimal) -> Decimal:
    if not value.is_finite():
        raise ValueError("NaN and infinity have no JSON form")
    return value


def _decode(value: dict[str, Any]) -> Any:
    for tag, kind in _TAGS.items():
        if tag in value:
            if len(value) != 1 or not isinstance(value[tag], str):
                raise ValueError(f"malformed {tag}")
            return _number(kind, value[tag])
    return value


def _number(kind: Any, text: str) -> Any:
    try:
        return kind(text)
    except ArithmeticError as error:
        raise ValueError(f"not a number: {text!r}") from error


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
