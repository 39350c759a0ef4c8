"""Secret values: a type that never shows what it holds, and the redaction that is the last net."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

MASK = "***"
#: A shorter secret would shred every log line it is masked in; it is warned about instead (TRAPS: secrets).
SHORTEST_MASKED = 4


class Secret:
    """A secret string. ``str``, ``repr``, ``format`` and pickling never show it; ``reveal()`` does."""

    __slots__ = ("_name", "_value")

    def __init__(self, value: str, name: str = "") -> None:
        self._value = value
        self._name = name

    @property
    def name(self) -> str:
        """Name of the environment variable the value came from, or ``""``."""
        return self._name

    def reveal(self) -> str:
        """The value itself: hand it to the client library at once, keep it nowhere."""
        return self._value

    def __str__(self) -> str:
        return MASK

    __repr__ = __str__

    def __format__(self, spec: str) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(("osiris.Secret", self._value))

    def __reduce__(self) -> Any:
        raise TypeError("a Secret cannot be pickled; hand over its name")


class Redactor:
    """Masks known secret values in text and in JSON-like values."""

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        secrets = list(secrets)
        values = {secret.reveal() for secret in secrets}
        # Longest first, so that a secret which contains another is masked whole.
        self._values = sorted((v for v in values if len(v) >= SHORTEST_MASKED), key=len, reverse=True)
        self.too_short = sorted({s.name for s in secrets if 0 < len(s.reveal()) < SHORTEST_MASKED})

    def text(self, text: str) -> str:
        """``text`` with every known value replaced by ``***``."""
        for value in self._values:
            if value in text:
                text = text.replace(value, MASK)
        return text

    def value(self, value: Any) -> Any:
        """``value`` with every string leaf (and key) redacted and every ``Secret`` masked."""
        if isinstance(value, Secret):
            return MASK
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(str(key)): self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return value
