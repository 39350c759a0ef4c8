"""Core's hook implementations that load a component's driver, when it is first needed, and ask it.

An object of ``DriverHooks`` is registered like any plugin (``trylast``), so that a connector author writes a spec and
a driver, and implements a hook only to go beyond.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from osiris_core.errors import CompileError, OsirisError, PluginError
from osiris_core.hookspecs import hookimpl
from osiris_core.plugin_loader import HookFailedError, guard

if TYPE_CHECKING:
    from osiris_core.catalog.model import Catalog, Scope
    from osiris_core.connections import Connection
    from osiris_core.drivers import Finding, StepView
    from osiris_core.problems import Problem
    from osiris_core.registry import Registry
    from osiris_core.spec import Spec

_T = TypeVar("_T")


class DriverHooks:
    """Hook implementations over the drivers of a registry."""

    #: Its compile hook runs before those of plugins, whatever their names.
    is_driver = True

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    @hookimpl(trylast=True)
    def osiris_discover(self, component: str, connection: Connection, scope: Scope) -> Catalog | None:
        """Ask the driver what exists; None when the spec does not promise discovery."""
        if self._registry.spec(component).support("discover") != "full":
            return None
        driver = self._registry.driver(component)
        return self._ask(component, "discover", lambda: driver.discover(connection, scope))

    @hookimpl(trylast=True)
    def osiris_check_connection(self, component: str, connection: Connection) -> list[Finding] | None:
        """Ask the driver for its findings."""
        driver = self._registry.driver(component)
        return self._ask(component, "check", lambda: list(driver.check(connection)))

    @hookimpl(trylast=True)
    def osiris_validate_step(self, step: StepView, spec: Spec, catalog: Catalog | None) -> list[Problem]:
        """Ask the driver for what JSON Schema and the generic catalogue checks cannot say."""
        driver = self._registry.driver(step.component)
        return self._ask(step.component, "validate_step", lambda: list(driver.validate_step(step, spec, catalog)))

    @hookimpl(trylast=True)
    def osiris_compile_step(self, step: StepView, spec: Spec, catalog: Catalog | None) -> Mapping[str, Any] | None:
        """Let the driver pin what must be pinned."""
        driver = self._registry.driver(step.component)
        call: Callable[[], Mapping[str, Any] | None] = lambda: driver.compile_step(step, spec, catalog)  # noqa: E731
        return self._ask(step.component, "compile_step", call, kind=CompileError)

    def _ask(self, component: str, method: str, call: Callable[[], _T], kind: type[OsirisError] = PluginError) -> _T:
        """``call()``; a failure names the plugin that owns the component."""
        try:
            result: _T = guard(call)
        except HookFailedError as failure:
            owner = self._registry.owner(component)
            message = f'plugin "{owner}" failed in {method} of {component}: {failure}'
            raise kind(message) from failure.__cause__
        return result
