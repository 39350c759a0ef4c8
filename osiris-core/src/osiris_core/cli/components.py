"""List components, print their schemas for editors and programs, and check a spec while writing it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from osiris_core.cli.options import load_registry
from osiris_core.cli.output import emit_json, print_note, print_problems, print_table, print_text

if TYPE_CHECKING:
    from osiris_core.registry import Registry


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``list``, ``spec NAME`` and ``check PATH``."""
    commands = parser.add_subparsers(dest="command", required=True, metavar="list|spec|check")
    commands.add_parser("list", help="every component, its version, owner, modes and capabilities")
    spec = commands.add_parser("spec", help="the JSON Schema of a component's config and connection")
    spec.add_argument("name", metavar="NAME")
    spec.add_argument("--format", choices=("json", "yaml"), default="json")
    spec.add_argument("--mode", choices=("read", "write", "transform"), help="the config of this mode only")
    check = commands.add_parser("check", help="everything that is wrong with a spec.yaml")
    check.add_argument("path", type=Path, metavar="PATH", help="a spec.yaml, or a directory that holds one")


def run(args: argparse.Namespace) -> int:
    """Run one of the three."""
    commands = {"list": _list, "spec": _spec, "check": _check}
    return commands[args.command](args)


# -- list ----------------------------------------------------------------------------------------------
def _list(args: argparse.Namespace) -> int:
    registry = load_registry(args)
    rows = [_row(registry, name) for name in registry.names()]
    if args.json:
        emit_json(rows)
        return 0
    print_table(
        ("COMPONENT", "VERSION", "OWNER", "MODES", "CAPABILITIES"),
        (
            (row["name"], row["version"] or "?", ", ".join(row["owners"]), ", ".join(row["modes"]), _capabilities(row))
            for row in rows
        ),
    )
    return 0


def _row(registry: Registry, name: str) -> dict[str, Any]:
    from osiris_core.errors import PluginError

    row: dict[str, Any] = {
        "name": name,
        "version": None,
        "title": None,
        "owners": registry.owners(name),
        "modes": [],
        "capabilities": {},
        "delivery": {},
        "error": None,
    }
    try:
        spec = registry.spec(name)
    except PluginError as error:
        row["error"] = error.message
        print_note(f"warning: {error.message}")
        return row
    return row | {
        "version": spec.version,
        "title": spec.title,
        "modes": list(spec.modes),
        "capabilities": dict(spec.capabilities),
        "delivery": dict(spec.delivery),
    }


def _capabilities(row: dict[str, Any]) -> str:
    if row["error"]:
        return "(cannot be used)"
    return ", ".join(name for name, support in row["capabilities"].items() if support == "full")


# -- spec ----------------------------------------------------------------------------------------------
def _spec(args: argparse.Namespace) -> int:
    from osiris_core.spec.schemas import component_schema

    schema = component_schema(load_registry(args).spec(args.name), args.mode)
    if args.format == "json" or args.json:
        emit_json(schema)
        return 0
    import yaml

    yaml.safe_dump(schema, sys.stdout, sort_keys=False, allow_unicode=True)
    return 0


# -- check ---------------------------------------------------------------------------------------------
def _check(args: argparse.Namespace) -> int:
    from osiris_core.errors import InvalidInputError
    from osiris_core.spec.check import check_driver, check_text

    path: Path = args.path / "spec.yaml" if args.path.is_dir() else args.path
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be read: {error.strerror or error}", code="OSI-V001") from error
    document, problems = check_text(content, str(path))
    problems += check_driver(document) if not problems else []
    failed = any(problem.severity == "error" for problem in problems)
    if args.json:
        emit_json({"ok": not failed, "problems": [problem.to_json() for problem in problems]})
    else:
        print_problems(problems, [document])
        if not failed:
            print_text(f"{path}: {document.value['name']} {document.value['version']} is a valid spec")
    return 2 if failed else 0
