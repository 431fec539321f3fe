"""Aggregation over groups of series: sum, avg, min, max, count, group, stddev, stdvar.

Rows go through in group order, some hundred at a time so that they stay in cache; each chunk is reduced
to a row a group and joined to what its groups have so far. Sums are compensated as `sums` explains.
Source: promql/engine.go (aggregation).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from zseval.model.arrays import Mask, Rows, Values
from zseval.model.segments import reduce_segments
from zseval.promql.kernels.sums import HUGEST, Sums, floors, mean_samples, split, split_points, sum_samples

__all__ = ["AGGREGATES", "Groups", "aggregate", "sums_and_counts"]

Scalar = TypeVar("Scalar", bound=np.generic)

_CHUNK_ROWS = 512
"""Rows reduced at a time, at least: with 241 steps 1 MB an array."""

_CHUNK_CELLS = 1 << 17
"""Cells reduced at a time, of fewer steps."""

_FEW_ROWS = 512
"""So many single values are summed by groups sooner one after the other than as arrays."""

_CELLS_IN_TURN, _ROWS_IN_TURN = 1 << 13, 6
"""So many cells, with so many in a group, are summed sooner as upstream does than by parts."""

_EVEN = 2.0**-30
"""The sum of so few values loses no bit by compensation if none is below this part of the largest."""

_CLEAR = 2.0**-20
"""A sum above this part of its largest value has lost nothing that shows, however it was compensated."""

_PAIR_CELLS = 1 << 20
"""Cells gathered at a time for groups that are summed one sample after the other."""


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Rows sorted by group, groups without rows left out: N groups remain.

    order: intp[S], or None where the rows are sorted already.  numbers: intp[N], increasing.
    starts, sizes: intp[N], where each group's rows stand in that order.
    """

    order: Rows | None
    numbers: Rows
    starts: Rows
    sizes: Rows

    @classmethod
    def of(cls, groups: Rows, count: int) -> Groups:
        """groups: intp[S], below count."""
        sizes = np.bincount(groups, minlength=count)
        numbers = np.flatnonzero(sizes)
        sizes = sizes[numbers]
        is_sorted = bool((groups[1:] >= groups[:-1]).all())
        order = None if is_sorted else np.argsort(groups, kind="stable")
        return cls(order, numbers, np.cumsum(sizes) - sizes, sizes)

    def rows(self, part: slice) -> Rows | slice:
        """The rows at these places of the order."""
        return part if self.order is None else self.order[part]


