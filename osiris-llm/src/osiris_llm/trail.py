"""The retry trail: what was asked and answered, kept under ``.osiris/chats/<id>/`` without secrets."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from osiris_core import Redactor
from osiris_core.data import private_opener
from osiris_llm.provider import Message, Reply


class Trail:
    """One chat's directory: ``events.jsonl``, and per attempt its prompt, answer and problems."""

    def __init__(self, root: Path, redactor: Redactor) -> None:
        now = datetime.now(UTC)
        self.id = f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
        self.directory = root / "chats" / self.id
        for directory in (root, root / "chats"):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.directory.mkdir(mode=0o700)
        self._redactor = redactor
        self._attempts = 0

    def attempt(self, messages: list[Message], answer: Reply, problems: list[str], *, closure: str) -> None:
        """Keep one attempt: files ``<n>-prompt.json``, ``<n>-answer.txt``, ``<n>-problems.json``, and an event."""
        self._attempts += 1
        number = self._attempts
        self._write(f"{number}-prompt.json", json.dumps([asdict(m) for m in messages], ensure_ascii=False, indent=1))
        self._write(f"{number}-answer.txt", answer.text)
        self._write(f"{number}-problems.json", json.dumps(problems, ensure_ascii=False, indent=1))
        self.event(
            "attempt",
            attempt=number,
            closure=closure,
            finish=answer.finish,
            problems=len(problems),
            milliseconds=round(answer.milliseconds, 1),
            **asdict(answer.usage),
        )

    def names(self, messages: list[Message], answer: Reply) -> None:
        """Keep the stage before the attempts, in which the model picked tables by name."""
        self._write("names-prompt.json", json.dumps([asdict(m) for m in messages], ensure_ascii=False, indent=1))
        self._write("names-answer.txt", answer.text)
        self.event("names", milliseconds=round(answer.milliseconds, 1), **asdict(answer.usage))

    def event(self, name: str, **data: Any) -> None:
        """Append one line to ``events.jsonl``."""
        line = {"v": 1, "chat_id": self.id, "ts": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": name}
        text = self._redactor.text(json.dumps({**line, **self._redactor.value(data)}, ensure_ascii=False))
        self._append("events.jsonl", text)

    def _write(self, name: str, text: str) -> None:
        self._append(name, self._redactor.text(text))

    def _append(self, name: str, text: str) -> None:
        """A line of a file that only its owner may read. A model may answer with what is no character."""
        path = self.directory / name
        with open(path, "a", encoding="utf-8", errors="backslashreplace", opener=private_opener) as file:
            file.write(text + "\n")
