"""Aggregations the other way round: first over series, then over time.

The largest of what `max_over_time` gives for each series is what it gives for the largest of all of them, row
by row, and a sum of sums, means, slopes or increases is that of the sum. So windows are gone through once a
group, not once a series. This holds for series that share their times, for extremes also with gaps; others
go the usual way, and the two are joined. Sums keep what rounding loses (`kernels.merging`). Where only the
order in which upstream adds says what comes out (sums that cancel), all goes the usual way.
"""

from __future__ import annotations

from functools import partial
from typing import Protocol

import numpy as np

from zseval.model.arrays import Mask, Rows, Values
from zseval.promql.exec.aggregate import row_groups
from zseval.promql.exec.context import Context
from zseval.promql.exec.gains import Gains
from zseval.promql.exec.pieces import Alike, Places, alike_of, starts_of
from zseval.promql.exec.ranges import warn_if_not_counters
from zseval.promql.exec.totals import LEAST_CELLS, WORTHWHILE, Source, Total, each_alone
from zseval.promql.exec.vector import Vector
from zseval.promql.kernels import counters, over_time, regression
from zseval.promql.kernels.groups import aggregate, sums_and_counts
from zseval.promql.kernels.merging import SplitSums, extremes, largest, split_sums
from zseval.promql.kernels.sums import HUGEST, between, counted
from zseval.promql.kernels.windows import Windows
from zseval.promql.plan.nodes import Aggregate
from zseval.tsdb.frame import Frame

__all__ = ["merged"]

_GAINS = frozenset({"increase", "rate"})
_LINEAR = frozenset({"avg_over_time", "delta", "deriv", "sum_over_time"}) | _GAINS
_FUNCTIONS = {
    "avg": _LINEAR,
    "max": frozenset({"max_over_time"}),
    "min": frozenset({"min_over_time"}),
    "sum": _LINEAR,
}
"""By operator; sums are also taken of selectors."""

_FEWER = 4
"""So many series a group of each source there must be on average."""


def merged(node: Aggregate, ctx: Context) -> Vector | None:
    """The value of an aggregation this works for, or None."""
    functions = _FUNCTIONS.get(node.op)
    if functions is None or ctx.steps.count == 1:
        return None  # at a single step functions go by digests
    source = Source.of(node, functions, ctx, least=LEAST_CELLS)
    if source is None or (source.function is None and functions is not _LINEAR):
        return None
    groups = row_groups(source.labels, node.grouping, node.without, ctx.query)
    total = Total.of(groups.count, ctx.steps.count)
    result = _result(node.op, source, total)
    some: list[Frame] = []
    rest: list[Frame] = []
    for frame in source.selection.frames:
        (some if len(frame.rows) >= WORTHWHILE and result.takes(frame) else rest).append(frame)
    size, kept = 0, 0
    for frame in some:
        size += len(frame.rows)
        kept += int(np.count_nonzero(np.bincount(groups.ids[frame.rows])))
    if not size or kept * _FEWER > size:
        return None
    for kind in alike_of(some, source):
        left = result.add(kind, groups.ids, ctx)
        if left is None:
            return None
        rest += left
    if rest and not result.add_alone(*each_alone(rest, source, ctx), groups.ids):
        return None
    if source.function is not None and source.function.counters_only:
        seen = partial(total.seen, groups.ids)
        warn_if_not_counters(source.selection.labels, seen, source.start, ctx)
    present = result.present
    return Vector(groups.labels, result.value(), None if present.all() else present)


class _Result(Protocol):
    """present: bool[G, K], where some series has a value."""

    @property
    def present(self) -> Mask: ...

    def takes(self, frame: Frame) -> bool:
        """Whether the series of the frame can be taken together."""
        ...

    def add(self, kind: Alike, groups: Rows, ctx: Context) -> list[Frame] | None:
        """Adds what the function gives for frames; returns those of series that have to go the usual way,
        None where all have to.
        """
        ...

    def add_alone(self, rows: Rows, values: Values, present: Mask | None, groups: Rows) -> bool:
        """Adds series that went the usual way; False where all have to."""
        ...

    def value(self) -> Values:
        """float64[G, K]."""
        ...


def _result(op: str, source: Source, total: Total) -> _Result:
    if op in ("max", "min"):
        return _Extremes(op, total.counts.shape)
    if source.function is not None and source.function.name in _GAINS:
        return _Gained(op, total)
    return _Sums(op, total)


