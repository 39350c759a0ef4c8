"""What every provider of structured output offers, whatever SDK is behind it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from osiris_core import ConfigurationError

#: Seconds one call may take; SDK defaults (600 s) leave a person waiting in front of nothing.
TIMEOUT = 60.0
#: Retries of the transport for what is safe to repeat (429, 5xx, connection refused).
TRANSPORT_RETRIES = 2
MAX_OUTPUT_TOKENS = 2000


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. The system text is byte-stable per catalogue, so that providers cache it."""

    role: Literal["system", "user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call, as the provider counted them; 0 where it does not say."""

    prompt_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. ``value`` is the decoded JSON, None when the text is not JSON.

    ``finish``: ``stop``, ``length`` (cut off) or ``refusal`` (the model declined; ``text`` says why).
    """

    text: str
    value: Any
    usage: Usage
    milliseconds: float
    finish: Literal["stop", "length", "refusal"] = "stop"


@dataclass(frozen=True, slots=True)
class SchemaLimits:
    """What a provider accepts in one schema. 0 means it states no limit.

    Sources: the providers' own documentation of structured outputs, November 2026.
    """

    enum_values: int = 0
    enum_characters: int = 0
    #: Keywords the provider does not take; they are dropped from what is sent, never from what is checked.
    unsupported: frozenset[str] = field(default_factory=frozenset)


class SchemaTooLargeError(Exception):
    """The provider refused the schema for its size or complexity: step down to a smaller one."""


class Provider(Protocol):
    """A native adapter. Constructed with ``(model, api_key, base_url)``."""

    name: str
    model: str
    limits: SchemaLimits

    def complete(self, messages: list[Message], schema: Mapping[str, Any], *, timeout: float = TIMEOUT) -> Reply:
        """One answer that fits ``schema``.

        Raises:
            SchemaTooLargeError: the provider cannot take this schema.
            ConfigurationError: the key, the model or the network is wrong (exit 5), with the mend.
        """


def reply(text: str, usage: Usage, started: float, finish: Literal["stop", "length", "refusal"] = "stop") -> Reply:
    """A ``Reply`` from the provider's text; ``started`` is ``time.perf_counter()`` before the call."""
    try:
        value = json.loads(text) if finish == "stop" else None
    except (ValueError, RecursionError):  # a model may answer with anything, a hundred thousand brackets included
        value = None
    return Reply(text, value, usage, (time.perf_counter() - started) * 1000, finish)


def without(schema: Any, keywords: frozenset[str]) -> Any:
    """``schema`` without ``keywords``, at every level where they are keywords and not property names."""
    if isinstance(schema, list):
        return [without(item, keywords) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept: dict[str, Any] = {}
    for key, value in schema.items():
        if key in ("properties", "$defs"):
            kept[key] = {name: without(item, keywords) for name, item in value.items()}
        elif key not in keywords:
            kept[key] = value if key in ("enum", "required", "const") else without(value, keywords)
    return kept


def missing_sdk(package: str, extra: str) -> ConfigurationError:
    """The error for an SDK that is not installed."""
    return ConfigurationError(
        f"the package {package} is not installed", code="OSI-C030", hint=f'pip install "osiris-llm[{extra}]"'
    )


def bad_key(title: str, names: str) -> ConfigurationError:
    """The error for a key the provider does not accept."""
    return ConfigurationError(f"{title} does not accept the key", code="OSI-C031", hint=f"set {names} to a valid key")


def unreachable(title: str, reason: str, *, retryable: bool = True) -> ConfigurationError:
    """The error for a provider that cannot be reached or is overloaded."""
    return ConfigurationError(
        f"{title} cannot be reached: {reason}",
        code="OSI-C032",
        hint="check the network and the provider's status, or choose another with --provider",
        retryable=retryable,
    )
