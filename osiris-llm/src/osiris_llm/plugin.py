"""What osiris-llm registers. No SDK is imported before a chat starts."""

from __future__ import annotations

from osiris_core import LLMProvider, hookimpl

OSIRIS_API = "1.0"

PROVIDERS = (
    LLMProvider("openai", "OpenAI", "osiris_llm.providers.openai:OpenAIProvider", ("OPENAI_API_KEY",)),
    LLMProvider("anthropic", "Anthropic", "osiris_llm.providers.anthropic:AnthropicProvider", ("ANTHROPIC_API_KEY",)),
    LLMProvider("google", "Google", "osiris_llm.providers.google:GoogleProvider", ("GEMINI_API_KEY", "GOOGLE_API_KEY")),
    LLMProvider(
        "compatible",
        "OpenAI-compatible server (Ollama, llama.cpp, vLLM, LM Studio)",
        "osiris_llm.providers.openai:CompatibleProvider",
        ("OSIRIS_LLM_BASE_URL",),
    ),
    LLMProvider("instructor", "any provider of instructor", "osiris_llm.providers.instructor:InstructorProvider"),
)


@hookimpl
def osiris_llm_providers() -> tuple[LLMProvider, ...]:
    return PROVIDERS
