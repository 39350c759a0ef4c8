"""Google through its own SDK: the JSON Schema goes out untouched as ``response_json_schema``."""

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
    SchemaTooLargeError,
    Usage,
    bad_key,
    missing_sdk,
    reply,
    unreachable,
    without,
)
from osiris_llm.providers.faults import unknown_model


class GoogleProvider:
    """Gemini with JSON Schema output."""

    name = "google"
    title = "Google"
    default_model = "gemini-3-flash"
    #: maxItems and maxLength eat a hidden budget ("too many states"): they are checked here, not sent.
    limits = SchemaLimits(unsupported=frozenset({"maxItems", "maxLength"}))

    def __init__(self, model: str = "", api_key: str = "", base_url: str = "") -> None:
        try:
            from google import genai
            from google.genai import errors, types
        except ImportError as error:
            raise missing_sdk("google-genai", "google") from error
        self._errors, self._types = errors, types
        self.model = model or self.default_model
        self._client = genai.Client(
            api_key=api_key or "none",
            http_options=types.HttpOptions(
                base_url=base_url or None,
                timeout=int(TIMEOUT * 1000),
                retry_options=types.HttpRetryOptions(attempts=TRANSPORT_RETRIES + 1),
            ),
        )

    def complete(self, messages: list[Message], schema: Mapping[str, Any], *, timeout: float = TIMEOUT) -> Reply:
        started = time.perf_counter()
        types = self._types
        system = "\n".join(message.text for message in messages if message.role == "system")
        turns: Any = [
            types.Content(role="model" if m.role == "assistant" else "user", parts=[types.Part(text=m.text)])
            for m in messages
            if m.role != "system"
        ]
        config = types.GenerateContentConfig(
            system_instruction=system,
            response_mime_type="application/json",
            response_json_schema=without(dict(schema), self.limits.unsupported),
            max_output_tokens=MAX_OUTPUT_TOKENS,
            http_options=types.HttpOptions(timeout=int(timeout * 1000)),
        )
        try:
            answer = self._client.models.generate_content(model=self.model, contents=turns, config=config)
        except self._errors.APIError as error:
            raise self._translate(error) from error
        except Exception as error:
            # The SDK lets its HTTP client's errors through, and which client that is depends on its version.
            if isinstance(error, OSError) or type(error).__module__.startswith("httpx"):
                raise unreachable(self.title, type(error).__name__) from error
            raise
        return self._reply(answer, started)

    def _reply(self, answer: Any, started: float) -> Reply:
        counts = answer.usage_metadata
        usage = Usage(
            getattr(counts, "prompt_token_count", 0) or 0,
            getattr(counts, "candidates_token_count", 0) or 0,
            getattr(counts, "cached_content_token_count", 0) or 0,
        )
        if not answer.candidates:
            return reply("the prompt was blocked", usage, started, "refusal")
        finish = str(getattr(answer.candidates[0].finish_reason, "name", answer.candidates[0].finish_reason))
        if finish in ("SAFETY", "PROHIBITED_CONTENT", "BLOCKLIST", "RECITATION", "SPII"):
            return reply(finish, usage, started, "refusal")
        return reply(answer.text or "", usage, started, "length" if finish == "MAX_TOKENS" else "stop")

    def _translate(self, error: Any) -> Exception:
        status, text = int(error.code or 0), str(error.message or "").lower()
        if status in (401, 403) or "api key" in text:
            return bad_key(self.title, "GEMINI_API_KEY")
        if status == 404:
            return unknown_model(self.title, self.model)
        if status == 400 and ("schema" in text or "states" in text):
            return SchemaTooLargeError(self.title)
        return unreachable(self.title, f"HTTP status {status}")