@dataclass(frozen=True, slots=True, eq=False)
class _Chunk:
    """values: float64[R, K].  present: bool[R, K] or None.  starts: intp[M], of the groups in it.

    groups: which of the N groups those are.  sizes: intp[M], their rows in it.
    """

    values: Values
    present: Mask | None
    starts: Rows
    groups: slice
    sizes: Rows

    def filled(self, value: float) -> Values:
        """The values, with `value` where absent."""
        return self.values if self.present is None else np.where(self.present, self.values, value)

    def counts(self) -> NDArray[np.integer[Any]]:
        """[M, K]: samples of each group; in single bytes where that holds them, as sums are made without them
        being widened.
        """
        assert self.present is not None
        kind: type[np.integer[Any]] = np.uint8 if int(self.sizes.max(initial=0)) < 256 else np.int32
        return reduce_segments(np.add, self.present.view(np.uint8), self.starts, kind)

    def spread(self, array: NDArray[Scalar]) -> NDArray[Scalar]:
        """[N, K] -> [R, K]: each group's row at all of its rows. [1, K] stays."""
        if len(array) == 1:
            return array
        mine = array[self.groups]
        return mine if len(mine) == 1 else np.repeat(mine, self.sizes, axis=0)

    def reduce(self, operator: np.ufunc, array: Values) -> Values:
        """[R, K] -> [M, K]: the rows of each group, one after the other."""
        return reduce_segments(operator, array, self.starts, np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class _Input:
    """What is aggregated. values: float64[S, K].  present: bool[S, K] or None."""

    values: Values
    present: Mask | None
    groups: Groups
    _whole: list[_Chunk] = field(default_factory=list)
    _counts: list[Values] = field(default_factory=list)

    @property
    def shape(self) -> tuple[int, int]:
        """(N, K)."""
        return len(self.groups.numbers), self.values.shape[1]

    @property
    def chunk_rows(self) -> int:
        """The most rows a chunk has."""
        return max(_CHUNK_ROWS, _CHUNK_CELLS // max(int(self.values.shape[1]), 1))

    def chunks(self) -> Iterable[_Chunk]:
        """All rows in group order."""
        if not len(self.values) or len(self.values) > self.chunk_rows:
            return self._chunks()
        if not self._whole:
            order, starts, sizes = self.groups.order, self.groups.starts, self.groups.sizes
            present = self.present if self.present is None or order is None else self.present[order]
            values = self.values if order is None else self.values[order]
            self._whole.append(_Chunk(values, present, starts, slice(0, len(starts)), sizes))
        return self._whole

    def _chunks(self, *, only_present: bool = False) -> Iterator[_Chunk]:
        """only_present: the values are of no meaning."""
        starts, sizes, length = self.groups.starts, self.groups.sizes, self.chunk_rows
        for first in range(0, self.values.shape[0], length):
            last = min(first + length, self.values.shape[0])
            rows = self.groups.rows(slice(first, last))
            low = int(np.searchsorted(starts, first, side="right")) - 1
            high = int(np.searchsorted(starts, last, side="left"))
            begin = np.maximum(starts[low:high] - first, 0)
            end = np.minimum(starts[low:high] + sizes[low:high] - first, last - first)
            present = None if self.present is None else self.present[rows]
            values = self.values if only_present else self.values[rows]
            yield _Chunk(values, present, begin, slice(low, high), end - begin)

    def only(self, chosen: Rows) -> _Input:
        """Some of the N groups, copied."""
        sizes = self.groups.sizes[chosen]
        starts = np.cumsum(sizes) - sizes
        places = np.arange(int(sizes.sum()), dtype=np.intp)
        places += np.repeat(self.groups.starts[chosen] - starts, sizes)
        rows = places if self.groups.order is None else self.groups.order[places]
        present = None if self.present is None else self.present[rows]
        return _Input(self.values[rows], present, Groups(None, self.groups.numbers[chosen], starts, sizes))

    def counts(self) -> Values:
        """float64[N, K]: samples of each group at each step."""
        if self.present is None:
            return np.broadcast_to(self.groups.sizes[:, np.newaxis].astype(np.float64), self.shape)
        if not self._counts:
            counts = np.zeros(self.shape)
            for chunk in self._whole or self._chunks(only_present=True):
                counts[chunk.groups] += chunk.counts()
            self._counts.append(counts)
        return self._counts[0]

    def samples(self, group: Rows, step: Rows) -> Iterator[tuple[Rows, list[Values]]]:
        """The samples of some groups at some steps, in the form of `sums.window_samples`."""
        most = int(self.groups.sizes[group].max(initial=0))
        for first in range(0, len(group), max(1, _PAIR_CELLS // max(most, 1))):
            batch = np.arange(first, min(first + max(1, _PAIR_CELLS // most), len(group)), dtype=np.intp)
            sizes = self.groups.sizes[group[batch]]
            place = np.arange(most, dtype=np.intp)[:, np.newaxis]
            held = place < sizes
            rows = np.minimum(self.groups.starts[group[batch]] + place, self.values.shape[0] - 1)
            rows = rows if self.groups.order is None else self.groups.order[rows]
            if self.present is not None:
                held &= self.present[rows, step[batch]]
            counts = np.count_nonzero(held, axis=0)
            by_count = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
            if len(by_count) == 0:
                continue
            packed = np.argsort(~held, axis=0, kind="stable")
            cells = np.take_along_axis(self.values[rows, step[batch]], packed, axis=0)[:, by_count]
            live = np.searchsorted(-counts[by_count], -np.arange(1, counts.max() + 1), side="right")
            yield batch[by_count], [cells[j, :n] for j, n in enumerate(live.tolist())]


def aggregate(
    op: str, values: Values, present: Mask | None, groups: Rows | Groups, count: int
) -> tuple[Values, Mask | None]:
    """One of AGGREGATES over groups of series, step by step.

    values: float64[S, K].  present: bool[S, K], None for all.  groups: intp[S], each below count, or what
    `Groups.of` makes of that.
    Returns float64[G, K] and bool[G, K] (None for all); G = count. A group without a sample is absent.
    """
    given = _Input(values, present, groups if isinstance(groups, Groups) else Groups.of(groups, count))
    found = AGGREGATES[op](given)
    held = None if present is None else given.counts() > 0
    numbers = given.groups.numbers
    if len(numbers) == count:
        return found, None if held is None or held.all() else held
    result = np.zeros((count, values.shape[1]))
    mask = np.zeros(result.shape, dtype=np.bool_)
    result[numbers] = found
    mask[numbers] = True if held is None else held
    return result, mask


def sums_and_counts(values: Values, present: Mask | None, groups: Rows, count: int) -> tuple[Values, Values]:
    """What `aggregate` gives for sum and for count, float64[G, K] each; 0 where a group has no sample."""
    given = _Input(values, present, Groups.of(groups, count))
    sums, counts = _sum(given), given.counts()
    numbers = given.groups.numbers
    if len(numbers) == count:
        return sums, counts
    both = np.zeros((2, count, values.shape[1]))
    both[0, numbers], both[1, numbers] = sums, counts
    return both[0], both[1]


def _sum(given: _Input) -> Values:
    few = _few_sums(given)
    if few is None:
        few = _sums_in_turn(given)
    if few is not None:
        return few
    sums = _sums(given)
    total = sums.rounded()
    group, step = sums.doubtful()
    for batch, samples in given.samples(group, step):
        exact, lost = sum_samples(samples)
        total[group[batch], step[batch]] = exact + lost
    return total


def _avg(given: _Input) -> Values:
    counts = np.maximum(given.counts(), 1.0)
    few = _few_sums(given)
    if few is not None:
        return few / counts
    sums = _sums(given)
    result = sums.total / counts
    if sums.rest is not None:
        result += sums.rest / counts
    group, step = sums.doubtful()
    for batch, samples in given.samples(group, step):
        result[group[batch], step[batch]] = mean_samples(samples)
    return result


def _few_sums(given: _Input) -> Values | None:
    """Exact sums of few values at one step, float64[N, 1]; None where there are many, or where a sum is not
    finite, or lies between two numbers or is so small beside its values that it matters how it is
    compensated.
    """
    if given.values.shape[1] != 1 or not 0 < len(given.values) <= _FEW_ROWS:
        return None
    (chunk,) = given.chunks()
    if int(chunk.sizes.max()) <= 2:  # no sum of two loses more than its own rounding
        with np.errstate(invalid="ignore", over="ignore"):
            pairs: Values = np.add.reduceat(chunk.filled(0.0), chunk.starts, axis=0) + 0.0
        return pairs if np.isfinite(pairs).all() else None
    values = chunk.filled(0.0)[:, 0].tolist()
    least = min(values)
    is_clear = least >= 0  # no sum is less than its largest value
    is_even = least >= _EVEN * max(values) > 0
    sums: list[float] = []
    start = 0
    for size in chunk.sizes.tolist():
        part = values[start : start + size]
        start += size
        try:
            total = math.fsum(part) + 0.0  # no sum is -0
        except (OverflowError, ValueError):  # it is beyond float64, or of both infinities
            return None
        if not math.isfinite(total):
            return None
        if not is_clear and abs(total) < _CLEAR * max(max(part), -min(part)):
            return None
        if not is_even and _is_tie(total, part):
            return None
        sums.append(total)
    return np.array(sums)[:, np.newaxis]


def _sums_in_turn(given: _Input) -> Values | None:
    """Upstream's sums, float64[N, K], where there are few cells and few in a group: the n-th series of all
    groups at once, one n after the other. None where there are many.
    """
    sizes = given.groups.sizes
    if given.present is not None or not 0 < given.values.size <= _CELLS_IN_TURN:
        return None
    most = int(sizes.max())
    if most > _ROWS_IN_TURN:
        return None
    by_size = np.argsort(-sizes, kind="stable")  # so that groups with an n-th series come first
    starts = given.groups.starts[by_size]
    samples = []
    for place in range(most):
        rows = starts[: np.count_nonzero(sizes > place)] + place
        rows = rows if given.groups.order is None else given.groups.order[rows]
        samples.append(given.values[rows].reshape(-1))
    total, rest = sum_samples(samples)
    sums = np.empty(given.shape)
    sums[by_size] = (total + rest).reshape(given.shape)
    return sums


def _is_tie(total: float, part: list[float]) -> bool:
    """Whether the sum of these, rounded to total, lies so near the middle of two numbers that bits lost by
    compensation may decide which it becomes.
    """
    rest = abs(math.fsum([*part, -total]))
    middle = math.ulp(total) / 2
    return rest > 0 and any(math.isclose(rest, at, rel_tol=_EVEN) for at in (middle, middle / 2))


def _sums(given: _Input) -> Sums:
    """The sum of each group at each step, [N, K].

    Values are split by the largest of all groups first, as one row of sigmas serves them all; groups for
    which that is too coarse are split by their own largest.
    """
    sums = _summed(given, together=True)
    if sums.doubt is None or given.shape[0] == 1:
        return sums
    again = np.flatnonzero(sums.doubt.any(axis=1))
    finer = _summed(given.only(again), together=False)
    assert sums.rest is not None, "only sums with a rest are in doubt"
    sums.total[again], sums.rest[again] = finer.total, 0.0 if finer.rest is None else finer.rest
    if finer.doubt is None:
        return Sums(sums.total, sums.rest, None)
    doubt = np.zeros(given.shape, dtype=np.bool_)
    doubt[again] = finer.doubt
    return Sums(sums.total, sums.rest, doubt)


def _summed(given: _Input, *, together: bool) -> Sums:
    """Sums of values split by the largest of all groups together, or by that of each."""
    peaks, wild = _peaks(given, together=together)
    over = peaks > HUGEST  # [N or 1, K]: upstream's loop decides what overflows
    longest = int(given.groups.sizes.max(initial=0))
    sigma = split_points(np.where(over, 0.0, peaks), longest)
    high, low, odd = (np.zeros(given.shape) for _ in range(3))
    any_low = False
    most = min(given.chunk_rows, len(given.values))
    buffers = (np.empty((most, given.shape[1])), np.empty((most, given.shape[1])))
    for chunk in given.chunks():
        values = chunk.filled(0.0)
        if wild:
            finite = np.isfinite(values)
            with np.errstate(invalid="ignore"):
                odd[chunk.groups] += chunk.reduce(np.add, np.where(finite, 0.0, values))
            values = np.where(finite & ~chunk.spread(over), values, 0.0)
        out = (buffers[0][: len(values)], buffers[1][: len(values)])
        chunk_high, chunk_low = split(values, chunk.spread(sigma), out)
        high[chunk.groups] += chunk.reduce(np.add, chunk_high)
        if chunk_low is not None:
            any_low = True
            low[chunk.groups] += chunk.reduce(np.add, chunk_low)
    floor = floors(sigma, longest) if any_low else np.zeros((1, 1))
    return _joined(high, low, odd if wild else None, floor, over)


def _joined(high: Values, low: Values, odd: Values | None, floor: Values, over: Mask) -> Sums:
    """high + low, or where a group has NaN or infinities, the sum of those: odd. All float64[N, K]."""
    total = high + low
    high -= total
    high += low  # what rounding lost
    doubt = np.abs(total) < floor
    if odd is None:
        return Sums(total, high, doubt if doubt.any() else None)
    is_odd = odd != 0
    doubt = (doubt & ~is_odd) | (over & ~np.isnan(odd))
    return Sums(np.where(is_odd, odd, total), np.where(is_odd, 0.0, high), doubt if doubt.any() else None)


def _peaks(given: _Input, *, together: bool) -> tuple[Values, bool]:
    """The largest finite magnitudes, float64[1, K] of all groups or float64[N, K] of each.

    Also whether any value is large, infinite or NaN.
    """
    peaks = np.zeros((1 if together else given.shape[0], given.shape[1]))
    wild = False
    buffer = np.empty((min(given.chunk_rows, len(given.values)), given.shape[1]))
    for chunk in given.chunks():
        magnitudes = np.abs(chunk.filled(0.0), out=buffer[: len(chunk.values)])
        if not (magnitudes.max(axis=0) <= HUGEST).all():
            wild = True
            magnitudes[~np.isfinite(magnitudes)] = 0.0
        if together:
            np.maximum(peaks[0], magnitudes.max(axis=0), out=peaks[0])
        else:
            largest = chunk.reduce(np.maximum, magnitudes)
            peaks[chunk.groups] = np.maximum(peaks[chunk.groups], largest)
    return peaks, wild


def _extreme(better: np.ufunc) -> Callable[[_Input], Values]:
    def reduce(given: _Input) -> Values:
        """The best value of each group; NaN only where all are."""
        result = np.full(given.shape, np.nan)
        for chunk in given.chunks():
            best = chunk.reduce(better, chunk.filled(np.nan))
            result[chunk.groups] = better(result[chunk.groups], best)
        _sign_zeros(result, given)
        return result

    return reduce


def _sign_zeros(result: Values, given: _Input) -> None:
    """Of zeros that differ in sign, the first of the group counts. result: float64[N, K], written to."""
    zero = result == 0
    if not zero.any() or not np.signbit(given.values).any():
        return
    group, step = np.nonzero(zero)
    for batch, samples in given.samples(group, step):
        found = result[group[batch], step[batch]]
        for value in reversed(samples):
            live = slice(len(value))
            found[live] = np.where(value == 0, value, found[live])
        result[group[batch], step[batch]] = found


def _count(given: _Input) -> Values:
    return given.counts()


def _group(given: _Input) -> Values:
    return np.ones(given.shape)


def _stdvar(given: _Input) -> Values:
    """Two passes: the mean, then squares of what is off it. NaN where any value is NaN or infinite.

    Where that overflows, upstream's single pass decides between infinity and NaN.
    """
    counts = np.maximum(given.counts(), 1.0)
    with np.errstate(invalid="ignore", over="ignore"):
        lowest = _lowest(given)
        off = np.zeros(given.shape)
        for chunk in given.chunks():
            apart = _apart(chunk, lowest)
            off[chunk.groups] += chunk.reduce(np.add, apart)
        mean = lowest + off / counts
        off, squares = np.zeros(given.shape), np.zeros(given.shape)
        for chunk in given.chunks():
            apart = _apart(chunk, mean)
            off[chunk.groups] += chunk.reduce(np.add, apart)
            squares[chunk.groups] += chunk.reduce(np.add, apart * apart)
        result: Values = np.maximum(squares - off * off / counts, 0.0) / counts
        doubt = ~np.isfinite(result)
        if doubt.any():
            group, step = np.nonzero(doubt & _finite(given))
            for batch, samples in given.samples(group, step):
                result[group[batch], step[batch]] = _spread(samples)
        return result


def _finite(given: _Input) -> Mask:
    """bool[N, K]: whether every value is finite."""
    result = np.ones(given.shape, dtype=np.bool_)
    for chunk in given.chunks():
        result[chunk.groups] &= np.isfinite(chunk.reduce(np.add, chunk.filled(0.0) * 0.0))
    return result


def _spread(samples: list[Values]) -> Values:
    """The variance of each column of `_Input.samples`, float64[P], by a running mean."""
    mean, squares, counts = samples[0].copy(), np.zeros(len(samples[0])), np.ones(len(samples[0]))
    for value in samples[1:]:
        live = slice(len(value))
        off = value - mean[live]
        counts[live] += 1.0
        mean[live] += off / counts[live]
        squares[live] += off * (value - mean[live])
    return squares / counts


def _lowest(given: _Input) -> Values:
    """The smallest value of each group, NaN if any is."""
    result = np.full(given.shape, np.inf)
    for chunk in given.chunks():
        low = chunk.reduce(np.minimum, chunk.filled(np.inf))
        result[chunk.groups] = np.minimum(result[chunk.groups], low)
    return result


def _apart(chunk: _Chunk, middle: Values) -> Values:
    """The chunk's values less their group's `middle`, float64[N, K]; 0 where absent."""
    apart: Values = chunk.values - chunk.spread(middle)
    if chunk.present is not None:
        apart[~chunk.present] = 0.0
    return apart


def _stddev(given: _Input) -> Values:
    variance = _stdvar(given)
    with np.errstate(invalid="ignore"):  # an overflow can leave -Inf, upstream's too
        return np.sqrt(variance, out=variance)


AGGREGATES: dict[str, Callable[[_Input], Values]] = {
    "avg": _avg,
    "count": _count,
    "group": _group,
    "max": _extreme(np.fmax),
    "min": _extreme(np.fmin),
    "stddev": _stddev,
    "stdvar": _stdvar,
    "sum": _sum,
}
"""Operator to its reduction: float64[N, K], of no meaning where a group has no sample."""
