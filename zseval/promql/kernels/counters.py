"""rate, increase, delta, irate, idelta, resets and changes over windows.

All need the first and last samples of a window, which are two gathers; only series that have a counter
reset pay for its correction, and only cells whose extrapolation would reach below zero for the clamp.
Source: promql/functions.go (extrapolatedRate, instantValue, funcResets, funcChanges).
"""

from __future__ import annotations

import numpy as np

from zseval.model.arrays import Mask, Rows, Times, Values
from zseval.promql.kernels.sums import counted, sum_samples, window_samples, window_sums
from zseval.promql.kernels.windows import Windows, places, take

__all__ = [
    "CLOSE",
    "Edges",
    "add_lost",
    "changes",
    "clear_of_zero",
    "count_pairs",
    "delta",
    "idelta",
    "increase",
    "irate",
    "rate",
    "reach",
    "scaled_up",
    "resets",
    "stop_at_zero",
    "width_seconds",
]

_ONE_BY_ONE = 16
"""Sources that are gone through one by one sooner than as arrays."""

CLOSE = 1.1
"""A window's edge is reached by extrapolation if it is nearer than this many average distances."""


def rate(w: Windows) -> tuple[Values, Mask | None]:
    """Increase per second of each window, [S, K]; absent below two samples."""
    return _extrapolated(w, counter=True, per_second=True)


def increase(w: Windows) -> tuple[Values, Mask | None]:
    """Increase over each window, extrapolated to its edges, [S, K]; absent below two samples."""
    return _extrapolated(w, counter=True, per_second=False)


def delta(w: Windows) -> tuple[Values, Mask | None]:
    """Last less first value, extrapolated to the window's edges, [S, K]; absent below two samples."""
    return _extrapolated(w, counter=False, per_second=False)


def _extrapolated(w: Windows, *, counter: bool, per_second: bool) -> tuple[Values, Mask | None]:
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        if w.is_single and w.values.shape[1] > 1:
            return _of_single(w, counter=counter, per_second=per_second)
        gained = w.first_to_last()
        unsteady = add_lost(gained, w) if counter and not w.rising else None
        edges = Edges.of(w)
        seconds = width_seconds(w) if per_second else 1.0
        factor = edges.factor(edges.to_start)
        factor /= seconds
        present = w.holding(2)
        result = w.scaled(gained, factor)
        if counter:
            stop_at_zero(result, gained, w, edges, seconds, present, unsteady)
    return result, present


def _of_single(w: Windows, *, counter: bool, per_second: bool) -> tuple[Values, None]:
    """The same for a single window over two rows and more, of several sources: few steps for little work."""
    assert w.phases is not None, "it is single"
    times, of, values = w.phases.times, w.phases.of, w.values
    first, rows = values[:, :1], values.shape[1] + w.skipped
    gained = values[:, -1:] - first
    if counter and not w.rising:
        add_lost(gained, w)
    seconds = width_seconds(w) if per_second else 1.0
    factor, edge = _single_factors(w, times, rows, seconds)
    result: Values = gained * (factor if len(factor) == 1 else factor[of])
    if counter and (first * (edge if len(edge) == 1 else edge[of]) < gained).any():
        edges = Edges(times[:, :1], times[:, -1:], w.starts, w.ends, rows)
        stop_at_zero(result, gained, w, edges, seconds, None)
    return result, None


def _single_factors(w: Windows, times: Times, rows: int, seconds: float) -> tuple[Values, Values]:
    """For each source, float64[P, 1]: what the gain of its series is multiplied with, and how many times its
    first value a counter gains where extrapolation just reaches zero.
    """
    if len(times) > _ONE_BY_ONE:
        edges = Edges(times[:, :1], times[:, -1:], w.starts, w.ends, rows)
        factors = edges.factor(edges.to_start)
        factors /= seconds
        return factors, edges.times_first
    begin, end = int(w.starts[0]), int(w.ends[0])
    edges_of = zip(times[:, 0].tolist(), times[:, -1].tolist(), strict=True)
    both = np.array([_factors_of(first, last, begin, end, rows, seconds) for first, last in edges_of])
    return both[:, :1], both[:, 1:]


def _factors_of(
    first: int, last: int, begin: int, end: int, rows: int, seconds: float
) -> tuple[float, float]:
    """Both of one source, as `Edges` computes them: an array of one number costs as much as of thousands."""
    sampled = (last - first) / 1000.0
    average = sampled / (rows - 1)
    to_start, to_end = (first - begin) / 1000.0, (end - last) / 1000.0
    if to_start >= average * CLOSE:
        to_start = average / 2
    if to_end >= average * CLOSE:
        to_end = average / 2
    edge = sampled / to_start * (1 - 1e-9) if to_start else np.inf
    return (sampled + to_start + to_end) / sampled / seconds, edge


def scaled_up(gained: Values, w: Windows, *, per_second: bool) -> Values:
    """What was gained in each window, [S, K], extrapolated to its edges however near zero that is.

    Of no meaning where a window has less than two samples.
    """
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        edges = Edges.of(w)
        factor = edges.factor(edges.to_start)
        factor /= width_seconds(w) if per_second else 1.0
        return w.scaled(gained, factor)


