"""Safety, whatever the mode: no secret in the file, no path outside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from osiris_core.oml.masking import (
    holds_credentials,
    holds_password_in_url,
    is_reference,
    is_secret_key,
    may_hold_secrets,
)
from osiris_core.problems import Path, Problem
from osiris_core.validate.contracts import contract
from osiris_core.validate.draft import Draft, DraftStep

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


def check_safety(draft: Draft) -> None:
    """Report secrets anywhere in the document, and paths that leave their directory."""
    if may_hold_secrets(draft.document.text):
        _check_secrets(draft)
    for step in draft.steps:
        if step.spec is not None and step.mode is not None:
            draft.report_step(step, _paths(step))


def _check_secrets(draft: Draft) -> None:
    declared = {step.index: _declared_fields(step) for step in draft.steps}
    for name in _secret_parameters(draft.document.value):
        message = f'the parameter "{name}" would hold a secret'
        hint = f"{_cut_parameter(name, draft)}; a secret belongs into a connection, as ${{{_variable(name)}}}"
        draft.report([Problem("OSI-V301", message, ("params", name), on_key=True, hint=hint)])
    for path, message in _secrets(draft.document.value, (), declared):
        draft.document.mask(path)
        draft.report([Problem("OSI-V301", message, path, hint=_out_of_here(path, draft))])


def _out_of_here(path: Path, draft: Draft) -> str:
    """What to cut, and where the secret belongs; the value itself is never repeated."""
    change = "then change the secret, which has been written down"
    value = str(draft.document.at(path))
    if holds_password_in_url(value):
        return f"remove user:password@ from the URL; {change}"
    name = str(path[1] if path[:1] == ("params",) and len(path) > 1 else path[-1])
    if holds_credentials(value):
        return f'remove it: the value of "{name}" may hold no key or token; {change}'
    cut = _cut_parameter(name, draft) if path[:1] == ("params",) else f'remove "{name}"'
    return f"{cut}; {change}; a connection in osiris_connections.yaml names the new one as ${{{_variable(name)}}}"


def _cut_parameter(name: str, draft: Draft) -> str:
    """The parameter goes (with ``params`` when it is the only one), and so does what refers to it."""
    document = draft.document
    params = document.at(("params",))
    cut = "params" if isinstance(params, dict) and len(params) == 1 else name
    uses = re.finditer(re.escape(f"${{params.{name}}}"), document.text)
    lines = sorted({document.span_at(use.start(), use.end()).line for use in uses})[:5]
    also = f", and what refers to it in line {', '.join(map(str, lines))}" if lines else ""
    return f'remove "{cut}"{also}'


def _variable(name: str) -> str:
    return re.sub(r"\W+", "_", name, flags=re.ASCII).upper()


def _secret_parameters(document: Any) -> Iterator[str]:
    """Parameters with a secret's name and no default that is one, which is reported where it stands."""
    params = document.get("params") if isinstance(document, dict) else None
    for name, declared in params.items() if isinstance(params, dict) else ():
        default = declared.get("default") if isinstance(declared, dict) else None
        written = isinstance(default, str) and default and not is_reference(default)
        if is_secret_key(name) and not written:
            yield name


def _declared_fields(step: DraftStep) -> frozenset[str]:
    """Fields of its config that a spec declares: whatever they are called, they are no secrets."""
    if step.spec is None or step.mode is None:
        return frozenset()
    return contract(step.spec, step.mode).fields


def _secrets(value: Any, path: Path, declared: dict[int, frozenset[str]]) -> Iterator[tuple[Path, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _secrets(item, (*path, key), declared)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _secrets(item, (*path, index), declared)
    elif isinstance(value, str) and value and not is_reference(value):
        if holds_credentials(value):
            yield path, "this text holds credentials"
        elif name := _secret_name(path, declared):
            yield path, f'"{name}" holds a secret'


def _secret_name(path: Path, declared: dict[int, frozenset[str]]) -> str | None:
    """The name that makes the value at ``path`` a secret: its key, or its parameter."""
    if len(path) == 3 and path[0] == "params" and path[2] == "default":
        return str(path[1]) if is_secret_key(path[1]) else None
    if len(path) < 4 or path[0] != "steps" or path[2] != "config" or not is_secret_key(path[-1]):
        return None
    fields = declared.get(path[1], frozenset()) if isinstance(path[1], int) else frozenset()
    return None if path[3] in fields else str(path[-1])


def _paths(step: DraftStep) -> Iterator[Problem]:
    """Paths in the config, those that change its connection included."""
    found = [(path, value) for path, role, value in step.roles if role == "path"]
    if step.spec is not None and step.mode is not None:
        names = contract(step.spec, step.mode).override_paths
        found += [((name,), step.config[name]) for name in sorted(names) if name in step.config]
    for path, value in found:
        reason = path_fault(value) if isinstance(value, str) and step.sound("config", *path) else ""
        if reason:
            hint = "use a path below the project (or the connection's directory)"
            yield Problem("OSI-V302", f'"{path[-1]}" {reason}', ("config", *path), hint=hint)


def path_fault(path: str) -> str:
    """Why ``path`` may leave its directory (``""`` when it cannot): absolute, ``..``, ``~``, a URL, a drive."""
    if _SCHEME.match(path):
        return "is a URL, not a path"
    if path.startswith(("/", "\\")) or _DRIVE.match(path):
        return "is an absolute path"
    if path.startswith("~"):
        return "begins with ~, a home directory"
    if ".." in re.split(r"[\\/]", path):
        return "contains .., which leads out of its directory"
    return ""
