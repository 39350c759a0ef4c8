"""``osiris plan``: what a run would do; no row is touched."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from osiris_core.cli.options import add_pipeline_options, open_session
from osiris_core.cli.output import emit_json, print_note, print_text
from osiris_core.cli.pipeline import load_any
from osiris_core.cli.text import aligned, rows_text, shown
from osiris_core.errors import EXIT_OK

if TYPE_CHECKING:
    from osiris_core.catalog.model import Catalog
    from osiris_core.compile import Compiled
    from osiris_core.compile.plan import PlannedStep
    from osiris_core.drivers import StepView
    from osiris_core.session import Session


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("source", type=Path, metavar="FILE|DIR", help="a pipeline, or a compiled directory")
    add_pipeline_options(parser)


def run(args: Namespace) -> int:
    """Print the steps in the order they would run, with tables, keys, guarantees and warnings."""
    from osiris_core.compile import check_installed
    from osiris_core.compile.plan import plan

    session = open_session(args)
    compiled = load_any(args.source, session, args)
    check_installed(compiled, session)
    with session.catalogs.one_look():
        steps = plan(compiled, session, lambda step: _catalog(session, step))
    for text in session.catalogs.notes if args.source.is_dir() else ():  # a file's were shown when it was validated
        print_note(f"note: {text}")
    if args.json:
        planned = [step.to_json() for step in steps]
        emit_json({"name": compiled.name, "fingerprint": compiled.fingerprint, "steps": planned})
    else:
        print_text("\n".join(_lines(compiled, steps)))
    return EXIT_OK


def _catalog(session: Session, step: StepView) -> Catalog | None:
    """What exists behind the step's connection; None where nothing may be asked or nothing can answer."""
    from osiris_core.compile.tables import tables_of
    from osiris_core.validate.contracts import connection_overrides

    spec = session.registry.spec(step.component)
    if session.project.validation_mode == "off" or step.connection is None or spec.support("discover") != "full":
        return None
    overrides = connection_overrides(spec, step.mode, step.config)
    alias = step.connection.removeprefix("@")
    return session.catalogs.get(alias, step.component, tables_of(step, spec), overrides=overrides)


def _lines(compiled: Compiled, steps: list[PlannedStep]) -> Iterator[str]:
    yield shown(f"{compiled.name}: {len(steps)} {'step' if len(steps) == 1 else 'steps'}; nothing was read or written")
    for number, step in enumerate(steps, 1):
        yield ""
        yield shown(f"{number}. {step.id}: {step.mode} {step.component} {step.connection or ''}".rstrip())
        yield from aligned(_facts(step), "   ")


def _facts(step: PlannedStep) -> Iterator[list[str]]:
    facts = [
        ("rows from", ", ".join(step.needs)),
        ("table", ", ".join(step.tables)),
        ("about", rows_text(step.approximate_rows)),
        ("write mode", step.write_mode or ""),
        ("keys", ", ".join(step.keys)),
        ("delivery", (step.delivery or "").replace("_", " ")),
        *(("note", note) for note in step.notes),
        *(("warning", warning) for warning in step.warnings),
    ]
    return ([name, value] for name, value in facts if value)
