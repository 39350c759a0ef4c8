"""Writes the reference pages that are made from the code: ``python scripts/generate_docs.py``.

``tests/test_generated_docs.py`` fails when a page is not what this would write.
"""

from __future__ import annotations

import json
import subprocess
import sys
from argparse import SUPPRESS, Action, ArgumentParser, _SubParsersAction
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from osiris_core.problem_codes import CODES, ProblemCode
from osiris_core.session import Session
from osiris_core.spec import Spec
from osiris_core.testing.cli import clean_environment, osiris_command

ROOT = Path(__file__).parents[1]
MADE = "<!-- Made by scripts/generate_docs.py; do not edit. -->"

#: Options that every command has; the overview tells them once.
COMMON = {"help", "json", "project", "no_plugins", "debug"}

RANGES = {
    "OSI-V0": "The document",
    "OSI-V1": "Steps and their configuration",
    "OSI-V2": "The catalogue",
    "OSI-V3": "Safety",
    "OSI-C0": "Configuration, connections and secrets",
    "OSI-P0": "Plugins and specs",
    "OSI-M0": "Compiling and manifests",
    "OSI-R0": "Running",
    "OSI-R1": "Data and types",
    "OSI-X0": "Bugs of ours",
}


def pages() -> dict[Path, str]:
    """Every generated page by its path."""
    reference = ROOT / "docs" / "reference"
    return {
        reference / "problem-codes.md": problem_codes_page(),
        reference / "components.md": components_page(),
        reference / "types.md": types_page(),
        reference / "events.md": events_page(),
        reference / "cli.md": cli_page(),
    }


def problem_codes_page() -> str:
    """One heading per code, in its range."""
    lines = [
        "# Problem codes",
        MADE,
        "Every problem that Osiris reports has a code that never changes its meaning. `osiris explain CODE` prints"
        " the same.",
    ]
    for prefix, title in RANGES.items():
        codes = [CODES[code] for code in sorted(CODES) if code.startswith(prefix)]
        lines += [f"## {title}", *(part for code in codes for part in problem_code(code))] if codes else []
    rest = [code for code in sorted(CODES) if not code.startswith(tuple(RANGES))]
    if rest:
        raise ValueError(f"these codes are in no known range: {', '.join(rest)}")
    return "\n\n".join(lines) + "\n"


def problem_code(code: ProblemCode) -> Iterator[str]:
    """A code's heading, why and mend."""
    yield f"### {code.code}"
    yield f"**{code.title}.** {code.why}"
    yield f"*Mend:* {code.mend}"
    if code.example:
        wrong, arrow, right = code.example.partition(" → ")
        yield fenced("Wrong:", wrong) + "\n\n" + fenced("Right:", right) if arrow else fenced("Example:", wrong)
    yield f"Category *{code.category}*, exit code {code.exit_code}."


def fenced(title: str, text: str) -> str:
    """A titled block that keeps its layout."""
    body = "\n".join(f"    {line}".rstrip() for line in text.splitlines())
    return f"{title}\n\n{body}"


def components_page() -> str:
    """What each component of this repository's packages takes, from its spec."""
    registry = Session.open(ROOT).registry
    lines = [
        "# Components",
        MADE,
        "What the packages of this repository bring, from their specs. `osiris components spec NAME` prints a spec as"
        " JSON Schema; `osiris components list` shows what is installed.",
    ]
    for name in registry.names():
        lines += component(registry.spec(name), registry.owner(name))
    return "\n\n".join(lines) + "\n"


def component(spec: Spec, owner: str) -> Iterator[str]:
    """A component's section."""
    yield f"## {spec.name}"
    yield f"{' '.join(spec.description.split()) or spec.title} From the plugin `{owner}`."
    yield "\n".join(
        ["| can | |", "|---|---|", *(f"| {name} | {support} |" for name, support in sorted(spec.capabilities.items()))]
    )
    yield (
        "Delivery: "
        + ", ".join(f"{channel} {value.replace('_', ' ')}" for channel, value in spec.delivery.items())
        + "."
    )
    if spec.connection_schema:
        yield "**Connection**"
        yield fields(spec.connection_schema, spec.secrets)
    for mode in spec.modes:
        yield f"**Config of a {mode} step**"
        yield fields(spec.config_schema[mode])


