"""``osiris chat``: from words to a validated pipeline. It writes OML; it never runs it."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from osiris_core import ConfigurationError, InvalidInputError, Session, emit_json, print_note, print_text, shown
from osiris_llm.author import DEFAULT_RETRIES, Author, Authored

EXIT_CODES = {"written": 0, "cannot": 2, "question": 2, "failed": 2}
LONGEST_LINE = 400
RETRIES_VARIABLE = "OSIRIS_VALIDATE_RETRY_ATTEMPTS"


def main(argv: Sequence[str]) -> int:
    """Run the command. Raises ConfigurationError, ConnectError and InvalidInputError as everything below does."""
    args = _parser().parse_args(list(argv))
    session = Session.open(
        args.project,
        plugins=() if args.no_plugins else None,
        secrets_file=args.secrets_file,
        profile=args.profile,
        validation_mode="strict",
        refresh=args.refresh,
    )
    author = _author(session, args)
    if args.request:
        return _once(author, args)
    if not sys.stdin.isatty():
        raise InvalidInputError("there is no request", hint='osiris chat "copy orders from @shop to @warehouse"')
    from osiris_llm.conversation import converse

    return converse(author, args.out)


def _parser() -> ArgumentParser:
    parser = ArgumentParser("osiris chat", description="Write a pipeline from words, grounded in what exists.")
    parser.add_argument("request", nargs="?", default="", help="what to copy; without it, a conversation on a terminal")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to write the pipeline")
    parser.add_argument("--force", action="store_true", help="overwrite the file")
    parser.add_argument("--connection", action="append", default=[], metavar="@ALIAS", help="only these connections")
    parser.add_argument(
        "--provider", default="", help="openai, anthropic, google, compatible, instructor or a plugin's"
    )
    parser.add_argument("--model", default="", help="the provider's name of the model")
    parser.add_argument("--retry-attempts", type=_attempts, metavar="N", help=f"repairs at most ({DEFAULT_RETRIES})")
    parser.add_argument("--comments", action="store_true", help="show the model table comments")
    parser.add_argument("--profile", metavar="NAME", help="profile of osiris.yaml")
    parser.add_argument("--secrets-file", type=Path, metavar="FILE", help="NAME=value lines, over the environment")
    parser.add_argument("--refresh", action="store_true", help="discover again, whatever is cached")
    parser.add_argument("--json", action="store_true", help="print one JSON result on standard output")
    parser.add_argument("--project", type=Path, metavar="DIR", help="the project's directory")
    parser.add_argument("--debug", action="store_true", help="show tracebacks, secrets masked")
    parser.add_argument("--no-plugins", action="store_true", help="load core's own components only")
    return parser


def _attempts(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 10:
        raise ValueError
    return number


def validator(session: Session) -> Callable[[str], list[str]]:
    """The one validator, in strict mode: OML text to what refuses it."""

    def validate(oml: str) -> list[str]:
        from osiris_core.oml import load
        from osiris_core.validate import validate as check

        found = check(load(oml, "draft.yaml"), session, mode="strict").errors
        return [f"{problem.code}: {problem.message} {problem.hint}".strip() for problem in found]

    return validate


def _author(session: Session, args: Namespace) -> Author:
    from osiris_llm.choose import choose

    return Author(
        session,
        choose(session, args.provider, args.model),
        validator(session),
        now=lambda: datetime.now(UTC),
        retries=_retries(args.retry_attempts),
        aliases=[alias.removeprefix("@") for alias in args.connection],
        comments=args.comments,
    )


def _retries(flag: int | None) -> int:
    if flag is not None:
        return flag
    text = os.environ.get(RETRIES_VARIABLE, str(DEFAULT_RETRIES))
    if not text.isdecimal() or int(text) > 10:
        raise ConfigurationError(f'{RETRIES_VARIABLE} is "{text}"', hint="set it to a number from 0 to 10")
    return int(text)


def _once(author: Author, args: Namespace) -> int:
    if args.out is not None and args.out.exists() and not args.force:
        raise InvalidInputError(f"{args.out} exists already", hint="add --force to overwrite it")
    result = author.write(args.request)
    if result.oml and args.out is not None:
        save(result, args.out)
    if args.json:
        emit_json({**asdict(result), "out": str(args.out) if args.out else None})
    else:
        tell(result)
        if result.oml and args.out is None:
            print_text(marked(result).removesuffix("\n"))
    return EXIT_CODES[result.status]


def tell(result: Authored) -> None:
    """Say on stderr how it went: what was repaired, what is asked, what is wrong."""
    for note in result.notes:
        print_note(f"· {line(note)}")
    words = {"cannot": "cannot", "question": "question", "failed": "no valid pipeline"}
    if result.status in words:
        print_note(f"{words[result.status]}: {line(result.message) or 'see the problems'}")
    for problem in result.problems:
        print_note(f"✗ {line(problem)}")


def line(text: str) -> str:
    """One line of what a model or a system says; what nobody would see is shown as an escape, as everywhere."""
    words = shown(" ".join(text.split()))
    return words if len(words) <= LONGEST_LINE else words[: LONGEST_LINE - 1] + "…"


def marked(result: Authored) -> str:
    """The OML; a draft that does not validate says so at its top, each problem a comment."""
    if not result.problems:
        return result.oml
    # What a model wrote is in these problems: nothing in them may end the comment.
    problems = (f"# problem: {line(problem)}" for problem in result.problems)
    return "\n".join(["# DRAFT: this does not validate yet.", *problems, result.oml])


def save(result: Authored, path: Path) -> None:
    """Write the OML (or the marked draft). The file is whole or absent."""
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(marked(result), encoding="utf-8")
    temporary.replace(path)
    print_note(f"wrote {path}")
