"""What a component's driver may implement. Core loads a driver only when a step needs it.

A driver is a class named by the spec (``driver: "osiris_mysql.driver:MySQLTable"``), constructed without
arguments. It implements the methods its spec's capabilities promise; the conformance kit
(``osiris_core.testing``) proves each promise. Rows travel as Arrow: whatever speaks the Arrow PyCapsule
interface is welcome, whoever made it.

The order of calls for a write step, always inside one process:

    open_writer → begin → stage (once per partition) → commit | abort → close
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from osiris_core.catalog.model import Catalog, Scope
    from osiris_core.connections import Connection
    from osiris_core.problems import Problem
    from osiris_core.spec import Spec

#: Target size of a record batch in bytes (MOVEMENT: 1-2 MiB is best); readers stay near it.
BATCH_BYTES = 2 * 1024 * 1024


@runtime_checkable
class ArrowBatch(Protocol):
    """A record batch of any Arrow library (Arrow PyCapsule interface, arrow.apache.org)."""

    @property
    def num_rows(self) -> int: ...
    @property
    def nbytes(self) -> int: ...
    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]: ...


@runtime_checkable
class ArrowStream(Protocol):
    """A schema, and record batches bounded in bytes. Consumed once.

    ``schema`` speaks ``__arrow_c_schema__``. After the last batch ``coerced()`` gives the opt-in coercions
    that were made, counted by name (``{"on_invalid_date": 3}``), and ``state()`` what an incremental read
    wants to find again next time (JSON value or None). ``close()`` is idempotent and never raises.
    """

    @property
    def schema(self) -> Any: ...
    def __iter__(self) -> Iterator[Any]: ...
    def coerced(self) -> Mapping[str, int]: ...
    def state(self) -> Any: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Partition:
    """One part of a read: ``index`` of ``count``, and what the driver needs to read just that part (JSON)."""

    index: int
    count: int
    bounds: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StepContext:
    """What a running step may know.

    Attributes:
        run_key: names the logical run in the target's ledger; equal on a re-run after a kill.
        step: step id.  pipeline: pipeline name; (pipeline, step) names incremental state in the ledger.
        project_dir: what relative paths in configs are relative to.
        work_dir: scratch directory of this run, removed afterwards.
        cancelled: true once the run was asked to stop; long loops check it once per batch.
        warn: report a (code, message) warning as an event.
        batch_bytes: target size of a batch in bytes.
        state: for an incremental read: what ``state()`` of the last committed run returned, else None.
        checksum: a write that is fed has ``verify: checksum``: a reader that can, compares what it handed out with
            what its server has, and ends its stream with ReconciliationError when they differ.
        on_cancel: register a function that interrupts a blocking call (``connection.cancel``); it is called
            from another thread when the run is asked to stop, and must not raise.
    """

    run_id: str
    run_key: str
    pipeline: str
    step: str
    project_dir: Path
    work_dir: Path
    cancelled: Callable[[], bool] = lambda: False
    warn: Callable[[str, str], None] = lambda code, message: None
    batch_bytes: int = BATCH_BYTES
    state: Any = None
    checksum: bool = False
    on_cancel: Callable[[Callable[[], None]], None] = lambda interrupt: None


@dataclass(frozen=True, slots=True)
class CommitResult:
    """What one write step did. ``source = written + deduplicated + skipped`` must hold (exit 4 if not).

    ``written`` counts source rows that are in the target now, unchanged ones included; ``unchanged`` and
    ``deleted`` (``delete_missing``, ``replace``) inform. ``already_committed``: the ledger had this run key
    and step, so nothing was written again, and the other numbers are those of the first time.
    """

    written: int
    deduplicated: int = 0
    skipped: int = 0
    unchanged: int = 0
    deleted: int = 0
    coerced: Mapping[str, int] = field(default_factory=dict)
    already_committed: bool = False


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One commit that a target remembers; see ``osiris_core.data.ledger``.

    ``committed_at`` is UTC in ISO 8601 (``2026-11-23T08:00:00.000000Z``), ``""`` when the ledger does not say;
    ``rows`` are those written; ``holds_state``: an incremental read may go on from here.
    """

    pipeline: str
    step: str
    table: str
    run_key: str
    committed_at: str
    rows: int
    holds_state: bool


class Writer(Protocol):
    """One write step on one target. Nothing is visible to others before ``commit`` returns."""

    def begin(self) -> CommitResult | None:
        """Take the table's lock and look into the ledger. A result means: already committed, stage nothing."""

    def read_state(self) -> Any:
        """State that the last committed run of this (pipeline, step) left (JSON value), or None."""

    def stage(self, stream: ArrowStream, partition: int = 0) -> int:
        """Put a stream's rows where ``commit`` finds them; returns the number of rows taken."""

    def commit(self, *, state: Any = None, coerced: Mapping[str, int] | None = None) -> CommitResult:
        """Make everything staged visible, once, with its ledger entry and ``state``, atomically."""

    def abort(self) -> None:
        """Undo everything staged. Idempotent, never raises."""

    def close(self) -> None:
        """Release connections and files. Idempotent, never raises; aborts when neither was called."""


