from __future__ import annotations

from pathlib import Path

from osiris_core.component import Component
from osiris_core.hookspecs import hookimpl

OSIRIS_API = "1.0"


@hookimpl
def osiris_components() -> list[Component]:
    return [Component("shelf.table", Path(__file__).parent / "spec.yaml")]
