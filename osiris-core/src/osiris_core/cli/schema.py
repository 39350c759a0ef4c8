"""Print one JSON Schema for whole pipelines, so that an editor checks and completes them while they are written.

Name it in a pipeline's first line:  # yaml-language-server: $schema=.osiris/oml.schema.json
"""

from __future__ import annotations

import argparse
from pathlib import Path

from osiris_core.cli.options import load_registry
from osiris_core.cli.output import emit_json, print_note


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``--out`` and ``--of``."""
    parser.add_argument("--out", type=Path, metavar="FILE", help="write to FILE instead of standard output")
    parser.add_argument(
        "--of",
        choices=sorted(PUBLISHED),
        default="pipeline",
        help="which schema: pipelines with the installed components (default), or one of the published formats",
    )


def run(args: argparse.Namespace) -> int:
    """Print or write the schema."""
    from osiris_core import atomic
    from osiris_core.canonical import pretty_json

    schema = _published(PUBLISHED[args.of]) if PUBLISHED[args.of] else editor_schema(args)
    if args.out is None:
        emit_json(schema)
        return 0
    atomic.write_text(args.out, pretty_json(schema))
    if args.json:
        emit_json({"out": str(args.out)})
    else:
        print_note(f"wrote {args.out}")
    return 0


#: Published formats and where their schemas are within the package; a pipeline's is made from the components.
PUBLISHED = {
    "pipeline": "",
    "project": "project.schema.json",
    "spec": "spec/spec.schema.json",
    "oml": "oml/oml.schema.json",
    "manifest": "compile/manifest.schema.json",
    "events": "events.schema.json",
}


def _published(path: str) -> object:
    import json

    return json.loads(Path(__file__).parents[1].joinpath(path).read_text(encoding="utf-8"))


def editor_schema(args: argparse.Namespace) -> dict[str, object]:
    """The schema of pipelines over every installed component that can be used."""
    from osiris_core.spec.pipeline_schema import pipeline_schema

    return pipeline_schema(load_registry(args).specs().values())
