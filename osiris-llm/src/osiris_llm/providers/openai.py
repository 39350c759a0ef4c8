"""OpenAI, and whatever speaks its protocol: Ollama, llama.cpp, vLLM, LM Studio."""

from __future__ import annotations

import hashlib
import json
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


class OpenAIProvider:
    """OpenAI through its own SDK, strict structured output."""

    name = "openai"
    title = "OpenAI"
    key_name = "OPENAI_API_KEY"
    default_model = "gpt-5.4-mini"
    #: 1,000 enum values in all; 15,000 characters where one enum has more than 250 values.
    limits = SchemaLimits(enum_values=1000, enum_characters=15_000)

    def __init__(self, model: str = "", api_key: str = "", base_url: str = "") -> None:
        try:
            import openai
        except ImportError as error:
            raise missing_sdk("openai", "openai") from error
        self._sdk = openai
        self.model = model or self.default_model
        self._client: Any = openai.OpenAI(
            api_key=api_key or "none", base_url=base_url or None, max_retries=TRANSPORT_RETRIES, timeout=TIMEOUT
        )

    def complete(self, messages: list[Message], schema: Mapping[str, Any], *, timeout: float = TIMEOUT) -> Reply:
        started = time.perf_counter()
        try:
            answer = self._client.with_options(timeout=timeout).chat.completions.create(
                model=self.model,
                messages=[{"role": message.role, "content": message.text} for message in messages],
                response_format={
                    "type": "json_schema",
                    "json_schema": {"name": "pipeline_form", "strict": True, "schema": dict(schema)},
                },
                **self._options(messages, schema),
            )
        except self._sdk.OpenAIError as error:
            raise translated(
                error, self._sdk, title=self.title, key=self.key_name, model=self.model, too_large=("schema",)
            ) from error
        choice = answer.choices[0]
        usage = _usage(answer.usage)
        if getattr(choice.message, "refusal", None):
            return reply(str(choice.message.refusal), usage, started, "refusal")
        return reply(
            choice.message.content or "", usage, started, "length" if choice.finish_reason == "length" else "stop"
        )

    def _options(self, messages: list[Message], schema: Mapping[str, Any]) -> dict[str, Any]:
        stable = json.dumps([messages[0].text, schema], sort_keys=True)
        key = hashlib.sha256(stable.encode()).hexdigest()[:32]
        return {"prompt_cache_key": key, "max_completion_tokens": MAX_OUTPUT_TOKENS}


class CompatibleProvider(OpenAIProvider):
    """A server that speaks OpenAI's protocol at ``OSIRIS_LLM_BASE_URL``. Flat schema, no cache key."""

    name = "compatible"
    title = "the OpenAI-compatible server"
    key_name = "OSIRIS_LLM_API_KEY"
    default_model = "default"
    limits = SchemaLimits()

    def _options(self, messages: list[Message], schema: Mapping[str, Any]) -> dict[str, Any]:
        # temperature 0: the same request gives the same form, and small models wander less.
        return {"max_tokens": MAX_OUTPUT_TOKENS, "temperature": 0}


def _usage(usage: Any) -> Usage:
    if usage is None:
        return Usage()
    cached = getattr(getattr(usage, "prompt_tokens_details", None), "cached_tokens", None) or 0
    return Usage(usage.prompt_tokens or 0, usage.completion_tokens or 0, cached)
