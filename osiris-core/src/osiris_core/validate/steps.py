"""Second phase: each step against its component's spec and its connection."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from osiris_core.errors import OsirisError
from osiris_core.oml.params import bind
from osiris_core.problems import Path, Problem
from osiris_core.validate.contracts import Contract, contract
from osiris_core.validate.draft import Draft, DraftStep, PathSet
from osiris_core.validate.schema_problems import tidy

if TYPE_CHECKING:
    from osiris_core.spec import Spec

_SQL_ROLES = frozenset({"sql", "sql_condition"})


def check_steps(draft: Draft) -> None:
    """Report what each step's component and connection refuse; fills in ``spec`` and binds parameters."""
    refers = "${" in draft.document.text
    for step in draft.steps:
        step.spec = _spec(step, draft)
        _bind(step, draft, refers=refers)
        draft.report_step(step, _connection_problems(step, draft))
        if step.spec is not None and step.mode is not None:
            draft.report_step(step, _config_problems(step, contract(step.spec, step.mode)))
            draft.report_step(step, _capability_problems(step, step.spec))
            draft.report_step(step, _delivery_problems(step, step.spec, draft))
    draft.report(_clashing_writes(draft))
    draft.report(_unused_params(draft))


# -- component and mode ------------------------------------------------------------------------------------
def _spec(step: DraftStep, draft: Draft) -> Spec | None:
    """The step's spec, when its component exists and has its mode."""
    if step.component is None:
        return None
    registry = draft.session.registry
    try:
        spec = registry.get(step.component)
    except OsirisError as error:
        draft.report_step(step, [Problem(error.code, error.message, ("component",), hint=error.hint)])
        return None
    if spec is None:
        message = f'there is no component "{step.component}"'
        near = step.suggest.certain(step.component, registry.names())
        hint = f'did you mean "{near}"?' if near else _components_hint(draft)
        draft.report_step(step, [Problem("OSI-V120", message, ("component",), hint=hint, suggestion=near)])
        return _usable(near, step, draft) if near else None
    if step.mode in ("read", "write", "transform") and step.mode not in spec.modes:
        message = f'{spec.name} has no mode "{step.mode}"'
        only = spec.modes[0] if len(spec.modes) == 1 else None
        hint = f"its modes: {', '.join(spec.modes)}"
        draft.report_step(step, [Problem("OSI-V121", message, ("mode",), hint=hint, suggestion=only)])
    return spec if step.mode in spec.modes else None


def _components_hint(draft: Draft) -> str:
    names = draft.session.registry.names()
    known = f"known: {', '.join(names)}" if len(names) <= 12 else "osiris components list shows what there is"
    return "; ".join([known, *draft.session.plugins.complaints()])


def _usable(name: str, step: DraftStep, draft: Draft) -> Spec | None:
    """The spec a misspelt component means, so that the rest of the step is looked at too."""
    try:
        spec = draft.session.registry.get(name)
    except OsirisError:
        return None
    return spec if spec is not None and step.mode in spec.modes else None


# -- parameters --------------------------------------------------------------------------------------------
def _bind(step: DraftStep, draft: Draft, *, refers: bool) -> None:
    """Find out what the config's values mean, and put parameters in place when the file ``refers`` to any."""
    tree = contract(step.spec, step.mode).roles if step.spec is not None and step.mode is not None else None
    step.raw = step.config
    if tree is not None:
        step.roles = list(tree.find(step.config))
        step.sql_paths = frozenset(path for path, role, _ in step.roles if role in _SQL_ROLES)
    if not refers:
        step.own_sql_params = "sql_params" in step.config
        return
    bound = bind(step.config, draft.params, draft.values, step.sql_paths)
    step.config, step.open = bound.config, PathSet(bound.open)
    if tree is not None:
        step.roles = list(tree.find(step.config))
    step.own_sql_params = "sql_params" in bound.config and not bound.sql_params
    draft.used_params |= bound.used
    draft.report(_unknown_reference(path, text, step, draft) for path, text in bound.unknown)


