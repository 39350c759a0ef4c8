"""Connections: aliases in ``osiris_connections.yaml``, resolved in memory at run time only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from osiris_core.secrets import Secret


@dataclass(frozen=True, slots=True)
class Connection:
    """One resolved connection.

    Attributes:
        alias: without the ``@``.
        family: the component family it belongs to, for example ``mysql``.
        fields: every field of the connection, defaults included; secret ones are ``Secret``. A step's
            allowed overrides are merged in before a driver sees it.
    """

    alias: str
    family: str
    fields: Mapping[str, Any] = field(default_factory=dict)

    def text(self, name: str, default: str = "") -> str:
        """Field ``name`` as a string; a secret is revealed, so hand the result straight to the client."""
        value = self.fields.get(name, default)
        return value.reveal() if isinstance(value, Secret) else str(value)

    def secrets(self) -> list[Secret]:
        """Every secret value of this connection."""
        return [value for value in self.fields.values() if isinstance(value, Secret)]
