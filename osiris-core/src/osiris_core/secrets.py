"""Secret values: a type that never shows what it holds, and the redaction that is the last net."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from osiris_core.errors import ConfigurationError

MASK = "***"
#: A shorter secret would shred every log line it is masked in; it is warned about instead (TRAPS: secrets).
SHORTEST_MASKED = 4


#: Every secret made in this process, so that even an unexpected traceback can be redacted.
_made: set[Secret] = set()


class Secret:
    """A secret string. ``str``, ``repr``, ``format`` and pickling never show it; ``reveal()`` does."""

    __slots__ = ("_name", "_value")

    def __init__(self, value: str, name: str = "") -> None:
        self._value = value
        self._name = name
        _made.add(self)

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

    @classmethod
    def of_process(cls) -> Redactor:
        """Masks every secret that was made in this process so far."""
        return cls(list(_made))

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


class SecretSource:
    """Where values come from: a ``--secrets-file`` over the environment. Nothing is kept on disk or in globals."""

    def __init__(self, values: Mapping[str, str] | None = None, environ: Mapping[str, str] | None = None) -> None:
        self._values = dict(values or {})
        self._environ = os.environ if environ is None else environ

    @classmethod
    def load(cls, path: Path | None = None) -> SecretSource:
        """Read the dotenv file ``path``, if any. Raises ConfigurationError naming file and line, never a value."""
        if path is None:
            return cls()
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            reason = "it is not UTF-8 text"
        except OSError as error:
            reason = error.strerror or type(error).__name__
        else:
            return cls(cls._parse(text, str(path)))
        raise ConfigurationError(f"the secrets file {path} cannot be read: {reason}", code="OSI-C021")

    @classmethod
    def from_text(cls, text: str, name: str = "standard input") -> SecretSource:
        """The same from dotenv text, for a process that gets its secrets over a pipe."""
        return cls(cls._parse(text, name))

    @staticmethod
    def _parse(text: str, name: str) -> dict[str, str]:
        from osiris_core.dotenv import DotenvError, parse_dotenv

        try:
            return parse_dotenv(text)
        except DotenvError as error:
            raise ConfigurationError(f"{name}:{error.line}: this line is not NAME=value", code="OSI-C021") from None

    def get(self, name: str) -> str | None:
        """The value of ``name``, or None when neither the file nor the environment has it."""
        return self._values.get(name, self._environ.get(name))

    def missing(self, names: Iterable[str]) -> list[str]:
        """Which of ``names`` have no value, sorted."""
        return sorted({name for name in names if self.get(name) is None})
