"""Provenance: what varies from one compile to the next, and therefore stays out of the manifest."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from osiris_core import __version__

if TYPE_CHECKING:
    from osiris_core.session import Session


def provenance(source: Path, session: Session) -> dict[str, Any]:
    """What ``meta.json`` holds: when, from which file, by which versions; nothing in it is verified or secret."""
    return {
        "compiled_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "source": str(source.resolve()),
        "project": str(session.project.root),
        "profile": session.project.profile,
        "osiris_core": __version__,
        "python": platform.python_version(),
        "platform": platform.system(),
        "plugins": {status.name: status.version for status in session.plugins.statuses() if status.version},
        "notes": list(session.catalogs.notes),
    }
