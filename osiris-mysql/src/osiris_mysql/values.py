"""Where the values of binary rows lie. A row is a zero byte, a bit for each column that is NULL, and the other values.

https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_binary_resultset.html
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from osiris_mysql.malformed import unlike_rows
from osiris_mysql.packets import Bytes, Positions, Rows

Mask = NDArray[np.bool_]

#: The bits of the NULLs begin at the third.
_FIRST_BIT = 2
#: From here on the first byte is not the length but says how long that is.
_LONG = 251
#: First byte of a longer length, and how many bytes of length follow it.
_WIDE = {252: 2, 253: 3, 254: 8}


class Places(NamedTuple):
    """One column of a batch: where its value begins in each row unless ``null``; no mask means no NULL.

    Where it is NULL, the next column begins there.
    """

    memory: Bytes
    start: Positions
    ends: Positions
    null: Mask | None

    def behind(self, width: int) -> Positions:
        """Where the next column begins when values have this width."""
        return self.start + (width if self.null is None else np.where(self.null, 0, width).astype(np.int32))

    def read(self, layout: np.dtype[Any]) -> NDArray[Any]:
        """What lies at each place, as ``layout``; anything where it is NULL. Raises IndexError beyond the memory."""
        # As plain bytes: picked as a structure, numpy would copy field by field.
        anywhere = np.ndarray(len(self.memory) - layout.itemsize + 1, f"V{layout.itemsize}", self.memory, strides=(1,))
        return anywhere[self.start].view(layout)


class Values(NamedTuple):
    """Texts and bytes: value ``i`` is ``memory[start[i]:end[i]]`` unless ``null[i]``; no mask means no NULL."""

    memory: Bytes
    start: Positions
    end: Positions
    null: Mask | None


class Nulls:
    """The NULLs of a batch. Raises RunError (OSI-R113) for rows that are too short to say, or of another protocol."""

    def __init__(self, rows: Rows, columns: int) -> None:
        self._rows = rows
        self._bits: dict[int, tuple[Bytes, int]] = {}
        self.width = (columns + _FIRST_BIT + 7) // 8
        if (rows.ends - rows.starts <= self.width).any() or rows.memory.take(rows.starts).any():
            raise unlike_rows()

    def of(self, column: int) -> Mask | None:
        """Which rows have none in this column; None when all have."""
        byte, bit = divmod(column + _FIRST_BIT, 8)
        if byte not in self._bits:
            bits = self._rows.memory.take(self._rows.starts + (1 + byte))
            self._bits[byte] = bits, int(np.bitwise_or.reduce(bits))
        bits, some = self._bits[byte]
        return (bits & (1 << bit)) != 0 if some >> bit & 1 else None


def measure(places: Places) -> Values:
    """The values that have their lengths before them; where they end, the next column begins.

    Raises RunError (OSI-R113) for a length that leads out of its row, which Arrow would follow.
    """
    memory, ends, null = places.memory, places.ends, places.null
    lead = memory.take(places.start)
    if null is not None:
        lead[null] = 0
    start = places.behind(1)
    length = lead.astype(np.int32)
    if lead.max(initial=0) >= _LONG:
        for marker in range(_LONG, 256):
            rows = np.flatnonzero(lead == marker)
            if len(rows):
                length[rows] = _wide(memory, start[rows], ends[rows], marker)
                start[rows] += _WIDE[marker]
    end = start + length
    if (end > ends).any():
        raise unlike_rows()
    return Values(memory, start, end, null)


def _wide(memory: Bytes, position: Positions, ends: Positions, marker: int) -> NDArray[np.int64]:
    """Lengths of several bytes, the lowest first, which fit the rows: no sum of a place and a length is too large."""
    width = _WIDE.get(marker)
    if width is None or (width > ends - position).any():
        raise unlike_rows()
    wide = np.zeros(len(position), np.int64)
    for byte in range(width):
        wide |= memory[position + byte].astype(np.int64) << 8 * byte
    if wide.min() < 0 or (wide > ends - position - width).any():
        raise unlike_rows()
    return wide
