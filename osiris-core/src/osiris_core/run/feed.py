"""The streams that lead to one sink, opened anew for each attempt."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from osiris_core.atomic import private_directory
from osiris_core.data import BatchStream, Spool
from osiris_core.run.faults import StepFault, cleaning_up, driver_call
from osiris_core.run.readahead import QUEUE_BYTES, ReadAhead
from osiris_core.run.streams import Metered

if TYPE_CHECKING:
    from osiris_core.drivers import Partition
    from osiris_core.run.plan import RunStep, Sink
    from osiris_core.run.state import RunState


class Spools:
    """Rows that several steps read, written to disk once. Safe to ask from several threads."""

    def __init__(self, run: RunState) -> None:
        self._run = run
        self._locks = {step: threading.Lock() for step in run.plan.shared}
        self._spools: dict[str, Spool] = {}

    def open(self, step: str, build: Callable[[], Metered]) -> BatchStream:
        """A fresh stream of the step's rows; the first caller builds them from ``build()``."""
        with self._locks[step]:
            if step not in self._spools:
                self._spools[step] = self._spool(step, build)
        return self._spools[step].open()

    def _spool(self, step: str, build: Callable[[], Metered]) -> Spool:
        path = self._run.request.run_dir / "work" / f"{step}.arrows"
        private_directory(path.parent)
        stream = build()
        try:
            spool = Spool(stream, path)
        finally:
            with cleaning_up(self._run.reports[step].warn):
                stream.close()
        self._run.reports[step].complete(spooled=True)
        return spool

    def close(self) -> None:
        """Remove every file."""
        for spool in self._spools.values():
            spool.close()


class Feed:
    """Opens, watches and closes the streams of one attempt of one sink.

    Args:
        run: the run.
        sink: the sink that is fed.
        spools: the rows that several steps read.
        state: incremental state by read step, as the sink's target remembers it.
    """

    def __init__(self, run: RunState, sink: Sink, spools: Spools, state: Mapping[str, Any]) -> None:
        self._run = run
        self._sink = sink
        self._spools = spools
        self._state = state
        self._streams: list[Metered] = []
        self._readers: dict[str, Metered] = {}

    def parts(self) -> Iterator[Metered]:
        """What the writer stages, one call of ``stage`` each: one stream, or one per partition of a plain read."""
        step = self._run.plan.steps[self._sink.source]
        alone = self._run.request.parallel == 1 and not self._run.request.prefetch_bytes
        if _is_partitioned(step) and alone and step.id not in self._run.plan.shared:
            self._run.reports[step.id].reset()
            for partition in self._partitions(step):
                yield self._read(step, partition)
        else:
            yield self._prefetched(step.id)

    def _prefetched(self, step_id: str) -> Metered:
        size = self._run.request.prefetch_bytes
        if not size:
            return self._open(step_id)
        return self._merged(step_id, [lambda: self._open(step_id)], threads=1, max_bytes=size)

    def _open(self, step_id: str) -> Metered:
        step = self._run.plan.steps[step_id]
        if step_id in self._run.plan.shared:
            spooled = self._spools.open(step_id, lambda: self._produce(step))
            return self._metered(step, spooled, counted=False)
        return self._produce(step)

    def _produce(self, step: RunStep) -> Metered:
        """A stream of the step's rows, made by its driver."""
        self._run.reports[step.id].reset()
        if step.mode == "transform":
            return self._transform(step)
        if not _is_partitioned(step):
            return self._read(step, None)
        partitions = self._partitions(step)
        openers = [partial(self._read, step, partition) for partition in partitions]
        return self._merged(step.id, openers, threads=self._run.request.parallel, max_bytes=QUEUE_BYTES)

    def _transform(self, step: RunStep) -> Metered:
        inputs = {source: self._open(source) for source in self._run.plan.inputs(step.id)}
        driver = self._run.driver(step)
        self._run.reports[step.id].start()
        with driver_call(step.id, driver):
            stream = driver.transform(step.config, inputs, self._run.context(step, self._sink.step.id))
        return self._metered(step, stream)

    def _read(self, step: RunStep, partition: Partition | None) -> Metered:
        driver = self._run.driver(step)
        self._start(step)
        context = self._run.context(step, self._sink.step.id, self._state.get(step.id))
        with driver_call(step.id, driver):
            stream = driver.open_reader(self._run.connection(step), step.config, context, partition)
        metered = self._metered(step, stream)
        self._readers[step.id] = metered
        return metered

    def _start(self, step: RunStep) -> None:
        expected = self._run.expected_rows.get(step.id)
        self._run.reports[step.id].start(**({"expected_rows": expected} if expected is not None else {}))

    def _partitions(self, step: RunStep) -> list[Partition]:
        driver = self._run.driver(step)
        context = self._run.context(step, self._sink.step.id)
        self._start(step)
        with driver_call(step.id, driver):
            return driver.plan_partitions(self._run.connection(step), step.config, context)

    def _merged(self, step_id: str, openers: Sequence[Callable[[], Metered]], threads: int, max_bytes: int) -> Metered:
        step = self._run.plan.steps[step_id]
        return self._metered(step, ReadAhead(openers, threads, max_bytes), counted=False)

    def _metered(self, step: RunStep, stream: Any, *, counted: bool = True) -> Metered:
        report = self._run.reports[step.id] if counted else None
        metered = Metered(stream, step.id, self._run.driver(step), report, self._run.cancelled)
        self._streams.append(metered)
        return metered

    # -- afterwards ------------------------------------------------------------------------------------
    def fault(self) -> StepFault | None:
        """What went wrong first, nearest to the source; Arrow's C interface may have changed its form further on."""
        return next((stream.fault for stream in self._streams if stream.fault is not None), None)

    @property
    def has_moved(self) -> bool:
        """Whether any row was handed on."""
        return any(stream.rows for stream in self._streams)

    def coerced(self) -> dict[str, int]:
        """The opt-in coercions of every stream, added up."""
        counts: Counter[str] = Counter()
        for stream in self._streams:
            counts.update(stream.coerced())
        return dict(counts)

    def state(self) -> dict[str, Any]:
        """State to remember, by read step. A read that nobody read to its end keeps the state it had."""
        state = dict(self._state)
        for step, stream in self._readers.items():
            if self._run.plan.steps[step].is_incremental and (stream.is_exhausted or not stream.is_used):
                state[step] = stream.state()
        return state

    def complete(self) -> None:
        """Report every step of the feed as completed; one that the writer read directly has no counts of ours."""
        for stream in self._streams:
            report = self._run.reports[stream.step]
            if stream.is_used:
                report.complete()
            else:
                report.complete_fused()

    def close(self) -> None:
        """Close every stream, the last opened first."""
        for stream in reversed(self._streams):
            with cleaning_up(self._run.reports[stream.step].warn):
                stream.close()


def _is_partitioned(step: RunStep) -> bool:
    """Whether the step is read in ranges. What is left of an incremental read is not worth it, and has one state."""
    return step.mode == "read" and "partition" in step.config and not step.is_incremental
