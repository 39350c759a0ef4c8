"""Core's own plugin: the local engine, through the same hooks as everybody's."""

from __future__ import annotations

from collections.abc import Iterable

from osiris_core import API_VERSION
from osiris_core.engine import Engine
from osiris_core.hookspecs import hookimpl

OSIRIS_API = API_VERSION


@hookimpl(trylast=True)
def osiris_engines() -> Iterable[Engine]:
    """The engine that runs a manifest in this process."""
    return [Engine("local", "Runs the steps in this process", "osiris_core.run.local:LocalEngine")]