def _unknown_reference(path: Path, text: str, step: DraftStep, draft: Draft) -> Problem:
    where = (*step.path, "config", *path)
    inside = text[2:-1].strip()
    if not inside.startswith("params."):
        near = draft.suggest.certain(inside, draft.params)
        hint = f"did you mean ${{params.{near}}}?" if near else "declare a parameter, and write ${params.NAME}"
        # Only the name: what a shell takes for a default, as in ${NAME:-value}, may be a secret.
        plain = re.match(r"[\w.]*", inside)
        shown = text if plain and plain[0] == inside else f"${{{plain[0] if plain else ''}…}}"
        return Problem("OSI-V134", f"{shown} is not a parameter of this pipeline", where, hint=hint)
    name = inside.removeprefix("params.")
    hint = draft.suggest.hint(name, draft.params) or f"declare it: params: {{{name}: {{type: string}}}}"
    return Problem("OSI-V130", f'the parameter "{name}" is not declared', where, hint=hint)


def _unused_params(draft: Draft) -> Iterator[Problem]:
    for name in draft.params.keys() - draft.used_params:
        yield Problem("OSI-V136", f'the parameter "{name}" is never used', ("params", name), on_key=True)


# -- connection --------------------------------------------------------------------------------------------
def _connection_problems(step: DraftStep, draft: Draft) -> Iterator[Problem]:
    spec = step.spec
    alias = step.alias
    if alias is None or not step.sound("connection"):
        if spec is not None and step.mode and contract(spec, step.mode).needs_connection and step.sound("connection"):
            known = _aliases(draft, spec.family)
            hint = f'add connection: "@{known[0]}"' if len(known) == 1 else 'add connection: "@alias"'
            yield Problem("OSI-V123", f"{spec.name} needs a connection", ("connection",), on_key=True, hint=hint)
        return
    if spec is not None and spec.connection_schema is None:
        yield Problem("OSI-V124", f"{spec.name} takes no connection", ("connection",), on_key=True, hint="remove it")
        return
    yield from _alias_problems(alias, spec, draft)


def _alias_problems(alias: str, spec: Spec | None, draft: Draft) -> Iterator[Problem]:
    connections = draft.session.connections
    if alias not in connections.aliases():
        yield from _unknown_alias(alias, spec, draft)
        return
    family = connections.family(alias)
    if spec is not None and family and family != spec.family:
        others = [f"@{other}" for other in _aliases(draft, spec.family)]
        hint = f"connections of {spec.family}: {', '.join(others)}" if others else f"add a connection of {spec.family}"
        message = f"@{alias} is a connection of {family}, and {spec.name} needs one of {spec.family}"
        yield Problem("OSI-V126", message, ("connection",), hint=hint)
    draft.report(problem for problem in connections.problems_of([alias]) if problem not in draft.problems)


def _unknown_alias(alias: str, spec: Spec | None, draft: Draft) -> Iterator[Problem]:
    connections = draft.session.connections
    broken = [problem for problem in connections.problems_of([]) if problem not in draft.problems]
    if broken:  # the file itself cannot be read: whether the alias exists is not known
        draft.report(broken)
        return
    known = _aliases(draft, spec.family) if spec is not None else connections.aliases()
    near = draft.suggest.certain(alias, connections.aliases())
    hint = draft.suggest.hint(f"@{alias}", [f"@{name}" for name in known or connections.aliases()])
    message = f'there is no connection "@{alias}" in osiris_connections.yaml'
    suggestion = f"@{near}" if near else None
    hint = hint or "add it to osiris_connections.yaml"
    yield Problem("OSI-C002", message, ("connection",), hint=hint, suggestion=suggestion)


def _aliases(draft: Draft, family: str) -> list[str]:
    connections = draft.session.connections
    return [alias for alias in connections.aliases() if connections.family(alias) == family]


