"""Third phase: each step against what really exists behind its connection."""

from __future__ import annotations

import json
from collections.abc import Iterator

from osiris_core.catalog.model import Catalog, Table
from osiris_core.errors import ConfigurationError, OsirisError, PluginError, SecretError
from osiris_core.problems import Path, Problem
from osiris_core.validate.contracts import connection_overrides, contract
from osiris_core.validate.draft import Draft, DraftStep
from osiris_core.validate.naming import rename_inputs
from osiris_core.validate.reading import check_read
from osiris_core.validate.relations import UNKNOWN, Relation
from osiris_core.validate.settings import setting
from osiris_core.validate.writing import check_write


def check_catalogue(draft: Draft) -> None:
    """Consult each connection's catalogue, and follow the rows from readers through transforms to writers."""
    answers: dict[str, Catalog | None] = {}
    asking = _questions(draft)
    for step in draft.steps:
        key = _question(step, draft)
        if key is None:
            continue
        if key not in answers:
            answers[key] = _catalog(step, asking[key], draft)
        step.catalog = answers[key]
        if step.catalog is not None and step.alias is not None:
            draft.catalogs.setdefault(step.alias, step.catalog)
    relations: dict[str, Relation] = {}
    steps = draft.by_id()
    for name in draft.order:
        step = steps[name]
        step.inputs = {need: relations.get(need, UNKNOWN) for need in step.needs}
        rename_inputs(step, draft)
        relations[name] = _check(step, draft)
    draft.notes += [note for note in draft.session.catalogs.notes if note not in draft.notes]


def _check(step: DraftStep, draft: Draft) -> Relation:
    """Report what is wrong with one step; what its rows look like."""
    if step.spec is None or step.mode is None:
        return UNKNOWN
    if step.mode == "transform":
        from osiris_core.validate.transforming import check_transform

        return check_transform(step, draft)
    if step.catalog is None:
        return UNKNOWN
    table = _table(step, step.catalog, draft)
    if step.mode == "read":
        return check_read(step, step.catalog, table, draft)
    check_write(step, table, draft)
    return UNKNOWN


# -- consulting --------------------------------------------------------------------------------------------
def _question(step: DraftStep, draft: Draft) -> str | None:
    """What is asked for this step, equal for steps that one answer serves; None when nothing can be asked."""
    spec, mode, alias = step.spec, step.mode, step.alias
    if spec is None or mode is None or mode == "transform" or spec.support("discover") != "full":
        return None
    if not step.sound("connection") or (alias is None and _wants_connection(step)) or _faulty_connection(alias, draft):
        return None
    overrides = connection_overrides(spec, mode, step.config)
    if any(not step.sound("config", name) for name in overrides):
        return None
    return json.dumps([alias, spec.name, overrides], sort_keys=True)


def _questions(draft: Draft) -> dict[str, set[str]]:
    """The tables that are named with each question; a component that finds tables by path needs to know them all."""
    tables: dict[str, set[str]] = {}
    for step in draft.steps:
        key = _question(step, draft)
        if key is not None:
            tables.setdefault(key, set()).update(name for _, name in _named_tables(step))
    return tables


def _catalog(step: DraftStep, tables: set[str], draft: Draft) -> Catalog | None:
    """What exists for this step and those like it, or None when nobody can say; why not is reported."""
    if step.spec is None or step.mode is None:
        return None
    overrides = connection_overrides(step.spec, step.mode, step.config)
    try:
        return draft.session.catalogs.get(step.alias, step.spec.name, sorted(tables), overrides=overrides or None)
    except PluginError as error:
        draft.report_step(step, [Problem(error.code, error.message, ("component",), hint=error.hint)])
    except ConfigurationError as error:
        draft.report([_unconsulted(step, error)])
    except OsirisError as error:
        draft.report_step(step, [Problem(error.code, error.message, ("connection",), hint=error.hint)])
    return None


def _wants_connection(step: DraftStep) -> bool:
    return step.spec is not None and step.mode is not None and contract(step.spec, step.mode).needs_connection


def _faulty_connection(alias: str | None, draft: Draft) -> bool:
    return alias is not None and bool(draft.session.connections.problems_of([alias]))


def _unconsulted(step: DraftStep, error: ConfigurationError) -> Problem:
    """The system did not answer, a secret is missing, or --offline finds nothing in the cache."""
    code = "OSI-V291" if error.code == "OSI-C012" else "OSI-V290"
    path: Path = (*step.path, "connection")
    message = f"{error.message} ({error.code}); tables and columns behind {step.connection} were not checked"
    return Problem(code, message, path, hint=_until_set(error) if isinstance(error, SecretError) else error.hint)


def _until_set(error: SecretError) -> str:
    """Validating does without secrets, so that an editor can; running does not."""
    if not error.names:
        return error.hint
    lines = "; ".join(f"export {name}=…" for name in error.names)
    return f"osiris run exits 5 until they are set: {lines}; or --secrets-file FILE with lines NAME=value"


# -- tables ------------------------------------------------------------------------------------------------
def _table(step: DraftStep, catalog: Catalog, draft: Draft) -> Table | None:
    """The step's table, when it names one that exists; reports one that should exist and does not."""
    found: Table | None = None
    for path, name in _named_tables(step):
        found = catalog.table(name)
        if found is None and not _may_be_missing(step):
            draft.report_step(step, [_missing(name, ("config", *path), step, catalog)])
    return found


def _named_tables(step: DraftStep) -> Iterator[tuple[Path, str]]:
    if step.spec is None or step.mode is None:
        return
    seen: set[Path] = set()
    for path, role, value in step.roles:
        wanted = role in ("table", "path") and isinstance(value, str) and path not in seen
        if wanted and step.sound("config", *path):
            seen.add(path)
            yield path, value


def _may_be_missing(step: DraftStep) -> bool:
    return step.mode == "write" and setting(step, "create") == "if_missing"


def _missing(name: str, path: Path, step: DraftStep, catalog: Catalog) -> Problem:
    names = [table.name for table in catalog.tables]
    where = step.connection or "here"
    near = step.suggest.certain(name, names)
    hint = step.suggest.hint(name, names) or f"osiris discover {where} lists its {len(names)} tables"
    if step.mode == "write":
        hint += "; create: if_missing makes a new table" if "create" in _fields(step) else ""
    shown = name if len(name) <= 100 else name[:100] + "…"
    return Problem("OSI-V201", f'there is no table "{shown}" behind {where}', path, hint=hint, suggestion=near)


def _fields(step: DraftStep) -> frozenset[str]:
    return contract(step.spec, step.mode).fields if step.spec is not None and step.mode is not None else frozenset()
