"""Counts of series that a selector picks or a function of time gives something for: no value is looked at."""

from __future__ import annotations

from functools import partial

import numpy as np

from zseval.model.arrays import Rows
from zseval.model.segments import reduce_segments
from zseval.promql.exec.aggregate import row_groups
from zseval.promql.exec.context import Context
from zseval.promql.exec.ranges import RangeVector, trimmed, warn_if_not_counters
from zseval.promql.exec.totals import WORTHWHILE, Source, Total, each_alone
from zseval.promql.exec.vector import Vector
from zseval.promql.kernels.groups import aggregate
from zseval.promql.kernels.missing import Missing
from zseval.promql.kernels.windows import take, window_bounds
from zseval.promql.plan.nodes import Aggregate
from zseval.tsdb.frame import Frame
from zseval.tsdb.gappy import Gappy

__all__ = ["counted"]

_FUNCTIONS = frozenset({"rate", "increase", "delta"})


def counted(node: Aggregate, ctx: Context) -> Vector | None:
    """The value of a count or group this works for, or None."""
    source = Source.of(node, _FUNCTIONS, ctx) if node.op in ("count", "group") else None
    if source is None:
        return None
    groups = row_groups(source.labels, node.grouping, node.without, ctx.query)
    total = Total.of(groups.count, ctx.steps.count)
    rest: list[Frame] = []
    near = RangeVector(source.labels, (), source.ends, source.width)
    for frame in source.selection.frames:
        if frame.gappy is not None:
            ctx.query.limits.check()
            _count_gappy(frame, frame.gappy, source, groups.ids, total)
        elif not frame.is_dense or frame.has_stale or len(frame.rows) < WORTHWHILE:
            rest.append(frame)
        elif len((frame := trimmed(frame, near)).times):
            lo, hi = window_bounds(frame.times, source.ends, source.width)
            total.count_held(frame.rows, groups.ids[frame.rows], hi - lo >= source.least)
    if rest:
        rows, values, present = each_alone(rest, source, ctx)
        seen = None if present is None else np.logical_or.reduce(present, axis=1)
        total.count(rows, aggregate("count", values, present, groups.ids[rows], groups.count)[0], seen)
    if source.function is not None and source.function.counters_only:
        seen_of = partial(total.seen, groups.ids)
        warn_if_not_counters(source.selection.labels, seen_of, source.start, ctx)
    present = total.counts > 0
    return Vector(groups.labels, total.value(node.op), None if present.all() else present)


def _count_gappy(frame: Frame, gappy: Gappy, source: Source, groups: Rows, total: Total) -> None:
    """Counts series with gaps; what a selector picks, but for series that end, by its absence."""
    if source.function is not None:
        _count_with_gaps(frame.rows, gappy.without_markers(), source, groups, total)
        return
    marked = np.zeros(0, dtype=np.intp) if gappy.stale is None else np.flatnonzero(gappy.stale.any(axis=1))
    if len(marked):
        _count_with_gaps(frame.rows[marked], gappy.pick(marked), source, groups, total)
        others = np.setdiff1d(np.arange(len(frame.rows)), marked, assume_unique=True)
        frame, gappy = frame.pick(others), gappy.pick(others)
    if len(frame.rows):
        _count_spans(frame.rows, gappy, source, groups, total)


def _count_spans(rows: Rows, gappy: Gappy, source: Source, groups: Rows, total: Total) -> None:
    """Counts what a selector picks of series without markers: all but those whose lookback is a gap."""
    lo, hi = window_bounds(gappy.times, source.ends, source.width)
    counts = np.zeros(total.counts.shape)
    some = np.flatnonzero(lo < hi)
    series, first, last = Missing(gappy.present).spans(lo[some], hi[some])
    ids, length = groups[rows], len(some) + 1
    edges = np.bincount(ids[series] * length + first, minlength=len(counts) * length)
    edges -= np.bincount(ids[series] * length + last, minlength=len(counts) * length)
    absent = np.cumsum(edges.reshape(len(counts), length)[:, :-1], axis=1)
    counts[:, some] = np.bincount(ids, minlength=len(counts))[:, np.newaxis] - absent
    steps_absent = np.bincount(series, weights=last - first, minlength=len(rows))
    total.count(rows, counts, steps_absent < len(some))


def _count_with_gaps(rows: Rows, gappy: Gappy, source: Source, groups: Rows, total: Total) -> None:
    """Counts series with gaps by which of their cells are empty: none is decoded."""
    lo, hi = window_bounds(gappy.times, source.ends, source.width)
    held = gappy.held()
    present = take(held, hi) - take(held, lo) >= source.least  # [S, K]
    marked, ended = gappy.ended()
    if len(marked):
        present[marked] &= ~take(ended, hi - 1)
    order = np.argsort(groups[rows], kind="stable")
    ids = groups[rows[order]]
    starts = np.flatnonzero(np.diff(ids, prepend=-1))
    counts = np.zeros(total.counts.shape)
    counts[ids[starts]] = reduce_segments(np.add, present[order], starts, np.int32)
    total.count(rows, counts, np.logical_or.reduce(present, axis=1))
