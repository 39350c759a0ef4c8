"""Plugins: the typed facade over all hooks. Nobody else calls one.

*Isolated* hooks (components, engines, context, llm_providers, run_event): a failure is kept in the plugin's status
and the rest goes on. *Failing* hooks (discover, check_connection, validate_step, compile_step, check_manifest): a
failure is an error that names the plugin. Generator results are consumed inside the guard, and what comes back is
checked for its type.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

import pluggy

from osiris_core import hookspecs
from osiris_core.component import Component
from osiris_core.errors import CancelledError, CompileError, InvalidInputError, OsirisError, PluginError
from osiris_core.plugin_loader import (
    HookFailedError,
    PluginStatus,
    guard,
    load_into,
    policy_from_environment,
)
from osiris_core.problems import did_you_mean
from osiris_core.secrets import one_line

if TYPE_CHECKING:
    from osiris_core.catalog.model import Catalog, Scope
    from osiris_core.connections import Connection
    from osiris_core.context import ContextRequest, ContextSection
    from osiris_core.drivers import Finding, StepView
    from osiris_core.engine import Engine
    from osiris_core.llm_provider import LLMProvider
    from osiris_core.problems import Problem
    from osiris_core.spec import Spec

__all__ = ["OwnedComponent", "PluginStatus", "Plugins"]

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class OwnedComponent:
    """A component and the name of the plugin that owns it."""

    component: Component
    owner: str


class Plugins:
    """Every loaded plugin, one method per hook."""

    def __init__(self, allow: Sequence[str] | None = None) -> None:
        self._manager = pluggy.PluginManager("osiris")
        self._manager.add_hookspecs(hookspecs)
        self._statuses = load_into(self._manager, allow)

    @classmethod
    def load(cls, allow: Sequence[str] | None = None) -> Plugins:
        """Load installed plugins; ``allow`` None reads ``OSIRIS_PLUGINS``, empty loads only core's own."""
        return cls(policy_from_environment() if allow is None else allow)

    def register(self, name: str, plugin: object, *, listed: bool = True) -> None:
        """Add an object with hook implementations, as embedding programs and core itself do.

        ``listed``: whether ``statuses`` tells of it. Raises PluginError when an argument or a name is wrong.
        """
        try:
            self._manager.register(plugin, name)
        except (pluggy.PluginValidationError, ValueError) as error:
            raise PluginError(f'plugin "{name}": {one_line(error)}') from error
        if listed:
            self._statuses.append(PluginStatus(name, module=type(plugin).__module__))

    def statuses(self) -> list[PluginStatus]:
        """The state of every plugin found, with the components it owns, sorted by name."""
        owned = self.components()
        for status in self._statuses:
            status.components = sorted(item.component.name for item in owned if item.owner == status.name)
        return sorted(self._statuses, key=lambda status: status.name)

    def complaints(self) -> list[str]:
        """One line per plugin that is not as it should be; what a policy turned off is not among them."""
        return [
            f'plugin "{status.name}" is {status.state}: {status.error}'
            for status in self._statuses
            if status.state not in ("loaded", "disabled")
        ]

    # -- isolated hooks ------------------------------------------------------------------------------
    def components(self) -> list[OwnedComponent]:
        """Every component of every plugin, by owner; asked once."""
        return list(self._components)

    @cached_property
    def _components(self) -> list[OwnedComponent]:
        return [OwnedComponent(item, owner) for owner, item in self._collect("osiris_components", Component)]

    def engines(self) -> list[Engine]:
        """Every engine, core's own included; one name may come twice (``engine`` refuses it)."""
        from osiris_core.engine import Engine

        return [engine for _, engine in self._collect("osiris_engines", Engine)]

    def engine(self, name: str) -> Engine:
        """The engine called ``name``. Raises InvalidInputError, or PluginError naming both owners."""
        from osiris_core.engine import Engine

        engine: Engine = _only(name, "engine", self._collect("osiris_engines", Engine))
        return engine

    def llm_providers(self) -> list[LLMProvider]:
        """Every provider of structured output."""
        from osiris_core.llm_provider import LLMProvider

        return [provider for _, provider in self._collect("osiris_llm_providers", LLMProvider)]

    def context(self, catalog: Catalog, request: ContextRequest) -> list[ContextSection]:
        """What plugins add to a brief, in the order of their names."""
        from osiris_core.context import ContextSection

        found = self._collect("osiris_context", ContextSection, catalog=catalog, request=request)
        return [section for _, section in found]

    def run_event(self, event: Mapping[str, Any]) -> None:
        """Show one event to every observer; each gets its own copy."""
        for impl in self._impls("osiris_run_event"):
            try:
                guard(partial(_call, impl, {"event": copy.deepcopy(dict(event))}))
            except (HookFailedError, OsirisError) as error:
                self._isolate("osiris_run_event", impl, error)

    # -- failing hooks -------------------------------------------------------------------------------
    def discover(self, component: str, connection: Connection, scope: Scope) -> Catalog:
        """What exists behind ``connection``. Raises ConnectError as the driver does, else PluginError."""
        from osiris_core.catalog.model import Catalog

        arguments = {"component": component, "connection": connection, "scope": scope}
        for impl in self._impls("osiris_discover"):
            result = _run_failing("osiris_discover", impl, arguments)
            if result is not None:
                return _typed(result, Catalog, "osiris_discover", impl)
        raise PluginError(f'"{component}" cannot be discovered', code="OSI-P005")

    def check_connection(self, component: str, connection: Connection) -> list[Finding]:
        """Findings of ``osiris doctor``. Raises PluginError when the check itself is broken."""
        from osiris_core.drivers import Finding

        arguments = {"component": component, "connection": connection}
        for impl in self._impls("osiris_check_connection"):
            findings = _run_failing("osiris_check_connection", impl, arguments, as_list=True)
            if findings is not None:
                return [_typed(finding, Finding, "osiris_check_connection", impl) for finding in findings]
        return []

    def validate_step(self, step: StepView, spec: Spec, catalog: Catalog | None) -> list[Problem]:
        """Problems of one step, paths relative to it. Raises PluginError; a crashed validator is never skipped."""
        return self._problems("osiris_validate_step", {"step": step, "spec": spec, "catalog": catalog})

    def compile_step(self, step: StepView, spec: Spec, catalog: Catalog | None) -> Mapping[str, Any]:
        """The step's config after every compile hook, the driver's own first. Raises CompileError."""
        impls = self._impls("osiris_compile_step")
        impls.sort(key=lambda impl: not getattr(impl.plugin, "is_driver", False))
        for impl in impls:
            offered = replace(step, config=copy.deepcopy(dict(step.config)))
            arguments = {"step": offered, "spec": spec, "catalog": catalog}
            changed = _run_failing("osiris_compile_step", impl, arguments, kind=CompileError)
            if changed is not None:
                config = dict(changed) if isinstance(changed, Mapping) else changed
                config = _typed(config, dict, "osiris_compile_step", impl, kind=CompileError)
                step = replace(step, config=copy.deepcopy(config))
        return step.config

    def check_manifest(self, manifest: Mapping[str, Any]) -> list[Problem]:
        """Policy problems of a compiled manifest. Raises PluginError."""
        return self._problems("osiris_check_manifest", {"manifest": copy.deepcopy(dict(manifest))})

    # -- calling -------------------------------------------------------------------------------------
    def _impls(self, hook: str) -> list[pluggy.HookImpl]:
        """Implementations in calling order: by plugin name, ``trylast`` ones at the end."""
        return list(reversed(getattr(self._manager.hook, hook).get_hookimpls()))

    def _collect(self, hook: str, kind: type[_T], **arguments: Any) -> Iterator[tuple[str, _T]]:
        """``(plugin, item)`` of an isolated hook; one bad item costs that plugin all its items."""
        for impl in self._impls(hook):
            try:
                result = guard(partial(_call_for_list, impl, arguments))
                items = [_typed(item, kind, hook, impl) for item in result or ()]
            except (HookFailedError, OsirisError) as error:
                self._isolate(hook, impl, error)
                continue
            for item in items:
                yield impl.plugin_name, item

    def _isolate(self, hook: str, impl: pluggy.HookImpl, error: Exception) -> None:
        if isinstance(error, CancelledError):
            raise error
        for status in self._statuses:
            if status.name == impl.plugin_name and status.state in ("loaded", "partial"):
                status.degrade(f"{hook} failed: {error}")

    def _problems(self, hook: str, arguments: Mapping[str, Any]) -> list[Problem]:
        from osiris_core.problems import Problem

        found: list[Problem] = []
        for impl in self._impls(hook):
            result = _run_failing(hook, impl, arguments, as_list=True)
            found += [_typed(problem, Problem, hook, impl) for problem in result or ()]
        return found


