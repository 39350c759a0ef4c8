"""A session: one project with its plugins, specs, connections and catalogs; what every command starts from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from osiris_core.errors import PluginError
from osiris_core.plugins import Plugins
from osiris_core.project import Project, checked_mode
from osiris_core.registry import Registry
from osiris_core.secrets import Redactor, Secret, SecretSource

if TYPE_CHECKING:
    from osiris_core.catalog.store import Catalogs
    from osiris_core.connection_fields import FamilySchema
    from osiris_core.connections import Connections
    from osiris_core.spec import Spec


class Session:
    """Everything is loaded when first asked for, and then kept; ``open`` alone touches only ``osiris.yaml``.

    Attributes:
        project: the project's settings.
        refresh: ask every system again, whatever is cached.
        offline: ask no system; what could not be checked is said in ``catalogs.notes``.
    """

    def __init__(
        self,
        project: Project,
        *,
        allow_plugins: Sequence[str] | None = None,
        secrets: SecretSource | None = None,
        refresh: bool = False,
        offline: bool = False,
    ) -> None:
        self.project = project
        self.refresh = refresh
        self.offline = offline
        self.secrets = secrets or SecretSource()
        self._allow_plugins = allow_plugins

    @classmethod
    def open(
        cls,
        start: Path | None = None,
        *,
        plugins: Sequence[str] | None = None,
        secrets_file: Path | None = None,
        profile: str | None = None,
        validation_mode: str | None = None,
        refresh: bool = False,
        offline: bool = False,
    ) -> Session:
        """A session of the project that ``start`` lies in.

        ``plugins``: names of those that may load; None takes ``OSIRIS_PLUGINS``, empty only core's own.
        Raises ConfigurationError for a faulty ``osiris.yaml``, profile, mode or secrets file.
        """
        project = Project.find(start, profile=profile)
        if validation_mode is not None:
            project = replace(project, validation_mode=checked_mode(validation_mode, "the validation mode"))
        return cls(
            project,
            allow_plugins=plugins,
            secrets=SecretSource.load(secrets_file),
            refresh=refresh,
            offline=offline,
        )

    @cached_property
    def plugins(self) -> Plugins:
        """Every loaded plugin."""
        return Plugins.load(self._allow_plugins)

    @cached_property
    def registry(self) -> Registry:
        """Specs and drivers of the components."""
        return Registry(self.plugins)

    @cached_property
    def connections(self) -> Connections:
        """The project's aliases."""
        from osiris_core.connections import Connections

        return Connections.load(self.project, self.registry.families(), self._family_schema, self.secrets)

    @cached_property
    def catalogs(self) -> Catalogs:
        """What exists behind the aliases."""
        from osiris_core.catalog.store import Catalogs

        return Catalogs(
            project=self.project,
            plugins=self.plugins,
            registry=self.registry,
            connections=self.connections,
            refresh=self.refresh,
            offline=self.offline,
        )

    @property
    def redactor(self) -> Redactor:
        """Masks every secret of this process, and those that the project's connections name and that are set."""
        for alias in self.connections.aliases():
            for name in self.connections.secret_references(alias).values():
                value = self.secrets.get(name)
                if value is not None:
                    Secret(value, name)
        return Redactor.of_process()

    def _family_schema(self, family: str) -> FamilySchema | None:
        from osiris_core.connection_fields import FamilySchema

        specs: list[Spec] = []
        faults: list[PluginError] = []
        for name in self.registry.families().get(family, ()):
            try:
                specs.append(self.registry.spec(name))
            except PluginError as fault:  # somebody's broken component must not cost the family its connections
                faults.append(fault)
        if faults and not specs:
            raise faults[0]
        return FamilySchema.of(specs)
