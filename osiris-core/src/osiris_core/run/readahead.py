"""Reading ahead of the writer: sources read in threads, into a queue bounded in bytes.

On a fast network the writer simply pulls. This is for slow ones, and for partitions read side by side.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

#: Bytes held for the writer when partitions are read side by side.
QUEUE_BYTES = 16 * 1024 * 1024


class ReadAhead:
    """An ``ArrowStream`` over the batches of several streams of one schema, in whatever order they come.

    Args:
        openers: each opens one source; the first is opened at once, for its schema, the others by the threads.
        threads: how many sources are read at the same time.
        max_bytes: how much may wait for the writer; a single larger batch passes alone.
    """

    def __init__(self, openers: Sequence[Callable[[], Any]], threads: int, max_bytes: int = QUEUE_BYTES) -> None:
        first = openers[0]()
        self.schema = first.schema
        self._opened = [first]
        self._waiting: deque[Callable[[], Any]] = deque([lambda: first, *openers[1:]])
        self._thread_count = min(threads, len(openers))
        self._max_bytes = max_bytes
        self._changed = threading.Condition()
        self._batches: deque[Any] = deque()
        self._held = 0
        self._running = 0
        self._stopped = False
        self._error: BaseException | None = None

    def __iter__(self) -> Iterator[Any]:
        threads = [threading.Thread(target=self._read, daemon=True) for _ in range(self._thread_count)]
        self._running = len(threads)
        for thread in threads:
            thread.start()
        try:
            while (batch := self._take()) is not None:
                yield batch
        finally:
            with self._changed:
                self._stopped = True
                self._changed.notify_all()
            for thread in threads:
                thread.join()

    def _take(self) -> Any:
        with self._changed:
            while not self._batches and self._running and self._error is None:
                self._changed.wait()
            if self._error is not None:
                raise self._error
            if not self._batches:
                return None
            batch = self._batches.popleft()
            self._held -= batch.nbytes
            self._changed.notify_all()
            return batch

    def _read(self) -> None:
        try:
            while (stream := self._next_source()) is not None:
                for batch in stream:
                    if not self._put(batch):
                        return
        except BaseException as error:  # raised again in the thread that consumes
            with self._changed:
                self._error = self._error or error
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def _next_source(self) -> Any:
        with self._changed:
            if self._stopped or self._error is not None or not self._waiting:
                return None
            opener = self._waiting.popleft()
        stream = opener()
        with self._changed:
            if stream is not self._opened[0]:
                self._opened.append(stream)
        return stream

    def _put(self, batch: Any) -> bool:
        with self._changed:
            while self._held and self._held + batch.nbytes > self._max_bytes and not self._stopped:
                self._changed.wait()
            if self._stopped:
                return False
            self._batches.append(batch)
            self._held += batch.nbytes
            self._changed.notify_all()
            return True

    def coerced(self) -> Mapping[str, int]:
        """Nothing: each source is asked by itself."""
        return {}

    def state(self) -> Any:
        """None: each source is asked by itself."""
        return None

    def close(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
