"""Dates and times of binary rows: a length, then as many of the parts as are not all zero.

https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_binary_resultset.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from osiris_mysql.packets import Positions
from osiris_mysql.values import Mask, Places


class _Layout(NamedTuple):
    """The parts in order, those that values of each length have besides the shorter ones, and how large each may be."""

    parts: np.dtype[Any]
    by_length: Mapping[int, tuple[str, ...]]
    most: Mapping[str, int]


def _layout(by_length: Mapping[int, Sequence[tuple[str, str, int]]]) -> _Layout:
    parts = [part for added in by_length.values() for part in added]
    return _Layout(
        np.dtype([("length", "u1"), *((name, kind) for name, kind, _ in parts)]),
        {length: tuple(name for name, _, _ in added) for length, added in by_length.items()},
        {name: most for name, _, most in parts},
    )


_DATE = [("year", "<u2", 9999), ("month", "u1", 12), ("day", "u1", 31)]
_DAYS = [("negative", "u1", 1), ("days", "<u4", 34)]  # 838 hours at most
_CLOCK = [("hour", "u1", 23), ("minute", "u1", 59), ("second", "u1", 59)]
_FRACTION = [("micros", "<u4", 999_999)]
_DAY = _layout({0: [], 4: _DATE})
_MOMENT = _layout({0: [], 4: _DATE, 7: _CLOCK, 11: _FRACTION})
_SPAN = _layout({0: [], 8: [*_DAYS, *_CLOCK], 12: _FRACTION})
#: Every month has as many days.
_SHORTEST_MONTH = 28


class Days(NamedTuple):
    """Days since 1970-01-01, which of them no calendar has, and where the next column begins.

    Where ``invalid`` or NULL, days are anything.
    """

    days: NDArray[np.int64]
    invalid: Mask
    end: Positions


def read_dates(places: Places) -> Days:
    """Values of DATE. Raises ValueError for what the protocol does not know."""
    parts, end = _parts(places, _DAY)
    return _days(places, parts, end)


def read_moments(places: Places) -> tuple[NDArray[np.int64], Days]:
    """Values of DATETIME and TIMESTAMP in microseconds since 1970-01-01, and their days. Raises ValueError, too."""
    parts, end = _parts(places, _MOMENT)
    found = _days(places, parts, end)
    return found.days * 86_400_000_000 + _micros(parts), found


def read_spans(places: Places) -> tuple[NDArray[np.int64], Positions]:
    """Values of TIME in microseconds, and where the next column begins. Raises ValueError like ``read_dates``."""
    parts, end = _parts(places, _SPAN)
    micros = parts["days"].astype(np.int64) * 86_400_000_000 + _micros(parts)
    return np.where(parts["negative"] != 0, -micros, micros), end


def _parts(places: Places, layout: _Layout) -> tuple[NDArray[Any], Positions]:
    """The values with zeros where they have no such part, or are NULL; and where they end."""
    parts = places.read(layout.parts)
    if places.null is not None:
        parts[places.null] = np.zeros((), layout.parts)
    length = parts["length"]
    if (length != max(layout.by_length)).any():
        _clear(parts, layout)
    if any((parts[name] > most).any() for name, most in layout.most.items()):
        raise ValueError("no date or time")
    return parts, places.behind(1) + length


def _clear(parts: NDArray[Any], layout: _Layout) -> None:
    """Put zeros where short values have no part."""
    length = parts["length"]
    known = np.zeros(len(length), np.bool_)
    for least, names in layout.by_length.items():
        known |= length == least
        short = length < least
        for name in names:
            parts[name][short] = 0
    if not known.all():
        raise ValueError("no length of a date or time")


def _days(places: Places, parts: NDArray[Any], end: Positions) -> Days:
    year, month, day = parts["year"], parts["month"], parts["day"]
    months = (year.astype(np.int64) - 1970) * 12 + month - 1
    days = _first_days(months) + day - 1
    invalid: Mask = (year == 0) | (month == 0) | (day == 0)
    late = np.flatnonzero(day > _SHORTEST_MONTH)
    invalid[late] |= days[late] >= _first_days(months[late] + 1)
    if places.null is not None:
        invalid &= ~places.null
    return Days(days, invalid, end)


def _first_days(months: NDArray[np.int64]) -> NDArray[np.int64]:
    """The days that months begin with, both counted from 1970-01."""
    return months.view("M8[M]").astype("M8[D]").view(np.int64)


def _micros(parts: NDArray[Any]) -> NDArray[np.int64]:
    """Microseconds of the day."""
    seconds = (parts["hour"].astype(np.int64) * 60 + parts["minute"]) * 60 + parts["second"]
    micros: NDArray[np.int64] = seconds * 1_000_000 + parts["micros"]
    return micros
