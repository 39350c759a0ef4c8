"""YAML text for the manifest: one spelling for every value, the same from every version of every library."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

#: Text that every YAML reader takes for text: no digit in front, none of YAML 1.1's words, nothing special inside.
_PLAIN = re.compile(r"[A-Za-z_/$][A-Za-z0-9_./-]*")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"})
#: JSON leaves these as they are; YAML wants them escaped, or no editor shows them.
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def yaml_text(value: Mapping[str, Any]) -> str:
    """Block-style YAML of mappings (in their own order), lists, text, integers, booleans and None."""
    return "\n".join(_mapping(value, 0)) + "\n"


def _mapping(value: Mapping[str, Any], depth: int) -> Iterator[str]:
    for key, item in value.items():
        yield from _item("  " * depth + _scalar(key) + ":", item, depth)


def _item(lead: str, item: Any, depth: int) -> Iterator[str]:
    if isinstance(item, Mapping) and item and not _is_reference(item):
        yield lead
        yield from _mapping(item, depth + 1)
    elif isinstance(item, list) and any(isinstance(part, Mapping) for part in item):
        yield lead
        yield from _blocks(item, depth)
    else:
        yield f"{lead} {_flow(item)}"


def _blocks(items: list[Any], depth: int) -> Iterator[str]:
    for item in items:
        lines = list(_mapping(item, depth + 2))
        yield "  " * (depth + 1) + "- " + lines[0].lstrip(" ")
        yield from lines[1:]


def _flow(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_scalar(key)}: {_scalar(item)}" for key, item in value.items()) + "}"
    return _scalar(value)


def _is_reference(value: Mapping[str, Any]) -> bool:
    """Whether it is one tagged value such as ``{$secret: NAME}``, which reads best on one line."""
    return len(value) == 1 and all(key.startswith("$") and isinstance(item, str) for key, item in value.items())


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
            return value
        return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(value, ensure_ascii=False))
    return json.dumps(value, allow_nan=False)
