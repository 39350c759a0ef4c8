"""The project: the nearest ``osiris.yaml`` and what it settles."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from osiris_core.errors import ConfigurationError
from osiris_core.problems import Problem, did_you_mean

if TYPE_CHECKING:
    from osiris_core.oml import Document

FILE_NAME = "osiris.yaml"
PROFILE_VARIABLE = "OSIRIS_PROFILE"
VALIDATION_VARIABLE = "OSIRIS_VALIDATION"
SCHEMA_FILE = Path(__file__).with_name("project.schema.json")

ValidationMode = Literal["strict", "warn", "off"]
MODES: tuple[ValidationMode, ...] = ("strict", "warn", "off")


@dataclass(frozen=True, slots=True)
class Project:
    """A project's settings, the chosen profile's applied.

    Attributes:
        root: directory of ``osiris.yaml``; what relative paths are relative to.
        file: that file, or None without a project.
        state_dir: where catalogs and run records live.
        connections_file: ``osiris_connections.yaml`` unless the project says otherwise.
        validation_mode: ``OSIRIS_VALIDATION`` over ``osiris.yaml`` over ``warn``; a flag goes over all of them.
        catalog_ttl: seconds; 0 means always ask.
        ledger_retention_days: how long ``osiris ledger prune`` leaves entries alone.
        profile: name of the chosen profile, or None.
        profiles: settings of every profile that ``osiris.yaml`` names.
        config: the settings as written, profile applied.
    """

    root: Path
    file: Path | None = None
    state_dir: Path = Path(".osiris")
    connections_file: Path = Path("osiris_connections.yaml")
    validation_mode: ValidationMode = "warn"
    catalog_ttl: int = 3600
    ledger_retention_days: float = 90
    default_engine: str = "local"
    provider: str | Mapping[str, str] | None = None
    profile: str | None = None
    profiles: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def find(cls, start: Path | None = None, *, profile: str | None = None) -> Project:
        """The project that ``start`` (the current directory) lies in; without one, ``start`` itself in mode ``warn``.

        ``profile`` goes over ``OSIRIS_PROFILE`` over the file's ``profile``. Raises ConfigurationError with every
        problem of the file, or for an unknown profile or validation mode.
        """
        start = (start or Path.cwd()).resolve()
        if start.is_file():
            start = start.parent
        profile = profile or os.environ.get(PROFILE_VARIABLE) or None
        for directory in (start, *start.parents):
            file = directory / FILE_NAME
            if file.is_file():
                return _with_environment(_load(file, profile))
        return _with_environment(_settled(start, None, {}, profile))


def _load(file: Path, profile: str | None) -> Project:
    from osiris_core.oml import load_file

    document = load_file(file)
    problems = list(document.problems)
    config = {} if document.value is None else document.value
    if not problems:
        problems = _problems(document, config)
    if problems:
        raise ConfigurationError(
            f"{file} has {len(problems)} {'problem' if len(problems) == 1 else 'problems'}: {problems[0].message}",
            code="OSI-C001",
            hint=problems[0].hint,
            problems=problems,
            documents=[document],
        )
    profiles = config.get("profiles", {})
    profile = profile or config.get("profile")
    return replace(_settled(file.parent, file, _with_profile(config, profile), profile), profiles=profiles)


def _problems(document: Document, config: Any) -> list[Problem]:
    from osiris_core.json_schema import Codes, SchemaChecker

    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    checker = SchemaChecker(schema, Codes("OSI-C001", "OSI-C001", "OSI-C001"))
    return [
        replace(problem, file=document.file, span=document.span(problem.path, problem.on_key))
        for problem in checker.problems(config)
    ]


def _with_profile(config: Mapping[str, Any], profile: str | None) -> dict[str, Any]:
    """The settings with those of the profile over them. A profile may also exist in the connections file only."""
    settings = {key: value for key, value in config.items() if key not in ("profile", "profiles")}
    return {**settings, **(config.get("profiles", {}).get(profile) or {})}


def _settled(root: Path, file: Path | None, config: Mapping[str, Any], profile: str | None) -> Project:
    return Project(
        root=root,
        file=file,
        state_dir=root / config.get("state_dir", ".osiris"),
        connections_file=root / config.get("connections", "osiris_connections.yaml"),
        validation_mode=config.get("validation", "warn"),
        catalog_ttl=config.get("catalog", {}).get("ttl", 3600),
        ledger_retention_days=config.get("ledger", {}).get("retention_days", 90),
        default_engine=config.get("engine", "local"),
        provider=config.get("provider"),
        profile=profile,
        config=config,
    )


def _with_environment(project: Project) -> Project:
    mode = os.environ.get(VALIDATION_VARIABLE)
    return replace(project, validation_mode=checked_mode(mode, VALIDATION_VARIABLE)) if mode else project


def checked_mode(mode: str, origin: str) -> ValidationMode:
    """``mode`` as a validation mode. Raises ConfigurationError naming ``origin``."""
    if mode not in MODES:
        raise ConfigurationError(
            f'{origin} is "{mode}", which is no validation mode', code="OSI-C001", hint=did_you_mean(mode, MODES)
        )
    return mode
