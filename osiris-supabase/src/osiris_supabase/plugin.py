"""What Osiris loads: the component, by the path of its spec. Imports no client library."""

from __future__ import annotations

from pathlib import Path

from osiris_core import Component, hookimpl

OSIRIS_API = "1.0"


@hookimpl
def osiris_components() -> list[Component]:
    """The one component of this package."""
    return [Component("supabase.table", Path(__file__).parent / "components" / "supabase.table" / "spec.yaml")]
