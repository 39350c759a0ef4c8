"""The errors of the OpenAI and Anthropic SDKs, which share their names, in Osiris's terms."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from osiris_core import ConfigurationError
from osiris_llm.provider import SchemaTooLargeError, bad_key, unreachable


def translated(error: Any, sdk: Any, *, title: str, key: str, model: str, too_large: Iterable[str]) -> Exception:
    """The error to raise instead of ``error``.

    ``sdk`` is the SDK's module, which holds the classes; ``key`` the key's variable; ``too_large`` the words
    of a 400 that mean the schema was refused.
    """
    if isinstance(error, sdk.AuthenticationError | sdk.PermissionDeniedError):
        return bad_key(title, key)
    if isinstance(error, sdk.NotFoundError):
        return unknown_model(title, model)
    if isinstance(error, sdk.BadRequestError):
        text = str(error.body or error.message).lower()
        if any(word in text for word in too_large):
            return SchemaTooLargeError(title)
    if isinstance(error, sdk.APITimeoutError):
        return unreachable(title, "no answer in time")
    if isinstance(error, sdk.APIStatusError):
        return unreachable(title, f"HTTP status {error.status_code}")
    return unreachable(title, type(error).__name__)


def unknown_model(title: str, model: str) -> ConfigurationError:
    """The error for a model the provider does not have."""
    return ConfigurationError(
        f'{title} does not know the model "{model}"', code="OSI-C033", hint="choose one with --model"
    )
