"""Anthropic through its own SDK: structured outputs, the system block cached."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from osiris_llm.provider import (
    MAX_OUTPUT_TOKENS,
    TIMEOUT,
    TRANSPORT_RETRIES,
    Message,
    Reply,
    SchemaLimits,
    Usage,
    missing_sdk,
    reply,
)
from osiris_llm.providers.faults import translated


class AnthropicProvider:
    """Claude with ``output_config.format`` of type ``json_schema``."""

    name = "anthropic"
    title = "Anthropic"
    key_name = "ANTHROPIC_API_KEY"
    default_model = "claude-sonnet-4-6"
    limits = SchemaLimits()

    def __init__(self, model: str = "", api_key: str = "", base_url: str = "") -> None:
        try:
            import anthropic
        except ImportError as error:
            raise missing_sdk("anthropic", "anthropic") from error
        self._sdk = anthropic
        self.model = model or self.default_model
        self._client = anthropic.Anthropic(
            api_key=api_key or "none", base_url=base_url or None, max_retries=TRANSPORT_RETRIES, timeout=TIMEOUT
        )

    def complete(self, messages: list[Message], schema: Mapping[str, Any], *, timeout: float = TIMEOUT) -> Reply:
        started = time.perf_counter()
        system = "\n".join(message.text for message in messages if message.role == "system")
        turns: Any = [{"role": m.role, "content": m.text} for m in messages if m.role != "system"]
        try:
            answer = self._client.with_options(timeout=timeout).messages.create(
                model=self.model,
                max_tokens=MAX_OUTPUT_TOKENS,
                system=[{"type": "text", "text": system, "cache_control": {"type": "ephemeral"}}],
                messages=turns,
                # The SDK moves what the grammar does not take (bounds) into descriptions.
                output_config={"format": {"type": "json_schema", "schema": self._sdk.transform_schema(dict(schema))}},
            )
        except self._sdk.AnthropicError as error:
            raise translated(
                error,
                self._sdk,
                title=self.title,
                key=self.key_name,
                model=self.model,
                too_large=("schema", "grammar"),
            ) from error
        text = "".join(block.text for block in answer.content if block.type == "text")
        usage = Usage(
            answer.usage.input_tokens + (answer.usage.cache_read_input_tokens or 0),
            answer.usage.output_tokens,
            answer.usage.cache_read_input_tokens or 0,
        )
        if answer.stop_reason == "refusal":
            return reply(text, usage, started, "refusal")
        return reply(text, usage, started, "length" if answer.stop_reason == "max_tokens" else "stop")
