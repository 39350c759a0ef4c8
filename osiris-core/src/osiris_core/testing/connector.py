"""A connector under test: its driver, one connection, and the few moves every suite is made of."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from osiris_core.catalog.model import Catalog, Scope, Table
from osiris_core.connections import Connection
from osiris_core.data import BatchStream, as_reader, rebatch
from osiris_core.data.edge_values import meaning
from osiris_core.drivers import BATCH_BYTES, CommitResult, Driver, StepContext, StepView
from osiris_core.plugins import Plugins
from osiris_core.registry import Registry
from osiris_core.secrets import Secret
from osiris_core.spec import Spec

PIPELINE = "conformance"
STEP = "load"


@dataclass
class Connector:
    """One component over one connection, given to the suites by the fixture ``connector``.

    Attributes:
        component: its name, for example ``mysql.table``.
        fields: the connection's fields, plain values; those the spec calls secret become ``Secret``.
        work_dir: a directory of this test.
        read_defaults, write_defaults: added to every config of that mode.
        suffix: appended to every table name (``.parquet``).
        execute: runs SQL on the system, for what a driver cannot make; None where there is no SQL.
        quote: quotes an identifier in that SQL.
    """

    component: str
    fields: Mapping[str, Any]
    work_dir: Path
    read_defaults: Mapping[str, Any] = field(default_factory=dict)
    write_defaults: Mapping[str, Any] = field(default_factory=dict)
    suffix: str = ""
    execute: Callable[[str], Any] | None = None
    quote: Callable[[str], str] = lambda name: '"' + name.replace('"', '""') + '"'
    warnings: list[tuple[str, str]] = field(default_factory=list)

    @property
    def registry(self) -> Registry:
        """The installed plugins' components."""
        return installed()

    @property
    def spec(self) -> Spec:
        return self.registry.spec(self.component)

    @property
    def driver(self) -> Driver:
        return self.registry.driver(self.component)

    @property
    def connection(self) -> Connection:
        """The connection as a running step gets it: defaults filled in, secrets as ``Secret``."""
        return self.connection_with()

    def connection_with(self, **changes: Any) -> Connection:
        """The connection with some plain fields changed."""
        schema = self.spec.connection_schema or {}
        defaults = {name: item["default"] for name, item in schema.get("properties", {}).items() if "default" in item}
        fields = {**defaults, **self.fields, **changes}
        for pointer in self.spec.secrets:
            name = pointer.removeprefix("/")
            if isinstance(fields.get(name), str):
                fields[name] = Secret(fields[name], name.upper())
        return Connection("under_test", self.spec.family, fields)

    def new_name(self, label: str = "t") -> str:
        """A table name that nothing else uses."""
        return f"{label}_{secrets.token_hex(4)}{self.suffix}"

    # -- configs -----------------------------------------------------------------------------------------
    def has_field(self, mode: str, name: str) -> bool:
        """Whether the spec advertises a config field."""
        return name in self.spec.config_schema.get(mode, {}).get("properties", {})

    def read_config(self, table: str | None, **config: Any) -> dict[str, Any]:
        """A valid config of a read."""
        named = {"table": table} if table is not None else {}
        return self._checked("read", {**named, **self.read_defaults, **config})

    def write_config(self, table: str, write_mode: str, **config: Any) -> dict[str, Any]:
        """A valid config of a write, which makes the table when it may."""
        create = {"create": "if_missing"} if self.has_field("write", "create") else {}
        return self._checked(
            "write", {"table": table, "write_mode": write_mode, **create, **self.write_defaults, **config}
        )

    def _checked(self, mode: str, config: dict[str, Any]) -> dict[str, Any]:
        import jsonschema_rs

        jsonschema_rs.Draft202012Validator(dict(self.spec.config_schema[mode])).validate(config)
        return config

    def compiled(self, mode: str, config: Mapping[str, Any]) -> Mapping[str, Any]:
        """``config`` as the driver's own compile hook pins it, with what exists now in the catalog."""
        view = StepView(STEP, self.component, mode, "@under_test", ("source",) if mode == "write" else (), config)
        known = self.discover(config["table"]) if "table" in config else None
        catalog = known if known is not None and known.tables else None
        pinned = self.driver.compile_step(view, self.spec, catalog)
        return config if pinned is None else pinned

    def context(self, **changes: Any) -> StepContext:
        """What a running step may know; a fresh run key unless one is given."""
        work_dir = self.work_dir / "work"
        work_dir.mkdir(exist_ok=True)
        context = StepContext(
            run_id=f"run-{secrets.token_hex(4)}",
            run_key=secrets.token_hex(8),
            pipeline=PIPELINE,
            step=STEP,
            project_dir=self.work_dir,
            work_dir=work_dir,
            warn=lambda code, message: self.warnings.append((code, message)),
        )
        return replace(context, **changes)

    # -- moves -------------------------------------------------------------------------------------------
    def discover(self, *tables: str) -> Catalog:
        """What the driver finds, those tables only when some are named."""
        return self.driver.discover(self.connection, Scope(tables))

    def table(self, name: str) -> Table:
        """One discovered table. Raises AssertionError when discovery does not see it."""
        found = self.discover(name).table(name)
        assert found is not None, f"discovery does not see {name}"
        return found

    def batches(self, config: Mapping[str, Any], **context: Any) -> list[pa.RecordBatch]:
        """Every batch of a read."""
        stream = self.driver.open_reader(self.connection, self.compiled("read", config), self.context(**context))
        try:
            return list(as_reader(stream))
        finally:
            stream.close()

    def read(self, table: str | None, **config: Any) -> pa.Table:
        """A read, whole."""
        stream = self.driver.open_reader(
            self.connection, self.compiled("read", self.read_config(table, **config)), self.context()
        )
        try:
            return as_reader(stream).read_all()
        finally:
            stream.close()

    def rows(self, table: str | None, **config: Any) -> list[dict[str, Any]]:
        """A read as rows of meanings (``data.edge_values.meaning``), by ``id`` when there is one."""
        return rows_of(self.read(table, **config))

    def write(
        self,
        table: str,
        data: pa.Table | Sequence[pa.Table],
        write_mode: str = "append",
        *,
        run_key: str | None = None,
        state: Any = None,
        coerced: Mapping[str, int] | None = None,
        **config: Any,
    ) -> CommitResult:
        """The whole protocol of a write; each table of a sequence is staged as a partition."""
        parts = [data] if isinstance(data, pa.Table) else list(data)
        changes = {"run_key": run_key} if run_key else {}
        pinned = self.compiled("write", self.write_config(table, write_mode, **config))
        writer = self.driver.open_writer(self.connection, pinned, self.context(**changes))
        try:
            done = writer.begin()
            if done is not None:
                return done
            for index, part in enumerate(parts):
                staged = writer.stage(stream_of(part), index)
                assert staged == part.num_rows, f"stage returned {staged} for {part.num_rows} rows"
            return writer.commit(state=state, coerced=coerced)
        except BaseException:
            writer.abort()
            raise
        finally:
            writer.close()

    def seed(self, data: pa.Table, *, keys: Sequence[str] = (), name: str | None = None) -> str:
        """A new table that holds ``data``, with ``keys`` as its primary key; returns its name.

        The default goes through the driver's writer. Override it where the system's own client can do it: then a
        fault that writer and reader share is seen.
        """
        name = name or self.new_name()
        if keys and self.spec.support("write.merge") == "full":
            self.write(name, data, "merge", merge_keys=list(keys))
        else:
            self.write(name, data)
        return name


