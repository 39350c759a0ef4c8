"""What compiling makes: one manifest, one config per step, and the schemas it was compiled against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from osiris_core.canonical import fingerprint
from osiris_core.catalog.model import Table

MANIFEST_VERSION = 1
MANIFEST_FILE = "cfg/manifest.yaml"
#: Beside the manifest. The dot keeps it apart from every step: no identifier holds one.
SCHEMAS_FILE = "cfg/manifest.schemas.json"


@dataclass(frozen=True)
class Compiled:
    """A pipeline that is ready to run.

    Attributes:
        manifest: what ``manifest.schema.json`` describes; JSON values only.
        configs: per step id, what its driver gets. Every parameter is bound; ``sql_params`` holds the values of
            those that a SQL text names.
        schemas: per step id, the tables it reads or writes as they were when compiled; None for a table that did
            not exist. A step whose catalogue was not looked at is absent.
    """

    manifest: Mapping[str, Any]
    configs: Mapping[str, Mapping[str, Any]]
    schemas: Mapping[str, Mapping[str, Table | None]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return str(self.manifest["name"])

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the whole manifest, and with it over every config, schema and spec."""
        return str(self.manifest["fingerprints"]["manifest"])

    def step(self, step_id: str) -> Mapping[str, Any]:
        """The manifest's entry of one step. Raises KeyError."""
        for step in self.manifest["steps"]:
            if step["id"] == step_id:
                return dict(step)
        raise KeyError(step_id)


def manifest_fingerprint(manifest: Mapping[str, Any]) -> str:
    """SHA-256 over everything in ``manifest`` but this value itself."""
    others = {key: value for key, value in manifest["fingerprints"].items() if key != "manifest"}
    return fingerprint({"manifest": {**manifest, "fingerprints": others}})


def schema_fingerprints(schemas: Mapping[str, Mapping[str, Table | None]]) -> dict[str, dict[str, str | None]]:
    """Step to table to fingerprint; None for a table that did not exist."""
    return {
        step: {name: table.fingerprint if table else None for name, table in sorted(tables.items())}
        for step, tables in sorted(schemas.items())
    }
