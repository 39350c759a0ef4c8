"""What this plugin registers. Nothing heavy is imported here."""

from __future__ import annotations

from pathlib import Path

from osiris_core import Component, hookimpl

OSIRIS_API = "1.0"
_COMPONENTS = Path(__file__).parent / "components"


@hookimpl
def osiris_components() -> list[Component]:
    """``duckdb.table``, ``duckdb.sql`` and ``file.table``."""
    return [Component(name, _COMPONENTS / name / "spec.yaml") for name in ("duckdb.table", "duckdb.sql", "file.table")]