@cache
def installed() -> Registry:
    """The registry of everything installed, loaded once per process."""
    return Registry(Plugins.load())


def stream_of(data: pa.Table, max_bytes: int = BATCH_BYTES) -> BatchStream:
    """A table as the stream of a reader."""
    return BatchStream(data.schema, rebatch(data.to_batches(), max_bytes))


def rows_of(data: pa.Table) -> list[dict[str, Any]]:
    """Rows of meanings, sorted by ``id`` when there is one."""
    fields = {arrow_field.name: arrow_field for arrow_field in data.schema}
    rows = [{name: meaning(value, fields[name]) for name, value in row.items()} for row in data.to_pylist()]
    return sorted(rows, key=lambda row: row["id"]) if "id" in fields else rows


def people(ids: Iterable[int], *, label: str = "n") -> pa.Table:
    """A small table: ``id`` (never NULL), ``name``, ``score``."""
    ids = list(ids)
    schema = pa.schema(
        [pa.field("id", pa.int64(), nullable=False), pa.field("name", pa.string()), pa.field("score", pa.int32())]
    )
    columns = [ids, [f"{label}{number}" for number in ids], [number % 10 for number in ids]]
    return pa.table(
        [pa.array(values, column.type) for values, column in zip(columns, schema, strict=True)], schema=schema
    )
