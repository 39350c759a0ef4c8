from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from osiris_core.catalog import Catalog, Scope, Table
from osiris_core.connections import Connection
from osiris_core.drivers import Driver, Fault, Finding, StepView
from osiris_core.spec import Spec

#: What was asked of which file, in order: ("probe" | "discover", name).
CALLS: list[tuple[str, str]] = []
#: The scope of each of those questions.
SCOPES: list[tuple[str, ...]] = []


class ShelfTable(Driver):
    def discover(self, connection: Connection, scope: Scope) -> Catalog:
        SCOPES.append(scope.tables)
        CALLS.append(("discover", Path(connection.text("path")).name))
        value = json.loads(_read(connection))
        tables = tuple(Table.from_json(table) for table in value["tables"])
        return Catalog("shelf.table", tuple(t for t in tables if scope.matches(t.name)), value.get("version", ""))

    def probe(self, connection: Connection, scope: Scope) -> str:
        SCOPES.append(scope.tables)
        CALLS.append(("probe", Path(connection.text("path")).name))
        value = json.loads(_read(connection))
        return "" if value.get("blind") else hashlib.sha256(json.dumps(value["tables"]).encode()).hexdigest()

    def check(self, connection: Connection) -> list[Finding]:
        if connection.text("password") != "open sesame":
            return [Finding("authentication", "failed", "the password is wrong", "set the right one")]
        return [Finding("authentication", "ok", "the password is right")]

    def compile_step(self, step: StepView, spec: Spec, catalog: Catalog | None) -> Mapping[str, Any] | None:
        table = catalog.table(step.config["table"]) if catalog else None
        if step.mode != "read" or table is None or "columns" in step.config:
            return None
        return {**step.config, "columns": [column.name for column in table.columns]}

    def plan_step(self, step: StepView, spec: Spec, catalog: Catalog | None) -> list[str]:
        return ["replaces by a swap"] if step.config.get("write_mode") == "replace" else []

    def map_error(self, error: BaseException) -> Fault | None:
        if isinstance(error, FileNotFoundError):
            return Fault("OSI-C010", "the shelf is gone", "put it back", retryable=True, kind="connection")
        return None


def _read(connection: Connection) -> str:
    return Path(connection.text("path")).read_text(encoding="utf-8")
