"""Where the values of a row packet lie: each is its length and its bytes, one column after the other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from osiris_core import RunError
from osiris_mysql.packets import Bytes, Positions

_NULL = 251
#: First byte of a longer length, and how many bytes of length follow it.
_WIDE = {252: 2, 253: 3, 254: 8}


class Values(NamedTuple):
    """One column of a batch: value ``i`` is ``memory[start[i]:end[i]]`` unless ``null[i]``; no mask means no NULL."""

    memory: Bytes
    start: Positions
    end: Positions
    null: NDArray[np.bool_] | None

    @property
    def mask(self) -> NDArray[np.bool_]:
        """The NULLs, as a mask even when there are none."""
        return np.zeros(len(self.start), np.bool_) if self.null is None else self.null


def locate(memory: Bytes, position: Positions, ends: Positions) -> Values:
    """The values whose lengths are at ``position``, in rows with these ends; where they end, the next column begins.

    Raises RunError (OSI-R113) for a length that leads out of its row, which Arrow would follow.
    """
    if (position >= ends).any():
        raise unlike_rows()
    lead = memory.take(position)
    start = position + 1
    length = lead.astype(np.int32)
    null = None
    if len(lead) and lead.max() >= _NULL:
        null = lead == _NULL
        length[null] = 0
        for marker, width in _WIDE.items():
            rows = np.flatnonzero(lead == marker)
            if len(rows):
                length[rows] = _wide(memory, start[rows], ends[rows], width)
                start[rows] += width
    if (length > ends - start).any():
        raise unlike_rows()
    return Values(memory, start, start + length, null if null is not None and null.any() else None)


def _wide(memory: Bytes, position: Positions, ends: Positions, width: int) -> NDArray[np.int64]:
    """Lengths of ``width`` bytes, the lowest first."""
    if (width > ends - position).any():
        raise unlike_rows()
    wide = np.zeros(len(position), np.int64)
    for byte in range(width):
        wide |= memory[position + byte].astype(np.int64) << 8 * byte
    if wide.min() < 0 or wide.max() > len(memory):  # before it is made narrower
        raise unlike_rows()
    return wide


def unlike_rows() -> RunError:
    """What to raise when the lengths of a row lead beyond it, or not to its end."""
    return RunError(
        "the server sent a row whose lengths do not add up", code="OSI-R113", hint="run again; if it stays, report it"
    )
