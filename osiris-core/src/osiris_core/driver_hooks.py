"""Core's hook implementations that load a component's driver, when it is first needed, and ask it.

An object of ``DriverHooks`` is registered like any plugin (``trylast``), so that a connector author writes a spec and
a driver, and implements a hook only to go beyond.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

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


class DriverHooks:
    """Hook implementations over the drivers of a registry."""

    #: Its compile hook runs before those of plugins, whatever their names.
    is_driver = True

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    @hookimpl(trylast=True)
    def osiris_discover(self, component: str, connection: Connection, scope: Scope) -> Catalog | None:
        """Ask the driver what exists; None when the spec does not promise discovery."""
        from osiris_core.catalog.model import Catalog

        if self._registry.spec(component).support("discover") != "full":
            return None
        driver = self._registry.driver(component)
        found: Catalog = self._ask(component, "discover", Catalog, lambda: driver.discover(connection, scope))
        return found

    @hookimpl(trylast=True)
    def osiris_check_connection(self, component: str, connection: Connection) -> list[Finding] | None:
        """Ask the driver for its findings."""
        from osiris_core.drivers import Finding

        driver = self._registry.driver(component)
        findings: list[Finding] = self._ask(component, "check", Finding, lambda: list(driver.check(connection)))
        return findings

    @hookimpl(trylast=True)
    def osiris_validate_step(self, step: StepView, spec: Spec, catalog: Catalog | None) -> list[Problem]:
        """Ask the driver for what JSON Schema and the generic catalogue checks cannot say."""
        from osiris_core.problems import Problem

        driver = self._registry.driver(step.component)
        found: list[Problem] = self._ask(
            step.component, "validate_step", Problem, lambda: list(driver.validate_step(step, spec, catalog))
        )
        return found

    @hookimpl(trylast=True)
    def osiris_compile_step(self, step: StepView, spec: Spec, catalog: Catalog | None) -> Mapping[str, Any] | None:
        """Let the driver pin what must be pinned."""
        driver = self._registry.driver(step.component)
        changed: Mapping[str, Any] | None = self._ask(
            step.component,
            "compile_step",
            (Mapping, type(None)),
            lambda: driver.compile_step(step, spec, catalog),
            error=CompileError,
        )
        return changed

    def _ask(
        self,
        component: str,
        method: str,
        wanted: type | tuple[Any, ...],
        call: Callable[[], Any],
        error: type[OsirisError] = PluginError,
    ) -> Any:
        """``call()``, checked to be ``wanted`` or a list of it; a failure names the plugin that owns the component."""
        where = f'plugin "{self._registry.owner(component)}" failed in {method} of {component}'
        try:
            result = guard(call)
        except HookFailedError as failure:
            raise error(f"{where}: {failure}") from failure.__cause__
        for item in result if isinstance(result, list) else [result]:
            if not isinstance(item, wanted):
                raise error(f"{where}: it returned {type(item).__name__}")
        return result
