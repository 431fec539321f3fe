"""Sums of what counters gain, from the sums of their steps (`kernels.increases`).

rate and increase of series that share their times multiply what was gained by one factor a window, so that
the sum of the steps of a group says what the group gained. The windows of which that is not so are taken out
of it and computed by themselves. Of counters that never fall and are worth a few of their largest steps from
the start on there is none: that is seen without decoding them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from zseval.model.arrays import Rows, Values
from zseval.model.segments import reduce_segments
from zseval.promql.exec.context import Context
from zseval.promql.exec.pieces import Alike, Part, Places, starts_of
from zseval.promql.exec.totals import Total
from zseval.promql.kernels import counters
from zseval.promql.kernels.increases import Others, increases, stopped_at_zero
from zseval.promql.kernels.sums import HUGEST, between, split, split_points
from zseval.promql.kernels.windows import Windows
from zseval.tsdb.frame import Frame

__all__ = ["Gains"]

_BEGINNING = 8
"""In this part of the rows a counter that begins near zero may come clear of it."""

_MOST = 2
"""Windows by themselves are at most one in so many; beyond, the usual way costs less."""


@dataclass(slots=True, eq=False)
class _Apart:
    """Windows by themselves: of which of the M rows of sums they are, at which step; else as Others."""

    rows: list[Rows] = field(default_factory=list)
    steps: list[Rows] = field(default_factory=list)
    gained: list[Values] = field(default_factory=list)
    values: list[Values] = field(default_factory=list)

    def add(self, rows: Rows, others: Others) -> None:
        self.rows.append(rows)
        self.steps.append(others.step)
        self.gained.append(others.gained)
        self.values.append(others.values)

    def summed(self, which: list[Values], shape: tuple[int, int]) -> Values:
        """float64[M, K]: the sum of theirs for each row and step."""
        cells = np.concatenate(self.rows) * shape[1] + np.concatenate(self.steps)
        weights = np.concatenate(which)
        sums: Values = np.bincount(cells, weights=weights, minlength=shape[0] * shape[1]).astype(np.float64)
        return sums.reshape(shape)


class Gains:
    """What counters of frames that are alike gain is added to a total."""

    def __init__(self, kind: Alike, total: Total) -> None:
        function = kind.source.function
        assert function is not None, "selectors gain nothing"
        self._kind, self._total = kind, total
        self._per_second = function.name == "rate"
        self._places, self._sums, self._apart = Places(), list[Values](), _Apart()
        self._count = 0  # rows of sums so far
        self._odd: dict[int, list[Rows]] = {}

    def add(self, groups: Rows, ctx: Context) -> list[Frame]:
        """Returns the series that have to go the usual way."""
        kind = self._kind
        nothing = kind.windows(np.empty((0, kind.rows)), np.zeros(0, dtype=np.intp))
        clear_of = counters.clear_of_zero(nothing)
        for part in kind.parts(groups, ctx):
            frame = kind.frames[part.frame]
            with np.errstate(invalid="ignore", over="ignore"):
                rest = self._add_rising(part, *frame.steps(part.some), clear_of)
            if len(rest.series):
                self._add_others(rest, frame.pick(rest.series).values)
        if self._sums:
            self._add_sums()
        return [kind.pick(*each) for each in self._odd.items()]

    def _add_rising(self, part: Part, first: Values, steps: Values, clear_of: float) -> Part:
        """Adds counters that never fall and are clear of zero from the start on, or soon; returns the others.

        first: float64[n], their first values.  steps: float64[n, T - 1].
        """
        largest = steps.max(axis=1, initial=0.0)
        least = clear_of * largest
        # A NaN is none of that.
        rises = (steps.min(axis=1, initial=0.0) >= 0) & (largest <= HUGEST) & (first <= HUGEST)
        is_clear = rises & (first >= least)
        if is_clear.all():
            self._add_steps(part, steps)
            return part.pick(np.zeros(0, dtype=np.intp))
        chosen = np.flatnonzero(is_clear)
        if len(chosen):
            self._add_steps(part.pick(chosen), steps[chosen])
        near = np.flatnonzero(rises & ~is_clear)
        soon = first[near] + steps[near, : self._kind.rows // _BEGINNING].sum(axis=1) >= least[near]
        near = near[soon]
        if len(near):
            self._add_near_zero(part.pick(near), first[near], steps[near], least[near])
            is_clear[near] = True
        return part.pick(np.flatnonzero(~is_clear))

    def _add_near_zero(self, part: Part, first: Values, steps: Values, least: Values) -> None:
        """Adds counters that are worth `least` soon: only windows that begin before may reach to zero."""
        kind = self._kind
        rows = kind.rows // _BEGINNING + 1
        begins = np.empty((len(first), rows))
        begins[:, 0] = first
        np.cumsum(steps[:, : rows - 1], axis=1, out=begins[:, 1:])
        begins[:, 1:] += first[:, np.newaxis]
        below = int(
            np.count_nonzero(begins < least[:, np.newaxis], axis=1).max()
        )  # rows, all at the beginning
        early = int(np.searchsorted(kind.lo, below))  # steps whose windows begin in one of them
        reach = int(kind.hi[:early].max(initial=1))
        values = np.empty((len(first), reach))
        values[:, 0] = first
        np.cumsum(steps[:, : reach - 1], axis=1, out=values[:, 1:])
        values[:, 1:] += first[:, np.newaxis]
        ends = kind.source.ends[:early]
        windows = Windows(
            values,
            kind.times[part.frame][:reach],
            kind.lo[:early],
            kind.hi[:early],
            ends - np.int64(kind.source.width),
            ends,
        )
        rows_of = self._add_steps(part, steps)
        others = stopped_at_zero(windows, per_second=self._per_second)
        self._apart.add(rows_of[others.series], others)

    def _add_others(self, part: Part, values: Values) -> None:
        kind = self._kind
        times, ends = kind.times[part.frame], kind.source.ends
        windows = Windows(values, times, kind.lo, kind.hi, ends - np.int64(kind.source.width), ends)
        made = increases(windows, per_second=self._per_second)
        others = made.others
        odd = made.odd
        if len(others.series) * _MOST > len(values) * len(ends):
            odd = np.ones(len(values), dtype=np.bool_)
        if odd.any():
            self._odd.setdefault(part.frame, []).append(part.series[odd])
            kept = np.flatnonzero(~odd)
            if len(kept):
                self._add_others(part.pick(kept), values[kept])
            return
        rows = self._add_steps(part, made.steps)
        self._apart.add(rows[others.series], others)

    def _add_steps(self, part: Part, steps: Values) -> Rows:
        """Returns which row of the sums each series is in."""
        kind, ids = self._kind, part.ids
        starts = starts_of(ids)
        self._sums.append(reduce_segments(np.add, steps, starts, np.float64))
        self._places.add(ids[starts], part.frame)
        rows = kind.frames[part.frame].rows[part.series]
        self._total.count_held(rows, ids, kind.held)
        self._count += len(starts)
        sizes = np.append(starts[1:], len(ids)) - starts
        return np.repeat(np.arange(self._count - len(starts), self._count, dtype=np.intp), sizes)

    def _add_sums(self) -> None:
        kind, groups, apart = self._kind, self._places.groups, self._apart
        windows = kind.windows(np.concatenate(self._sums), self._places.frames)
        gained = _in_windows(windows)
        if apart.rows:
            gained -= apart.summed(apart.gained, windows.shape)
        applied = np.where(kind.held, counters.scaled_up(gained, windows, per_second=self._per_second), 0.0)
        order = np.argsort(groups, kind="stable")
        starts = starts_of(groups[order])
        numbers = groups[order[starts]]
        if apart.rows:
            applied += apart.summed(apart.values, windows.shape)
        # Nothing is below zero: what rounding loses does not show.
        self._total.sums[numbers] += reduce_segments(np.add, applied[order], starts, np.float64)


def _in_windows(steps: Windows) -> Values:
    """float64[M, K]: the sum of the steps between the samples of each window, as exact as they are.

    steps: their values are those steps, float64[M, T - 1], none below zero.
    """
    ends = np.maximum(steps.hi - 1, 0)  # at least where it begins: of an empty window nothing is asked
    between_samples = replace(steps, lo=np.minimum(steps.lo, ends), hi=ends)
    peaks = steps.values.max(axis=1, initial=0.0, keepdims=True)
    high, low = split(steps.values, split_points(peaks, steps.values.shape[1]))
    gained = between(high, between_samples)
    return gained if low is None else gained + between(low, between_samples)
