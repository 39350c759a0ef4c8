"""Every provider that instructor knows and we have no native adapter for. Strictness is checked here, not there."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from osiris_core import ConfigurationError
from osiris_llm.provider import TIMEOUT, Message, Reply, SchemaLimits, Usage, missing_sdk, reply, unreachable


class InstructorProvider:
    """``model`` is instructor's ``provider/model``, for example ``mistral/mistral-large-latest``."""

    name = "instructor"
    limits = SchemaLimits()

    def __init__(self, model: str = "", api_key: str = "", base_url: str = "") -> None:
        if "/" not in model:
            raise ConfigurationError(
                "the instructor provider needs a model as provider/model",
                code="OSI-C033",
                hint="for example --model mistral/mistral-large-latest",
            )
        try:
            import instructor
        except ImportError as error:
            raise missing_sdk("instructor", "instructor") from error
        self.model = model
        options: dict[str, Any] = {"api_key": api_key} if api_key else {}
        if base_url:
            options["base_url"] = base_url
        self._client = instructor.from_provider(model, **options)

    def complete(self, messages: list[Message], schema: Mapping[str, Any], *, timeout: float = TIMEOUT) -> Reply:
        started = time.perf_counter()
        try:
            # max_retries=n means n+1 calls there, all for parse errors: our own loop does that, with a trail.
            value, raw = self._client.create_with_completion(
                response_model=_model_of(schema),
                messages=[{"role": message.role, "content": message.text} for message in messages],
                max_retries=0,
                timeout=timeout,
            )
        except Exception as error:
            raise unreachable(f"{self.model} through instructor", type(error).__name__) from error
        usage = getattr(raw, "usage", None)
        counted = Usage(getattr(usage, "prompt_tokens", 0) or 0, getattr(usage, "completion_tokens", 0) or 0)
        return reply(value.model_dump_json(), counted, started)


def _model_of(schema: Mapping[str, Any]) -> Any:
    """A pydantic class that shows ``schema`` to the provider and lets the value through for our own check."""
    from pydantic import BaseModel, ConfigDict

    class PipelineForm(BaseModel):
        model_config = ConfigDict(extra="allow")

        @classmethod
        def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
            return {**schema, "title": "PipelineForm"}

    return PipelineForm
