"""Mends for SQL: what to cut, what to write instead, which step reads a file."""

from __future__ import annotations

import re
from dataclasses import replace

from osiris_core.oml.editor import yaml_flow
from osiris_core.oml.masking import secret_ranges
from osiris_core.problems import Problem
from osiris_core.validate.advice.rows import reading_more, wanted_columns
from osiris_core.validate.advice.words import catalog_of, choose, entry, table_of
from osiris_core.validate.draft import Draft, DraftStep

_TABLE = re.compile(r"\b(?:from|into|update|table|join)\s+([A-Za-z_]\w*)", re.IGNORECASE)
_LOCK = re.compile(
    r"\bfor\s+(?:update|share|no\s+key\s+update|key\s+share)\b"
    r"(?:\s+of\s+[\w.\"]+(?:\s*,\s*[\w.\"]+)*)?(?:\s+(?:nowait|skip\s+locked)\b)?",
    re.IGNORECASE,
)
#: What stands between two branches of a query.
_JOINT = re.compile(r"\b(?:union|except|intersect)\b(?:\s+(?:all|distinct))?(?:\s+by\s+name)?", re.IGNORECASE)
_INTO = re.compile(r"\binto\s+[\w.\"]+", re.IGNORECASE)
#: A longer text is not searched for the piece that must go: each joint of it costs a look at all before it.
_MOST_SQL = 4096
_FILE = """\
- id: {name}
  component: file.table
  mode: read
  connection: "@{alias}"
  config: {{table: {table}}}"""


def _text(problem: Problem, draft: Draft) -> str:
    return str(draft.document.at(problem.path))


def select_for(text: str, step: DraftStep, draft: Draft) -> str:
    """A SELECT of the table that ``text`` names (or of another), of the columns that the target takes."""
    found = _TABLE.search(text)
    names = (
        list(step.needs) if step.mode == "transform" else [t.name for t in step.catalog.tables] if step.catalog else []
    )
    name = found[1] if found and (not names or found[1] in names) else names[0] if names else "orders"
    return f"SELECT {_columns(name, step, draft)} FROM {name}"


def _columns(table: str, step: DraftStep, draft: Draft) -> str:
    source = step.catalog.table(table) if step.catalog is not None else None
    for user in draft.steps:
        target = table_of(user)
        if user.mode != "write" or step.id not in user.needs or source is None or target is None:
            continue
        reader = replace(step, config={"table": table})
        return ", ".join(wanted_columns(user, reader, target)) or "*"
    return "*"


