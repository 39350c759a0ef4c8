"""Write a new pipeline, or a whole connector package that works and is tested from its first minute."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from osiris_core.cli.output import emit_json, print_note, print_text

TEMPLATES = Path(__file__).parents[1] / "templates"
_SYSTEM = re.compile(r"[a-z][a-z0-9_]{0,40}")
_PIPELINE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
PIPELINE = """\
# yaml-language-server: $schema={schema}
oml_version: "0.0.1"
name: {name}
steps:
  - id: source
    component: file.table
    mode: read
    connection: "@files"
    config: {{table: orders.csv}}
  - id: target
    component: file.table
    mode: write
    connection: "@files"
    needs: [source]
    config: {{table: orders.parquet, write_mode: replace}}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``pipeline NAME``, ``pipeline --from … --to …`` and ``connector NAME``."""
    from osiris_core.cli.new_pipeline import add_copy_arguments

    commands = parser.add_subparsers(dest="command", required=True, metavar="pipeline|connector")
    pipeline = commands.add_parser("pipeline", help="a pipeline: the copy of a table, or an example to change")
    pipeline.add_argument("name", metavar="NAME", nargs="?", default="", help="letters, digits, - _ and .")
    add_copy_arguments(pipeline)
    connector = commands.add_parser("connector", help="a package osiris-NAME with spec, driver and tests")
    connector.add_argument("name", metavar="NAME", help="the system, for example shop: it makes shop.table")
    connector.add_argument("--out", type=Path, metavar="DIR", help="where (default: ./osiris-NAME)")


def run(args: argparse.Namespace) -> int:
    """Write the files, all of them or none."""
    return (_pipeline if args.command == "pipeline" else _connector)(args)


def _pipeline(args: argparse.Namespace) -> int:
    from osiris_core import atomic
    from osiris_core.cli.init import SCHEMA_FILE
    from osiris_core.cli.new_pipeline import copy_of_a_table
    from osiris_core.project import Project

    copies = args.source is not None or args.target is not None
    if args.name or not copies:
        _check_name(_PIPELINE, args.name, "a pipeline's name is letters, digits, - _ and .")
    name, oml = (
        copy_of_a_table(args) if copies else (args.name, PIPELINE.format(name=args.name, schema=f"../{SCHEMA_FILE}"))
    )
    path = args.out or Project.find(args.project).root / "pipelines" / f"{name}.yaml"
    _refuse_existing(path)
    atomic.write_text(path, oml)
    return _done(args, path, [path], f"osiris validate {path}")


def _connector(args: argparse.Namespace) -> int:
    from osiris_core import atomic

    _check_name(_SYSTEM, args.name, "a system's name is lower-case letters, digits and _, beginning with a letter")
    target = args.out or (args.project or Path()) / f"osiris-{args.name.replace('_', '-')}"
    _refuse_existing(target)
    rendered = connector_files(args.name)
    with atomic.new_directory(target) as directory:
        for name, text in rendered.items():
            atomic.write_text(directory / name, text)
    return _done(args, target, [target / name for name in rendered], f"read {target / 'README.md'}")


def connector_files(system: str) -> dict[str, str]:
    """Every file of the connector package for ``system``, by its path in the package."""
    from osiris_core import API_VERSION, __version__

    major, minor = map(int, __version__.split(".")[:2])
    words = {
        "name": system,
        "Name": "".join(part.capitalize() for part in system.split("_")),
        "distribution": f"osiris-{system.replace('_', '-')}",
        "api": API_VERSION,
        "core": f">={major}.{minor},<{major}.{minor + 1}",
    }
    root = TEMPLATES / "connector"
    return {
        path.relative_to(root).as_posix().removesuffix(".tmpl").replace("NAME", system): _filled(path, words)
        for path in sorted(root.rglob("*.tmpl"))
    }


def _filled(path: Path, words: dict[str, str]) -> str:
    return re.sub(r"@@(\w+)@@", lambda match: words[match[1]], path.read_text(encoding="utf-8"))


def _check_name(pattern: re.Pattern[str], name: str, rule: str) -> None:
    from osiris_core.errors import InvalidInputError

    if pattern.fullmatch(name) is None:
        raise InvalidInputError(f'"{name}" cannot be the name: {rule}', code="OSI-V050")


def _refuse_existing(path: Path) -> None:
    from osiris_core.errors import InvalidInputError

    if path.exists():
        raise InvalidInputError(
            f"{path} exists already; nothing was written", code="OSI-V052", hint="choose another name"
        )


def _done(args: argparse.Namespace, path: Path, files: list[Path], following: str) -> int:
    if args.json:
        emit_json({"path": str(path), "files": [str(file) for file in files]})
        return 0
    print_text("\n".join(f"wrote {file}" for file in files))
    print_note(f"\nnext: {following}")
    return 0
