"""The stream between two steps: counts what passes, stops when the run is cancelled, remembers who failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from osiris_core.data import as_reader, as_stream
from osiris_core.run.faults import StepFault, driver_call

if TYPE_CHECKING:
    from osiris_core.drivers import Driver
    from osiris_core.run.reports import StepReport


class Cancelled(Exception):  # noqa: N818 - stops a stream; the engine turns it into the run's status
    """Raised inside a stream once the run was asked to stop."""


class Metered:
    """An ``ArrowStream`` around another one.

    Attributes:
        origin: the driver's own stream. A driver that recognises a stream of its own kind may consume that
            directly; then nothing is counted here and the row count of ``stage`` decides. What ``stage`` gets may
            call its columns otherwise (``naming``): they are the origin's, place by place.
        rows: rows handed on.
        is_used, is_exhausted: whether anybody iterated over it, and to the end.
        fault: what the producer raised, kept because Arrow's C interface passes on only its text.
    """

    def __init__(
        self, origin: Any, step: str, driver: Driver, report: StepReport | None, cancelled: Callable[[], bool]
    ) -> None:
        self.origin = as_stream(origin)
        self.step = step
        self.rows = 0
        self.is_used = False
        self.is_exhausted = False
        self.fault: StepFault | None = None
        self._driver = driver
        self._report = report
        self._cancelled = cancelled

    @property
    def schema(self) -> Any:
        return self.origin.schema

    def __iter__(self) -> Iterator[Any]:
        if self.is_used:
            raise RuntimeError(f'the rows of step "{self.step}" can be read once')
        self.is_used = True
        batches = iter(self.origin)
        while (batch := self._pull(batches)) is not None:
            self.rows += batch.num_rows
            if self._report is not None:
                self._report.count(batch.num_rows, batch.nbytes)
            yield batch
        self.is_exhausted = True

    def _pull(self, batches: Iterator[Any]) -> Any:
        if self._cancelled():
            raise Cancelled
        try:
            with driver_call(self.step, self._driver):
                return next(batches, None)
        except StepFault as fault:
            self.fault = fault
            raise

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return as_reader(self).__arrow_c_stream__(requested_schema)

    def coerced(self) -> Mapping[str, int]:
        return dict(self.origin.coerced())

    def state(self) -> Any:
        return self.origin.state()

    def close(self) -> None:
        self.origin.close()
