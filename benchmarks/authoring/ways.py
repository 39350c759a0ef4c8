"""The ways that are compared: our form, and YAML by the model itself."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from freeform import FreeformAuthor, plain_ask
from frozen import Request, make_project
from judge import Verdict, judge
from reference import right_oml

from osiris_core import OsirisError, Session
from osiris_core.context import build_view
from osiris_llm.author import Author, Authored
from osiris_llm.chat import validator
from osiris_llm.provider import Message, Reply
from osiris_llm.providers.openai import CompatibleProvider

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
#: Patient beyond any person: a busy machine must not turn into a verdict.
PATIENCE = 600.0


class Recorded:
    """A provider that remembers its replies and how long they were waited for; the rest of the time is our own.

    With ``replies`` it gives those instead of asking.
    """

    def __init__(self, provider: CompatibleProvider, replies: list[Reply] | None = None) -> None:
        self._provider = provider
        self._given = list(replies or ())
        self.name, self.model, self.limits = provider.name, provider.model, provider.limits
        self.seconds = 0.0
        self.replies: list[Reply] = []

    def complete(self, messages: list[Message], schema: Mapping[str, Any], *, timeout: float = PATIENCE) -> Reply:
        if self._given:
            return self._given.pop(0)
        started = time.perf_counter()
        try:
            answer = self._provider.complete(messages, schema, timeout=PATIENCE)
        finally:
            self.seconds += time.perf_counter() - started
        self.replies.append(answer)
        return answer


class Bench:
    """Answers requests in projects of their own under ``scratch``, and judges what came."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._right: dict[str, str] = {}

    def ours(self, request: Request, base_url: str) -> Verdict:
        """Our way: form, grounding, rendering, validation."""
        project = self._project(request, "ours")
        provider = CompatibleProvider(base_url=base_url)
        recorded = Recorded(provider)
        started = time.perf_counter()
        author, _ = _author(project, recorded, request)
        try:
            result = author.write(request.text)
        except OsirisError as error:  # the model's context is too small, say: the request failed, the run goes on
            result = Authored("failed", message=f"{error.code}: {error.message}", attempts=len(recorded.replies))
        seconds = time.perf_counter() - started
        own = seconds - recorded.seconds
        again = _replayed(project, provider, recorded.replies, request, result.attempts)
        return self._verdict(request, result, project, (seconds, own, *again))

    def freeform(self, request: Request, base_url: str) -> Verdict:
        """YAML by the model itself, held by the same validator."""
        project = self._project(request, "freeform")
        session = Session.open(project, validation_mode="strict")
        ask, waited = plain_ask(base_url), 0.0

        def timed(messages: list[Message]) -> Reply:
            nonlocal waited
            started = time.perf_counter()
            answer = ask(messages)
            waited += time.perf_counter() - started
            return answer

        author = FreeformAuthor(session, timed, validator(session), now=lambda: NOW, comments=request.comments)
        started = time.perf_counter()
        result = author.write(request.text)
        seconds = time.perf_counter() - started
        return self._verdict(request, result, project, (seconds, seconds - waited, 0.0, 0.0))

    def _project(self, request: Request, way: str) -> Path:
        template = self._scratch / ("template-" + "-".join(request.connections))
        if not template.exists():
            make_project(template, request.connections)
        project = self._scratch / f"{request.id}-{way}"
        shutil.rmtree(project, ignore_errors=True)
        shutil.copytree(template, project)
        return project

    def _verdict(
        self, request: Request, result: Authored, project: Path, times: tuple[float, float, float, float]
    ) -> Verdict:
        seconds, own, warm, code = times
        judged = judge(request, result, self._right_oml(request, project), project)
        shutil.rmtree(project, ignore_errors=True)
        return Verdict(
            id=request.id,
            kind=request.kind,
            lang=request.lang,
            answerable=bool(request.tables),
            status=result.status,
            attempts=result.attempts,
            prompt_tokens=result.usage.prompt_tokens,
            output_tokens=result.usage.output_tokens,
            seconds=round(seconds, 2),
            own_milliseconds=round(own * 1000, 1),
            warm_milliseconds=round(warm * 1000, 1),
            code_milliseconds=round(code * 1000, 1),
            notes=list(result.notes),
            oml=result.oml,
            **judged,
        )

    def _right_oml(self, request: Request, project: Path) -> str:
        if request.id not in self._right:
            view = build_view(Session.open(project)) if request.tables else None
            self._right[request.id] = right_oml(request, view) if view else ""
        return self._right[request.id]


def _replayed(
    project: Path, provider: CompatibleProvider, replies: list[Reply], request: Request, attempts: int
) -> tuple[float, float]:
    """Seconds of the same answers again, with the catalogue cached: in all, and with the databases asked before.

    Zeros when the model gave no answer to every attempt.
    """
    if not replies or len(replies) != attempts:
        return 0.0, 0.0
    author, _ = _author(project, Recorded(provider, replies), request)
    started = time.perf_counter()
    author.write(request.text)
    warm = time.perf_counter() - started
    author, session = _author(project, Recorded(provider, replies), request)
    with session.catalogs.one_look():
        build_view(session)
        started = time.perf_counter()
        author.write(request.text)
        return warm, time.perf_counter() - started


def _author(project: Path, provider: Recorded, request: Request) -> tuple[Author, Session]:
    session = Session.open(project, validation_mode="strict")
    _ = session.catalogs, session.plugins
    author = Author(session, provider, validator(session), now=lambda: NOW, comments=request.comments)
    return author, session
