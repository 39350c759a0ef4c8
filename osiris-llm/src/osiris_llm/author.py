"""Authoring: request → form → grounding → OML → the one validator, with at most N repairs, each in the trail."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from osiris_core import InvalidInputError, Redactor, Session
from osiris_core.context import (
    CLOSURES,
    Closure,
    ContextRequest,
    SqlMove,
    View,
    build_view,
    closed_schema,
    enum_sizes,
    parse_form,
    render_moves,
    render_sql,
)
from osiris_llm import words
from osiris_llm.grounding import Grounded, ground
from osiris_llm.prompt import repair_messages, request_message, system_message
from osiris_llm.provider import Message, Provider, Reply, SchemaTooLargeError, Usage
from osiris_llm.stages import narrowed
from osiris_llm.trail import Trail

DEFAULT_RETRIES = 2
Status = Literal["written", "cannot", "question", "failed"]


@dataclass(frozen=True, slots=True)
class Authored:
    """What came of a request.

    ``status``: ``written`` (``oml`` validates), ``cannot`` (``message`` says why), ``question`` (``message`` asks),
    ``failed`` (``oml`` is the best draft, if any, with ``problems``). ``heard`` is all the user said so far, ``form``
    the model's last form that became a pipeline: what a follow-up amends.
    """

    status: Status
    oml: str = ""
    message: str = ""
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    form: str = ""
    heard: str = ""
    attempts: int = 0
    usage: Usage = field(default_factory=Usage)
    trail: str = ""


class Author:
    """Writes pipelines for one session with one provider. Never runs them.

    Args:
        validate: gives the problems of OML text, empty when it is valid (the one validator).
        now: the clock dates are resolved by (aware, UTC).
        retries: repair attempts after the first answer.
    """

    def __init__(
        self,
        session: Session,
        provider: Provider,
        validate: Callable[[str], list[str]],
        *,
        now: Callable[[], datetime],
        retries: int = DEFAULT_RETRIES,
        aliases: Sequence[str] = (),
        comments: bool = False,
    ) -> None:
        self._session = session
        self._provider = provider
        self._validate = validate
        self._now = now
        self._retries = retries
        self._aliases = aliases
        self._comments = comments
        self._closure: Closure = "full"

    def write(self, request: str, earlier: Authored | None = None) -> Authored:
        """One request; with ``earlier``, an answer to its question or a change to its pipeline."""
        with self._session.catalogs.one_look():  # what the model is shown is what its answer is held against
            return self._write(request, earlier)

    def _write(self, request: str, earlier: Authored | None) -> Authored:
        heard = f"{earlier.heard}\n{request}" if earlier else request
        view = build_view(self._session, self._aliases, ContextRequest(heard, self._comments))
        trail = Trail(self._session.project.state_dir, Redactor.of_process())
        stage = narrowed(view, heard, self._provider)
        view, tables = stage.view, stage.tables
        usage = Usage()
        if stage.reply is not None:
            trail.names(stage.messages, stage.reply)
            usage = stage.reply.usage
        draft = earlier.form if earlier else ""
        messages = [
            system_message(_offered(view, heard), tables, comments=self._comments),
            request_message(request if draft else heard, draft),
        ]
        result = self._attempts(messages, heard, view, trail)
        result = replace(result, usage=_added(usage, result.usage))
        if stage.note:
            result = replace(result, notes=(*result.notes, stage.note))
        trail.event("finished", status=result.status, attempts=result.attempts)
        form = result.form if result.status == "written" else draft
        return replace(result, heard=heard, form=form)

    def _attempts(self, messages: list[Message], request: str, view: View, trail: Trail) -> Authored:
        usage, best = Usage(), Authored("failed", message="the model gave no usable answer")
        for attempt in range(1, self._retries + 2):
            answer = self._ask(messages, _offered(view, request), trail)
            usage = _added(usage, answer.usage)
            outcome = self._judge(answer, request, view)
            trail.attempt(messages, answer, list(outcome.problems), closure=self._closure)
            best = outcome if outcome.oml or not best.oml else best
            if outcome.status != "failed":
                return _counted(outcome, attempt, usage, trail)
            messages = [*messages[:2], *repair_messages(answer.text, list(outcome.problems))]
        return _counted(best, self._retries + 1, usage, trail)

    def _ask(self, messages: list[Message], view: View, trail: Trail) -> Reply:
        """One call, stepping down to a smaller schema where the provider refuses the closed one for its size."""
        steps = CLOSURES[CLOSURES.index(self._first_closure(view)) :]
        for closure in steps:
            self._closure = closure
            try:
                return self._provider.complete(messages, closed_schema(view, closure))
            except SchemaTooLargeError:
                trail.event("schema_refused", closure=closure, provider=self._provider.name)
        raise InvalidInputError(
            f"{self._provider.name} takes no schema for {len(view.tables):,} tables",
            hint="name fewer connections with --connection",
        )

    def _first_closure(self, view: View) -> Closure:
        values, characters = enum_sizes(view)
        limits = self._provider.limits
        too_many = limits.enum_values and values > limits.enum_values
        too_long = limits.enum_characters and characters > limits.enum_characters
        closure: Closure = "tables" if too_many or too_long else "full"
        return max(closure, self._closure, key=CLOSURES.index)

    def _judge(self, answer: Reply, request: str, view: View) -> Authored:
        if answer.finish == "refusal":
            return Authored("cannot", message=f"the model declined: {answer.text[:300]}")
        if answer.finish == "length":
            return Authored("failed", problems=("the answer was cut off; answer shorter",))
        try:
            # Held against the closed schema at every step down: what the provider let through is caught here.
            form = parse_form(answer.value, closed_schema(_offered(view, request)))
        except InvalidInputError as error:
            return Authored("failed", problems=(error.message,))
        grounded = ground(form, request, view, self._now())
        if grounded.refusal:
            return Authored("cannot", message=grounded.refusal, notes=grounded.notes)
        if grounded.question:
            return Authored("question", message=grounded.question, notes=grounded.notes)
        return self._rendered(grounded, answer, request, view)

    def _rendered(self, grounded: Grounded, answer: Reply, request: str, view: View) -> Authored:
        name = _slug(grounded)
        notes = ["Written by osiris chat from the request:", *_wrapped(request), *grounded.notes]
        try:
            if isinstance(grounded.answer, SqlMove):
                oml = render_sql(grounded.answer, view, name=name, notes=notes)
            else:
                oml = render_moves(grounded.answer or (), view, name=name, notes=notes)
        except InvalidInputError as error:
            return Authored("failed", problems=(error.message,), notes=grounded.notes)
        problems = (*grounded.problems, *self._validate(oml))
        status: Status = "failed" if problems else "written"
        form = json.dumps(answer.value, ensure_ascii=False)
        return Authored(status, oml=oml, notes=grounded.notes, problems=problems, form=form)


def _offered(view: View, request: str) -> View:
    """What the model may answer with: SQL where the request joins or computes, which no copy can say; else copies.

    Offered both, a small model writes SQL for plain copies and copies for sums. There are two prompts and schemas per
    catalogue, each byte-stable.
    """
    if view.transform and words.says(words.fold(request), words.JOINING):
        return replace(view, copies=False)
    return replace(view, transform=None)


def _counted(outcome: Authored, attempts: int, usage: Usage, trail: Trail) -> Authored:
    return replace(outcome, attempts=attempts, usage=usage, trail=str(trail.directory))


def _added(one: Usage, other: Usage) -> Usage:
    return Usage(
        one.prompt_tokens + other.prompt_tokens,
        one.output_tokens + other.output_tokens,
        one.cached_tokens + other.cached_tokens,
    )


def _slug(grounded: Grounded) -> str:
    if isinstance(grounded.answer, SqlMove):
        words = [grounded.answer.table, "to", grounded.answer.to]
    else:
        moves = grounded.answer or ()
        words = [*dict.fromkeys(move.table for move in moves), "to", *dict.fromkeys(move.to for move in moves)]
    return re.sub(r"[^a-z0-9]+", "-", "-".join(words).lower()).strip("-")[:60] or "pipeline"


def _wrapped(text: str) -> list[str]:
    from textwrap import wrap

    from osiris_core.context import printable

    return [f"  {line}" for line in wrap(printable(text, 2000), 100)]
