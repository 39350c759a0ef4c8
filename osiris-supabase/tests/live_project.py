"""The environment variables that name a live Supabase project, by channel."""

from __future__ import annotations

import os
from typing import Any

_PREFIX = "OSIRIS_LIVE_SUPABASE_"
#: Fields of a connection that a channel needs; each is a variable.
LIVE_FIELDS: dict[str, tuple[str, ...]] = {"sql": ("host", "user", "password"), "rest": ("url", "key")}


def missing(channel: str) -> list[str]:
    """Variables that would have to be set for a channel to be tested."""
    names = [_PREFIX + name.upper() for name in LIVE_FIELDS[channel]]
    return [name for name in names if not os.environ.get(name)]


def live_fields(channel: str) -> dict[str, Any]:
    """The fields of a channel's connection."""
    fields: dict[str, Any] = {name: os.environ[_PREFIX + name.upper()] for name in LIVE_FIELDS[channel]}
    if channel == "sql":
        fields["port"] = int(os.environ.get(f"{_PREFIX}PORT", "5432"))
    return {**fields, "channel": channel}
