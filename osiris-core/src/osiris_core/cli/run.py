"""Run a pipeline file, or a compiled directory unchanged.

The file is validated and compiled into the run's own record, and that is run. Exit codes: 0 success, 2 invalid
pipeline, 3 an edited or unfit compiled directory, 4 the run failed, 5 configuration, connection or secret,
130 and 143 interrupted and rolled back.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from osiris_core.cli.options import add_pipeline_options, open_session
from osiris_core.errors import InvalidInputError, SecretError

if TYPE_CHECKING:
    from osiris_core.compile import Compiled
    from osiris_core.run.runner import RunOptions
    from osiris_core.run.signals import SignalWatch
    from osiris_core.session import Session


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("source", type=Path, nargs="?", metavar="FILE|DIR", help="a pipeline, or a compiled directory")
    parser.add_argument("--engine", metavar="NAME", help="where to run it (default: the project's, else local)")
    parser.add_argument("--dry-run", action="store_true", help="do everything but move data")
    parser.add_argument("--run-key", metavar="KEY", help="name the logical run yourself; equal keys write once")
    parser.add_argument(
        "--parallel", type=_positive, default=1, metavar="N", help="branches and partitions side by side (default 1)"
    )
    parser.add_argument(
        "--retries", type=_natural, default=2, metavar="N", help="tries after a fault that may pass (default 2)"
    )
    parser.add_argument(
        "--prefetch", type=_natural, default=0, metavar="MB", help="read ahead of the writer, for slow networks"
    )
    parser.add_argument("--progress", choices=("auto", "never"), default="auto", help="on a terminal only, or never")
    add_pipeline_options(parser)
    worker = parser.add_argument_group("for engines that run this command elsewhere")
    worker.add_argument("--manifest", type=Path, metavar="DIR", help="run this compiled directory as a worker")
    worker.add_argument("--events", choices=("-",), help="write events as JSON lines to stdout")
    worker.add_argument("--secrets-from-stdin", action="store_true", help="read one JSON line with connections")


def run(args: Namespace) -> int:
    """Run; see the module's docstring for the exit codes."""
    from osiris_core.run.signals import SignalWatch

    if (args.source is None) == (args.manifest is None):
        raise InvalidInputError("give a pipeline file or a compiled directory", code="OSI-V050", hint="osiris run FILE")
    with SignalWatch() as watch:
        if args.manifest is not None:
            from osiris_core.run.worker import work

            return work(args.manifest, sys.stdin, sys.stdout, watch)
        return _run(args, watch)


def _run(args: Namespace, watch: SignalWatch) -> int:
    from osiris_core.cli.run_summary import print_outcome
    from osiris_core.run.runner import run_loaded

    session = open_session(args)
    compiled, identity = _compiled(args, session)
    outcome = run_loaded(compiled, session, _options(args, session), identity=identity, watch=watch)
    print_outcome(outcome, as_json=args.json)
    return outcome.result.exit_code


def _compiled(args: Namespace, session: Session) -> tuple[Compiled, str]:
    """What to run, and what counts as the same run again.

    For a file that is what its author wrote, not what compiling it found: the first run may have made the very
    table that the second one compiles against.
    """
    from osiris_core.cli.pipeline import validate_file
    from osiris_core.compile import compile_pipeline
    from osiris_core.run.identity import pipeline_identity
    from osiris_core.run.runner import load_checked

    if args.source.is_dir():
        if args.param:
            raise InvalidInputError(
                "--param needs a pipeline file: a compiled directory has its parameters bound",
                code="OSI-V050",
                hint="compile again with other parameters",
            )
        compiled = load_checked(args.source, session)
        return compiled, compiled.fingerprint
    _refuse_missing_secrets(args, session)
    validation = validate_file(args.source, session, args)
    compiled = compile_pipeline(validation, session)
    return compiled, pipeline_identity(validation, compiled)


def _refuse_missing_secrets(args: Namespace, session: Session) -> None:
    """Name every missing secret of the pipeline before any connection is made, unless the pipeline is faulty anyway.

    Raises SecretError.
    """
    from osiris_core.oml import load_file
    from osiris_core.validate import validate

    value = load_file(args.source).value
    steps = value.get("steps") if isinstance(value, dict) else None
    written = [step.get("connection") for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []
    known = set(session.connections.aliases())
    aliases = {alias.removeprefix("@") for alias in written if isinstance(alias, str)} & known
    try:
        session.connections.refuse_missing(aliases)
    except SecretError:
        if validate(args.source, session, mode=args.mode, params=dict(args.param), use_catalog=False).ok:
            raise


def _options(args: Namespace, session: Session) -> RunOptions:
    from osiris_core.run.progress import Notices, ProgressLine
    from osiris_core.run.runner import RunOptions

    wants_progress = args.progress == "auto" and sys.stderr.isatty()
    observer = (ProgressLine if wants_progress else Notices)(sys.stderr)
    return RunOptions(
        engine=args.engine or session.project.default_engine,
        run_key=args.run_key,
        parallel=args.parallel,
        retries=args.retries,
        prefetch_bytes=args.prefetch * 1024 * 1024,
        dry_run=args.dry_run,
        observers=() if args.json else (observer,),
    )


def _positive(text: str) -> int:
    number = _natural(text)
    if not number:
        raise ArgumentTypeError("must be at least 1")
    return number


def _natural(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ArgumentTypeError(f'"{text}" is not a whole number')
    return int(text)
