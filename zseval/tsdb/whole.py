"""Sums of series by group, from the whole numbers that blocks are encoded in.

Not all series take part: those whose values are no multiples of a unit, that are too large for exact
sums, or, where rising ones are asked for, that may fall. Whoever asks adds the others some other way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zseval.model.arrays import Mask, Rows, Values
from zseval.tsdb.forms import SCALES
from zseval.tsdb.stretch import Stretches
from zseval.tsdb.strips import Strip

__all__ = ["GroupSums", "group_sums"]

_CHUNK = 2048
"""Series at a time: their bytes stay in the cache between being looked at and being added."""

_LIMIT = 2.0**51
"""Whole numbers are exact in float64 below four times this."""


@dataclass(frozen=True, slots=True, eq=False)
class GroupSums:
    """sums: float64[G, T], of each group the series that took part; exact but for one division.

    parts: pairs of such sums as whole numbers, and what they are to be divided by.
    """

    parts: Sequence[tuple[Values, np.float64]]
    taken: Mask

    @property
    def count(self) -> int:
        return int(np.count_nonzero(self.taken))


def group_sums(cells: Stretches, groups: Rows, count: int, *, rising: float | None = None) -> GroupSums:
    """Sums of the series of each group at each row.

    groups: intp[S], each below count.  rising: take only series that never fall, and whose first value is
    at least so many times their largest step; None for any.
    """
    order = np.argsort(groups, kind="stable")
    taken = np.zeros(len(groups), dtype=np.bool_)
    sums: dict[int, Values] = {}
    limit = _LIMIT / max(len(groups), 1)
    for first in range(0, len(order), _CHUNK):
        rows = order[first : first + _CHUNK]
        strips = [list(part.cells.strips(part.columns[rows], part.lo, part.hi)) for part in cells.parts]
        unit = _units(strips, len(rows), limit, rising)
        taken[rows[unit >= 0]] = True
        for number in np.unique(unit[unit >= 0]).tolist():
            if number not in sums:
                sums[number] = np.zeros((count, cells.shape[1]))
            start = 0
            for part, found in zip(cells.parts, strips, strict=True):
                into = sums[number][:, start : start + part.length]
                for strip in found:
                    some = strip.pick(np.flatnonzero(unit[strip.where] == number))
                    if len(some.where):
                        some.add_to(into, groups[rows[some.where]], number)
                start += part.length
    return GroupSums([(total, SCALES[number]) for number, total in sums.items()], taken)


def _units(
    strips: Sequence[Sequence[Strip]], count: int, limit: float, rising: float | None
) -> NDArray[np.int8]:
    """int8[n], the finest unit each series has in any stretch; -1 for those that cannot take part."""
    unit = np.full(count, -1, dtype=np.int8)
    seen = np.zeros(count, dtype=np.intp)
    fits = np.ones(count, dtype=np.bool_)
    before, lowest, climb, high = (np.zeros(count) for _ in range(4))
    for number, found in enumerate(strips):
        for strip in found:
            where, facts, scale = strip.where, strip.facts(), SCALES[strip.unit]
            seen[where] += 1
            unit[where] = np.maximum(unit[where], strip.unit)
            high[where] = np.maximum(high[where], facts.high / scale)
            if rising is None:
                continue
            begins, ends = facts.first / scale, facts.last / scale
            steps = facts.climb / scale
            fits[where] &= ~facts.falls
            if number == 0:
                lowest[where] = begins
            else:
                fits[where] &= begins >= before[where]
                steps = np.maximum(steps, begins - before[where])
            climb[where] = np.maximum(climb[where], steps)
            before[where] = ends
    fits &= (seen == len(strips)) & (unit >= 0)
    fits &= high * SCALES[unit] <= limit
    if rising is not None:
        fits &= lowest >= rising * climb
    unit[~fits] = -1
    return unit