class _Extremes:
    """The largest or smallest so far."""

    def __init__(self, op: str, shape: tuple[int, ...]) -> None:
        self._op, self._best = op, np.full(shape, np.nan)
        self._better = np.fmax if op == "max" else np.fmin
        self.present: Mask = np.zeros(shape, dtype=np.bool_)

    def takes(self, frame: Frame) -> bool:
        return frame.gappy is not None or (frame.is_dense and not frame.has_stale)

    def add(self, kind: Alike, groups: Rows, ctx: Context) -> list[Frame] | None:
        rows: list[Values] = []
        occupied: list[Mask] = []
        places = Places()
        for piece in kind.pieces(groups, ctx):
            starts = piece.starts
            found = extremes(piece.values, starts, self._better)
            if found is None:
                return None
            rows.append(found)
            occupied.append(piece.occupied())
            places.add(piece.ids[starts], piece.frame)
        windows = kind.windows(np.concatenate(rows), places.frames)
        kernel = over_time.max_over_time if self._op == "max" else over_time.min_over_time
        values, _ = kernel(windows)
        self._join(values, counted(np.concatenate(occupied), windows) > 0, places.groups)
        return []

    def add_alone(self, rows: Rows, values: Values, present: Mask | None, groups: Rows) -> bool:
        zeros = (values == 0) & np.signbit(values)
        if (zeros if present is None else zeros & present).any():
            return False  # of zeros that differ in sign the first counts
        self._join(values, present, groups[rows])
        return True

    def _join(self, values: Values, present: Mask | None, ids: Rows) -> None:
        best, there = aggregate(self._op, values, present, ids, len(self._best))
        better = self._better(self._best, best)
        self._best = better if there is None else np.where(there, better, self._best)
        self.present |= True if there is None else there

    def value(self) -> Values:
        return self._best


class _Summed:
    """Sums of what goes the usual way, and what was added to them."""

    def __init__(self, op: str, total: Total) -> None:
        self._op, self._total = op, total

    @property
    def present(self) -> Mask:
        return self._total.counts > 0

    def takes(self, frame: Frame) -> bool:
        return frame.is_dense and not frame.has_stale

    def add_alone(self, rows: Rows, values: Values, present: Mask | None, groups: Rows) -> bool:
        huge = (np.abs(values) > HUGEST) & np.isfinite(values)
        if (huge if present is None else huge & present).any():
            return False  # upstream's order tells whether sums overflow
        self._total.add_alone(rows, values, present, groups)
        return True

    def value(self) -> Values:
        return self._total.value(self._op)


class _Gained(_Summed):
    def add(self, kind: Alike, groups: Rows, ctx: Context) -> list[Frame] | None:
        return Gains(kind, self._total).add(groups, ctx)


class _Sums(_Summed):
    def add(self, kind: Alike, groups: Rows, ctx: Context) -> list[Frame] | None:
        function = "" if kind.source.function is None else kind.source.function.name
        found: list[SplitSums] = []
        places, odd = Places(), dict[int, list[Rows]]()
        for piece in kind.pieces(groups, ctx):
            values, ids = piece.values, piece.ids
            with np.errstate(invalid="ignore", over="ignore"):
                values = values - values[:, :1] if function == "deriv" else values
            peaks = largest(values)
            tame = peaks <= HUGEST
            if not tame.all():
                odd.setdefault(piece.frame, []).append(piece.series[~tame])
                values, ids, peaks = values[tame], ids[tame], peaks[tame]
            if len(ids):
                starts = starts_of(ids)
                found.append(split_sums(values, starts, peaks))
                places.add(ids[starts], piece.frame)
                self._total.count_held(kind.frames[piece.frame].rows[piece.series[tame]], ids, kind.held)
        if found:
            sums = SplitSums.joined(found)
            made = _applied(sums, kind.windows(sums.high, places.frames), function)
            if made is None:
                return None
            whole, by = np.concatenate(made), np.tile(places.groups, len(made))
            total, _ = sums_and_counts(np.where(kind.held, whole, 0.0), None, by, len(self._total.counts))
            self._total.add(total)
        return [kind.pick(frame, series) for frame, series in odd.items()]


def _applied(sums: SplitSums, high: Windows, function: str) -> list[Values] | None:
    """What is to be added up, float64[M, K] each; None where sums cancel: upstream's order tells.

    high: windows over the high parts.
    """
    parts = [high] if sums.low is None else [high, high.with_values(sums.low)]
    match function:
        case "":
            return [part.last() for part in parts]
        case "delta":
            return [counters.delta(part)[0] for part in parts]
        case "deriv":
            return [regression.deriv(part)[0] for part in parts]
    totals = [between(part.values, part) for part in parts]
    if len(totals) > 1:
        small = np.abs(totals[0] + totals[1]) < sums.floor
        if small.any() and (totals[0][small].any() or totals[1][small].any()):
            return None
    counts = np.maximum(high.counts, 1) if function == "avg_over_time" else 1
    return [total / counts for total in totals]