def fields(schema: Mapping[str, Any], secrets: tuple[str, ...] = ()) -> str:
    """A table of a schema's properties."""
    rows = ["| field | type | |", "|---|---|---|"]
    for name, declared in schema.get("properties", {}).items():
        if declared is False:
            continue
        resolved = resolve(declared, schema)
        notes = [resolved.get("description", "").rstrip(".")]
        notes.append("required" if name in schema.get("required", ()) else "")
        notes.append(f"default `{default(resolved['default'])}`" if "default" in resolved else "")
        notes.append("a secret" if f"/{name}" in secrets else "")
        notes.append("a step may set it too" if resolved.get("x-override") == "allowed" else "")
        rows.append(
            f"| `{name}` | {type_of(resolved)} | {'; '.join(filter(None, notes)).replace('|', chr(92) + '|')} |"
        )
    return "\n".join(rows)


def resolve(declared: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema that a local reference points to, with what stands beside the reference."""
    reference = declared.get("$ref", "")
    if not reference.startswith("#/$defs/"):
        return declared
    target = root["$defs"][reference.removeprefix("#/$defs/")]
    return {**target, **{key: value for key, value in declared.items() if key != "$ref"}}


def type_of(schema: Mapping[str, Any]) -> str:
    """A short name for what a value may be."""
    if "enum" in schema:
        return ", ".join(f"`{default(value)}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{default(schema['const'])}`"
    kinds = schema.get("type", "value")
    text = " or ".join(kinds) if isinstance(kinds, list) else str(kinds)
    return {"array": "list", "object": "mapping", "string": "text", "boolean": "true or false"}.get(text, text)


def default(value: object) -> str:
    """A value as YAML has it."""
    return value if isinstance(value, str) else json.dumps(value)


MYSQL_TYPES = [
    *("tinyint(1)", "tinyint(3) unsigned", "smallint(6)", "mediumint(9)", "int(11)", "int(10) unsigned", "bigint(20)"),
    *("bigint(20) unsigned", "decimal(10,2)", "decimal(65,30)", "float", "double", "bit(1)", "bit(8)", "year(4)"),
    *("date", "datetime", "datetime(6)", "timestamp", "timestamp(6)", "time", "time(6)"),
    *("char(10)", "varchar(255)", "longtext", "enum('a','b')", "set('a','b')", "json", "uuid", "inet6"),
    *("binary(16)", "varbinary(255)", "longblob", "geometry"),
]


def types_page() -> str:
    """MySQL's types in Arrow, and the PostgreSQL column that is made for each."""
    from osiris_core.data import field, types
    from osiris_mysql.typemap import parse
    from osiris_postgres.types import created_type

    rows = ["| MySQL, MariaDB | in between (Arrow) | PostgreSQL, Supabase |", "|---|---|---|"]
    for text in MYSQL_TYPES:
        found = parse(text)
        column = field("c", found.storage(), True, found.osiris, f"mysql:{found.source}")
        between = f"{found.arrow} as `{found.osiris}`" if found.osiris else found.arrow
        rows.append(f"| `{text}` | {between} | {created_type(column)} |")
    table = (types.__doc__ or "").split("\n\n")[1]
    lines = [
        "# Types",
        MADE,
        "How values travel, and what a missing target column is created as (`create: if_missing`). Existing columns are"
        " written if they can hold every value exactly; if not, the pipeline is refused, or the run stops at the first"
        " value that does not fit, with the column and the key. Nothing is rounded, truncated or guessed.",
        "## From MySQL to PostgreSQL",
        "\n".join(rows),
        "## Keys and comments",
        "A table that `create` makes has the `primary_key` of its step; else its `merge_keys`; else the source's own"
        " primary key, when all of it is read. What a query or a transform gives has no key of its own. Comments of the"
        " table and its columns come along, also with columns that `on_drift: add_columns` adds. What the target cannot"
        " have is left out and said (`OSI-R128`): MySQL keeps comments of 1,024 characters on a column and 2,048 on a"
        " table, without emoji; a DuckDB key takes no span of time, a PostgreSQL key no `json`. With a key, rows that"
        " are appended twice are an error (`OSI-R104`); `write_mode: merge` is what takes them again. Text in a key is"
        " made `VARCHAR(255)` in MySQL. Defaults, auto_increment, foreign keys and other indexes are not copied.",
        "## Named types",
        "A type that Arrow has no word for travels under a name (`osiris.type`) in the field's metadata. A writer that"
        " does not know the name refuses it:",
        f"```text\n{table}\n```",
    ]
    return "\n\n".join(lines) + "\n"


def events_page() -> str:
    """Every event and its fields, from the published schema."""
    from osiris_core.run.events import events_schema

    schema = events_schema()
    common = schema["properties"]
    lines = [
        "# Events",
        MADE,
        "A run writes one JSON object per line to `.osiris/runs/<run id>/events.jsonl`, each on disk before"
        f" anybody hears of it. {schema['description']} `osiris schema --of events` prints its schema.",
        "Every event has",
        fields(
            {**schema, "properties": {k: v for k, v in common.items() if k not in {"event", "step"}}, "required": []}
        ),
        "and `step`, which is null for events of the run itself, and `event`, which is one of the following.",
    ]
    for event in schema["oneOf"]:
        name, _, told = event["description"].partition(". ")
        own = {k: v for k, v in event["properties"].items() if k not in common}
        lines += [f"## {name}", *([told] if told else [])]
        lines += [fields({**event, "$defs": schema["$defs"], "properties": own})] if own else ["Nothing more."]
    lines += ["## Errors", "An `error` is a mapping of", fields({**schema["$defs"]["error"], "$defs": schema["$defs"]})]
    return "\n\n".join(lines) + "\n"


def cli_page() -> str:
    """Every command, made from the parsers: what they print as help differs between versions of Python."""
    lines = [
        "# Commands",
        MADE,
        "What `osiris --help` and `osiris COMMAND --help` tell. Machine output goes to stdout, what is for people to"
        " stderr; `--json` makes every command's output JSON. [Exit codes](exit-codes.md) are the same everywhere.",
        f"```text\n{printed_help()}```",
    ]
    for parser in parsers():
        lines += command_section(parser)
    for name, text in plugin_helps():
        lines += [f"## osiris {name}", "A command of a plugin.", f"```text\n{text}```"]
    return "\n\n".join(lines) + "\n"


def parsers() -> Iterator[ArgumentParser]:
    """The parser of each of core's commands and, after it, those of its subcommands."""
    from osiris_core.cli.main import COMMANDS
    from osiris_core.cli.parser import CommandParser

    for name, (line, target) in COMMANDS.items():
        module = import_module(target)
        parser = CommandParser(prog=f"osiris {name}", description=module.__doc__ or line)
        module.add_arguments(parser)
        yield parser
        for action in parser._actions:
            if isinstance(action, _SubParsersAction):
                yield from action.choices.values()


def command_section(parser: ArgumentParser) -> Iterator[str]:
    """A command's heading, description and arguments."""
    actions = [action for action in parser._actions if action.dest not in COMMON and action.help != SUPPRESS]
    positional = [usage_of(action) for action in actions if not action.option_strings]
    yield f"## {parser.prog}"
    if parser.description:
        yield "\n".join(line.replace("``", "`") for line in parser.description.strip().splitlines())
    yield f"```text\n{' '.join([parser.prog, *positional])}\n```"
    rows = [f"| `{usage_of(action)}` | {help_of(action)} |" for action in actions if action.help]
    if rows:
        yield "\n".join(["| argument | |", "|---|---|", *rows])


def usage_of(action: Action) -> str:
    """How an argument is written."""
    if isinstance(action, _SubParsersAction):
        return "|".join(action.choices)
    value = action.metavar or ("|".join(map(str, action.choices)) if action.choices else action.dest.upper())
    value = value if isinstance(value, str) else " ".join(value)
    if not action.option_strings:
        return f"[{value}]" if action.nargs in {"?", "*"} else value
    return ", ".join(action.option_strings) + ("" if action.nargs == 0 else f" {value}")


def help_of(action: Action) -> str:
    """An argument's line of help, safe within a table."""
    return (action.help or "").replace("%%", "%").replace("|", r"\|")


def plugin_helps() -> Iterator[tuple[str, str]]:
    """What the commands of plugins print."""
    from osiris_core.cli.commands import plugin_commands

    for command in plugin_commands():
        yield command.name, printed_help(command.name)


def printed_help(*command: str) -> str:
    """What a real process prints for ``--help``."""
    done = subprocess.run(
        [*osiris_command(), *command, "--help"],
        env=clean_environment({"COLUMNS": "100"}),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def main() -> int:
    """Write what has changed."""
    for path, text in pages().items():
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            sys.stdout.write(f"wrote {path.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
