"""The registry: component names to specs and drivers, over every loaded plugin."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from osiris_core.driver_hooks import DriverHooks
from osiris_core.driver_loader import load_driver
from osiris_core.errors import InvalidInputError, PluginError
from osiris_core.problems import did_you_mean
from osiris_core.spec.loader import load_spec

if TYPE_CHECKING:
    from osiris_core.drivers import Driver
    from osiris_core.plugins import OwnedComponent, Plugins
    from osiris_core.spec import Spec


class Registry:
    """What components exist. Specs are read, and drivers imported, when first asked for."""

    def __init__(self, plugins: Plugins) -> None:
        self._plugins = plugins
        self._owned: dict[str, list[OwnedComponent]] = defaultdict(list)
        for item in plugins.components():
            self._owned[item.component.name].append(item)
        self._specs: dict[str, Spec] = {}
        self._drivers: dict[str, Driver] = {}
        plugins.register("core.drivers", DriverHooks(self), listed=False)

    @property
    def plugins(self) -> Plugins:
        """The plugins whose components these are."""
        return self._plugins

    def names(self) -> list[str]:
        """Every component name, sorted; those with two owners too."""
        return sorted(self._owned)

    def families(self) -> dict[str, list[str]]:
        """Component names by family (what is before the first dot)."""
        families: dict[str, list[str]] = defaultdict(list)
        for name in self.names():
            families[name.split(".", 1)[0]].append(name)
        return dict(families)

    def conflicts(self) -> dict[str, list[str]]:
        """Components that more than one plugin claims, with all their owners."""
        return {name: [item.owner for item in items] for name, items in self._owned.items() if len(items) > 1}

    def owners(self, name: str) -> list[str]:
        """Every plugin that claims ``name``."""
        return [item.owner for item in self._owned.get(name, ())]

    def owner(self, name: str) -> str:
        """The plugin that owns ``name``. Raises like ``spec``."""
        return self._item(name).owner

    def get(self, name: str) -> Spec | None:
        """The spec of ``name``, or None when no plugin has it. Raises PluginError for a broken one."""
        return self.spec(name) if name in self._owned else None

    def spec(self, name: str) -> Spec:
        """The spec of ``name``.

        Raises InvalidInputError when there is no such component, PluginError when two plugins own it or its spec
        is broken.
        """
        if name not in self._specs:
            item = self._item(name)
            spec = load_spec(Path(item.component.spec), item.owner)
            if spec.name != name:
                raise PluginError(
                    f'plugin "{item.owner}" registers "{name}", but its spec says "{spec.name}"', code="OSI-P003"
                )
            self._specs[name] = spec
        return self._specs[name]

    def specs(self) -> dict[str, Spec]:
        """Every spec that can be used, by name; broken and contested ones are left out."""
        usable: dict[str, Spec] = {}
        for name in self.names():
            try:
                usable[name] = self.spec(name)
            except PluginError:
                continue
        return usable

    def driver(self, name: str) -> Driver:
        """The driver of ``name``: imported and made once per process.

        Raises PluginError that tells a missing driver module from a missing dependency of it.
        """
        if name not in self._drivers:
            self._drivers[name] = load_driver(self.spec(name).driver, f'component "{name}"')
        return self._drivers[name]

    def _item(self, name: str) -> OwnedComponent:
        items = self._owned.get(name, ())
        if len(items) > 1:
            owners = " and ".join(f'"{item.owner}"' for item in items)
            raise PluginError(
                f'component "{name}" is owned by more than one plugin: {owners}',
                code="OSI-P002",
                hint="uninstall one of them, or allow only one with OSIRIS_PLUGINS",
            )
        if not items:
            raise InvalidInputError(f'unknown component "{name}"', code="OSI-V120", hint=self.hint_for(name))
        return items[0]

    def hint_for(self, name: str) -> str:
        """How to mend an unknown component name: a near one, and which plugins are not as they should be."""
        hints = [did_you_mean(name, self.names()), *self._plugins.complaints()]
        return "; ".join(filter(None, hints))
