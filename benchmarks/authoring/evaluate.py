"""Evaluate authoring with a real model: every frozen request is answered, run and compared by table, not by text.

    python benchmarks/authoring/evaluate.py --base-url URL [--half 1|2] [--only ID,ID] [--json FILE] [--freeform]

Verdicts: right, declined (refused or asked) where that is right; evaded (asked although it can be answered); failed (no
valid pipeline); silently_wrong (a pipeline that ran and left another table, or that should not have been written).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from frozen import Request, differing_rows, load_requests, make_project

from osiris_core import Session
from osiris_llm.author import Author
from osiris_llm.chat import validator
from osiris_llm.providers.openai import CompatibleProvider

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


@dataclass
class Verdict:
    id: str
    kind: str
    lang: str
    verdict: str
    status: str
    attempts: int
    prompt_tokens: int
    output_tokens: int
    seconds: float
    own_milliseconds: float
    detail: str
    notes: list[str] = field(default_factory=list)
    oml: str = ""


class Timed:
    """A provider that remembers how long it was waited for, so that the rest is our own time."""

    def __init__(self, provider: CompatibleProvider) -> None:
        self._provider = provider
        self.name, self.model, self.limits = provider.name, provider.model, provider.limits
        self.seconds = 0.0
        self.first_texts: list[str] = []

    def complete(self, messages: Any, schema: Any, *, timeout: float = 60.0) -> Any:
        started = time.perf_counter()
        try:
            answer = self._provider.complete(messages, schema, timeout=600)
            self.first_texts.append(answer.text)
            return answer
        finally:
            self.seconds += time.perf_counter() - started


def answer(request: Request, provider: CompatibleProvider, template: Path, scratch: Path) -> Verdict:
    project = scratch / request.id
    shutil.copytree(template, project)
    session = Session.open(project, validation_mode="strict")
    _ = session.catalogs, session.plugins
    timed = Timed(provider)
    author = Author(session, timed, validator(session), now=lambda: NOW, comments=request.comments)
    started = time.perf_counter()
    result = author.write(request.text)
    seconds = time.perf_counter() - started
    verdict, detail = judge(request, result.status, result.oml, project)
    return Verdict(
        request.id,
        request.kind,
        request.lang,
        verdict,
        result.status,
        result.attempts,
        result.usage.prompt_tokens,
        result.usage.output_tokens,
        round(seconds, 2),
        round((seconds - timed.seconds) * 1000, 1),
        detail or result.message or "; ".join(result.problems)[:200],
        list(result.notes),
        result.oml,
    )


def judge(request: Request, status: str, oml: str, project: Path) -> tuple[str, str]:
    """The verdict, by running what was written and comparing tables."""
    if not request.tables:
        return ("silently_wrong", "should have declined") if status == "written" else _declined(status)
    if status in ("cannot", "question"):
        return "evaded", ""
    if status == "failed":
        return "failed", ""
    (project / "p.yaml").write_text(oml)
    run = subprocess.run(
        [sys.executable, "-m", "osiris_core", "run", "p.yaml", "--json"],
        cwd=project,
        capture_output=True,
        text=True,
        env={**os.environ, "OSIRIS_PLUGINS": "duckdb"},
    )
    if run.returncode != 0:
        return "failed", f"run exited {run.returncode}: {run.stderr[-200:]}"
    for table, sql in request.tables.items():
        differing = differing_rows(project, request.connections, table, sql)
        if differing != 0:
            return "silently_wrong", f"{table}: {'other columns' if differing is None else f'{differing} rows differ'}"
    if "incremental" in request.expect and f"cursor: {request.expect['incremental']}" not in oml:
        return "silently_wrong", "not incremental"
    return "right", ""


def _declined(status: str) -> tuple[str, str]:
    return ("declined", "") if status in ("cannot", "question") else ("failed", "")


def summary(verdicts: list[Verdict], valid_first: int) -> dict[str, Any]:
    answerable = [
        v
        for v in verdicts
        if v.verdict in ("right", "evaded", "failed", "silently_wrong") and v.detail != "should have declined"
    ]
    impossible = [v for v in verdicts if v.verdict == "declined" or v.detail == "should have declined"]
    moves = [v for v in answerable if v.kind != "sql"]
    sql = [v for v in answerable if v.kind == "sql"]
    right = [v for v in answerable if v.verdict == "right"]
    return {
        "requests": len(verdicts),
        "verdicts": dict(Counter(v.verdict for v in verdicts)),
        "valid at first try": f"{valid_first} of {len(verdicts)}",
        "moves executed right": _share([v for v in moves if v.verdict == "right"], moves),
        "sql executed right": _share([v for v in sql if v.verdict == "right"], sql),
        "answerable answered": _share([v for v in answerable if v.verdict != "evaded"], answerable),
        "impossible or ambiguous declined": _share([v for v in impossible if v.verdict == "declined"], impossible),
        "silently wrong": _share([v for v in verdicts if v.verdict == "silently_wrong"], verdicts),
        "median prompt tokens": statistics.median(v.prompt_tokens for v in verdicts),
        "median output tokens": statistics.median(v.output_tokens for v in verdicts),
        "median seconds": statistics.median(v.seconds for v in verdicts),
        "median own milliseconds": statistics.median(v.own_milliseconds for v in verdicts),
        "right": len(right),
    }


def _share(part: list[Verdict], whole: list[Verdict]) -> str:
    return f"{len(part)} of {len(whole)} ({100 * len(part) / max(1, len(whole)):.0f} %)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--half", choices=("1", "2"))
    parser.add_argument("--only", default="")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    only = {name for name in args.only.split(",") if name}
    requests = [
        r
        for r in load_requests()
        if (not only or r.id in only) and (not args.half or r.id[0] == "ab"[int(args.half) - 1])
    ]
    provider = CompatibleProvider(base_url=args.base_url)
    verdicts: list[Verdict] = []
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        for request in requests:
            template = scratch / ("template-" + "-".join(request.connections))
            if not template.exists():
                make_project(template, request.connections)
            verdict = answer(request, provider, template, scratch)
            verdicts.append(verdict)
            took = f"{verdict.seconds:6.1f}s {verdict.own_milliseconds:6.1f}ms"
            kind = f"{verdict.id} {verdict.lang} {verdict.kind:11} {verdict.verdict:14}"
            print(f"{kind} {took}  {verdict.detail[:110]}", flush=True)
    first = sum(verdict.attempts == 1 and verdict.status != "failed" for verdict in verdicts)
    print(json.dumps(summary(verdicts, first), indent=2))
    if args.json:
        args.json.write_text(json.dumps([asdict(verdict) for verdict in verdicts], indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
