"""Mends for components and connections: which exist, which fit, and which has the table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from osiris_core.errors import OsirisError
from osiris_core.oml.masking import is_secret_key
from osiris_core.problems import Problem
from osiris_core.validate.advice.words import catalog_of, choose, entry, listed
from osiris_core.validate.contracts import contract
from osiris_core.validate.draft import Draft, DraftStep

#: Families of the packages that are released together with this one.
_PACKAGES = frozenset({"duckdb", "mysql", "postgres", "supabase"})
#: So many connections are asked whether they have a table.
_MOST_ASKED = 4


def _family(step: DraftStep, draft: Draft) -> str:
    """The family of the step's connection, or ``""``."""
    connections = draft.session.connections
    alias = step.alias
    return connections.family(alias) if alias is not None and alias in connections.aliases() else ""


def components_for(step: DraftStep, draft: Draft) -> list[str]:
    """Components that have the step's mode, and the family of its connection when it has one."""
    family = _family(step, draft)
    able = [
        name
        for name, spec in draft.session.registry.specs().items()
        if (step.mode is None or step.mode in spec.modes or step.mode not in ("read", "write", "transform"))
        and (not family or spec.family == family)
        and (not family or spec.connection_schema is not None)
    ]
    return able or draft.session.registry.names()


def component(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """The components that would do."""
    if step is None or problem.suggestion is not None:
        return problem
    names = components_for(step, draft)
    family = _family(step, draft)
    fits = [name for name in names if not family or name.split(".", 1)[0] == family]
    why = (
        f", which {'fits' if len(fits) == 1 else 'fit'} {step.connection} (component: {family})"
        if family and fits
        else ""
    )
    hint = f"{choose(fits or names)}{why}" if names else "osiris components list shows what there is"
    hint = "; ".join([hint, *_plugin_for(step, draft), *draft.session.plugins.complaints()])
    return replace(problem, hint=hint, example=entry("component", (fits or names)[0]) if fits and family else "")


def _plugin_for(step: DraftStep, draft: Draft) -> Iterator[str]:
    """Where the family of an unknown component can be had, when no installed plugin offers it."""
    family = (step.component or "").partition(".")[0].lower()
    if (
        not family
        or not family.isidentifier()
        or any(s.family == family for s in draft.session.registry.specs().values())
    ):
        return
    if any(status.name == family and status.state == "disabled" for status in draft.session.plugins.statuses()):
        yield f"the plugin {family} is installed, but OSIRIS_PLUGINS turns it off"
    elif family in _PACKAGES:
        yield f"{family} comes with: pip install osiris-{family}"
    else:
        yield f"no plugin for {family[:60]} is known"


def mode(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """The component's modes."""
    modes = problem.hint.removeprefix("its modes: ").split(", ")
    return replace(problem, hint=choose(modes), example=entry("mode", modes[0]) if len(modes) == 1 else "")


# -- connections -------------------------------------------------------------------------------------------
def aliases_for(step: DraftStep, draft: Draft) -> tuple[list[str], list[str]]:
    """Aliases of the component's family, and those of them that have the step's table."""
    connections = draft.session.connections
    spec = step.spec
    if spec is None:
        return [f"@{alias}" for alias in connections.aliases()], []
    fitting = [alias for alias in connections.aliases() if connections.family(alias) == spec.family]
    return [f"@{alias}" for alias in fitting], [f"@{alias}" for alias in _holders(step, fitting, draft)]


def _holders(step: DraftStep, aliases: list[str], draft: Draft) -> Iterator[str]:
    table = step.config.get("table")
    if not isinstance(table, str) or step.spec is None:
        return
    for alias in aliases[:_MOST_ASKED]:
        catalog = catalog_of(alias, step.spec.name, draft)
        if catalog is not None and catalog.table(table) is not None:
            yield alias


def connection(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """The aliases that fit, first of all one that has the table."""
    if step is None or problem.suggestion is not None or problem.hint.startswith("did you mean"):
        return problem
    aliases, holders = aliases_for(step, draft)
    if not aliases:
        family = step.spec.family if step.spec is not None else "the system"
        hint = f"osiris_connections.yaml has no connection of {family}: add one (osiris connections list shows them)"
        return replace(problem, hint=hint)
    best = holders or aliases
    verb = "add" if problem.code == "OSI-V123" else "write"
    quoted = [entry("connection", alias) for alias in best]
    reason = f", which has the table {step.config['table']}" if len(holders) == 1 else ""
    hint = f"{verb} {quoted[0]}{reason}" if len(best) == 1 else f"{verb} one of: {listed(quoted)}"
    return replace(problem, hint=hint, example=quoted[0])


def no_connection(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """What to remove."""
    return replace(problem, hint='remove "connection"')


def override(problem: Problem, step: DraftStep | None, draft: Draft) -> Problem:
    """The field goes; another value of it is another connection."""
    if step is None or step.spec is None or step.mode is None:
        return problem
    name = problem.path[-1]
    value = step.config.get(str(name))
    here = {alias: _field(alias, str(name), draft) for alias in aliases_for(step, draft)[0]}
    same = [alias for alias, there in here.items() if there is not None and there == value]
    if same:
        written = entry("connection", same[0])
        return replace(problem, hint=f'remove "{name}", and write {written}, whose {name} this is')
    known = [f"{alias} has {there}" for alias, there in here.items() if isinstance(there, str | int)]
    ready = f" ({listed(known)})" if known else ""
    allowed = sorted(contract(step.spec, step.mode).overrides)
    may = f"; a step may set {listed(allowed)}" if allowed else ""
    hint = f'remove "{name}"; for another {name}, add a connection to osiris_connections.yaml and name it{ready}{may}'
    return replace(problem, hint=hint)


def _field(alias: str, name: str, draft: Draft) -> object:
    """What the connection has for the field ``name``; nothing of a secret."""
    if is_secret_key(name):
        return None
    try:
        return draft.session.connections.identity(alias.removeprefix("@")).get(name)
    except OsirisError:  # a broken connection has a problem of its own
        return None


ADVISERS = {
    "OSI-V120": component,
    "OSI-V121": mode,
    "OSI-V123": connection,
    "OSI-V124": no_connection,
    "OSI-V126": connection,
    "OSI-V127": connection,
    "OSI-C002": connection,
    "OSI-V308": override,
}