def clear_of_zero(w: Windows) -> float:
    """How many times its largest step a rising counter must be worth from the start, so that extrapolation
    to the start of a window never reaches zero. w: dense.
    """
    edges, gaps = Edges.of(w), w.counts - 1
    with np.errstate(invalid="ignore", divide="ignore"):
        times = edges.to_start / edges.sampled * gaps  # a window gains at most so many steps as it has gaps
    return float(np.max(times, where=gaps > 0, initial=0.0)) * (1 + 1e-9)


class Edges:
    """Durations in seconds, per window: float64[K] (dense), float64[P, K] (of P sources) or float64[S, K].

    to_start, to_end: how far extrapolation goes before the first and after the last sample.
    sampled: from the first to the last sample.  average: from one sample to the next.
    """

    __slots__ = ("_after", "_before", "average", "sampled", "to_end", "to_start")

    def __init__(self, first: Times, last: Times, starts: Times, ends: Times, counts: Rows | int) -> None:
        """first, last: int64[K], [P, K] or [S, K], ms, of the samples.  counts: of that shape, or of all."""
        self.sampled = (last - first) / 1000.0
        self.average = self.sampled / (counts - 1)
        self._before, self._after = (first - starts) / 1000.0, (ends - last) / 1000.0
        self.to_start = reach(self._before, self.average)
        self.to_end = reach(self._after, self.average)

    @classmethod
    def of(cls, w: Windows) -> Edges:
        return cls(w.source_time_at(w.lo), w.source_time_at(w.hi - 1), w.starts, w.ends, w.counts)

    @property
    def reaches_far(self) -> Mask:
        """Where an edge of the window is not close: extrapolation then depends on the average."""
        close = self.average * CLOSE
        return ~((self._before < close) & (self._after < close))

    @property
    def times_first(self) -> Values:
        """How many times its first value a counter gains, or a little less, where extrapolation just reaches
        zero.
        """
        return self.sampled / self.to_start * (1 - 1e-9)

    def factor(self, to_start: Values) -> Values:
        return (self.sampled + to_start + self.to_end) / self.sampled


def reach(distance: Values, average: Values) -> Values:
    """How far extrapolation goes towards the edge of a window at some distance from the nearest sample."""
    return np.where(distance >= average * CLOSE, average / 2, distance)


def width_seconds(w: Windows) -> float:
    """The windows' width, rounded as Go's Duration.Seconds rounds."""
    if len(w.ends) == 0:
        return 1.0
    whole, part = divmod(int(w.ends[0] - w.starts[0]), 1000)
    return whole + part / 1000


def stop_at_zero(
    result: Values,
    gained: Values,
    w: Windows,
    edges: Edges,
    seconds: float,
    present: Mask | None,
    unsteady: Rows | None = None,
) -> None:
    """Extrapolation to the start goes no further than to where the counter would have been zero.

    result: [S, K], written to.  unsteady: intp[N], the series that do not only rise, if that is known.
    """
    rows = None if unsteady is None else _near_zero(w, edges, unsteady)
    if rows is None:
        _stop_at_zero(result, gained, w, edges, seconds, present)
    elif len(rows):
        some, held = result[rows], None if present is None else present[rows]
        _stop_at_zero(some, gained[rows], w.pick(rows), edges, seconds, held)
        result[rows] = some


def _stop_at_zero(
    result: Values, gained: Values, w: Windows, edges: Edges, seconds: float, present: Mask | None
) -> None:
    """A cheap and slightly generous test finds the cells this can concern; they are then computed as upstream
    does.
    """
    first = w.first()
    near_zero = w.scaled(first, edges.times_first) < gained
    if present is not None:
        near_zero &= present
    if not near_zero.any():
        return
    series, steps = places(near_zero)
    start, gain = first[series, steps], gained[series, steps]
    cell: Rows | tuple[Rows, Rows] = steps if w.is_dense else (series, steps)
    if w.phases is not None:
        cell = (w.phases.of[series], steps)
    sampled, to_start, to_end = edges.sampled[cell], edges.to_start[cell], edges.to_end[cell]
    to_zero = np.where((gain > 0) & (start >= 0), sampled * (start / gain), to_start)
    factor = (sampled + np.minimum(to_zero, to_start) + to_end) / sampled
    result[series, steps] = gain * (factor / seconds)


def _near_zero(w: Windows, edges: Edges, unsteady: Rows) -> Rows | None:
    """The series of which a window may be extrapolated to zero; None for no need to choose.

    A counter that only rises gains no more in a window than in all, and no window starts below its first
    value. unsteady: intp[N], those that do not.
    """
    if not w.is_dense or len(w.ends) < 2 or not w.values.size:
        return None
    first, last = w.values[:, 0], w.values[:, -1]
    least = np.fmin.reduce(edges.times_first, axis=None, where=w.counts >= 2, initial=np.inf)
    near = ~((first >= 0) & (first * least >= last - first))  # also where there is a NaN
    near[unsteady] = True
    rows = np.flatnonzero(near)
    return rows if 2 * len(rows) <= len(near) else None


