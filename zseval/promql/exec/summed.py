"""Sums and counts of selectors and of rates, taken before the function instead of after it.

rate, increase and delta of series that share their times multiply what was gained by one factor a step.
So `sum(rate(x[5m]))` is that factor times what the sum of the counters gained, and the sum is there
without decoding a series (`zseval.tsdb.whole`): exact, where adding the rates of each would round. Series
this does not hold for (gaps, resets, decimals, counters that start near zero) go the usual way, and the
parts are added. `count` and `group` need no value at all, with gaps or without.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from zseval.model.arrays import Rows, Values
from zseval.model.segments import reduce_segments
from zseval.promql.exec.aggregate import row_groups
from zseval.promql.exec.context import Context
from zseval.promql.exec.ranges import RangeVector, trimmed, warn_if_not_counters
from zseval.promql.exec.totals import LEAST_CELLS, WORTHWHILE, Local, Source, Total, each_alone
from zseval.promql.exec.vector import Vector
from zseval.promql.kernels import counters
from zseval.promql.kernels.groups import aggregate, sums_and_counts
from zseval.promql.kernels.missing import Missing
from zseval.promql.kernels.windows import Phases, Windows, take, window_bounds
from zseval.promql.plan.nodes import Aggregate, Call
from zseval.tsdb.frame import Frame
from zseval.tsdb.gappy import Gappy
from zseval.tsdb.whole import group_sums

__all__ = ["summed"]

_OPERATORS = frozenset({"sum", "avg", "count", "group"})
_RANGE_FUNCTIONS = frozenset({"rate", "increase", "delta"})
_BATCH_CELLS = 1 << 20
"""Cells of frames that are summed together, about."""
_BEGINNING = 32
"""This part of the rows is left out where counters begin near zero."""
_PROBED = 16
"""So many series are looked at first, to see whether counters do."""


def summed(node: Aggregate, ctx: Context) -> Vector | None:
    """The value of an aggregation this works for, or None."""
    source = _source(node, ctx)
    if source is None:
        return None
    groups = row_groups(source.labels, node.grouping, node.without, ctx.query)
    total = Total(np.zeros((groups.count, ctx.steps.count)), np.zeros((groups.count, ctx.steps.count)))
    alike: dict[tuple[int, bytes, bytes], _Alike] = {}
    rest: list[Frame] = []
    near = RangeVector(source.labels, (), source.ends, source.width)
    for frame in source.selection.frames:
        if frame.gappy is not None and node.op in ("count", "group"):
            ctx.query.limits.check()
            _count_gappy(frame, frame.gappy, source, groups.ids, total)
            continue
        if not frame.is_dense or frame.has_stale or len(frame.rows) < WORTHWHILE:
            rest.append(frame)
            continue
        frame = trimmed(frame, near)
        if len(frame.times):
            bounds = window_bounds(frame.times, source.ends, source.width)
            likeness = len(frame.times), bounds[0].tobytes(), bounds[1].tobytes()
            batch = alike.setdefault(likeness, _Alike(bounds))
            batch.frames.append(frame)
            batch.cells += frame.size
            if batch.cells > _BATCH_CELLS:
                rest.extend(_add_frames(batch.taken(), bounds, source, groups.ids, node.op, total, ctx))
    for batch in alike.values():
        if batch.frames:
            rest.extend(_add_frames(batch.taken(), batch.bounds, source, groups.ids, node.op, total, ctx))
    if rest:
        _add_rest(rest, source, groups.ids, node.op, total, ctx)
    if source.function is not None and source.function.counters_only:
        seen = partial(total.seen, groups.ids)
        warn_if_not_counters(source.selection.labels, seen, source.start, ctx)
    present = total.counts > 0
    return Vector(groups.labels, total.value(node.op), None if present.all() else present)


@dataclass(slots=True, eq=False)
class _Alike:
    """Dense frames whose windows have the same rows."""

    bounds: tuple[Rows, Rows]
    frames: list[Frame] = field(default_factory=list)
    cells: int = 0

    def taken(self) -> list[Frame]:
        """All of them, which are then forgotten here."""
        frames, self.frames, self.cells = self.frames, [], 0
        return frames


def _source(node: Aggregate, ctx: Context) -> Source | None:
    if node.op not in _OPERATORS:
        return None
    if node.op in ("count", "group"):
        return Source.of(node, _RANGE_FUNCTIONS, ctx)
    if isinstance(node.expr, Call) and ctx.steps.count == 1:
        return None  # at a single step rates go by digests
    return Source.of(node, _RANGE_FUNCTIONS, ctx, least=LEAST_CELLS)


def _add_frames(
    frames: Sequence[Frame],
    bounds: tuple[Rows, Rows],
    source: Source,
    groups: Rows,
    op: str,
    total: Total,
    ctx: Context,
    *,
    again: bool = True,
) -> list[Frame]:
    """Adds the series of frames that are alike, as far as they allow it; returns the others.

    again: try those that do not once more without their first rows.
    """
    ctx.query.limits.check()
    rows = np.concatenate([frame.rows for frame in frames]) if len(frames) > 1 else frames[0].rows
    ids, times = groups[rows], frames[0].times
    moments = np.stack([frame.times for frame in frames])
    starts = source.ends - np.int64(source.width)
    windows = Windows(np.empty((0, len(times))), times, *bounds, starts, source.ends)
    held = windows.counts >= source.least  # [K]
    if op in ("count", "group"):
        total.count_held(rows, ids, held)
        return []
    stretches = [frame.stretches for frame in frames if frame.stretches is not None]
    if len(stretches) < len(frames):
        return [*frames]
    local = Local.of(ids, np.repeat(np.arange(len(frames)), [len(frame.rows) for frame in frames]))
    rising = None
    if source.function is not None and source.function.counters_only:
        none = np.zeros(0, dtype=np.intp)
        rising = counters.clear_of_zero(windows.of_sources(windows.values, Phases(moments, none)))
        again = again and len(times) >= _BEGINNING
        if again and len(ids) * len(times) >= LEAST_CELLS and _begins_near_zero(frames[0], rising):
            return _add_later(frames, bounds, source, groups, op, total, ctx)
    found = group_sums(stretches, local.places, len(local.group), rising=rising)
    of_frames = Phases(moments, local.frame)
    for sums, scale in found.parts:
        applied = _applied(windows.of_sources(sums, of_frames), source)
        total.add(np.where(held, applied / scale, 0.0), local, exactly=rising is None)
    if found.count:
        total.count_held(rows[found.taken], ids[found.taken], held)
    if found.count == len(ids):
        return []
    left, ends = ~found.taken, np.cumsum([len(frame.rows) for frame in frames])
    parts = zip(frames, np.split(left, ends[:-1]), strict=True)
    others = [frame.pick(np.flatnonzero(some)) for frame, some in parts if some.any()]
    if rising is None or not again or sum(frame.size for frame in others) < LEAST_CELLS:
        return others
    return _add_later(others, bounds, source, groups, op, total, ctx)


def _begins_near_zero(frame: Frame, rising: float) -> bool:
    """Whether most counters of a frame do, as far as a few of them tell."""
    some = frame.part(slice(0, _PROBED))
    largest = np.diff(some, axis=1).max(axis=1, initial=0.0)
    return bool(2 * np.count_nonzero(some[:, 0] < rising * largest) > len(some))


def _add_later(
    frames: Sequence[Frame],
    bounds: tuple[Rows, Rows],
    source: Source,
    groups: Rows,
    op: str,
    total: Total,
    ctx: Context,
) -> list[Frame]:
    """As `_add_frames` for counters that begin near zero: after their first rows they may be clear of it.

    The steps that look at those rows go the usual way.
    """
    first_row = len(frames[0].times) // _BEGINNING
    early = int(np.count_nonzero(bounds[0] < first_row))
    if early > len(source.ends) // 2 or (bounds[0][:early] >= first_row).any():
        return [*frames]
    beginning, later = slice(0, early), slice(early, None)
    shorter = [frame.between(first_row, len(frame.times)) for frame in frames]
    moved = bounds[0][later] - first_row, bounds[1][later] - first_row
    others = _add_frames(shorter, moved, source.part(later), groups, op, total.part(later), ctx, again=False)
    left = np.concatenate([frame.rows for frame in others]) if others else np.zeros(0, dtype=np.intp)
    rest: list[Frame] = []
    some: list[Frame] = []
    for frame in frames:
        is_left = np.isin(frame.rows, left)
        for chosen, into in ((np.flatnonzero(is_left), rest), (np.flatnonzero(~is_left), some)):
            if len(chosen):
                into.append(frame if len(chosen) == len(frame.rows) else frame.pick(chosen))
    if some and early:
        _add_rest(some, source.part(beginning), groups, op, total.part(beginning), ctx)
    return rest


def _applied(sums: Windows, source: Source) -> Values:
    """The function, or what a selector picks, of sums: float64[G, K]."""
    if source.function is None:
        return sums.last()
    return counters.of_sums(sums, per_second=source.function.name == "rate")


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


def _add_rest(
    frames: Sequence[Frame], source: Source, groups: Rows, op: str, total: Total, ctx: Context
) -> None:
    """Adds series the usual way: each by itself through the function, then grouped."""
    rows, values, present = each_alone(frames, source, ctx)
    ids, count = groups[rows], len(total.sums)
    seen = None if present is None else np.logical_or.reduce(present, axis=1)
    if op in ("sum", "avg"):
        sums, counts = sums_and_counts(values, present, ids, count)
        total.count(rows, counts, seen)
        total.add(sums)
    else:
        total.count(rows, aggregate("count", values, present, ids, count)[0], seen)
