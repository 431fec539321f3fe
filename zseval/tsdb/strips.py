"""Strips: columns of a block as whole numbers, in the narrow type they are encoded in.

Sums over many columns need no decoding where the columns are whole multiples of one unit: the bytes of
the encoding are added in integers, which is exact and an order of magnitude faster than decoding each
column and adding float64.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zseval.model.arrays import Mask, Rows, Values
from zseval.tsdb.forms import OFFSET_BITS, SCALES, STEP_BITS, UNIT, Form, Group, unpack

__all__ = ["Facts", "Strip", "strips_of_cells", "strips_of_groups"]

_UNITS_AT_REST = range(UNIT, UNIT + 7)  # looked for in a column at rest: whole numbers to six decimals
_SEGMENT_ROWS = 16  # segments at least so long on average are summed one by one: reduceat is slower


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """Of n columns, each an array float64[n] but for falls, bool[n]. In the column's unit.

    first: not above the first value where nothing falls.  last: the last value.  high: no value is
    farther from 0.  climb: no step up is larger.  falls: whether some step may go down.
    """

    first: Values
    last: Values
    high: Values
    climb: Values
    falls: Mask


@dataclass(frozen=True, slots=True, eq=False)
class Strip:
    """Rows lo:hi of n columns as whole numbers.

    where: intp[n], which of the columns asked for.  unit: int8[n]: values are whole / SCALES[unit].
    steps: data has differences between rows, [n, hi - 1] from the block's first row on, each less `least`;
    otherwise distances from `base`, [n, hi - lo].  base, least: float64[n].
    """

    where: Rows
    unit: NDArray[np.int8]
    steps: bool
    data: NDArray[np.generic]
    base: Values
    least: Values
    lo: int
    hi: int

    def facts(self) -> Facts:
        """What is known of each column."""
        return self._facts_of_steps() if self.steps else self._facts_of_offsets()

    def _facts_of_steps(self) -> Facts:
        gained, largest = np.zeros(len(self.base)), np.zeros(len(self.base))
        if self.data.shape[1]:
            narrow = self.data.dtype.itemsize < 4 and self.data.shape[1] < 1 << 16
            gained = self.data.sum(axis=1, dtype=np.uint32 if narrow else np.uint64).astype(np.float64)
            largest = self.data.max(axis=1).astype(np.float64)
        steps = self.hi - 1
        last, falls = self.base + gained + self.least * steps, self.least < 0
        # Of a column that falls only a coarse bound is known.
        high = np.maximum(np.abs(self.base), np.abs(last))
        high += np.where(falls, gained - self.least * steps, 0.0)
        return Facts(self.base, last, high, np.maximum(largest + self.least, 0.0), falls)

    def _facts_of_offsets(self) -> Facts:
        data = self.data
        falls = np.logical_or.reduce(np.less(data[:, 1:], data[:, :-1]), axis=1)
        rises = np.subtract(data[:, 1:], data[:, :-1])  # unsigned ones are right wherever nothing falls
        climb = rises.max(axis=1, initial=0).astype(np.float64)
        most, least = data.max(axis=1).astype(np.float64), data.min(axis=1).astype(np.float64)
        high = np.abs(self.base) + np.maximum(np.abs(most), np.abs(least))
        first, last = data[:, 0].astype(np.float64), data[:, -1].astype(np.float64)
        return Facts(self.base + first, self.base + last, high, climb, falls)

    def pick(self, some: Rows) -> Strip:
        """Some of the columns, by position."""
        if len(some) == len(self.where):
            return self
        return Strip(
            self.where[some],
            self.unit[some],
            self.steps,
            self.data[some],
            self.base[some],
            self.least[some],
            self.lo,
            self.hi,
        )

    def add_to(self, sums: Values, groups: Rows, unit: int) -> None:
        """Add the columns to the sums of their groups.

        sums: float64[G, hi - lo], whole numbers of `unit`, written to.  groups: intp[n], sorted.
        """
        factors = SCALES[unit] / SCALES[self.unit]
        starts = np.flatnonzero(np.diff(groups, prepend=-1))
        data = self.data if (factors == 1).all() else self.data * factors[:, np.newaxis]
        added = _segment_sums(data, starts)  # [M, …]
        base = np.add.reduceat(self.base * factors, starts)[:, np.newaxis]
        if self.steps:
            least = np.add.reduceat(self.least * factors, starts)[:, np.newaxis]
            whole = np.zeros((len(starts), self.hi))
            if added.shape[1]:
                np.cumsum(added, axis=1, out=whole[:, 1:])
            whole += least * np.arange(self.hi)
            added = whole[:, self.lo :]
        sums[groups[starts]] += added + base


def _segment_sums(data: NDArray[np.generic], starts: Rows) -> Values:
    """[n, R] -> float64[M, R]: sums of the rows from each start to the next, exact for whole numbers."""
    kind = {1: np.uint32, 2: np.uint32, 4: np.uint64}.get(data.dtype.itemsize, np.float64)
    if kind is np.uint32 and len(data) * (1 << 8 * data.dtype.itemsize) >= 1 << 32:
        kind = np.uint64
    if len(starts) * _SEGMENT_ROWS > len(data):
        return np.add.reduceat(data, starts, axis=0, dtype=kind).astype(np.float64)
    sums = np.empty((len(starts), data.shape[1]))
    ends = np.append(starts[1:], len(data))
    for number, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        sums[number] = np.add.reduce(data[start:end], axis=0, dtype=kind)
    return sums


def strips_of_cells(values: Values) -> Iterator[Strip]:
    """Of float64[n, R] as they are: those that are whole numbers. Decimals are not looked for."""
    whole = np.rint(values) + 0.0  # -0.0 + 0.0 is +0.0: no whole number stands for -0.0
    where = np.flatnonzero((whole.view(np.int64) == values.view(np.int64)).all(axis=1))
    where = where[np.isfinite(values[where]).all(axis=1)]
    if len(where):
        nothing = np.zeros(len(where))
        unit = np.full(len(where), UNIT, dtype=np.int8)
        yield Strip(where, unit, False, values[where], nothing, nothing, 0, values.shape[1])


def strips_of_groups(
    forms: NDArray[np.uint8], slots: NDArray[np.int32], groups: dict[int, Group], lo: int, hi: int
) -> Iterator[Strip]:
    """Of encoded columns, forms and slots [n]: those that are whole multiples of a unit."""
    for number, group in groups.items():
        form = Form(number)
        where = np.flatnonzero(forms == number)
        if not len(where):
            continue
        mine = slots[where]
        if form == Form.CONSTANT:
            yield _at_rest(where, group.base[mine], lo, hi)
        elif form in STEP_BITS:
            data = unpack(group.data, mine, STEP_BITS[form], 0, hi - 1)
            yield Strip(where, group.scale[mine], True, data, group.base[mine], group.step[mine], lo, hi)
        elif form in OFFSET_BITS:
            data = unpack(group.data, mine, OFFSET_BITS[form], lo, hi)
            yield Strip(where, group.scale[mine], False, data, group.base[mine], np.zeros(len(mine)), lo, hi)


def _at_rest(where: Rows, values: Values, lo: int, hi: int) -> Strip:
    """Columns of one value each: linear ones without a slope."""
    unit = np.full(len(values), -1, dtype=np.int8)
    whole = np.zeros(len(values))
    bits = values.view(np.int64)
    for number in reversed(_UNITS_AT_REST):
        with np.errstate(over="ignore", invalid="ignore"):
            found = np.rint(values * SCALES[number]) + 0.0
            fits = np.isfinite(found) & ((found / SCALES[number]).view(np.int64) == bits)
        unit[fits], whole[fits] = number, found[fits]
    some = np.flatnonzero(unit >= 0)
    nothing = np.zeros(len(some))
    data = np.empty((len(some), 0), dtype=np.uint8)
    return Strip(where[some], unit[some], True, data, whole[some], nothing, lo, hi)
