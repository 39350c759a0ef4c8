"""The free-form way, beside which ours is measured: the model is told what OML is and writes the YAML itself.

It gets what ours gets (the same compact catalogue, the clock, a way to decline, two more tries with the validator's
problems), and one whole example instead of a schema.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from osiris_core import OsirisError, Session
from osiris_core.context import ContextRequest, brief, build_view
from osiris_llm.author import Authored, Status
from osiris_llm.provider import MAX_OUTPUT_TOKENS, Message, Reply, Usage, reply

RETRIES = 2
RULES = """\
You write pipelines in OML (YAML) that copy data between the connections listed below. Answer with one YAML document
in a code fence and nothing else. A pipeline is a list of steps:
- mode read: "connection" is the @alias to read, config: table; optional columns: [names]; optional
  where: [{column: name, op: "=", value: text or number}], op is one of = != < <= > >= in not_in like is_null
  is_not_null; optional incremental: {cursor: column}.
- mode transform: component duckdb.sql, no connection, config: sql, one SELECT that reads its inputs by their step ids.
- mode write: "connection" is the @alias to write, "needs" names the step whose rows are written, config: table,
  write_mode append, merge or replace; merge needs merge_keys: [columns]; create: if_missing makes a missing table.
The component of read and write steps stands behind the connection below. Use only tables and columns listed below.
Where the request cannot be done by copying what is listed, answer with the one line CANNOT: and the reason instead.
Where it is not clear what is meant, answer with the one line QUESTION: and what you need to know.
"""
EXAMPLE = """\
Example (for other databases). Request: merge id and status of the visits of country NL into archive
```yaml
oml_version: "0.0.1"
name: visits-to-archive
steps:
  - id: visits
    component: duckdb.table
    mode: read
    connection: "@clinic"
    config:
      table: visits
      columns: [id, status]
      where: [{column: country, op: "=", value: NL}]
  - id: load_visits
    component: duckdb.table
    mode: write
    connection: "@archive"
    needs: [visits]
    config:
      table: visits
      write_mode: merge
      merge_keys: [id]
      create: if_missing
```
"""


class FreeformAuthor:
    """Asks for OML as text. ``ask`` gives the model's reply to messages."""

    def __init__(
        self,
        session: Session,
        ask: Callable[[list[Message]], Reply],
        validate: Callable[[str], list[str]],
        *,
        now: Callable[[], datetime],
        comments: bool = False,
    ) -> None:
        self._session, self._ask, self._validate = session, ask, validate
        self._now, self._comments = now, comments

    def write(self, request: str) -> Authored:
        """One request, with at most two more tries."""
        view = build_view(self._session, (), ContextRequest(request, self._comments))
        today = f"It is {self._now():%Y-%m-%d %H:%M} UTC."
        tables = brief(view, comments=self._comments)
        messages = [
            Message("system", f"{RULES}\n{EXAMPLE}\nConnections and tables:\n{tables}\n{today}"),
            Message("user", f"Request: {request}"),
        ]
        first = messages[:2]
        prompt = output = attempts = 0
        while True:
            answer = self._ask(messages)
            attempts += 1
            prompt, output = prompt + answer.usage.prompt_tokens, output + answer.usage.output_tokens
            status, oml, problems = self._judge(answer.text)
            if status != "failed" or attempts > RETRIES:
                usage = Usage(prompt, output)
                return Authored(status, oml=oml, problems=tuple(problems), attempts=attempts, usage=usage)
            listed = "\n".join(f"- {problem}" for problem in problems[:6])
            again = Message("user", f"That has problems:\n{listed}\nAnswer with the whole mended pipeline.")
            messages = [*first, Message("assistant", answer.text), again]

    def _judge(self, text: str) -> tuple[Status, str, list[str]]:
        declined = re.search(r"^\W*(CANNOT|QUESTION)\b", text)
        if declined:
            return ("cannot" if declined[1] == "CANNOT" else "question"), "", []
        oml = fenced(text)
        try:
            problems = self._validate(oml)
        except OsirisError as error:
            problems = [f"{error.code}: {error.message}"]
        return ("failed" if problems else "written"), oml, problems


def fenced(text: str) -> str:
    """What stands in the first code fence; the whole text where there is none, its end where the fence is open."""
    found = re.search(r"```\w*\n(.*?)(?:```|\Z)", text, re.DOTALL)
    return (found[1] if found else text).strip() + "\n"


def plain_ask(base_url: str) -> Callable[[list[Message]], Reply]:
    """A caller of an OpenAI-compatible server that sends no schema."""
    import openai

    client = openai.OpenAI(api_key="none", base_url=base_url, max_retries=0, timeout=600)

    def ask(messages: list[Message]) -> Reply:
        started = time.perf_counter()
        turns: Any = [{"role": message.role, "content": message.text} for message in messages]
        try:
            answer = client.chat.completions.create(
                model="default", messages=turns, temperature=0, max_tokens=MAX_OUTPUT_TOKENS
            )
        except openai.BadRequestError:  # the talk has outgrown the model's context: that is an answer too
            return reply("", Usage(), started)
        counted = answer.usage
        usage = Usage(counted.prompt_tokens, counted.completion_tokens) if counted else Usage()
        return reply(answer.choices[0].message.content or "", usage, started)

    return ask
