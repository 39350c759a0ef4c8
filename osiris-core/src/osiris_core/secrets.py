"""Secret values: a type that never shows what it holds, and the redaction that is the last net."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from osiris_core.errors import ConfigurationError

MASK = "***"
#: A shorter secret would shred every log line it is masked in; it is warned about instead (TRAPS: secrets).
SHORTEST_MASKED = 4
#: What of a secrets file is a setting and no secret: masking every 5432 or "true" would shred what is shown.
_SETTING = re.compile(r"\d{0,5}|true|false|yes|no|on|off", re.IGNORECASE)

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
        forms = {form for value in {secret.reveal() for secret in secrets} for form in _forms(value)}
        # Longest first, so that a secret which contains another is masked whole.
        self._values = sorted((form for form in forms if len(form) >= SHORTEST_MASKED), key=len, reverse=True)
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


def _forms(value: str) -> Iterator[str]:
    """What others may write for ``value``: a part of it, or the whole as a literal, as JSON or in a URL."""
    import json
    from urllib.parse import quote, quote_plus

    for text in {value, value.strip(), *(line.strip() for line in value.splitlines())}:
        if len(text) < SHORTEST_MASKED:
            continue
        yield text
        if text.isalnum() and text.isascii():
            continue  # nothing to escape: every form is the same
        data = text.encode("utf-8", "surrogateescape")
        yield from (literal[1:-1] for literal in (repr(text), ascii(text), json.dumps(text)))
        yield json.dumps(text, ensure_ascii=False)[1:-1]
        yield repr(data)[2:-1]
        yield from (quote(data), quote(data, safe=""), quote_plus(data))


def first_line(text: str, limit: int = 500) -> str:
    """The first line of ``text`` that says something, with the secrets of this process masked, cut to ``limit``.

    Client libraries quote statements and rows over many lines; the first says what is wrong. It is masked before it
    is cut: of a secret that is cut in two, the net would not know the first half.
    """
    lines = [line.strip() for line in Redactor.of_process().text(text).splitlines() if line.strip()]
    return lines[0][:limit] if lines else ""


class SecretSource:
    """Where values come from: a ``--secrets-file`` over the environment.

    Every value of the file is masked in what is shown, except settings such as a port. Nothing is kept on disk.
    """

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
            values = parse_dotenv(text)
        except DotenvError as error:
            raise ConfigurationError(f"{name}:{error.line}: this line is not NAME=value", code="OSI-C021") from None
        for variable, value in values.items():
            if not _SETTING.fullmatch(value):
                Secret(value, variable)
        return values

    def get(self, name: str) -> str | None:
        """The value of ``name`` without one line end at its end; None when neither file nor environment has it.

        A value that was read from a mounted file ends in that file's line end, which is never part of a secret.
        """
        value = self._values.get(name, self._environ.get(name))
        return value if value is None else value.removesuffix("\n").removesuffix("\r")

    def missing(self, names: Iterable[str]) -> list[str]:
        """Which of ``names`` have no value, sorted."""
        return sorted({name for name in names if self.get(name) is None})


def one_line(error: BaseException, limit: int = 300) -> str:
    """``Type: message`` on one line, secrets masked, whatever the exception's ``__str__`` does."""
    try:
        # Masked before it is cut: of a secret that is cut in two, the net would not know the first half.
        text = " ".join(Redactor.of_process().text(str(error)).split())
    except Exception:
        text = "(its message cannot be shown)"
    text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return text if len(text) <= limit else text[: limit - 1] + "…"
