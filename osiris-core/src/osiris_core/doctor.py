"""Checks before a run: the project, its plugins and secrets, and what each driver finds behind its connection."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from osiris_core.drivers import Finding
from osiris_core.errors import OsirisError, SecretError

if TYPE_CHECKING:
    from osiris_core.session import Session

#: No machine that runs this release can truthfully claim an earlier date; TLS and tokens fail on one that does.
_RELEASED = datetime(2026, 1, 1, tzinfo=UTC)


def check_project(session: Session) -> list[Finding]:
    """Findings about this machine and project: settings, state directory, plugins, clock."""
    return [_project(session), _state_directory(session), _clock(datetime.now(UTC)), *_plugins(session)]


def check_aliases(session: Session, aliases: list[str]) -> dict[str, list[Finding]]:
    """Findings by ``@alias (family)``. Asks each system; never raises for what it can name."""
    return {_subject(session, alias): list(_connection(session, alias)) for alias in aliases}


def _project(session: Session) -> Finding:
    if session.project.file is None:
        hint = "osiris init makes a project; without one, problems against the catalogue only warn"
        return Finding("path", "warning", f"no osiris.yaml in {session.project.root} or above", hint)
    return Finding("path", "ok", f"project {session.project.root}, validation {session.project.validation_mode}")


def _state_directory(session: Session) -> Finding:
    directory = session.project.state_dir
    existing = next(path for path in (directory, *directory.parents) if path.exists())
    if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK):
        return Finding("path", "ok", f"state directory {directory}")
    return Finding(
        "path", "failed", f"{directory} cannot be written", "set state_dir in osiris.yaml, or mend the rights"
    )


def _clock(now: datetime) -> Finding:
    if now < _RELEASED:
        return Finding(
            "clock", "failed", f"this machine's clock says {now:%Y-%m-%d}", "set the clock; TLS depends on it"
        )
    return Finding("clock", "ok", f"{now:%Y-%m-%d %H:%M} UTC")


def _plugins(session: Session) -> Iterator[Finding]:
    complaints = session.plugins.complaints()
    for complaint in complaints:
        yield Finding("plugin", "warning", complaint, "osiris plugins list says more; reinstall or remove it")
    for component, owners in sorted(session.registry.conflicts().items()):
        message = f'component "{component}" is owned by {" and ".join(owners)}'
        yield Finding("plugin", "warning", message, "uninstall one of them, or allow only one with OSIRIS_PLUGINS")
    if not complaints:
        count = len(session.registry.names())
        yield Finding("plugin", "ok", f"{count} components")


def _subject(session: Session, alias: str) -> str:
    try:
        return f"@{alias} ({session.connections.family(alias)})"
    except OsirisError:
        return f"@{alias}"


def _connection(session: Session, alias: str) -> Iterator[Finding]:
    try:
        connection = session.connections.resolve([alias])[alias]
    except SecretError as error:
        yield Finding("secret", "failed", error.message, error.hint)
        return
    except OsirisError as error:
        yield Finding("configuration", "failed", error.message, error.hint)
        return
    yield from _weak_secrets(session, alias)
    for component in session.registry.families().get(connection.family, []):
        if session.registry.spec(component).connection_schema is None:
            continue
        try:
            yield from session.plugins.check_connection(component, connection)
        except OsirisError as error:
            yield Finding("plugin", "failed", error.message, error.hint)
        return  # the components of one family share their connection: one of them speaks for all


def _weak_secrets(session: Session, alias: str) -> Iterator[Finding]:
    names = session.connections.secret_references(alias).values()
    for name in sorted(set(names) & set(session.redactor.too_short)):
        yield Finding("secret", "warning", f"the value of {name} is too short to be masked in logs", "use a longer one")
