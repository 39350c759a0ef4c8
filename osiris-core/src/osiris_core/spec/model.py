"""A loaded component spec."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from osiris_core.component import Delivery, Mode, Support


@dataclass(frozen=True, slots=True)
class Spec:
    """One component's promises. Schemas are self-contained: shared ``$defs`` are bundled when it is loaded.

    Attributes:
        name, version, title: as in ``spec.yaml``.
        modes: what a step may do with it.
        capabilities: support per operation of ``component.OPERATIONS``; what is not named is ``unsupported``.
        config_schema: JSON Schema of ``config``, one per mode.
        connection_schema: JSON Schema of the connection's fields, None when it takes no connection.
            A property with ``"x-override": "allowed"`` may be set in a step's config too.
        secrets: JSON Pointers into the connection.
        driver: ``"module:attr"``.
        delivery: per channel; a component with one channel calls it ``default``.
        examples: ``{mode, config}`` mappings that validate.
        context: ``aliases`` and one line of ``guidance`` for a model.
        fingerprint: SHA-256 of the canonical spec.
    """

    name: str
    version: str
    title: str
    modes: tuple[Mode, ...]
    capabilities: Mapping[str, Support]
    config_schema: Mapping[str, Mapping[str, Any]]
    connection_schema: Mapping[str, Any] | None
    secrets: tuple[str, ...]
    driver: str
    delivery: Mapping[str, Delivery]
    examples: tuple[Mapping[str, Any], ...] = ()
    context: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""
    fingerprint: str = ""

    @property
    def family(self) -> str:
        """The system: what is before the first dot, for example ``mysql``."""
        return self.name.split(".", 1)[0]

    def support(self, operation: str) -> Support:
        """Support for one of ``component.OPERATIONS``."""
        return self.capabilities.get(operation, "unsupported")
