"""``osiris connections list`` and ``osiris connections test``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from osiris_core.cli import doctor
from osiris_core.cli.options import add_session_options, open_session
from osiris_core.cli.output import emit_json, print_text
from osiris_core.cli.text import alias_name, aligned
from osiris_core.errors import EXIT_OK, ConfigurationError, SecretError

if TYPE_CHECKING:
    from osiris_core.session import Session


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of the command."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="aliases, their systems and the secrets they need")
    add_session_options(listing)
    test = actions.add_parser("test", help="connect, and say what is wrong and how to mend it")
    test.add_argument("aliases", nargs="*", metavar="@ALIAS", help="connections to test; all when left out")
    add_session_options(test)


def run(args: Namespace) -> int:
    """List or test the project's connections. No secret value is ever shown."""
    session = open_session(args)
    return _list(session, args) if args.action == "list" else _test(session, args)


def _list(session: Session, args: Namespace) -> int:
    _refuse_problems(session)
    found = [_described(session, alias) for alias in session.connections.aliases()]
    if args.json:
        emit_json({"connections": found})
    else:
        rows = [[f"@{item['alias']}", item["family"], _where(item["fields"]), _secrets(item)] for item in found]
        print_text("\n".join(aligned(rows)) or "no connections yet: write osiris_connections.yaml")
    return EXIT_OK


def _test(session: Session, args: Namespace) -> int:
    from osiris_core.doctor import check_aliases

    aliases = [alias_name(alias) for alias in args.aliases] or session.connections.aliases()
    return doctor.report(check_aliases(session, aliases), session, as_json=args.json)


def _refuse_problems(session: Session) -> None:
    problems = session.connections.problems
    if problems:
        raise ConfigurationError(problems[0].message, code=problems[0].code, hint=problems[0].hint, problems=problems)


def _described(session: Session, alias: str) -> dict[str, Any]:
    connections = session.connections
    names = connections.secret_names([alias])
    try:
        fields = {name: value for name, value in connections.identity(alias).items() if name != "component"}
    except SecretError:  # a variable of a field that is no secret is not set: listed below as missing
        fields = {}
    return {
        "alias": alias,
        "family": connections.family(alias),
        "components": session.registry.families().get(connections.family(alias), []),
        "fields": fields,
        "variables": {name: session.secrets.get(name) is not None for name in names},
    }


def _where(fields: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in fields.items())


def _secrets(item: dict[str, Any]) -> str:
    return ", ".join(f"{name} ({'set' if known else 'NOT SET'})" for name, known in item["variables"].items())