# -- config ------------------------------------------------------------------------------------------------
def _config_problems(step: DraftStep, rules: Contract) -> Iterator[Problem]:
    own: dict[str, Any] = {}
    for name, value in step.config.items():
        if name == "sql_params" and not step.own_sql_params:
            continue
        if name in rules.fields or name not in rules.connection_fields:
            own[name] = value
        elif name in rules.overrides:
            yield from (problem.at("config", name) for problem in rules.overrides[name].problems(value))
        else:
            message = f'a step may not set "{name}" of its connection'
            yield Problem("OSI-V308", message, ("config", name), on_key=True, hint="set it in osiris_connections.yaml")
    for problem in tidy(rules.checker.problems(own), own):
        silent = ("config", *problem.path) in step.faulty or step.open.covers(problem.path)
        if not silent:
            yield problem.at("config")


def _capability_problems(step: DraftStep, spec: Spec) -> Iterator[Problem]:
    for operation, path in _operations(step):
        support = spec.support(operation)
        if support == "full" or not step.sound(*path):
            continue
        words = "does not support" if support == "unsupported" else "does not implement"
        message = f"{spec.name} {words} {operation}"
        group = operation.split(".")[0] + "."
        able = [name for name, level in spec.capabilities.items() if level == "full" and name.startswith(group)]
        hint = f"it supports: {', '.join(able)}" if able else ""
        yield Problem("OSI-V122", message, path, on_key=path[:1] == ("config",) and path[-1] != "write_mode", hint=hint)


def _operations(step: DraftStep) -> Iterator[tuple[str, Path]]:
    """What the step asks of its component, and where it says so."""
    if step.mode == "transform":
        yield "transform", ("mode",)
    elif step.mode == "read":
        yield "read", ("mode",)
        for key, operation in (("incremental", "read.incremental"), ("partition", "read.partitioned")):
            if key in step.config and step.sound("config", key):
                yield operation, ("config", key)
    elif step.mode == "write":
        write_mode = step.config.get("write_mode")
        if isinstance(write_mode, str) and write_mode in ("append", "merge", "replace"):
            yield f"write.{write_mode}", ("config", "write_mode")


def _clashing_writes(draft: Draft) -> Iterator[Problem]:
    """Two steps on one table, one of which replaces it: what is left depends on who comes last."""
    first: dict[tuple[Any, ...], DraftStep] = {}
    for step in draft.steps:
        table = step.config.get("table")
        if step.mode != "write" or not isinstance(table, str) or not step.sound("config", "table"):
            continue
        other = first.setdefault((step.connection, step.component, table), step)
        if other is not step and "replace" in (step.config.get("write_mode"), other.config.get("write_mode")):
            message = f'the steps "{other.name}" and "{step.name}" both write "{table}", and one replaces it'
            yield Problem("OSI-V142", message, (*step.path, "config", "table"))


def _delivery_problems(step: DraftStep, spec: Spec, draft: Draft) -> Iterator[Problem]:
    if step.mode != "write" or step.config.get("require") != "exactly_once" or not step.sound("config", "require"):
        return
    channel = _channel(step, draft)
    promised = {channel: spec.delivery[channel]} if channel in spec.delivery else dict(spec.delivery)
    weak = sorted(name for name, delivery in promised.items() if delivery != "exactly_once")
    if weak:
        where = f" on its channel {weak[0]}" if weak != ["default"] else ""
        message = f"{spec.name} delivers at least once{where}, and this step requires exactly once"
        able = [name for name, delivery in spec.delivery.items() if delivery == "exactly_once"]
        hint = f"the channel {able[0]} delivers exactly once" if able else "require: at_least_once"
        yield Problem("OSI-V125", message, ("config", "require"), hint=hint)


def _channel(step: DraftStep, draft: Draft) -> str:
    """The channel the step or its connection chooses, or ``""``."""
    channel = step.config.get("channel")
    if channel is None and step.alias is not None:
        try:
            channel = draft.session.connections.identity(step.alias).get("channel")
        except OsirisError:
            channel = None  # whatever is wrong there is reported where connections are checked
    return channel if isinstance(channel, str) else ""