def _call(impl: pluggy.HookImpl, arguments: Mapping[str, Any]) -> Any:
    return impl.function(*(arguments[name] for name in impl.argnames))


def _call_for_list(impl: pluggy.HookImpl, arguments: Mapping[str, Any]) -> list[Any] | None:
    result = _call(impl, arguments)
    return None if result is None else list(result)


def _run_failing(
    hook: str,
    impl: pluggy.HookImpl,
    arguments: Mapping[str, Any],
    *,
    as_list: bool = False,
    kind: type[PluginError | CompileError] = PluginError,
) -> Any:
    try:
        return guard(partial(_call_for_list if as_list else _call, impl, arguments))
    except HookFailedError as failure:
        raise kind(f'plugin "{impl.plugin_name}" failed in {hook}: {failure}') from failure.__cause__


def _typed(
    value: Any, wanted: type[_T], hook: str, impl: pluggy.HookImpl, kind: type[PluginError | CompileError] = PluginError
) -> _T:
    if not isinstance(value, wanted):
        came = type(value).__name__
        raise kind(f'plugin "{impl.plugin_name}" returned {came} from {hook}, wanted {wanted.__name__}')
    return value


def _only(name: str, what: str, offered: Iterable[tuple[str, Any]]) -> Any:
    """The one offered thing called ``name``."""
    offered = list(offered)
    owners = [owner for owner, item in offered if item.name == name]
    if len(owners) > 1:
        raise PluginError(f'{what} "{name}" is offered by more than one plugin: {", ".join(owners)}', code="OSI-P002")
    for _, item in offered:
        if item.name == name:
            return item
    hint = did_you_mean(name, [item.name for _, item in offered])
    raise InvalidInputError(f'unknown {what} "{name}"', code="OSI-V051", hint=hint)
