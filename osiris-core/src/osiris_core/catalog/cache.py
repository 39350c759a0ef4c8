"""Catalog entries on disk: self-describing, atomic, and healed by discovering again."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from osiris_core import atomic
from osiris_core.canonical import fingerprint
from osiris_core.catalog.model import Catalog

ENTRY_VERSION = 2
KEPT_SECONDS = 30 * 24 * 3600
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of whom; everything that may change the answer is in ``key``, and no secret is.

    Attributes:
        alias: without the ``@``; ``""`` for a component that takes no connection.
        parts: component, spec fingerprint, the connection's non-secret fields, scope.
    """

    alias: str
    parts: Mapping[str, Any]

    @property
    def key(self) -> str:
        """SHA-256 over ``parts``."""
        return fingerprint(self.parts)

    @property
    def name(self) -> str:
        """For messages: ``@shop``, or the component when there is no connection."""
        return f"@{self.alias}" if self.alias else str(self.parts["component"])


@dataclass(frozen=True, slots=True)
class Entry:
    """One cached answer. ``catalog.probe`` is the schema token taken *before* the discovery began."""

    catalog: Catalog
    discovered_at: datetime

    def fresh(self, now: datetime, ttl: int) -> bool:
        """Whether it is younger than ``ttl`` seconds; never when it comes from the future."""
        return timedelta(0) <= now - self.discovered_at < timedelta(seconds=ttl)


def entry_path(root: Path, question: Question) -> Path:
    """``<root>/<alias>/<key>.json``; an alias no file system is sure to take is replaced by its hash."""
    alias = question.alias or "-"
    folder = alias if alias == "-" or _SAFE_NAME.fullmatch(alias) else fingerprint({"alias": alias})[:32]
    return root / folder / f"{question.key}.json"


def read_entry(root: Path, question: Question) -> Entry | None:
    """The cached answer; None when there is none, or when it is damaged, foreign or of another version."""
    try:
        value = json.loads(entry_path(root, question).read_text(encoding="utf-8"))
        if (value["version"], value["key"]) != (ENTRY_VERSION, question.key):
            return None
        if value["checksum"] != _checksum(value["catalog"]):
            return None
        return Entry(
            Catalog.from_json(value["catalog"]), datetime.fromisoformat(value["discovered_at"]).astimezone(UTC)
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def write_entry(root: Path, question: Question, entry: Entry) -> None:
    """Store an answer, without the question: only its hash, which shows nothing of the connection. Raises OSError."""
    catalog = entry.catalog.to_json()
    value = {
        "version": ENTRY_VERSION,
        "alias": question.alias,
        "key": question.key,
        "discovered_at": entry.discovered_at.isoformat(),
        "schema_fingerprint": entry.catalog.fingerprint,
        "checksum": _checksum(catalog),
        "catalog": catalog,
    }
    path, text = entry_path(root, question), json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    atomic.write_text(path, text + "\n", sync=False, private=True)
    _forget_old(path.parent, entry.discovered_at)


def _forget_old(folder: Path, now: datetime) -> None:
    """Remove answers that nobody renewed for long: to questions about an earlier host, spec or scope."""
    for path in folder.glob("*.json"):
        try:
            if now.timestamp() - path.stat().st_mtime > KEPT_SECONDS:
                path.unlink()
        except OSError:  # another process was faster
            continue


def _checksum(catalog: Any) -> str:
    """SHA-256 of the stored catalog. ``canonical_json`` would spell it the same, ten times slower."""
    return hashlib.sha256(json.dumps(catalog, sort_keys=True).encode()).hexdigest()
