"""A query held against the request: it reads what the request names, and gives the columns it asks for.

Only a name that nobody gave is mended here. What else is found goes back to the model, which then has the request, its
answer and these words.
"""

from __future__ import annotations

import re
from dataclasses import replace

from osiris_core import InvalidInputError
from osiris_core.context import SqlMove
from osiris_core.sql import Output, Select, parse_select
from osiris_llm import words
from osiris_llm.grounding.reading import Reading, listed
from osiris_llm.mentions import said

#: "called X", "as X": the request names something that is to be made.
_NAMING = re.compile(rf"(?<!\w){words.pattern(words.NAMING)} ['\"`]?([a-z_][a-z0-9_]*)")
_THING = re.compile(rf"{words.pattern(words.TABLE)}\Z")


def with_own_names(form: SqlMove, reading: Reading) -> SqlMove:
    """The form whose query passes columns on under their own names, where the request gives them no other."""
    made = _made(form, reading)
    for output in _outputs(form, reading):
        if output.column in ("", output.name) or output.name in made:
            continue
        alias = rf"(?<![\w\"]){re.escape(output.column)}\s+AS\s+{re.escape(output.name)}(?![\w\"])"
        # Written once, the name can stand nowhere else: in no text, no inner query and no ORDER BY.
        if len(re.findall(rf"(?<!\w){re.escape(output.name)}(?!\w)", form.query, re.IGNORECASE)) != 1:
            continue
        place = re.search(alias, form.query, re.IGNORECASE)
        query = form.query[: place.start()] + output.column + form.query[place.end() :] if place else form.query
        names = [other.name for other in _outputs(replace(form, query=query), reading)]
        if query != form.query and names.count(output.column) == 1:
            form = replace(form, query=query)
            reading.note(f'"{output.column}" keeps its name: the request gives it no other')
    return form


def _outputs(form: SqlMove, reading: Reading) -> list[Output]:
    try:
        return parse_select(form.query, _family(reading)).outputs()
    except InvalidInputError:
        return []


def _family(reading: Reading) -> str:
    return (reading.view.transform or "").partition(".")[0]


def query_problems(form: SqlMove, reading: Reading) -> tuple[str, ...]:
    """What in the query the request does not bear out, as instructions; empty when nothing."""
    try:
        select = parse_select(form.query, _family(reading))
    except InvalidInputError:
        return ()  # the validator says so, with its place
    outputs = select.outputs()
    if any(output.name in ("", "*") for output in outputs):
        return ("list the columns of the result, each with a name; write no *",)
    found = [*_tables(form, reading), *_columns(form, select, reading), *_results(form, outputs, reading)]
    return tuple(dict.fromkeys([*found, *_groups(select, outputs), *_values(select, reading)]))


def _tables(form: SqlMove, reading: Reading) -> list[str]:
    bare = {reading.view.tables[name].table.name for name in form.inputs if name in reading.view.tables}
    unnamed, others = bare - reading.mentions.tables, reading.mentions.tables - bare - reading.mentions.columns
    unread = {name for name in others if name != form.table and not any(name in other for other in bare)}
    found = [f"do not read {listed(unnamed)}: the request does not name it"] if unnamed else []
    return found + ([f"read {listed(unread)} too: the request names it"] if unread else [])


def _columns(form: SqlMove, select: Select, reading: Reading) -> list[str]:
    """Every column of the tables read that the request names letter by letter must be in the query."""
    tables = [reading.view.tables[name].table for name in form.inputs if name in reading.view.tables]
    named = {c.name for table in tables for c in table.columns if c.name in reading.mentions.columns}
    named = {name for name in named if words.fold(name).strip() in reading.mentions.folded}
    unused = named - {column.name for column in select.columns()} - _made(form, reading)
    return [f"use the column {listed(unused)}: the request names it"] if unused else []


def _results(form: SqlMove, outputs: list[Output], reading: Reading) -> list[str]:
    made, names = _made(form, reading), {output.name for output in outputs}
    found = []
    for output in outputs:
        if output.name in made:
            continue
        if output.column and output.column != output.name:
            found.append(f'give "{output.column}" under its own name, without AS {output.name}')
        elif output.column and not said(output.name, reading.mentions.folded):
            found.append(f'leave "{output.name}" out of the result: the request does not ask for it')
    lacking = {name for name in made - names if not any(said(name, words.fold(other)) for other in names)}
    return found + ([f"call a column of the result {listed(lacking)}, as the request does"] if lacking else [])


def _made(form: SqlMove, reading: Reading) -> set[str]:
    """The names that the request gives to columns of the result."""
    found = set()
    for match in _NAMING.finditer(reading.mentions.folded):
        name = match[1]
        if not _THING.match(name) and name not in (form.table, form.to, "a", "an", "the", "it"):
            found.add(name)
    return found


def _groups(select: Select, outputs: list[Output]) -> list[str]:
    hidden = set(select.groups()) - {name for output in outputs for name in (output.name, output.column)}
    return [f"give {listed(hidden)} in the result too: the rows are grouped by it"] if hidden else []


def _values(select: Select, reading: Reading) -> list[str]:
    spoken = set(re.findall(r"\d+", reading.mentions.folded))
    found = []
    for literal in select.literals():
        digits = re.findall(r"\d+", literal)
        known = words.fold(literal).strip(" %") in reading.mentions.folded
        if not known and not (digits and {digit.lstrip("0") or "0" for digit in digits} <= spoken):
            found.append(f'the request does not say "{literal}"')
    return found
