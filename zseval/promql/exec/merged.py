"""Aggregations of functions over time, the other way round: first over series, then over time.

The largest of what `max_over_time` gives for each series is what it gives for the largest of all of them, row
by row, and a sum of sums, means or slopes is that of the sum. So windows are gone through once a group, not
once a series. This holds for series that share their times, for extremes also with gaps; others go the usual
way, and the two are joined. Sums keep what rounding loses (`kernels.segments`). Where only the order in
which upstream adds says what comes out (NaN, infinities, sums that cancel), all goes the usual way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from zseval.model.arrays import Mask, Rows, Times, Values
from zseval.model.segments import reduce_segments
from zseval.promql.exec.aggregate import row_groups
from zseval.promql.exec.context import Context
from zseval.promql.exec.ranges import RangeVector, trimmed
from zseval.promql.exec.totals import LEAST_CELLS, WORTHWHILE, Local, Source, Total, each_alone
from zseval.promql.exec.vector import Vector
from zseval.promql.kernels import over_time, regression
from zseval.promql.kernels.groups import aggregate, sums_and_counts
from zseval.promql.kernels.merging import SplitSums, extremes, split_sums
from zseval.promql.kernels.sums import between, counted
from zseval.promql.kernels.windows import Phases, Windows, window_bounds
from zseval.promql.plan.nodes import Aggregate, Call
from zseval.tsdb.frame import Frame

__all__ = ["merged"]

_FUNCTIONS = {
    "avg": frozenset({"avg_over_time", "deriv", "sum_over_time"}),
    "max": frozenset({"max_over_time"}),
    "min": frozenset({"min_over_time"}),
    "sum": frozenset({"avg_over_time", "deriv", "sum_over_time"}),
}
_CELLS = 1 << 15
"""Cells reduced at a time: what is in between stays in the cache."""
_FEWER = 4
"""So many series a group there must be on average."""


def merged(node: Aggregate, ctx: Context) -> Vector | None:
    """The value of an aggregation this works for, or None."""
    if not isinstance(node.expr, Call) or ctx.steps.count == 1:
        return None  # at a single step extremes go by digests
    if node.expr.function.name not in _FUNCTIONS.get(node.op, ()):
        return None
    source = Source.of(node, _FUNCTIONS[node.op], ctx, least=LEAST_CELLS)
    if source is None:
        return None
    groups = row_groups(source.labels, node.grouping, node.without, ctx.query)
    if groups.count * _FEWER > len(source.labels):
        return None
    shape = groups.count, ctx.steps.count
    result: _Result = _Extremes(node.op, shape) if node.op in ("max", "min") else _Sums(node.op, shape)
    alike: dict[tuple[int, bytes, bytes], _Alike] = {}
    rest: list[Frame] = []
    near = RangeVector(source.labels, (), source.ends, source.width)
    for frame in source.selection.frames:
        if not result.takes(frame) or len(frame.rows) < WORTHWHILE:
            rest.append(frame)
            continue
        frame = trimmed(frame, near)
        times = frame.times if frame.gappy is None else frame.gappy.times
        if len(times):
            bounds = window_bounds(times, source.ends, source.width)
            key = len(times), bounds[0].tobytes(), bounds[1].tobytes()
            alike.setdefault(key, _Alike(bounds)).add(frame, times)
    for kind in alike.values():
        if not result.add(kind, source, groups.ids, ctx):
            return None
    if rest and not result.add_alone(*each_alone(rest, source, ctx), groups.ids):
        return None
    present = result.present
    return Vector(groups.labels, result.value(), None if present.all() else present)


@dataclass(slots=True, eq=False)
class _Alike:
    """Frames whose series share their times, and whose windows have the same rows."""

    bounds: tuple[Rows, Rows]
    frames: list[Frame] = field(default_factory=list)
    times: list[Times] = field(default_factory=list)

    def add(self, frame: Frame, times: Times) -> None:
        self.frames.append(frame)
        self.times.append(times)

    def held(self, source: Source) -> Mask:
        """bool[K], windows with enough samples."""
        enough: Mask = self.bounds[1] - self.bounds[0] >= source.least
        return enough

    def windows(self, local: Local, source: Source) -> Windows:
        """Over rows that are yet to come."""
        times = np.stack(self.times)
        nothing = np.empty((len(local.group), 0))
        starts = source.ends - np.int64(source.width)
        return Windows(nothing, times[0], *self.bounds, starts, source.ends, Phases(times, local.frame))

    def pieces(self, groups: Rows, ctx: Context) -> Iterator[_Piece]:
        """All series, those of a group of a frame next to one another, some at a time."""
        for number, frame in enumerate(self.frames):
            ids = groups[frame.rows]
            is_sorted = bool((ids[1:] >= ids[:-1]).all())
            order = None if is_sorted else np.argsort(ids, kind="stable")
            size = max(1, _CELLS // frame.shape[1])
            for first in range(0, len(ids), size):
                ctx.query.limits.check()
                part = slice(first, first + size)
                some = part if order is None else order[part]
                yield _Piece.of(number, ids[some], *_cells(frame, some))


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """Series of one frame in group order. frame: its number.  values: float64[n, T], NaN where there is none.

    present: bool[n, T], None for everywhere.  starts: intp[M], where another group begins.
    groups: intp[M], which.
    """

    frame: int
    values: Values
    present: Mask | None
    starts: Rows
    groups: Rows

    @classmethod
    def of(cls, frame: int, ids: Rows, values: Values, present: Mask | None) -> _Piece:
        starts = np.flatnonzero(np.diff(ids, prepend=-1))
        return cls(frame, values, present, starts, ids[starts])

    def occupied(self) -> Mask:
        """bool[M, T]: rows at which some series of the group has a sample."""
        if self.present is None:
            return np.ones((len(self.starts), self.values.shape[1]), dtype=np.bool_)
        return reduce_segments(np.logical_or, self.present, self.starts, np.bool_)


def _cells(frame: Frame, series: slice | Rows) -> tuple[Values, Mask | None]:
    """Values of some series, and where there is one."""
    if frame.gappy is None:
        if isinstance(series, slice):
            return frame.part(series), None
        return frame.pick(series).part(slice(None)), None
    some = frame.gappy.pick(series).without_markers()
    return np.where(some.present, some.values(), np.nan), some.present


def _local(pieces: Sequence[tuple[Rows, int]]) -> Local:
    """Of the groups of each piece, and its frame."""
    places = np.zeros(0, dtype=np.intp)
    frames = np.repeat([frame for _, frame in pieces], [len(groups) for groups, _ in pieces])
    return Local(places, np.concatenate([groups for groups, _ in pieces]), frames)


class _Result(Protocol):
    """present: bool[G, K], where some series has a value."""

    @property
    def present(self) -> Mask: ...

    def takes(self, frame: Frame) -> bool:
        """Whether the series of the frame can be taken together."""
        ...

    def add(self, kind: _Alike, source: Source, groups: Rows, ctx: Context) -> bool:
        """Adds what the function gives for frames; False where only the usual way tells what comes out."""
        ...

    def add_alone(self, rows: Rows, values: Values, present: Mask | None, groups: Rows) -> bool:
        """Adds series that went the usual way."""
        ...

    def value(self) -> Values:
        """float64[G, K]."""
        ...


class _Extremes:
    """The largest or smallest so far."""

    def __init__(self, op: str, shape: tuple[int, int]) -> None:
        self._op, self._best = op, np.full(shape, np.nan)
        self._present = np.zeros(shape, dtype=np.bool_)
        self._better = np.fmax if op == "max" else np.fmin

    def takes(self, frame: Frame) -> bool:
        return frame.gappy is not None or (frame.is_dense and not frame.has_stale)

    def add(self, kind: _Alike, source: Source, groups: Rows, ctx: Context) -> bool:
        rows: list[Values] = []
        occupied: list[Mask] = []
        pieces: list[tuple[Rows, int]] = []
        for piece in kind.pieces(groups, ctx):
            found = extremes(piece.values, piece.starts, self._better)
            if found is None:
                return False
            rows.append(found)
            occupied.append(piece.occupied())
            pieces.append((piece.groups, piece.frame))
        local = _local(pieces)
        windows = kind.windows(local, source).with_values(np.concatenate(rows))
        kernel = over_time.max_over_time if self._op == "max" else over_time.min_over_time
        values, _ = kernel(windows)
        self._join(values, counted(np.concatenate(occupied), windows) > 0, local.group)
        return True

    def add_alone(self, rows: Rows, values: Values, present: Mask | None, groups: Rows) -> bool:
        if ((values == 0) & np.signbit(values)).any():
            return False  # of zeros that differ in sign the first counts
        self._join(values, present, groups[rows])
        return True

    def _join(self, values: Values, present: Mask | None, ids: Rows) -> None:
        best, there = aggregate(self._op, values, present, ids, len(self._best))
        better = self._better(self._best, best)
        self._best = better if there is None else np.where(there, better, self._best)
        self._present |= True if there is None else there

    @property
    def present(self) -> Mask:
        return self._present

    def value(self) -> Values:
        return self._best


class _Sums:
    """What was added up so far."""

    def __init__(self, op: str, shape: tuple[int, int]) -> None:
        self._op, self._total = op, Total(np.zeros(shape), np.zeros(shape))

    @property
    def present(self) -> Mask:
        return self._total.counts > 0

    def takes(self, frame: Frame) -> bool:
        return frame.is_dense and not frame.has_stale

    def add(self, kind: _Alike, source: Source, groups: Rows, ctx: Context) -> bool:
        assert source.function is not None, "selectors are not asked for"
        found: list[SplitSums] = []
        pieces: list[tuple[Rows, int]] = []
        is_slope = source.function.name == "deriv"
        for piece in kind.pieces(groups, ctx):
            values = piece.values
            with np.errstate(invalid="ignore", over="ignore"):
                values = values - values[:, :1] if is_slope else values
            part = split_sums(values, piece.starts)
            if part is None:
                return False
            found.append(part)
            pieces.append((piece.groups, piece.frame))
        local = _local(pieces)
        windows, sums = kind.windows(local, source), SplitSums.joined(found)
        made = _slopes(sums, windows) if is_slope else _of_sums(sums, windows, source.function.name)
        if made is None:
            return False
        held = kind.held(source)
        for frame in kind.frames:
            self._total.count_held(frame.rows, groups[frame.rows], held)
        whole, ids = np.concatenate(made), np.tile(local.group, len(made))
        total, _ = sums_and_counts(np.where(held, whole, 0.0), None, ids, len(self._total.counts))
        self._total.add(total)
        return True

    def add_alone(self, rows: Rows, values: Values, present: Mask | None, groups: Rows) -> bool:
        if not np.isfinite(values).all():
            return False
        sums, counts = sums_and_counts(values, present, groups[rows], len(self._total.counts))
        self._total.count(rows, counts, None)
        self._total.add(sums)
        return True

    def value(self) -> Values:
        return self._total.value(self._op)


def _slopes(sums: SplitSums, windows: Windows) -> list[Values]:
    """What is to be added up for deriv, float64[M, K] each."""
    high, _ = regression.deriv(windows.with_values(sums.high))
    if sums.low is None:
        return [high]
    low, _ = regression.deriv(windows.with_values(sums.low))
    return [high, low]


def _of_sums(sums: SplitSums, windows: Windows, function: str) -> list[Values] | None:
    """The same for sum_over_time and avg_over_time; None where sums cancel: upstream's order tells."""
    counts = np.maximum(windows.counts, 1) if function == "avg_over_time" else 1
    high = between(sums.high, windows)
    if sums.low is None:
        return [high / counts]
    low = between(sums.low, windows)
    small = np.abs(high + low) < sums.floor
    if small.any() and (high[small].any() or low[small].any()):
        return None
    return [high / counts, low / counts]
