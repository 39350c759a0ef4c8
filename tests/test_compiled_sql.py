"""A compiled directory is judged before it runs: whoever can write it can make its fingerprints fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from osiris_core.canonical import fingerprint
from osiris_core.compile import Compiled, compile_pipeline, load_compiled, write_compiled
from osiris_core.compile.model import manifest_fingerprint
from osiris_core.engine import RunRequest
from osiris_core.errors import CompileError
from osiris_core.run import run_compiled
from osiris_core.run.local import LocalEngine
from osiris_core.session import Session
from osiris_core.validate import validate

FORGED = [
    ("query: SELECT id FROM orders", {"query": "SELECT id FROM orders; DROP TABLE orders"}),
    ("query: SELECT id FROM orders", {"query": "SELECT * FROM read_text('/etc/passwd')"}),
    ("table: Orders", {"where_sql": "id = 1) OR (id = 2"}),
]


def compile_totals(root: Path, session: Session) -> None:
    """Compile the pipeline into ``out``."""
    write_compiled(compile_pipeline(validate(root / "totals.yaml", session), session), root / "out")


def forge(directory: Path, step: str, **changes: Any) -> None:
    """Change a step's config, and every fingerprint with it."""
    compiled = load_compiled(directory)
    configs = {**compiled.configs, step: {**compiled.configs[step], **changes}}
    manifest = json.loads(json.dumps(compiled.manifest))
    manifest["fingerprints"]["steps"][step] = fingerprint({"config": configs[step]})
    manifest["fingerprints"]["manifest"] = manifest_fingerprint(manifest)
    write_compiled(Compiled(manifest, configs, compiled.schemas), directory)


@pytest.mark.parametrize(("source", "changes"), FORGED)
def test_forged_sql_is_refused_before_anything_runs(
    tmp_path: Path, make_totals: Callable[[str], Session], source: str, changes: dict[str, str]
) -> None:
    session = make_totals(source)
    compile_totals(tmp_path, session)
    forge(tmp_path / "out", "totals", **changes)
    with pytest.raises(CompileError, match=r"cfg/totals.json holds SQL that may not run") as caught:
        run_compiled(tmp_path / "out", session)
    assert (caught.value.code, caught.value.exit_code) == ("OSI-M005", 3)


def test_a_worker_judges_it_too(tmp_path: Path, make_totals: Callable[[str], Session]) -> None:
    """The machine it runs on may be another than the one that sent it there."""
    session = make_totals(FORGED[0][0])
    compile_totals(tmp_path, session)
    forge(tmp_path / "out", "totals", **FORGED[0][1])
    request = RunRequest(
        manifest_dir=tmp_path / "out",
        project_dir=tmp_path,
        run_dir=tmp_path / "run",
        run_id="r1",
        run_key="k1",
        connections=session.connections.resolve(["db"]),
        registry=session.registry,
    )
    result = LocalEngine().run(request, lambda event: None, lambda: False)
    assert (result.status, result.error and result.error["code"]) == ("failed", "OSI-M005")


def test_what_was_compiled_runs(tmp_path: Path, make_totals: Callable[[str], Session]) -> None:
    session = make_totals("query: SELECT id FROM orders WHERE id > 0")
    compile_totals(tmp_path, session)
    forge(tmp_path / "out", "totals", query="SELECT id + 1 AS id FROM orders")
    assert run_compiled(tmp_path / "out", session).result.status == "success"
