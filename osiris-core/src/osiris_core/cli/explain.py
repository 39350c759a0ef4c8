"""``osiris explain``: what a problem code means, why it is refused, and how to mend it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from typing import TYPE_CHECKING

from osiris_core.cli.output import emit_json
from osiris_core.errors import EXIT_OK, InvalidInputError
from osiris_core.problems import docs_url

if TYPE_CHECKING:
    from osiris_core.problem_codes import ProblemCode


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("code", nargs="?", metavar="CODE", help="for example OSI-V201 or V201; all codes when left out")


def run(args: Namespace) -> int:
    """Print one page, or the list. Raises InvalidInputError for a code that does not exist."""
    from osiris_core.problem_codes import CODES

    if args.code is None:
        if args.json:
            emit_json([asdict(code) for code in CODES.values()])
        else:
            print("\n".join(_list(list(CODES.values()))))
        return EXIT_OK
    code = _find(args.code, CODES)
    if args.json:
        emit_json({**asdict(code), "docs_url": docs_url(code.code)})
    else:
        print(page(code))
    return EXIT_OK


def _find(text: str, codes: dict[str, ProblemCode]) -> ProblemCode:
    name = text.strip().upper()
    name = name if name.startswith("OSI-") else f"OSI-{name}"
    if name in codes:
        return codes[name]
    from osiris_core.problems import closest

    near = closest(name, codes)
    hint = f"did you mean {near}? " if near else ""
    raise InvalidInputError(
        f'there is no problem code "{text}"', code="OSI-V053", hint=f"{hint}osiris explain lists all codes"
    )


def _list(codes: list[ProblemCode]) -> list[str]:
    lines: list[str] = []
    heading = ""
    for code in codes:
        group = _GROUPS.get(code.code[4], "")
        if group != heading:
            lines += ["", group] if lines else [group]
            heading = group
        lines.append(f"  {code.code}  {code.title}")
    return lines


_GROUPS = {
    "V": "Pipelines: document, steps, catalogue, safety",
    "C": "Project, connections, secrets",
    "P": "Plugins and component specs",
    "M": "Compiling",
    "R": "Running",
    "X": "Bugs",
}


def page(code: ProblemCode) -> str:
    """Everything about one code, for people."""
    lines = [f"{code.code}: {code.title}", "", f"  why    {code.why}", f"  mend   {code.mend}"]
    if code.example:
        wrong, arrow, right = code.example.partition(" → ")
        lines += ["", *_block("wrong" if arrow else "for example", wrong)]
        lines += _block("right", right) if arrow else []
    lines += ["", f"  It is {_EFFECT[code.category]} (exit code {code.exit_code}).", f"  {docs_url(code.code)}"]
    return "\n".join(lines)


_ALWAYS = "always refused"
_EFFECT = {
    "document": _ALWAYS,
    "schema": _ALWAYS,
    "safety": "always refused, whatever the validation mode",
    "catalog": "refused under --mode strict, a warning under warn, not looked for under off",
    "advice": "a warning; nothing is refused",
    "configuration": _ALWAYS,
    "plugin": _ALWAYS,
    "compile": "refused when the pipeline is compiled",
    "run": "the end of the step; the target holds what it held before",
    "bug": "never your fault",
}


def _block(title: str, text: str) -> list[str]:
    first, *rest = text.split("\n")
    indent = " " * 9
    return [f"  {title:<6} {first}" if len(title) <= 6 else f"  {title}: {first}", *(indent + line for line in rest)]