FindingStatus = Literal["ok", "warning", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of ``osiris doctor``.

    ``category``: name_resolution, network, tls, authentication, permission, version, pooler, ipv6_only,
    key_role, clock or path.
    """

    category: str
    status: FindingStatus
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """A driver, server or SDK error in Osiris's terms.

    ``kind``: ``connection`` (exit 5 before a step moved rows, 4 after), ``run``, ``drift`` or ``data``.
    """

    code: str
    message: str
    hint: str = ""
    retryable: bool = False
    kind: Literal["connection", "run", "drift", "data"] = "run"


@dataclass(frozen=True, slots=True)
class StepView:
    """One step as validators and compile hooks see it. ``config`` has its parameters bound."""

    id: str
    component: str
    mode: str
    connection: str | None
    needs: tuple[str, ...]
    config: Mapping[str, Any]
    #: Catalogs of the steps in ``needs`` are not tables: these are the columns each input offers, when known.
    inputs: Mapping[str, Any] = field(default_factory=dict)


class Driver:
    """Base of all drivers; every method is optional and the defaults say "nothing to add".

    Subclass it, implement what the spec's capabilities promise, and keep client libraries out of module
    level: a driver module is imported for validation too.
    """

    # -- control plane -------------------------------------------------------------------------------
    def discover(self, connection: Connection, scope: Scope) -> Catalog:
        """What exists, in a constant number of queries. Raises ConnectError; never returns rows."""
        raise NotImplementedError(f"{type(self).__name__} cannot discover")

    def probe(self, connection: Connection, scope: Scope) -> str:
        """One cheap query whose answer changes whenever a schema in scope does; ``""`` when there is none."""
        return ""

    def check(self, connection: Connection) -> list[Finding]:
        """Findings for ``osiris doctor``. Never raises for what it can name."""
        return []

    def validate_step(self, step: StepView, spec: Spec, catalog: Catalog | None) -> Iterable[Problem]:
        """Problems that JSON Schema and the generic catalogue checks cannot say; paths relative to the step."""
        return ()

    def compile_step(self, step: StepView, spec: Spec, catalog: Catalog | None) -> Mapping[str, Any] | None:
        """A changed config with what must be pinned (columns, types, keys), or None to leave it."""
        return None

    def plan_step(self, step: StepView, spec: Spec, catalog: Catalog | None) -> list[str]:
        """Sentences for ``osiris plan``: what a run would do that the config does not say (swap or delete, …)."""
        return []

    def map_error(self, error: BaseException) -> Fault | None:
        """The driver's, server's or SDK's own error in our terms; None when it is not theirs."""
        return None

    # -- the ledger ----------------------------------------------------------------------------------
    def ledger_entries(self, connection: Connection, limit: int | None = None) -> list[LedgerEntry]:
        """What the target remembers, the newest first, at most ``limit``; nothing where no ledger was made yet.

        Raises InvalidInputError (OSI-V122) when the target keeps none; LedgerError, with the entries of the others,
        when the ledger has parts and some cannot be read.
        """
        raise self._no_ledger(connection)

    def prune_ledger(self, connection: Connection, older_than_days: float, *, dry_run: bool = False) -> int:
        """Remove entries committed longer ago than that, by the server's clock; returns how many (would have) gone.

        The newest entry that holds state of each (pipeline, step, table) stays, whatever its age, and so does every
        younger entry: without it a re-run under the same run key would write twice. Raises like ``ledger_entries``.
        """
        raise self._no_ledger(connection)

    def _no_ledger(self, connection: Connection) -> Exception:
        from osiris_core.errors import InvalidInputError

        return InvalidInputError(
            f"@{connection.alias} keeps no ledger that can be shown or pruned ({type(self).__name__})", code="OSI-V122"
        )

    # -- data plane ----------------------------------------------------------------------------------
    def open_reader(
        self,
        connection: Connection,
        config: Mapping[str, Any],
        context: StepContext,
        partition: Partition | None = None,
    ) -> ArrowStream:
        """Open one consistent, read-only view of the source and stream it."""
        raise NotImplementedError(f"{type(self).__name__} cannot read")

    def plan_partitions(
        self, connection: Connection, config: Mapping[str, Any], context: StepContext
    ) -> list[Partition]:
        """Ranges that together are the whole read; one partition when ``config`` asks for none."""
        return [Partition(0, 1)]

    def open_writer(self, connection: Connection, config: Mapping[str, Any], context: StepContext) -> Writer:
        """A writer for one step. Nothing is changed before ``begin``."""
        raise NotImplementedError(f"{type(self).__name__} cannot write")

    def transform(
        self, config: Mapping[str, Any], inputs: Mapping[str, ArrowStream], context: StepContext
    ) -> ArrowStream:
        """A stream made from streams; ``inputs`` are named by step id."""
        raise NotImplementedError(f"{type(self).__name__} cannot transform")
