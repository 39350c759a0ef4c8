"""Make a project: settings, connections, a first pipeline, and a schema for your editor. Overwrites nothing."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from osiris_core.cli.output import emit_json, print_note, print_text

PROJECT = """\
# The root of an Osiris project. Relative paths in pipelines start here.
validation: strict          # strict | warn | off: what a problem found only against the real tables does
catalog: {ttl: 3600}        # seconds that a discovery is trusted
ledger: {retention_days: 90}  # days for which osiris ledger prune keeps every entry
# profile: development      # the profile used when none is named
# profiles:
#   production: {validation: strict}
"""
CONNECTIONS = """\
# Connections by alias; a pipeline says connection: "@alias". Secrets are names of environment variables, or of lines
# in a file given with --secrets-file, never values.
connections: {}
#   shop:
#     component: mysql
#     host: db.example.com
#     database: shop
#     user: reader
#     password: "${SHOP_PASSWORD}"
# profiles:                 # what differs in another profile
#   production:
#     shop: {host: db.production.example.com}
"""
PIPELINE = """\
# yaml-language-server: $schema=../.osiris/oml.schema.json
oml_version: "0.0.1"
name: example
params:
  since: {type: date, default: "2026-01-01"}
steps:
  - id: orders
    component: mysql.table
    mode: read
    connection: "@shop"
    config:
      table: orders
      where: [{column: updated_at, op: ">=", value: "${params.since}"}]
  - id: load
    component: postgres.table
    mode: write
    connection: "@warehouse"
    needs: [orders]
    config: {table: orders, write_mode: merge, merge_keys: [id], create: if_missing}
"""
IGNORED = """\
.osiris/
.env
"""
SCHEMA_FILE = ".osiris/oml.schema.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The directory."""
    parser.add_argument("directory", nargs="?", type=Path, metavar="DIR", help="where (default: the current directory)")


def run(args: argparse.Namespace) -> int:
    """Write the project's files, all of them or none."""
    from osiris_core import atomic
    from osiris_core.canonical import pretty_json
    from osiris_core.cli.schema import editor_schema

    root: Path = args.directory or args.project or Path()
    files = {
        "osiris.yaml": PROJECT,
        "osiris_connections.yaml": CONNECTIONS,
        "pipelines/example.yaml": PIPELINE,
        ".gitignore": IGNORED,
    }
    refuse_overwriting(root, [name for name in files if name != ".gitignore"])
    if (root / ".gitignore").exists():
        del files[".gitignore"]
        print_note(".gitignore exists; see that it has .osiris/ and .env")
    files[SCHEMA_FILE] = pretty_json(editor_schema(args))
    for name, text in files.items():
        atomic.write_text(root / name, text)
    if args.json:
        emit_json({"project": str(root), "files": sorted(files)})
        return 0
    print_text("\n".join(f"wrote {root / name}" for name in files))
    print_note("\nnext: name your systems in osiris_connections.yaml, then: osiris doctor")
    return 0


def refuse_overwriting(root: Path, names: Iterable[str]) -> None:
    """Raise InvalidInputError when one of the files exists already."""
    from osiris_core.errors import InvalidInputError

    present = [str(root / name) for name in names if (root / name).exists()]
    if present:
        raise InvalidInputError(
            f"{', '.join(present)} {'exists' if len(present) == 1 else 'exist'} already; nothing was written",
            code="OSI-V052",
            hint="choose another directory, or move what is there away",
        )
