"""``osiris doctor`` for the REST channel."""

from __future__ import annotations

from urllib.parse import urlsplit

from osiris_core import ConnectError, Finding
from osiris_supabase.rest.catalog import describe
from osiris_supabase.rest.client import key_role
from osiris_supabase.settings import RestPlace

_CATEGORIES = {"OSI-C043": "authentication", "OSI-C044": "permission", "OSI-C046": "permission"}


def check(place: RestPlace) -> list[Finding]:
    """Findings about the URL and the key."""
    findings = [_role(place)]
    if place.url.startswith("http://"):
        findings.append(Finding("tls", "warning", "the API is reached without TLS", "use https"))
    try:
        description = describe(place)
    except ConnectError as error:
        return [*findings, Finding(_CATEGORIES.get(error.code, "network"), "failed", error.message, error.hint)]
    version = description.get("info", {}).get("version", "?")
    count = len(description["definitions"])
    findings.append(Finding("network", "ok", f"{_host(place)} answers"))
    findings.append(Finding("version", "ok", f"PostgREST {version}"))
    findings.append(Finding("authentication", "ok", f"the key sees {count} tables and views"))
    return findings


def _host(place: RestPlace) -> str:
    """Where the API is; the rest of a URL is nobody's business."""
    return urlsplit(place.url).hostname or "the API"


def _role(place: RestPlace) -> Finding:
    role = key_role(place.key)
    if role == "service_role":
        return Finding("key_role", "ok", "the key acts as service_role")
    if role == "anon":
        hint = "use the secret key (sb_secret_… or service_role), from the project's API settings"
        return Finding("key_role", "failed", "the key is a publishable (anon) key, which writes nothing", hint)
    hint = "row level security may hide rows from it and refuse its writes"
    return Finding("key_role", "warning", f"the key acts as {role or 'an unknown role'}", hint)
