"""Writing a file: a whole new one is put together beside the old and takes its name in one step."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from osiris_core import (
    CommitResult,
    Connection,
    DriftError,
    InvalidInputError,
    ReconciliationError,
    StepContext,
)
from osiris_duckdb.files.markers import FileLock, Marker, lock
from osiris_duckdb.files.output import Output, open_output
from osiris_duckdb.files.paths import inside, is_glob, root_of
from osiris_duckdb.files.relation import Options


class FileWriter:
    """One write step on one file; see ``osiris_core.Writer``."""

    def __init__(self, connection: Connection, config: Mapping[str, Any], context: StepContext) -> None:
        self._config = config
        self._context = context
        name = config["table"]
        if is_glob(name):
            raise InvalidInputError(f'"{name}" stands for several files and cannot be written', code="OSI-V302")
        self._options = Options.of(connection, name)
        self._target = inside(root_of(connection, context.project_dir), name)
        self._lock = FileLock(self._target)
        self._marker: Marker | None = None
        self._temporary: Path | None = None
        self._output: Output | None = None
        self._rows = 0

    def begin(self) -> CommitResult | None:
        """Lock the file, finish what a killed run had decided, and look into the ledger.

        Raises RunError (OSI-R029, retryable) when another run writes the file, DriftError when it is missing.
        """
        if not self._target.exists() and self._config.get("create", "if_missing") == "never":
            raise DriftError(f'there is no file "{self._config["table"]}"', hint="or make it with create: if_missing")
        self._target.parent.mkdir(parents=True, exist_ok=True)
        lock(self._lock, self._config["table"], self._context.cancelled)
        self._marker = Marker(self._target)
        self._marker.recover()
        return self._marker.committed(self._context)

    def read_state(self) -> Any:
        """State that this step's last commit left, or None."""
        return (self._marker or Marker(self._target)).state(self._context)

    def stage(self, stream: Any, partition: int = 0) -> int:
        """Add all rows of ``stream`` to the new file."""
        output = self._opened()
        rows = output.add(stream)
        self._rows += rows
        return rows

    def commit(self, *, state: Any = None, coerced: Mapping[str, int] | None = None) -> CommitResult:
        """Finish and verify the new file, then put it in place together with its ledger entry."""
        result = CommitResult(self._rows, coerced=dict(coerced or {}))
        output = self._opened()
        output.finish()
        if self._config.get("verify", "count") == "count" and (found := output.count()) != self._rows:
            raise ReconciliationError(f"the new file has {found} new rows, not {self._rows}")
        output.close()
        assert self._marker is not None and self._temporary is not None, "begin and _opened came first"
        self._marker.commit(self._temporary, self._context, result, state)
        self._output = self._temporary = None
        return result

    def abort(self) -> None:
        """Remove the new file; the old one was never touched."""
        output, self._output = self._output, None
        temporary, self._temporary = self._temporary, None
        try:
            if output is not None:
                output.close()
            if temporary is not None:
                temporary.unlink(missing_ok=True)
        except OSError:  # the next run's ``recover`` removes it
            pass

    def close(self) -> None:
        """Release the lock; what was not committed is removed."""
        self.abort()
        self._lock.release()

    def _opened(self) -> Output:
        if self._output is None:
            assert self._marker is not None, "begin comes first"
            old = self._target if self._config["write_mode"] == "append" and self._target.exists() else None
            self._temporary = self._marker.temporary()
            self._output = open_output(self._temporary, old, self._config, self._options, self._context)
        return self._output