def add_lost(gained: Values, w: Windows, fell: Mask | None = None) -> Rows:
    """Adds what counters lost in resets inside each window. gained: [S, K], written to.

    fell: bool[S, T - 1], which samples but the first come after a reset; by default those of less value.
    Returns the series that do not only rise, intp[N]: a NaN does neither.
    """
    rises = ~fell if fell is not None else w.values[:, 1:] >= w.values[:, :-1]
    if rises.all():
        return np.zeros(0, dtype=np.intp)
    unsteady = np.flatnonzero(~rises.all(axis=1))
    fell = fell[unsteady] if fell is not None else w.values[unsteady, 1:] < w.values[unsteady, :-1]
    falls = np.count_nonzero(fell, axis=1)
    once, often = np.flatnonzero(falls == 1), np.flatnonzero(falls > 1)
    if len(once):
        _add_only_loss(gained, w, fell[once], unsteady[once])
    if len(often):
        _add_losses(gained, w, fell[often], unsteady[often])
    return unsteady


def _add_losses(gained: Values, w: Windows, fell: Mask, series: Rows) -> None:
    """`add_lost` for series that fell several times. fell: bool[N, T - 1].  series: intp[N]."""
    some = w.pick(series)
    lost = np.zeros(some.values.shape)
    np.copyto(lost[:, 1:], some.values[:, :-1], where=fell)  # at the row after each reset
    inner = some.with_values(lost).after_first()
    sums = window_sums(inner)
    found = gained[series]
    found += sums.total
    if sums.rest is not None:
        found += sums.rest
    rows, steps = sums.doubtful()
    for batch, samples in window_samples(inner, rows, steps):
        total, rest = sum_samples(samples)
        found[rows[batch], steps[batch]] = gained[series[rows[batch]], steps[batch]] + total + rest
    _overflowing(found, gained[series], inner)
    gained[series] = found


def _add_only_loss(gained: Values, w: Windows, fell: Mask, series: Rows) -> None:
    """`add_lost` for series that fell just once: there is nothing to sum. As `_add_losses`."""
    before = fell.argmax(axis=1)[:, np.newaxis]  # [N, 1] the last row that is not after the reset
    some = w.pick(series)
    lost = np.take_along_axis(some.values, before, axis=1)
    inside = (some.lo <= before) & (before + 1 < some.hi)
    gained[series] = np.where(inside, gained[series] + lost, gained[series] + 0.0)


def _overflowing(found: Values, gained: Values, lost: Windows) -> None:
    """Where the sum is not finite, what was lost is added one by one: what overflows first, counts.

    found: [S, K], written to.  gained: [S, K].  lost: windows over what each reset lost.
    """
    odd = ~np.isfinite(found) & ~np.isnan(gained) & (lost.counts > 0)
    rows, steps = np.nonzero(odd)
    for batch, samples in window_samples(lost, rows, steps):
        total = gained[rows[batch], steps[batch]]
        for value in samples:
            total[: len(value)] += value
        found[rows[batch], steps[batch]] = total


def irate(w: Windows) -> tuple[Values, Mask | None]:
    """Increase per second between the last two samples, [S, K]; after a reset, the last value counts."""
    last, before, seconds = _last_two(w)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        gained = np.where(last < before, last, last - before)
        return gained / seconds, w.holding(2)


def idelta(w: Windows) -> tuple[Values, Mask | None]:
    """The difference of the last two samples, [S, K]; absent below two samples."""
    last, before, _ = _last_two(w)
    with np.errstate(invalid="ignore", over="ignore"):
        return last - before, w.holding(2)


def _last_two(w: Windows) -> tuple[Values, Values, Values]:
    """The last value, the one before, and the seconds between them."""
    last, before = w.hi - 1, w.hi - 2
    seconds = w.spread((w.source_time_at(last) - w.source_time_at(before)) / 1000.0)
    return take(w.values, last), take(w.values, before), seconds


def resets(w: Windows) -> tuple[Values, Mask | None]:
    """How often the value fell, [S, K]; absent in empty windows."""
    return count_pairs(w, w.values[:, 1:] < w.values[:, :-1])


def changes(w: Windows) -> tuple[Values, Mask | None]:
    """How often the value changed, [S, K]; from NaN to NaN is no change. Absent in empty windows."""
    later, earlier = w.values[:, 1:], w.values[:, :-1]
    return count_pairs(w, (later != earlier) & ~(np.isnan(later) & np.isnan(earlier)))


def count_pairs(w: Windows, marks: Mask) -> tuple[Values, Mask | None]:
    """marks: bool[S, T - 1], for each sample but the first."""
    found = np.zeros(w.values.shape, dtype=np.bool_)
    found[:, 1:] = marks
    return counted(found, w.after_first()).astype(np.float64), w.holding(1)
