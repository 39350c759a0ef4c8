"""The driver of ``duckdb.sql``. DuckDB itself is imported by the modules that do the work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from osiris_core import Driver

if TYPE_CHECKING:
    from osiris_core import ArrowStream, Fault, StepContext


class DuckDBSQL(Driver):
    """One SELECT over the streams of other steps, in a DuckDB of its own that reaches nothing else."""

    def transform(
        self, config: Mapping[str, Any], inputs: Mapping[str, ArrowStream], context: StepContext
    ) -> ArrowStream:
        """A lazy stream of the SELECT's rows; see ``osiris_duckdb.sandbox``."""
        from osiris_duckdb.sandbox import open_transform

        return open_transform(config, inputs, context)

    def map_error(self, error: BaseException) -> Fault | None:
        """DuckDB's exceptions; see ``osiris_duckdb.errors``."""
        from osiris_duckdb.errors import fault

        return fault(error)
