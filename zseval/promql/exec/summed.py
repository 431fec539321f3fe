"""Sums and counts of selectors and of rates, taken before the function instead of after it.

rate, increase and delta of series that share their times multiply what was gained by one factor a step.
So `sum(rate(x[5m]))` is that factor times what the sum of the counters gained, and the sum is there
without decoding a series (`zseval.tsdb.whole`): exact, where adding the rates of each would round. Series
this does not hold for (gaps, resets, decimals, counters that start near zero) go the usual way, and the
parts are added. `count` and `group` need no value at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from zseval.model.arrays import Mask, Rows, Times, Values
from zseval.model.labelsets import LabelSets
from zseval.promql.exec.aggregate import row_groups
from zseval.promql.exec.context import Context
from zseval.promql.exec.ranges import RangeVector, trimmed, warn_if_not_counters, windows_of
from zseval.promql.exec.select import assemble, window_ends
from zseval.promql.exec.vector import Vector, without_names
from zseval.promql.functions import Function
from zseval.promql.kernels import counters
from zseval.promql.kernels.groups import aggregate
from zseval.promql.kernels.instant import last_within
from zseval.promql.kernels.sums import add_compensated
from zseval.promql.kernels.windows import Windows
from zseval.promql.plan.nodes import Aggregate, Call, Select, Window
from zseval.tsdb.frame import Frame, Selection
from zseval.tsdb.whole import group_sums

__all__ = ["summed"]

_OPERATORS = frozenset({"sum", "avg", "count", "group"})
_RANGE_FUNCTIONS = frozenset({"rate", "increase", "delta"})
_WORTHWHILE = 8
"""Series a frame must have: below, the usual way costs less."""


def summed(node: Aggregate, ctx: Context) -> Vector | None:
    """The value of an aggregation this works for, or None."""
    source = _source(node, ctx)
    if source is None:
        return None
    labels = source.labels
    groups = row_groups(labels, node.grouping, node.without, ctx.query)
    total = _Total(np.zeros((groups.count, ctx.steps.count)), np.zeros((groups.count, ctx.steps.count)))
    rest = [
        left
        for frame in source.selection.frames
        if (left := _add_frame(frame, source, groups.ids, node.op, total, ctx)) is not None
    ]
    if rest:
        _add_rest(rest, source, groups.ids, node.op, total, ctx)
    if source.function is not None and source.function.counters_only:
        warn_if_not_counters(source.selection.labels, total.seen(groups.ids), source.start, ctx)
    present = total.counts > 0
    return Vector(groups.labels, total.value(node.op), None if present.all() else present)


@dataclass(frozen=True, slots=True, eq=False)
class _Source:
    """What is aggregated: a selector, or a function of one.

    labels: as the function leaves them.  ends: int64[K], ms, and width: ms, of windows or lookback.
    """

    selection: Selection
    labels: LabelSets
    ends: Times
    width: int
    function: Function | None
    start: int

    @property
    def least(self) -> int:
        """Samples a window needs."""
        return 1 if self.function is None else 2


def _source(node: Aggregate, ctx: Context) -> _Source | None:
    query, inner = ctx.query, node.expr
    if node.op not in _OPERATORS or query.trace is not None or query.delayed_names:
        return None
    function: Function | None = None
    if isinstance(inner, Call) and inner.function.name in _RANGE_FUNCTIONS:
        function, inner = inner.function, inner.args[0]
    elif isinstance(inner, Call):
        return None
    if isinstance(inner, Select) and not inner.smoothed:
        width = query.lookback_ms
    elif isinstance(inner, Window) and inner.extension is None:
        width = inner.range_ms
    else:
        return None
    selection = query.selections[inner.read]
    if selection.histograms or selection.starts is not None:
        return None
    labels = selection.labels
    if function is not None:
        labels = without_names(labels, query)
        if query.remember((labels,), "group", labels.group).count < len(labels):
            return None  # series that may come to clash: the usual way tells
    return _Source(selection, labels, window_ends(inner, ctx), width, function, inner.span.start)


@dataclass(slots=True, eq=False)
class _Total:
    """What was added up so far: sums with what rounding lost, and counts, float64[G, K].

    seen_rows: of the series that went the usual way, which have a value at some step.
    """

    sums: Values
    counts: Values
    lost: Values | None = None
    _seen: list[tuple[Rows, Mask | None]] = field(default_factory=list)

    def add(self, values: Values) -> None:
        if self.lost is None:
            self.lost = np.zeros(self.sums.shape)
        self.sums, self.lost = add_compensated(values, self.sums, self.lost)

    def count(self, rows: Rows, counts: Values, seen: Mask | None) -> None:
        """counts: float64[G, K] of these series.  seen: bool[n], which have a value; None for all."""
        self.counts += counts
        self._seen.append((rows, seen))

    def seen(self, groups: Rows) -> Mask:
        """bool[S], the series that have a value at some step."""
        seen = np.zeros(len(groups), dtype=np.bool_)
        for rows, some in self._seen:
            seen[rows] = True if some is None else some
        return seen

    def value(self, op: str) -> Values:
        if op == "count":
            return self.counts
        if op == "group":
            return np.ones(self.counts.shape)
        counts = np.maximum(self.counts, 1.0) if op == "avg" else 1.0
        return self.sums / counts if self.lost is None else self.sums / counts + self.lost / counts


def _add_frame(
    frame: Frame, source: _Source, groups: Rows, op: str, total: _Total, ctx: Context
) -> Frame | None:
    """Adds the series of a frame that allow it; returns the others."""
    if not frame.is_dense or frame.has_stale or len(frame.rows) < _WORTHWHILE:
        return frame
    ctx.query.limits.check()
    near = RangeVector(source.labels, (), source.ends, source.width)
    frame = trimmed(frame, near)
    if not len(frame.times):
        return None
    ids, shape = groups[frame.rows], (len(total.sums), len(frame.times))
    windows = Windows.of(frame.times, np.empty(shape), None, source.ends, source.width)
    held = windows.counts >= source.least  # [K]
    if op in ("count", "group"):
        _count(frame.rows, ids, held, total)
        return None
    if frame.stretches is None:
        return frame
    rising = None
    if source.function is not None and source.function.counters_only:
        rising = counters.clear_of_zero(windows)
    found = group_sums(frame.stretches, ids, len(total.sums), rising=rising)
    for sums, scale in found.parts:
        total.add(np.where(held, _applied(windows.with_values(sums), source) / scale, 0.0))
    if found.count:
        _count(frame.rows[found.taken], ids[found.taken], held, total)
    return frame.pick(np.flatnonzero(~found.taken)) if found.count < len(ids) else None


def _applied(sums: Windows, source: _Source) -> Values:
    """The function, or what a selector picks, of sums: float64[G, K]."""
    if source.function is None:
        return sums.last()
    return counters.of_sums(sums, per_second=source.function.name == "rate")


def _count(rows: Rows, ids: Rows, held: Mask, total: _Total) -> None:
    sizes = np.bincount(ids, minlength=len(total.counts)).astype(np.float64)
    total.count(
        rows, sizes[:, np.newaxis] * held, None if held.any() else np.zeros(len(rows), dtype=np.bool_)
    )


def _add_rest(
    frames: Sequence[Frame], source: _Source, groups: Rows, op: str, total: _Total, ctx: Context
) -> None:
    """Adds series the usual way: each by itself through the function, then grouped."""
    vector = RangeVector(source.labels, frames, source.ends, source.width)
    parts: list[tuple[Rows, Values, Mask | None]] = []
    if source.function is None:
        for frame in frames:
            ctx.query.limits.check()
            last = last_within(frame.times, frame.values, frame.counts, source.ends, source.width)
            parts.append((frame.rows, last[0], last[1]))
    else:
        kernel = getattr(counters, source.function.name)
        parts.extend((rows, *kernel(windows)) for rows, windows in windows_of(vector, ctx))
    rows = np.concatenate([part[0] for part in parts])
    places = np.cumsum([0, *(len(part[0]) for part in parts)])
    placed = [
        (np.arange(first, first + len(part[0]), dtype=np.intp), part[1], part[2])
        for first, part in zip(places.tolist(), parts, strict=False)
    ]
    values, present = assemble(len(rows), ctx.steps.count, placed)
    ids, count = groups[rows], len(total.sums)
    counts, _ = aggregate("count", values, present, ids, count)
    seen = None if present is None else np.logical_or.reduce(present, axis=1)
    total.count(rows, counts, seen)
    if op in ("sum", "avg"):
        sums, some = aggregate("sum", values, present, ids, count)
        total.add(sums if some is None else np.where(some, sums, 0.0))
