"""Increases of counters that share their times, as steps that can be added up, and windows where they cannot.

What a counter gains in a window is the sum of its steps there: from each sample to the next, after a reset
the new value. rate and increase multiply that by a factor which is the same for all series, but where
extrapolation would reach to where the counter was zero. Those windows are computed one by one.
Source: promql/functions.go (extrapolatedRate).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zseval.model.arrays import Mask, Rows, Values
from zseval.promql.kernels.counters import Edges, width_seconds
from zseval.promql.kernels.sums import HUGEST
from zseval.promql.kernels.windows import Windows, places, take

__all__ = ["Increases", "Others", "increases", "stopped_at_zero"]

_EXACT = 2.0**53
"""Whole numbers add up exactly below."""


@dataclass(frozen=True, slots=True, eq=False)
class Others:
    """P windows that are not like the others.

    series, step: intp[P].  gained: float64[P], what the steps say.  values: float64[P], rate or increase.
    """

    series: Rows
    step: Rows
    gained: Values
    values: Values


@dataclass(frozen=True, slots=True, eq=False)
class Increases:
    """steps: float64[n, T - 1].  odd: bool[n], series whose steps do not tell."""

    steps: Values
    odd: Mask
    others: Others


@dataclass(frozen=True, slots=True, eq=False)
class _Lost:
    """What resets took. of: intp[n], the row of each series here, -1 for series without a reset.

    before: float64[F, T], all that was lost up to each row.
    """

    of: Rows
    before: Values


def increases(w: Windows, *, per_second: bool) -> Increases:
    """w: dense windows of one source."""
    values = w.values
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        odd: Mask = np.logical_not((np.abs(values) <= HUGEST).all(axis=1))
        steps = values[:, 1:] - values[:, :-1]
        fell = np.flatnonzero(steps.min(axis=1, initial=0.0) < 0)
        lost = _take_up(fell, values, steps, odd) if len(fell) else None
    return Increases(steps, odd, _stopped(w, lost, odd, per_second=per_second))


def stopped_at_zero(w: Windows, *, per_second: bool) -> Others:
    """The windows of counters that never fall where extrapolation reaches zero. w: dense, of one source."""
    return _stopped(w, None, np.zeros(len(w.values), dtype=np.bool_), per_second=per_second)


def _take_up(fell: Rows, values: Values, steps: Values, odd: Mask) -> _Lost:
    """Makes steps of resets what comes after them. fell: intp[F], series that do.  steps, odd: written to."""
    some, before = steps[fell], values[fell, :-1]
    falls = some < 0
    steps[fell] = np.where(falls, values[fell, 1:], some)
    lost = np.zeros((len(fell), values.shape[1]))
    np.cumsum(np.where(falls, before, 0.0), axis=1, out=lost[:, 1:])
    # Of fractions that were lost several times the sum may be off where the last of them were small.
    often = np.count_nonzero(falls, axis=1) > 1
    often[often] = (np.trunc(values[fell[often]]) != values[fell[often]]).any(axis=1) | (
        lost[often, -1] > _EXACT
    )
    odd[fell] |= often | (steps[fell].min(axis=1) < 0)
    of = np.full(len(values), -1, dtype=np.intp)
    of[fell] = np.arange(len(fell), dtype=np.intp)
    return _Lost(of, lost)


def _stopped(w: Windows, lost: _Lost | None, odd: Mask, *, per_second: bool) -> Others:
    """odd: series to leave out."""
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        last, start = w.hi - 1, w.first()
        gained = w.last() - start
        if lost is not None:
            gained[lost.of >= 0] += take(lost.before, last) - take(lost.before, w.lo)
        edges = Edges.of(w)
        near_zero = start * (edges.sampled / edges.to_start * (1 - 1e-9)) < gained
        near_zero &= w.counts >= 2
        near_zero[odd] = False
        series, step = places(near_zero)
        first, gain = start[series, step], gained[series, step]
        sampled, to_start = edges.sampled[step], edges.to_start[step]
        to_zero = np.where((gain > 0) & (first >= 0), sampled * (first / gain), to_start)
        factor = (sampled + np.minimum(to_zero, to_start) + edges.to_end[step]) / sampled
        return Others(series, step, gain, gain * (factor / (width_seconds(w) if per_second else 1.0)))
