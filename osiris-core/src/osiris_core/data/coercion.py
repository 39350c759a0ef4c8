"""Counting the opt-in coercions: nothing lossy happens unless asked for, and then it is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping


class Coercions:
    """Counts by name, for example ``on_invalid_date`` or ``on_nul``."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, name: str, count: int = 1) -> None:
        """Count ``count`` coerced values under ``name``."""
        if count:
            self._counts[name] += count

    def counts(self) -> Mapping[str, int]:
        """The counts so far, by name."""
        return dict(self._counts)
