"""``osiris doctor``: everything that would stop a run, with its mend."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from osiris_core.cli.options import add_session_options, open_session
from osiris_core.cli.output import emit_json, print_text
from osiris_core.cli.text import alias_name, aligned, shown
from osiris_core.drivers import Finding
from osiris_core.errors import EXIT_CONFIGURATION, EXIT_OK

if TYPE_CHECKING:
    from osiris_core.session import Session

#: Findings by what they are about: ``project``, or ``@alias (family)``.
Findings = dict[str, list[Finding]]


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("aliases", nargs="*", metavar="@ALIAS", help="connections to check; all when left out")
    add_session_options(parser)


def run(args: Namespace) -> int:
    """Check the project and its connections; 5 when anything fails."""
    from osiris_core.doctor import check_aliases, check_project

    session = open_session(args)
    aliases = [alias_name(alias) for alias in args.aliases] or session.connections.aliases()
    findings = {"project": check_project(session), **check_aliases(session, aliases)}
    return report(findings, session, as_json=args.json)


def report(findings: Findings, session: Session, *, as_json: bool) -> int:
    """Print findings, secrets masked; returns the exit code."""
    redactor = session.redactor
    failed = any(finding.status == "failed" for found in findings.values() for finding in found)
    if as_json:
        emit_json(redactor.value({"ok": not failed, "findings": [_json(*item) for item in _each(findings)]}))
    else:
        for subject, found in findings.items():
            print_text(redactor.text("\n".join([shown(subject), *_lines(found), ""])))
        print_text(_summary(findings))
    return EXIT_CONFIGURATION if failed else EXIT_OK


def _each(findings: Findings) -> Iterable[tuple[str, Finding]]:
    return ((subject, finding) for subject, found in findings.items() for finding in found)


def _json(subject: str, finding: Finding) -> dict[str, Any]:
    return {"subject": subject, **asdict(finding)}


def _lines(found: list[Finding]) -> list[str]:
    rows: list[list[str]] = []
    for finding in found:
        rows.append([finding.status, finding.category, finding.message])
        if finding.hint and finding.status in ("failed", "warning"):
            rows.append(["", "", f"→ {finding.hint}"])
    return aligned(rows, "  ") or ["  nothing to check"]


def _summary(findings: Findings) -> str:
    status = [finding.status for _, finding in _each(findings)]
    failed, warned = status.count("failed"), status.count("warning")
    if failed:
        return f"{failed} of {len(status)} checks failed"
    return f"all {len(status)} checks passed" + (f", {warned} with a warning" if warned else "")
