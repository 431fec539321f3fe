"""Strips: columns of a block as whole numbers, in the narrow type they are encoded in.

Sums over many columns need no decoding where the columns are whole multiples of one unit: the bytes of
the encoding are added in integers, which is exact and an order of magnitude faster than decoding each
column and adding float64.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zseval.model.arrays import Ids, Mask, Rows, Values
from zseval.model.segments import reduce_segments
from zseval.tsdb.forms import OFFSET_BITS, SCALES, STEP_BITS, UNIT, Form, Group, unpack

__all__ = ["Facts", "GroupStrips", "Strip", "strip_of_cells"]

_UNITS_AT_REST = range(UNIT, UNIT + 7)  # looked for in a column at rest: whole numbers to six decimals
_WHOLE_FORMS = frozenset({Form.CONSTANT, *STEP_BITS, *OFFSET_BITS})
_FACTS_AT_ONCE = 2048
_SUMMED_IN: dict[int, type[np.number[Any]]] = {1: np.uint32, 2: np.uint32, 4: np.uint64}  # by bytes of data


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

    def pick(self, some: Rows | Ids) -> Facts:
        """Of some of the columns."""
        return Facts(self.first[some], self.last[some], self.high[some], self.climb[some], self.falls[some])

    @classmethod
    def joined(cls, parts: Sequence[Facts]) -> Facts:
        return cls(
            np.concatenate([part.first for part in parts]),
            np.concatenate([part.last for part in parts]),
            np.concatenate([part.high for part in parts]),
            np.concatenate([part.climb for part in parts]),
            np.concatenate([part.falls for part in parts]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Strip:
    """Rows lo:hi of n columns as whole numbers.

    where: intp[n], which of the columns asked for.  unit: int8[n]: values are whole / SCALES[unit].
    steps: data has differences between rows, [n, hi - 1] from the block's first row on, each less `least`;
    otherwise distances from `base`, [n, hi - lo].  base, least: float64[n].
    facts: of the rows, or of more around them; None where nothing is known, not even that the data are
    whole numbers (`known` looks).
    """

    where: Rows
    unit: NDArray[np.int8]
    steps: bool
    data: NDArray[np.generic]
    base: Values
    least: Values
    lo: int
    hi: int
    facts: Facts | None

    @property
    def length(self) -> int:
        """Rows."""
        return self.hi - self.lo

    def known(self) -> Strip:
        """With facts, and less the columns that are no whole numbers."""
        if self.facts is not None:
            return self
        values = np.asarray(self.data, dtype=np.float64)
        whole = np.rint(values)
        whole += 0.0  # -0.0 + 0.0 is +0.0: no whole number stands for -0.0
        fits = np.logical_and.reduce(whole.view(np.int64) == values.view(np.int64), axis=1)
        facts = _facts_of_values(values)
        fits &= facts.high < np.inf  # nor for an infinity; a NaN is above nothing
        some = fits.nonzero()[0]
        strip = replace(self, facts=facts)
        return strip if len(some) == len(fits) else strip.pick(some)

    def first(self, some: Rows) -> Values:
        """float64[m], the values of some of the columns at row lo; facts may know a lower one."""
        if not self.steps:
            at_first: Values = self.base[some] + self.data[some, 0].astype(np.float64)
            return at_first
        before = self.data[some, : self.lo].sum(axis=1, dtype=np.uint64).astype(np.float64)
        found: Values = self.base[some] + before + self.least[some] * self.lo
        return found

    def moved(self, places: int) -> Strip:
        """The same for columns that stand so many places later among those asked for."""
        if not places:
            return self
        return Strip(
            self.where + places,
            self.unit,
            self.steps,
            self.data,
            self.base,
            self.least,
            self.lo,
            self.hi,
            self.facts,
        )

    @property
    def kind(self) -> tuple[object, ...]:
        """Strips of one kind can be joined."""
        data = self.data
        return self.steps, data.dtype, data.shape[1], self.lo, self.hi, self.facts is None

    @classmethod
    def joined(cls, parts: Sequence[Strip]) -> Strip:
        """One of several of a kind, its columns in the order in which they were asked for."""
        if len(parts) == 1:
            return parts[0]
        facts = [part.facts for part in parts if part.facts is not None]
        whole = cls(
            np.concatenate([part.where for part in parts]),
            np.concatenate([part.unit for part in parts]),
            parts[0].steps,
            np.concatenate([part.data for part in parts]),
            np.concatenate([part.base for part in parts]),
            np.concatenate([part.least for part in parts]),
            parts[0].lo,
            parts[0].hi,
            Facts.joined(facts) if facts else None,
        )
        # Two forms of one frame may be of one kind; their columns lie between one another.
        if (whole.where[1:] > whole.where[:-1]).all():
            return whole
        return whole._taken(np.argsort(whole.where))

    def pick(self, some: Rows) -> Strip:
        """Some of the columns, by increasing position."""
        return self if len(some) == len(self.where) else self._taken(some)

    def _taken(self, some: Rows) -> Strip:
        return Strip(
            self.where[some],
            self.unit[some],
            self.steps,
            self.data[some],
            self.base[some],
            self.least[some],
            self.lo,
            self.hi,
            None if self.facts is None else self.facts.pick(some),
        )

    def add_to(self, sums: Values, groups: Rows, unit: int) -> None:
        """Add the columns to the sums of their groups.

        sums: float64[G, hi - lo], whole numbers of `unit`, written to.  groups: intp[n], sorted.
        """
        factors = SCALES[unit] / SCALES[self.unit]
        starts = _starts(groups)
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


def _starts(groups: Rows) -> Rows:
    """Where another group begins; the first place is one."""
    begins = np.empty(len(groups), dtype=np.bool_)
    begins[:1] = True
    np.not_equal(groups[1:], groups[:-1], out=begins[1:])
    starts: Rows = begins.nonzero()[0]
    return starts


def _segment_sums(data: NDArray[np.generic], starts: Rows) -> Values:
    """[n, R] -> float64[M, R]: sums of the rows from each start to the next, exact for whole numbers."""
    size = data.dtype.itemsize
    kind = _SUMMED_IN.get(size, np.float64)
    if kind is np.uint32 and len(data) * (1 << 8 * size) >= 1 << 32:
        kind = np.uint64
    sums: Values = reduce_segments(np.add, data, starts, kind).astype(np.float64)
    return sums


def strip_of_cells(values: Values) -> Strip:
    """Of float64[n, R] as they are, of which nothing is known. Decimals are not looked for."""
    nothing = np.zeros(len(values))
    unit = np.full(len(values), UNIT, dtype=np.int8)
    where = np.arange(len(values), dtype=np.intp)
    return Strip(where, unit, False, values, nothing, nothing, 0, values.shape[1], None)


class GroupStrips:
    """The strips of encoded columns, and what is known of each column.

    Facts are found out for a whole form at once, when they are first asked for, and kept: they cost less
    than a tenth of the block they are about, and every evaluation of a rule asks again.
    """

    __slots__ = ("_facts", "_groups", "_rest", "_rows")

    def __init__(self, groups: dict[int, Group], rows: int) -> None:
        self._groups = [
            (number, Form(number), group) for number, group in groups.items() if Form(number) in _WHOLE_FORMS
        ]
        self._rows = rows
        self._facts: dict[int, Facts] = {}
        self._rest: _AtRest | None = None

    def strips(self, forms: NDArray[np.uint8], slots: Ids, lo: int, hi: int) -> Iterator[Strip]:
        """Of columns with these forms and slots, [n]: those that are whole multiples of a unit."""
        for number, form, group in self._groups:
            where = (forms == number).nonzero()[0]
            if not len(where):
                continue
            mine = slots[where]
            if form == Form.CONSTANT:
                yield self._at_rest(group).strip(where, mine, lo, hi)
                continue
            facts = self._facts_of(form, group).pick(mine)
            if form in STEP_BITS:
                data = unpack(group.data, mine, STEP_BITS[form], 0, hi - 1)
                base, least = group.base[mine], group.step[mine]
                yield Strip(where, group.scale[mine], True, data, base, least, lo, hi, facts)
            else:
                data = unpack(group.data, mine, OFFSET_BITS[form], lo, hi)
                base, least = group.base[mine], np.zeros(len(mine))
                yield Strip(where, group.scale[mine], False, data, base, least, lo, hi, facts)

    def _at_rest(self, group: Group) -> _AtRest:
        if self._rest is None:
            self._rest = _AtRest.of(group.base)
        return self._rest

    def _facts_of(self, form: Form, group: Group) -> Facts:
        facts = self._facts.get(form)
        if facts is None:
            facts = self._facts[form] = _facts_of_group(form, group, self._rows)
        return facts


def _facts_of_group(form: Form, group: Group, rows: int) -> Facts:
    """Of all columns of a form, some at a time."""
    count, parts = len(group.base), []
    for first in range(0, max(count, 1), _FACTS_AT_ONCE):
        part = slice(first, first + _FACTS_AT_ONCE)
        slots = np.arange(count, dtype=np.int32)[part]
        base = group.base[part]
        if form in STEP_BITS:
            data = unpack(group.data, slots, STEP_BITS[form], 0, rows - 1)
            parts.append(_facts_of_steps(data, base, group.step[part], rows - 1))
        else:
            whole = unpack(group.data, slots, OFFSET_BITS[form], 0, rows).astype(np.float64)
            whole += base[:, np.newaxis]
            parts.append(_facts_of_values(whole))
    return Facts.joined(parts)


def _facts_of_steps(data: NDArray[np.generic], base: Values, least: Values, steps: int) -> Facts:
    gained, largest = np.zeros(len(base)), np.zeros(len(base))
    if data.shape[1]:
        gained = data.sum(axis=1, dtype=np.uint64).astype(np.float64)
        largest = data.max(axis=1).astype(np.float64)
    last, falls = base + gained + least * steps, least < 0
    # Of a column that falls only a coarse bound is known.
    high = np.maximum(np.abs(base), np.abs(last))
    high += np.where(falls, gained - least * steps, 0.0)
    return Facts(base, last, high, np.maximum(largest + least, 0.0), falls)


def _facts_of_values(values: Values) -> Facts:
    """Of float64[n, R], R above 0. Where there is a NaN, high is a NaN."""
    with np.errstate(invalid="ignore", over="ignore"):
        rises = values[:, 1:] - values[:, :-1]
    climb = rises.max(axis=1, initial=0.0)
    falls = rises.min(axis=1, initial=0.0) < 0
    high = np.maximum(np.abs(values.max(axis=1)), np.abs(values.min(axis=1)))
    return Facts(values[:, 0], values[:, -1], high, climb, falls)


@dataclass(frozen=True, slots=True, eq=False)
class _AtRest:
    """Columns of one value each. unit: int8[n], -1 for no multiple of a unit.  whole: float64[n]."""

    unit: NDArray[np.int8]
    whole: Values

    @classmethod
    def of(cls, values: Values) -> _AtRest:
        unit = np.full(len(values), -1, dtype=np.int8)
        whole = np.zeros(len(values))
        bits = values.view(np.int64)
        for number in reversed(_UNITS_AT_REST):
            with np.errstate(over="ignore", invalid="ignore"):
                found = np.rint(values * SCALES[number]) + 0.0
                fits = np.isfinite(found) & ((found / SCALES[number]).view(np.int64) == bits)
            unit[fits], whole[fits] = number, found[fits]
        return cls(unit, whole)

    def strip(self, where: Rows, slots: Ids, lo: int, hi: int) -> Strip:
        """Linear columns without a slope. slots: int32[n], of which values."""
        unit = self.unit[slots]
        if (unit < 0).any():
            some = np.flatnonzero(unit >= 0)
            where, slots, unit = where[some], slots[some], unit[some]
        whole, nothing = self.whole[slots], np.zeros(len(slots))
        data = np.empty((len(slots), 0), dtype=np.uint8)
        facts = Facts(whole, whole, np.abs(whole), nothing, np.zeros(len(slots), dtype=np.bool_))
        return Strip(where, unit, True, data, whole, nothing, lo, hi, facts)
