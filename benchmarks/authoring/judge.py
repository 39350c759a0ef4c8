"""The judge: what came of a request is run, and tables are compared, not text. The same for every way."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from frozen import Request, differing_rows
from reference import lines_to_edit, write_modes

from osiris_llm.author import Authored


@dataclass
class Verdict:
    """How one way fared with one request.

    ``verdict``: ``right``; ``declined`` (refused or asked where that is right); ``evaded`` (refused or asked although
    it can be answered); ``failed`` (nothing valid, or a run that fails aloud); ``silently_wrong`` (a pipeline that ran
    and left another table, would do so the second time, or should not have been written).

    Milliseconds without those waited for the model: ``own`` with the catalogue discovered, ``warm`` with it cached and
    each database asked whether it changed, ``code`` with the databases asked before.
    """

    id: str
    kind: str
    lang: str
    answerable: bool
    verdict: str
    status: str
    attempts: int
    prompt_tokens: int
    output_tokens: int
    seconds: float
    own_milliseconds: float
    warm_milliseconds: float
    code_milliseconds: float
    lines_to_edit: int
    detail: str
    notes: list[str] = field(default_factory=list)
    oml: str = ""

    @property
    def valid_first(self) -> bool:
        """Whether the first answer was usable: a valid pipeline, or a refusal or a question in its form."""
        return self.attempts == 1 and self.status != "failed"


def judge(request: Request, result: Authored, right: str, project: Path) -> dict[str, Any]:
    """The fields of a verdict that say whether it is right: ``verdict``, ``detail``, ``lines_to_edit``."""
    verdict, detail = _verdict(request, result, right, project)
    done = verdict in ("right", "declined")
    lines = 0 if done else lines_to_edit(result.oml, right) if right else lines_without_comments(result.oml)
    return {"verdict": verdict, "detail": detail, "lines_to_edit": lines}


def lines_without_comments(text: str) -> int:
    """How many lines of text say something."""
    return sum(bool(line.strip()) and not line.lstrip().startswith("#") for line in text.splitlines())


def _verdict(request: Request, result: Authored, right: str, project: Path) -> tuple[str, str]:
    said = (result.message or "; ".join(result.problems))[:200]
    if result.status == "failed":
        return "failed", said
    if result.status in ("cannot", "question"):
        return ("evaded" if request.tables else "declined"), said
    if not request.tables:
        return "silently_wrong", "should have declined"
    return _executed(request, result.oml, right, project)


def _executed(request: Request, oml: str, right: str, project: Path) -> tuple[str, str]:
    (project / "p.yaml").write_text(oml, encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-m", "osiris_core", "run", "p.yaml", "--json"],
        cwd=project,
        capture_output=True,
        text=True,
        env={**os.environ, "OSIRIS_PLUGINS": "duckdb"},
    )
    if run.returncode != 0:
        return "failed", f"run exited {run.returncode}: {(run.stderr or run.stdout)[-200:]}"
    for table, sql in request.tables.items():
        differing = differing_rows(project, request.connections, table, sql)
        if differing != 0:
            return "silently_wrong", f"{table}: {'other columns' if differing is None else f'{differing} rows differ'}"
    found, wanted = write_modes(oml), write_modes(right)
    if found != wanted:
        return "silently_wrong", f"writes {found}, not {wanted}"
    if "incremental" in request.expect and f"cursor: {request.expect['incremental']}" not in oml:
        return "silently_wrong", "not incremental"
    return "right", ""
