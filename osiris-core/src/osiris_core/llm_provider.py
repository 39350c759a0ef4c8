"""What a plugin registers: a provider of language models, by name. Nothing of it is imported before a chat starts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LLMProvider:
    """A provider of structured output. ``target`` is ``"module:attr"`` of its class, imported when a chat starts.

    ``key_names`` are the environment variables any one of which makes the provider usable; empty when it needs none.
    """

    name: str
    title: str
    target: str
    key_names: tuple[str, ...] = ()
