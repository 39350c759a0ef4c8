"""SQL in steps: one reading statement, only inputs that ``needs`` names."""

from __future__ import annotations

from collections.abc import Iterator

from osiris_core.errors import PluginError
from osiris_core.problems import Path, Problem
from osiris_core.sql import Select, SqlError, check_condition, parse_select
from osiris_core.validate.draft import Draft, DraftStep
from osiris_core.validate.sql_places import fix_in, span_in


def check_sql(draft: Draft) -> None:
    """Report SQL that is no reading statement, and transforms that read what is no input of theirs.

    What was parsed is kept in each step's ``selects`` for the checks against the catalogue.
    """
    for step in draft.steps:
        if step.spec is None or step.mode is None:
            continue
        for path, role, value in step.roles:
            if role in ("sql", "sql_condition") and isinstance(value, str) and step.sound("config", *path):
                draft.report_step(step, _problems(step, path, role, value, draft))


def _problems(step: DraftStep, path: Path, role: str, text: str, draft: Draft) -> Iterator[Problem]:
    where: Path = ("config", *path)
    parse = parse_select if role == "sql" else check_condition
    family = step.spec.family if step.spec is not None else ""
    try:
        select = parse(text, family)
    except SqlError as error:
        span = span_in(draft.document, (*step.path, *where), text, error.start, error.end)
        yield Problem(error.code, error.message, where, hint=error.hint, span=span)
        return
    except PluginError as error:
        yield Problem(error.code, error.message, where, hint=error.hint)
        return
    step.selects[path] = select
    if step.mode == "transform" and role == "sql":
        yield from _input_problems(step, where, select, draft)


def _input_problems(step: DraftStep, where: Path, select: Select, draft: Draft) -> Iterator[Problem]:
    """A transform's tables are the steps it needs, no more and no fewer."""
    inputs = {need.lower(): need for need in step.needs}
    ids = {other.id for other in draft.steps}
    read: set[str] = set()
    for table in select.tables():
        name = table.name.lower()
        if name in inputs and not table.schema:
            read.add(name)
            continue
        other = table.name in ids and not table.schema
        meant = None if other else step.suggest.certain(table.name, step.needs)
        hint = step.suggest.hint(table.name, step.needs)
        if other:
            hint = f"add it: needs: [{', '.join([*step.needs, table.name])}]"
        span = span_in(draft.document, (*step.path, *where), select.text, table.start, table.end)
        message = f'the SQL reads "{table.name}", which is not among the steps it needs'
        fix = fix_in(draft.document, span, table.name, meant)
        yield Problem("OSI-V150", message, where, hint=hint, span=span, fix=fix)
    for index, need in zip(step.need_indexes, step.needs, strict=True):
        if need.lower() not in read and step.sound("needs", index):
            yield Problem("OSI-V151", f'the SQL does not read "{need}"', ("needs", index))
