"""Which provider: by flag, by configuration, or by which key is set."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from osiris_core import ConfigurationError, Secret, Session, did_you_mean
from osiris_core.context import LLMProvider
from osiris_llm.provider import Provider


def choose(session: Session, name: str = "", model: str = "") -> Provider:
    """A ready provider. ``name`` and ``model`` come from flags; else ``provider:`` of osiris.yaml; else the keys.

    Raises ConfigurationError (exit 5): unknown provider, no key set, SDK not installed.
    """
    config = _settings(session)
    offered = {provider.name: provider for provider in session.plugins.llm_providers()}
    name = name or os.environ.get("OSIRIS_LLM_PROVIDER", "") or str(config.get("name", ""))
    found = _named(name, offered) if name else _by_key(offered)
    model = model or os.environ.get("OSIRIS_LLM_MODEL", "") or str(config.get("model", ""))
    return _build(found, model, config)


def _named(name: str, offered: Mapping[str, LLMProvider]) -> LLMProvider:
    if name not in offered:
        raise ConfigurationError(
            f'there is no LLM provider "{name}"', code="OSI-C033", hint=did_you_mean(name, offered)
        )
    found = offered[name]
    if found.key_names and not any(os.environ.get(key) for key in found.key_names):
        raise _no_key([found])
    return found


def _by_key(offered: Mapping[str, LLMProvider]) -> LLMProvider:
    for provider in offered.values():
        if any(os.environ.get(key) for key in provider.key_names):
            return provider
    raise _no_key([provider for provider in offered.values() if provider.key_names])


def _no_key(providers: list[LLMProvider]) -> ConfigurationError:
    names = " or ".join(key for provider in providers for key in provider.key_names)
    return ConfigurationError(
        "no LLM provider has a key", code="OSI-C031", hint=f"set {names}; osiris new pipeline needs no model at all"
    )


def _build(found: LLMProvider, model: str, config: Mapping[str, Any]) -> Provider:
    from pkgutil import resolve_name

    key = next((os.environ[name] for name in found.key_names if os.environ.get(name)), "")
    base_url = str(config.get("base_url", "")) if config.get("name") in (found.name, "", None) else ""
    if found.name == "compatible":
        base_url, key = os.environ.get("OSIRIS_LLM_BASE_URL", "") or base_url, os.environ.get("OSIRIS_LLM_API_KEY", "")
    secret = Secret(key, found.name)  # known as a secret from here on, so every redactor masks it
    provider: Provider = resolve_name(found.target)(model=model, api_key=secret.reveal(), base_url=base_url)
    return provider


def _settings(session: Session) -> Mapping[str, Any]:
    """``provider: openai``, or ``provider: {name, model, base_url}``, of osiris.yaml."""
    provider = session.project.provider
    return provider if isinstance(provider, Mapping) else {"name": provider or ""}
