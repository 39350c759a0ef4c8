"""``osiris compile``: a pipeline becomes a directory that runs the same everywhere."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from osiris_core.cli.options import add_pipeline_options, open_session
from osiris_core.cli.output import emit_json, print_text
from osiris_core.cli.pipeline import validate_file
from osiris_core.cli.text import aligned
from osiris_core.errors import EXIT_OK

if TYPE_CHECKING:
    from osiris_core.compile import Compiled


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("file", type=Path, metavar="FILE", help="the pipeline")
    parser.add_argument("--out", type=Path, metavar="DIR", help="directory to write (default: build/NAME)")
    add_pipeline_options(parser)


def run(args: Namespace) -> int:
    """Compile; refuses exactly what ``osiris validate`` refuses, before anything is written."""
    from osiris_core.compile import compile_pipeline, write_compiled
    from osiris_core.compile.meta import provenance

    session = open_session(args)
    validation = validate_file(args.file, session, args)
    compiled = compile_pipeline(validation, session)
    out = args.out or Path("build", compiled.name)
    write_compiled(compiled, out, meta=provenance(args.file, session))
    if args.json:
        emit_json({**_json(compiled, out), "problems": [problem.to_json() for problem in validation.problems]})
    else:
        print_text("\n".join(_lines(compiled, out)))
    return EXIT_OK


def _json(compiled: Compiled, out: Path) -> dict[str, Any]:
    return {"out": str(out), "name": compiled.name, "fingerprint": compiled.fingerprint, "manifest": compiled.manifest}


def _lines(compiled: Compiled, out: Path) -> list[str]:
    steps = [[s["id"], s["mode"], s["component"], s["connection"] or ""] for s in compiled.manifest["steps"]]
    return [
        f"{compiled.name} → {out}",
        *aligned(steps, "  "),
        f"fingerprint {compiled.fingerprint[:16]}",
        f"next: osiris run {out}",
    ]
