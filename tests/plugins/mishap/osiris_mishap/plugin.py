"""What the plugin offers: a source that fails or takes for ever, and an engine with a bug."""

from __future__ import annotations

from pathlib import Path

from osiris_core import Component, Engine, hookimpl

OSIRIS_API = "1.0"


@hookimpl
def osiris_components() -> list[Component]:
    return [Component("mishap.table", Path(__file__).with_name("spec.yaml"))]


@hookimpl
def osiris_engines() -> list[Engine]:
    return [Engine("buggy", "an engine that raises instead of answering", "osiris_mishap.engine:BuggyEngine")]
