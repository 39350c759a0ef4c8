"""Row packets straight from the socket, many at a time.

PyMySQL connects, authenticates, encrypts and sends the statement; then this module reads the packets itself, past
PyMySQL's packet-by-packet loop. It uses private attributes, ``Connection._rfile`` (a buffered reader) and
``Connection._result`` above all; ``supported`` checks them, and the package pins PyMySQL's minor version.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from io import BufferedReader
from struct import Struct
from struct import error as StructError  # noqa: N812 - the module calls its exception so
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from osiris_mysql.malformed import sane_answers, too_long

Bytes = NDArray[np.uint8]
Positions = NDArray[np.int32]

HEADER = 4
#: A packet of this length goes on in the next one.
LONGEST = 0xFFFFFF
#: Bytes of no meaning behind the last row: a value of a fixed width is read whole where a shorter one ends the memory.
SLACK = 16
#: The least that is read at a time.
BUFFERED = 1 << 16
#: No server lets ``max_allowed_packet`` be larger, nor is a place in the memory.
LONGEST_ROW = 1 << 30
#: Seconds after which what has come is handed on, full or not.
PATIENCE = 1.0
_EOF, _ERROR = 0xFE, 0xFF
_EOF_LONGEST = 9
_LOST = 2013
_length = Struct("<I").unpack_from


class Rows(NamedTuple):
    """Whole rows in one piece of memory, valid until the next is asked for, and where their payloads start and end.

    ``SLACK`` bytes of the memory or more are behind the last row.
    """

    memory: Bytes
    starts: Positions
    ends: Positions

    def parts(self, most: int) -> Iterator[Rows]:
        """The same in pieces of at most so many rows."""
        for first in range(0, len(self.starts), most):
            yield Rows(self.memory, self.starts[first : first + most], self.ends[first : first + most])


def supported(session: Any) -> bool:
    """Whether rows of the session can be read here; False with a PyMySQL that works in another way."""
    reader = getattr(session, "_rfile", None)
    return (
        isinstance(reader, BufferedReader)
        and hasattr(reader.raw, "readinto")
        and isinstance(getattr(session, "_next_seq_id", None), int)
        and all(hasattr(session, name) for name in ("_execute_command", "_read_packet", "_read_query_result"))
    )


class RowPackets:
    """The rows of an unbuffered query, in pieces of at most ``size`` bytes; a longer row comes alone.

    Raises PyMySQL's errors: what the server reports in the middle of the rows, or 2013 for a lost connection.
    """

    def __init__(self, session: Any, size: int) -> None:
        self._session = session
        self._raw = session._rfile.raw
        # Less than the longest packet, so that the first of several never looks whole.
        waiting = _taken(session._rfile)
        capacity = min(max(size, BUFFERED, len(waiting)), LONGEST)
        self._memory = np.zeros(capacity + SLACK, np.uint8)
        self._view = self._memory.data[:capacity]
        self._filled = len(waiting)
        self._view[: self._filled] = waiting
        self._sequence = int(session._next_seq_id)
        self._ended = False

    def __iter__(self) -> Iterator[Rows]:
        while not self._ended:
            edges = self._fill()
            if len(edges) > 1:
                yield Rows(self._memory, edges[:-1] + HEADER, edges[1:])
            self._keep(int(edges[-1]))
            if not self._ended and self._needed(0) > len(self._view):
                yield self._long_row()

    # -- reading -----------------------------------------------------------------------------------------
    def _fill(self) -> Positions:
        """Read until the memory is full, the rows end or a second has passed; the edges of the whole packets."""
        edges = [0]
        deadline = time.monotonic() + PATIENCE
        while True:
            self._walk(edges)
            if self._is_last(edges):
                self._ended = True
                break
            if self._filled == len(self._view) or self._needed(edges[-1]) > len(self._view):
                break
            if len(edges) > 1 and time.monotonic() > deadline:
                break
            self._more()
        found = np.array(edges, np.int32)
        self._check_sequence(found[:-1])
        return found[:-1] if self._ended else found

    def _walk(self, edges: list[int]) -> None:
        """Append the end of each whole packet behind the last edge. One turn a row: the only loop that counts."""
        view, position, add = self._view[: self._filled], edges[-1], edges.append
        try:
            while True:
                (head,) = _length(view, position)
                position += (head & LONGEST) + HEADER
                add(position)
        except StructError:  # fewer than four bytes are left
            if edges[-1] > self._filled:  # the last packet has not come whole
                edges.pop()

    def _is_last(self, edges: list[int]) -> bool:
        """Whether the last whole packet ends the rows. Nothing follows it, so no other needs to be looked at."""
        if len(edges) < 2:
            return False
        start, end = edges[-2] + HEADER, edges[-1]
        first = self._view[start] if end > start else 0
        if first == _ERROR:
            _raise(self._session, bytes(self._view[start:end]))
        if first != _EOF or end - start >= _EOF_LONGEST:
            return False
        self._session._result.unbuffered_active = False
        return True

    def _more(self) -> None:
        """Put what has come behind what is in the memory."""
        self._filled += self._receive(self._view[self._filled :])

    def _receive(self, into: memoryview) -> int:
        """One read of whatever has come, blocking until something has."""
        got = int(self._raw.readinto(into) or 0)
        if not got:
            _lost("Lost connection to MySQL server during query")
        return got

    def _needed(self, position: int) -> int:
        """Bytes that the packet at ``position`` takes; 0 when its length has not come yet."""
        if self._filled - position < HEADER:
            return 0
        length = int(_length(self._view, position)[0] & LONGEST)
        return length + HEADER if length < LONGEST else len(self._view) + 1

    def _keep(self, position: int) -> None:
        """Move what is behind ``position`` to the front of the memory."""
        left = self._filled - position
        self._memory[:left] = self._memory[position : self._filled].copy()
        self._filled = left

    def _long_row(self) -> Rows:
        """The row at the front of the memory, which is longer than that, from as many packets as it takes."""
        payload = bytearray()
        length = LONGEST
        while length == LONGEST:
            if len(payload) > LONGEST_ROW:
                raise too_long()
            while self._filled < HEADER:
                self._more()
            length = int(_length(self._view, 0)[0] & LONGEST)
            self._check_sequence(np.zeros(1, np.int32))
            here = min(length, self._filled - HEADER)
            part = bytearray(length)
            part[:here] = self._view[HEADER : HEADER + here]
            self._keep(HEADER + here)
            rest = memoryview(part)[here:]
            while rest:
                rest = rest[self._receive(rest) :]
            payload += part
        end = len(payload)
        payload += bytes(SLACK)
        return Rows(np.frombuffer(payload, np.uint8), np.zeros(1, np.int32), np.full(1, end, np.int32))

    def _check_sequence(self, edges: Positions) -> None:
        """Packets are numbered modulo 256; a gap means that the bytes are not what they seem."""
        expected = (np.arange(len(edges)) + self._sequence).astype(np.uint8)
        if not np.array_equal(self._memory[edges + 3], expected):
            _lost("Packets of MySQL server out of order")
        self._sequence = (self._sequence + len(edges)) % 256


def _taken(reader: BufferedReader) -> bytes:
    """Take what PyMySQL's reader holds already; from then on only its raw half is used."""
    return reader.read(len(reader.peek()))


def _raise(session: Any, payload: bytes) -> NoReturn:
    from pymysql.err import raise_mysql_exception

    session._result.unbuffered_active = False
    with sane_answers():
        raise_mysql_exception(payload)
    raise AssertionError("PyMySQL raises")


def _lost(why: str) -> NoReturn:
    from pymysql.err import OperationalError

    raise OperationalError(_LOST, why)