def no_select(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """A SELECT to begin with."""
    key = problem.path[-1]
    if step is None or not isinstance(key, str) or problem.hint not in ("write one SELECT", ""):
        return problem
    select = select_for(_text(problem, draft), step, draft)
    return replace(problem, hint=f"write one SELECT, such as {select}", example=entry(key, select))


def two_statements(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """Where to cut."""
    return replace(problem, hint="remove the ; before this, and all that follows it")


def forbidden(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """Files are read by steps of their own; everything else goes."""
    cut = _cut(problem, draft)
    if not re.search(r"\bread_\w+|\bfile\b|_scan\b|glob\b", problem.message) or step is None:
        return problem if problem.hint else replace(problem, hint=f"remove {cut or 'what calls it from the SQL'}")
    connections = draft.session.connections
    files = [alias for alias in connections.aliases() if connections.family(alias) == "file"]
    taken = {other.id for other in draft.steps}
    name = next(name for name in ("from_file", "rows_of_file", f"file_{step.index}") if name not in taken)
    catalog = catalog_of(files[0], "file.table", draft) if files else None
    tables = [table.name for table in catalog.tables] if catalog is not None else []
    text = _text(problem, draft)
    mentioned = [table for table in tables if table.rpartition("/")[2] in text]
    hint = f"remove {cut or 'what reads it from the SQL'}; files are read by a step of file.table"
    where = f"@{files[0]}" if files else "a connection of file"
    if not tables:
        return replace(problem, hint=f"{hint}, and only those below the directory of {where}", example="")
    hint = f"{hint}, such as the example: add it, name it in needs, and write FROM {name}"
    table = yaml_flow((mentioned or tables)[0])
    return replace(problem, hint=hint, example=_FILE.format(name=name, alias=files[0], table=table))


def _cut(problem: Problem, draft: Draft) -> str:
    """The piece of SQL in quotes that must go so that the rest is SQL: the branch of a UNION, or nothing known."""
    text = _text(problem, draft)
    if len(text) > _MOST_SQL or secret_ranges(text):
        return ""
    called = re.search(r"the function (\w+)", problem.message)
    found = re.search(rf"\b{called[1]}\s*\(", text, re.IGNORECASE) if called else None
    if found is None:
        return ""
    joints = [joint for joint in _JOINT.finditer(text) if _depth(text, joint.start()) == 0]
    before = [joint for joint in joints if joint.start() < found.start()]
    after = [joint for joint in joints if joint.start() > found.start()]
    if not joints or _depth(text, found.start()) != 0:
        return ""
    end = after[0].start() if after else len(text)
    piece = text[before[-1].start() : end] if before else text[: after[0].end()]
    piece = " ".join(piece.split()).rstrip(" ;")
    plain = len(piece) <= 200 and not re.search(r"--|/\*", piece)
    # Texts in a call other than of a reader of files may be what one logs in with, in an order that names nothing.
    plain = plain and ("'" not in piece or found[0].lower().startswith("read_"))
    return f'"{piece}"' if plain else ""


def _depth(text: str, at: int) -> int:
    """In how many parentheses the place lies; texts in quotes are left out."""
    outside = re.sub(r"'[^']*'|\"[^\"]*\"", "", text[:at])
    return outside.count("(") - outside.count(")")


def condition(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """Where to cut, or what a condition looks like."""
    if problem.message.startswith("a condition ends"):
        return replace(problem, hint="remove this and all that follows it: one expression is left")
    if problem.hint == "remove it" or step is None:
        return problem
    table = table_of(step)
    column = table.columns[0].name if table is not None and table.columns else "id"
    sample = f"{column} IS NOT NULL"
    return replace(
        problem, hint=f"write one expression, such as {sample}", example=entry(str(problem.path[-1]), sample)
    )


def locking(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """The clause to cut."""
    found = (_INTO if problem.message.startswith("INTO") else _LOCK).search(_text(problem, draft))
    return replace(problem, hint=f'remove "{found[0].strip()}"') if found else problem


def not_sql(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """A statement of this shape, when nothing better is known."""
    if problem.hint or step is None or problem.path[-1] not in ("sql", "query"):
        return problem
    shape = select_for(_text(problem, draft), step, draft)
    return replace(problem, hint=f"look at the marked place and just before it; the shape is {shape}")


def no_column(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """A column that the source has is read; else the names that there are."""
    parts = problem.message.split('"')
    reader, columns = reading_more(parts[1], step, draft) if step is not None and len(parts) > 1 else ("", [])
    if not reader or problem.fix is not None:
        return no_input(problem, step, draft)
    hint = f'in the config of the step "{reader}", write {entry("columns", columns)}'
    return replace(problem, hint=hint, example=entry("columns", columns))


def path(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """The file's own name, which lies below every directory."""
    written = str(draft.document.at(problem.path))
    name = re.split(r"[\\/]", written.partition("?")[0].rstrip("\\/"))[-1].lstrip("~")
    if name in ("", "..", ".") or not isinstance(problem.path[-1], str):
        return problem
    where = "a path below the connection's directory"
    return replace(problem, hint=f"write {where}, such as {name}", example=entry(problem.path[-1], name))


def no_input(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """The names that the SQL may read."""
    if problem.hint.startswith("add it: "):
        return replace(problem, example=problem.hint.removeprefix("add it: "))
    known = problem.hint.removeprefix("known: ")
    return replace(problem, hint=choose(known.split(", "))) if known != problem.hint else problem


ADVISERS = {
    "OSI-V150": no_input,
    "OSI-V212": no_input,
    "OSI-V213": no_column,
    "OSI-V302": path,
    "OSI-V303": two_statements,
    "OSI-V304": no_select,
    "OSI-V305": forbidden,
    "OSI-V306": not_sql,
    "OSI-V307": condition,
    "OSI-V309": locking,
}
