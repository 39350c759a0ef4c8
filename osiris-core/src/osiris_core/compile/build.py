"""From a validated pipeline to its one manifest: equal inputs give equal bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from osiris_core.canonical import canonical_json, fingerprint
from osiris_core.catalog.model import Catalog, Table
from osiris_core.compile.model import MANIFEST_VERSION, Compiled, manifest_fingerprint, schema_fingerprints
from osiris_core.compile.tables import schemas_of
from osiris_core.errors import CompileError, ConfigurationError, InvalidInputError

if TYPE_CHECKING:
    from osiris_core.drivers import StepView
    from osiris_core.oml import Pipeline
    from osiris_core.session import Session
    from osiris_core.spec import Spec
    from osiris_core.validate import Validation


@dataclass
class _Parts:
    """What a manifest is made of; ``steps`` in dependency order, ``oml`` the document as written."""

    pipeline: Pipeline
    oml: Any
    steps: list[StepView]
    specs: dict[str, Spec] = field(default_factory=dict)
    configs: dict[str, dict[str, Any]] = field(default_factory=dict)
    schemas: dict[str, dict[str, Table | None]] = field(default_factory=dict)

    @property
    def aliases(self) -> list[str]:
        return sorted({_alias(step) for step in self.steps if step.connection})


def compile_pipeline(validation: Validation, session: Session) -> Compiled:
    """Compile what ``validate`` accepted, with the parameters it was given.

    Raises InvalidInputError or ConfigurationError with all problems when the validation refuses, CompileError when
    a compile hook fails or a policy plugin objects.
    """
    if validation.pipeline is None or not validation.ok:
        kind = ConfigurationError if validation.exit_code == ConfigurationError.exit_code else InvalidInputError
        document = validation.document
        raise kind("the pipeline is not valid", problems=validation.problems, documents=[document])
    pipeline = validation.pipeline.bind()
    steps = [pipeline.step(step_id) for step_id in pipeline.order]
    parts = _Parts(pipeline, validation.document.value, steps)
    for step in steps:
        spec = parts.specs.setdefault(step.component, session.registry.spec(step.component))
        catalog = validation.step_catalogs.get(step.id)
        parts.configs[step.id] = _compiled_config(step, spec, catalog, session)
        if catalog is not None:
            parts.schemas[step.id] = schemas_of(step, spec, catalog)
    manifest = _manifest(parts, session)
    ask_policies(manifest, session)
    return Compiled(manifest, parts.configs, parts.schemas)


def _alias(step: StepView) -> str:
    return (step.connection or "").removeprefix("@")


def _compiled_config(step: StepView, spec: Spec, catalog: Catalog | None, session: Session) -> dict[str, Any]:
    """The step's config after every compile hook, as JSON values only."""
    config = session.plugins.compile_step(step, spec, catalog)
    try:
        canonical_json(config)
    except (TypeError, ValueError) as error:
        raise CompileError(
            f'step "{step.id}": its compiled config cannot be written down: {error}',
            code="OSI-M002",
            hint=f"a compile hook for {step.component} returned something that is not JSON",
        ) from error
    return dict(config)


def _manifest(parts: _Parts, session: Session) -> dict[str, Any]:
    files = config_files([step.id for step in parts.steps])
    manifest: dict[str, Any] = {
        "manifest_version": MANIFEST_VERSION,
        "name": parts.pipeline.name,
        "oml_version": parts.pipeline.oml_version,
        "params": dict(sorted(parts.pipeline.values.items())),
        "steps": [_step(step, parts.specs[step.component], files[step.id]) for step in parts.steps],
        "secrets": {alias: _secrets(session, alias) for alias in parts.aliases},
        "distributions": distributions(session, parts.specs),
        "fingerprints": _fingerprints(parts, session),
    }
    manifest["fingerprints"]["manifest"] = manifest_fingerprint(manifest)
    return manifest


def _fingerprints(parts: _Parts, session: Session) -> dict[str, Any]:
    identities = {alias: session.connections.identity(alias) for alias in parts.aliases}
    return {
        "connections": {alias: fingerprint({"connection": fields}) for alias, fields in identities.items()},
        "oml": fingerprint({"oml": parts.oml}),
        "params": fingerprint({"params": parts.pipeline.values}),
        "schemas": schema_fingerprints(parts.schemas),
        "specs": {name: spec.fingerprint for name, spec in sorted(parts.specs.items())},
        "steps": {step: fingerprint({"config": config}) for step, config in sorted(parts.configs.items())},
    }


def _step(step: StepView, spec: Spec, file: str) -> dict[str, Any]:
    return {
        "id": step.id,
        "component": step.component,
        "component_version": spec.version,
        "mode": step.mode,
        "connection": f"@{_alias(step)}" if step.connection else None,
        "needs": list(step.needs),
        "config": file,
    }


def config_files(step_ids: Iterable[str]) -> dict[str, str]:
    """``cfg/<step>.json`` for each step; ids that differ only in case are kept apart on every file system."""
    step_ids = list(step_ids)
    same = Counter(step_id.casefold() for step_id in step_ids)
    return {
        step_id: f"cfg/{step_id}.json"
        if same[step_id.casefold()] == 1
        else f"cfg/{step_id}.{fingerprint({'step': step_id})[:8]}.json"
        for step_id in step_ids
    }


def _secrets(session: Session, alias: str) -> dict[str, dict[str, str]]:
    """JSON Pointer into the connection to the *name* of the secret; a value has no place here."""
    references = session.connections.secret_references(alias)
    return {pointer: {"$secret": name} for pointer, name in sorted(references.items())}


def distributions(session: Session, components: Iterable[str]) -> dict[str, str]:
    """Name and version of the distribution behind each component: what a run must find installed."""
    owners = {session.registry.owner(name) for name in components}
    locked = {status.distribution: status.version for status in session.plugins.statuses() if status.name in owners}
    return dict(sorted((name, version) for name, version in locked.items() if name))


def ask_policies(manifest: Mapping[str, Any], session: Session) -> None:
    """Raise CompileError with everything that policy plugins refuse about a manifest."""
    problems = [p for p in session.plugins.check_manifest(manifest) if p.severity == "error"]
    if problems:
        raise CompileError(
            "; ".join(problem.message for problem in problems),
            code=problems[0].code,
            hint="; ".join(filter(None, (problem.hint for problem in problems))),
        )
