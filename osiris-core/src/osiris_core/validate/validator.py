"""The one validator: document, steps, safety, SQL, catalogue, plugins, in this order, all problems at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from osiris_core.oml import Document, load_file
from osiris_core.oml.model import OML_VERSION, Pipeline
from osiris_core.validate.draft import Draft
from osiris_core.validate.graph import check_graph
from osiris_core.validate.outline import read_outline
from osiris_core.validate.safety import check_safety
from osiris_core.validate.severity import looks_at_catalogue
from osiris_core.validate.steps import check_steps
from osiris_core.validate.validation import Validation, finished

if TYPE_CHECKING:
    from osiris_core.session import Session


def validate(
    source: FilePath | Document,
    session: Session,
    *,
    mode: str | None = None,
    params: Mapping[str, Any] | None = None,
    use_catalog: bool = True,
) -> Validation:
    """Everything wrong with a pipeline. Used by every command, so that they all say the same.

    ``mode``: ``strict``, ``warn`` or ``off``; None takes the project's. ``params``: values given from outside.
    ``use_catalog`` False leaves out all that asks a system. Never raises for bad input; PluginError when a plugin's
    check crashes.
    """
    document = source if isinstance(source, Document) else load_file(source)
    mode = mode or session.project.validation_mode
    asks = use_catalog and looks_at_catalogue(mode)
    draft = Draft(document, session, mode, asks, given=dict(params or {}), problems=list(document.problems))
    if read_outline(draft):
        check_steps(draft)
        check_graph(draft)
        check_safety(draft)
        _check_sql(draft)
        if asks:
            _check_catalogue(draft)
        _ask_plugins(draft)
    if draft.problems:
        from osiris_core.validate.advice import advise

        advise(draft)
    problems = finished(draft.problems, document, mode)
    usable = not any(problem.severity == "error" for problem in problems)
    return Validation(
        problems=problems,
        pipeline=_pipeline(draft) if usable else None,
        document=document,
        catalogs=draft.catalogs,
        notes=tuple(draft.notes),
        step_catalogs={step.id: step.catalog for step in draft.steps if step.id and step.catalog is not None},
    )


def _check_sql(draft: Draft) -> None:
    if any(step.sql_paths for step in draft.steps):
        from osiris_core.validate.sql_steps import check_sql

        check_sql(draft)


def _check_catalogue(draft: Draft) -> None:
    if any(step.spec is not None and step.mode != "transform" for step in draft.steps):
        from osiris_core.validate.catalogue import check_catalogue

        check_catalogue(draft)


def _ask_plugins(draft: Draft) -> None:
    """Plugins see sound steps only, so that their checks need not fear values of the wrong type."""
    refused = draft.refused_steps()
    for step in draft.steps:
        if step.spec is None or step.id is None or step.open or step.index in refused:
            continue
        found = draft.session.plugins.validate_step(step.view(), step.spec, step.catalog)
        draft.report_step(step, found)


def _pipeline(draft: Draft) -> Pipeline:
    """The pipeline, which ``bind`` gives its values; nothing refuses it, so every step is complete."""
    return Pipeline(
        name=draft.name,
        oml_version=OML_VERSION,
        params=draft.params,
        steps=tuple(step.view(bound=False) for step in draft.steps),
        order=tuple(draft.order),
        values=draft.values,
        given=draft.given,
        sql_paths={step.id or "": step.sql_paths for step in draft.steps},
    )
