"""Plain scalars by YAML 1.2's core schema: ``no`` is text, ``0o17`` is fifteen, ``22:22`` is no number."""

from __future__ import annotations

import re
from typing import Any

#: Longer integers are refused: nobody means them, and converting them takes quadratic time.
MAX_INTEGER_DIGITS = 400

_CONSTANTS: dict[str, Any] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_NUMBER_STARTS = frozenset("+-.0123456789")


class ScalarError(ValueError):
    """A number this dialect has no room for; the text says why."""


def resolve(text: str) -> Any:
    """Value of a plain scalar: None, bool, int, float or the text itself.

    Raises ScalarError for infinities, NaN and numbers too long or too large to keep exactly.
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in _NUMBER_STARTS:
        return text
    return _number(text)


def _number(text: str) -> Any:
    if _INTEGER.fullmatch(text):
        if len(text) > MAX_INTEGER_DIGITS:
            raise ScalarError(f"an integer of {len(text)} digits is too long (at most {MAX_INTEGER_DIGITS})")
        return int(text)
    if _FLOAT.fullmatch(text):
        return _finite(text)
    if _OCTAL.fullmatch(text) and len(text) <= MAX_INTEGER_DIGITS:
        return int(text[2:], 8)
    if _HEXADECIMAL.fullmatch(text) and len(text) <= MAX_INTEGER_DIGITS:
        return int(text[2:], 16)
    if _NOT_FINITE.fullmatch(text):
        raise ScalarError("infinity and not-a-number are not values a pipeline can hold")
    return text


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ScalarError("this number is larger than a floating-point number can be")
    return value
