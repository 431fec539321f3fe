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


def group_sums(
    frames: Sequence[Stretches], groups: Rows, count: int, *, rising: float | None = None
) -> GroupSums:
    """Sums of the series of each group at each row.

    frames: with as many rows, T; their series come one after the other, S together.
    groups: intp[S], each below count; a group's series are all of one frame, and those of earlier frames
    have lower numbers.  rising: take only series that never fall, and whose first value is at least so
    many times their largest step; None for any.
    """
    order = np.argsort(groups, kind="stable")  # frame by frame still
    ends = np.cumsum([cells.shape[0] for cells in frames])
    taken = np.zeros(len(groups), dtype=np.bool_)
    sums: dict[int, Values] = {}
    limit, length = _LIMIT / max(len(groups), 1), frames[0].shape[1]
    for first in range(0, len(order), _CHUNK):
        rows = order[first : first + _CHUNK]
        strips = _strips(frames, rows, ends)
        unit = _units(strips, len(rows), length, limit, rising)
        taken[rows[unit >= 0]] = True
        for number in np.flatnonzero(np.bincount(unit[unit >= 0])).tolist():
            if number not in sums:
                sums[number] = np.zeros((count, length))
            for start, strip in strips:
                some = strip.pick((unit[strip.where] == number).nonzero()[0])
                if len(some.where):
                    into = sums[number][:, start : start + strip.length]
                    some.add_to(into, groups[rows[some.where]], number)
    return GroupSums([(total, SCALES[number]) for number, total in sums.items()], taken)


def _strips(frames: Sequence[Stretches], rows: Rows, ends: Rows) -> list[tuple[int, Strip]]:
    """The strips of some series, which come frame by frame, in time order, and the row each starts at.

    Those of a kind are joined.
    """
    kinds: dict[tuple[int, tuple[object, ...]], list[Strip]] = {}
    places = np.searchsorted(rows, ends) if len(frames) > 1 else np.array([len(rows)])
    begin = 0
    for frame, (cells, place) in enumerate(zip(frames, places.tolist(), strict=True)):
        if place > begin:
            own = rows[begin:place] if frame == 0 else rows[begin:place] - ends[frame - 1]
            start = 0
            for part in cells.parts:
                for strip in part.cells.strips(part.columns[own], part.lo, part.hi):
                    kinds.setdefault((start, strip.kind), []).append(strip.moved(begin))
                start += part.length
            begin = place
    joined = [(start, Strip.joined(strips).known()) for (start, _), strips in kinds.items()]
    joined.sort(key=_start)
    return joined


def _start(strip: tuple[int, Strip]) -> int:
    return strip[0]


def _units(
    strips: Sequence[tuple[int, Strip]], count: int, length: int, limit: float, rising: float | None
) -> NDArray[np.int8]:
    """int8[n], the finest unit each series has in any strip; -1 for those that cannot take part.

    length: rows that strips must cover.
    """
    unit = np.full(count, -1, dtype=np.int8)
    covered = np.zeros(count, dtype=np.intp)
    fits = np.ones(count, dtype=np.bool_)
    before, lowest, climb, high = (np.zeros(count) for _ in range(4))
    for start, strip in strips:
        where, facts, scale = strip.where, strip.facts, SCALES[strip.unit]
        assert facts is not None
        covered[where] += strip.length
        unit[where] = np.maximum(unit[where], strip.unit)
        high[where] = np.maximum(high[where], facts.high / scale)
        if rising is None:
            continue
        begins, ends = facts.first / scale, facts.last / scale
        steps = facts.climb / scale
        fits[where] &= ~facts.falls
        if start == 0:
            lowest[where] = begins
        else:
            fits[where] &= begins >= before[where]
            steps = np.maximum(steps, begins - before[where])
        climb[where] = np.maximum(climb[where], steps)
        before[where] = ends
    fits &= (covered == length) & (unit >= 0)
    with np.errstate(over="ignore"):  # what is too large for the product is too large
        fits &= high * SCALES[unit] <= limit
    if rising is not None:
        climb[~fits] = 0.0
        _look_closer(strips, lowest, fits & (lowest < rising * climb))
        fits &= lowest >= rising * climb
    unit[~fits] = -1
    return unit


def _look_closer(strips: Sequence[tuple[int, Strip]], lowest: Values, doubtful: Mask) -> None:
    """Find the true first values of the series marked. lowest: written to."""
    if not doubtful.any():
        return
    for start, strip in strips:
        some = np.flatnonzero(doubtful[strip.where])
        if start == 0 and len(some):
            lowest[strip.where[some]] = strip.first(some) / SCALES[strip.unit[some]]
