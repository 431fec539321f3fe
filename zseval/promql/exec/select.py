"""Instant selectors: the last sample of each series within the lookback of each step."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from zseval.model.arrays import Mask, Rows, Times, Values, is_histogram
from zseval.promql.errors import EvaluationError
from zseval.promql.exec.context import Context
from zseval.promql.exec.selected_histograms import with_histograms
from zseval.promql.exec.vector import Vector
from zseval.promql.kernels.instant import last_with_gaps, last_within
from zseval.promql.plan.nodes import SampleTimes, Select, Subquery, Window
from zseval.tsdb.cohort import Cohort
from zseval.tsdb.frame import Frame

__all__ = ["assemble", "info_times", "last_of", "sample_times", "select", "window_ends"]


def window_ends(node: Select | Window | Subquery, ctx: Context) -> Times:
    """int64[K], ms: where a selector looks at each step; `@` looks at one time from all of them."""
    if ctx.steps.count == 1:
        at_ms = ctx.steps.start_ms if node.at_ms is None else node.at_ms
        return np.array([at_ms - node.offset_ms], dtype=np.int64)
    if node.at_ms is not None:
        return np.full(ctx.steps.count, node.at_ms - node.offset_ms, dtype=np.int64)
    return ctx.steps.times - np.int64(node.offset_ms)


def select(node: Select, ctx: Context) -> Vector:
    """The vector of an instant selector."""
    return _select(node, ctx, times=False)


def sample_times(node: SampleTimes, ctx: Context) -> Vector:
    """Unix seconds of the samples an instant selector picks."""
    return _select(node.select, ctx, times=True)


def info_times(node: SampleTimes, ctx: Context) -> Vector:
    """`sample_times` of info series. Raises EvaluationError where one is a native histogram."""
    if ctx.query.selections[node.select.read].histograms:
        picked = select(node.select, ctx)
        if picked.histograms is not None and is_histogram(picked.histograms).any():
            raise EvaluationError("info sample should be float")
    return sample_times(node, ctx)


def _select(node: Select, ctx: Context, *, times: bool) -> Vector:
    query, count = ctx.query, ctx.steps.count
    selection = query.selections[node.read]
    ends = window_ends(node, ctx)
    query.limits.hold(len(selection.labels) * count)
    if count == 1 and len(selection.cohorts) == 1 and not selection.apart and not selection.histograms:
        cohort, end = selection.cohorts[0], int(ends[0])
        what = "times" if times else "values", query.lookback_ms, end
        found = cohort.made.get(what)
        if found is None:
            _, values, present = _of_cohort(cohort, end, query.lookback_ms, times=times)
            found = cohort.made[what] = cohort.spread(values, present, len(selection.labels))
        query.limits.hold(-len(selection.labels))
        return Vector(selection.labels, *found)
    parts = []
    frames = selection.apart
    for cohort in selection.cohorts:
        if count == 1:
            parts.append(_of_cohort(cohort, int(ends[0]), query.lookback_ms, times=times))
        else:
            frames += tuple(cohort.frames())
    for frame in frames:
        query.limits.check()
        values, present, rows = last_of(frame, ends, query.lookback_ms)
        if times:
            values = np.broadcast_to(rows / 1000.0, values.shape)
        parts.append((frame.rows, values, present))
    query.limits.hold(-len(selection.labels) * count)
    vector = Vector(selection.labels, *assemble(len(selection.labels), count, parts))
    if not selection.histograms:
        return vector
    return with_histograms(vector, selection, ends, ctx, times=times)


def last_of(frame: Frame, ends: Times, lookback: int) -> tuple[Values, Mask | None, Times]:
    """As `last_within`, of a frame's series."""
    gappy = frame.gappy
    if gappy is None:
        return last_within(frame.times, frame.values, frame.counts, ends, lookback)
    return last_with_gaps(gappy.times, gappy.values(), gappy.present, ends, lookback)


def _of_cohort(cohort: Cohort, end: int, lookback: int, *, times: bool) -> tuple[Rows, Values, Mask | None]:
    """As `last_within`, for a single step."""
    if not times and _all_newest(cohort, end, lookback):
        length = cohort.times.shape[1]
        return cohort.rows, cohort.between(length - 1, length), None
    last = np.count_nonzero(cohort.times <= end, axis=1) - 1  # [P]
    moments = np.take_along_axis(cohort.times, np.maximum(last, 0)[:, np.newaxis], axis=1)[:, 0]
    fresh = (last >= 0) & (moments > end - lookback)
    present = None if fresh.all() else fresh[cohort.of][:, np.newaxis]
    if times:
        return cohort.rows, moments[cohort.of][:, np.newaxis] / 1000.0, present
    newest = int(last.max())
    if (last == newest).all() and newest >= 0:
        return cohort.rows, cohort.between(newest, newest + 1), present
    picked = np.maximum(last, 0)[cohort.of][:, np.newaxis]
    return cohort.rows, np.take_along_axis(cohort.values, picked, axis=1), present


def _all_newest(cohort: Cohort, end: int, lookback: int) -> bool:
    """Whether the last row of every source is what a selector picks."""
    if not cohort.times.shape[1]:
        return False
    moments = cohort.times[:, -1]
    return bool(moments.max() <= end and moments.min() > end - lookback)


def assemble(
    series: int, steps: int, parts: Iterable[tuple[Rows, Values, Mask | None]]
) -> tuple[Values, Mask | None]:
    """The values [S, K] of all series from those of disjoint groups of rows; the rest is absent.

    A single part with every row in order is passed through, not copied.
    """
    found = list(parts)
    if len(found) == 1 and np.array_equal(found[0][0], np.arange(series)):
        return found[0][1], found[0][2]
    values = np.zeros((series, steps))
    covered = sum(len(rows) for rows, _, _ in found) == series
    if covered and all(present is None for _, _, present in found):
        for rows, part, _ in found:
            values[rows] = part
        return values, None
    mask = np.zeros((series, steps), dtype=np.bool_)
    for rows, part, present in found:
        values[rows] = part
        mask[rows] = True if present is None else present
    return values, mask
