"""anchored and smoothed over native histograms: windows wider than the range, and values at its edges.

Source: promql/functions.go (extendedHistogramRate, interpolateHistograms, pickFirstSampleIndices) and
engine.go (smoothSeries).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from zseval.model.arrays import no_histograms
from zseval.model.histogram import Combined, CounterReset, Histogram, IncompatibleSchemaError
from zseval.model.labels import METRIC_NAME
from zseval.promql.exec.context import Context
from zseval.promql.exec.histogram_windows import Notes, RangeSource, Sample, Window, windows
from zseval.promql.exec.vector import Vector
from zseval.promql.kernels.extended import Reach

__all__ = ["anchored", "extended_rate", "smoothed_histograms"]


def extended_rate(window: Window, notes: Notes, reach: Reach, name: str) -> Sample | None:
    """rate, increase or delta from edge to edge."""
    if len(window.floats):
        notes.annotations.mixed_types(notes.name, notes.start)
        return None
    counter = name != "delta"
    try:
        value = _gained(window, notes, reach, counter=counter)
    except IncompatibleSchemaError:
        notes.annotations.mixed_schemas(notes.name, notes.start)
        return None
    if value is None:
        return None
    if name == "rate":
        value = value / (reach.width / 1000.0)
    return value.with_hint(CounterReset.GAUGE).compact()


def _gained(window: Window, notes: Notes, reach: Reach, *, counter: bool) -> Histogram | None:
    """What lies between the edges, counter resets made up for. Raises IncompatibleSchemaError."""
    end = window.end - reach.after
    start = end - reach.width
    times, points = window.times.tolist(), window.histograms
    last = len(points) - 1
    first = max(0, int(np.searchsorted(window.times[:last], start, side="right")) - 1)
    if reach.smoothed:
        last = int(np.searchsorted(window.times[:last], end, side="left"))
    if times[last] <= start or (reach.smoothed and times[first] > end):
        return None
    _check(points[first : last + 1], notes, counter=counter)
    left, right = points[first], points[last]
    if reach.smoothed and times[first] < start:
        left = _between(window, first, start, notes, counter=counter)
    if reach.smoothed and last > 0 and times[last] > end:
        right = _between(window, last - 1, end, notes, counter=counter)
    if not counter and not (left.is_gauge and right.is_gauge):
        notes.annotations.not_a_gauge(notes.name, notes.start)
    total = _told(right.minus(left), "subtraction", notes)
    if not counter:
        return total
    previous, following = left, first + 1
    if reach.smoothed and times[first] < start and points[first + 1].is_reset_after(points[first]):
        previous, following = points[first + 1], first + 2
    return _with_lost(total, previous, points[following:last], right, notes, following > last)


def _with_lost(
    total: Histogram,
    previous: Histogram,
    inner: Sequence[Histogram],
    right: Histogram,
    notes: Notes,
    nothing: bool,
) -> Histogram:
    """With what the counter had at each reset. nothing: no sample follows the first."""
    lost: Histogram | None = None
    for each in () if nothing else (*inner, right):
        if each.is_reset_after(previous):
            lost = previous if lost is None else _told(lost.plus(previous), "addition", notes)
        previous = each
    return total if lost is None else _told(total.plus(lost), "addition", notes)


def _check(points: Sequence[Histogram], notes: Notes, *, counter: bool) -> None:
    """Raises IncompatibleSchemaError."""
    for each in points:
        if each.is_custom is not points[0].is_custom:
            raise IncompatibleSchemaError("a mix of exponential and custom bucket schemas")
        if counter and each.is_gauge:
            notes.annotations.not_a_counter(notes.name, notes.start)


def _between(window: Window, row: int, at: int, notes: Notes, *, counter: bool) -> Histogram:
    """The histogram at a time, on the line from one to the next; a counter that was reset began empty."""
    before, after = int(window.times[row]), int(window.times[row + 1])
    first, second = window.histograms[row], window.histograms[row + 1]
    if at in (before, after):
        return first if at == before else second
    share = (at - before) / (after - before)
    if counter and second.is_reset_after(first):
        return second * share
    change = _told(second.minus(first), "subtraction", notes)
    return _told((change * share).plus(first), "addition", notes)


def _told(found: Combined, operation: str, notes: Notes) -> Histogram:
    if found.reconciled:
        notes.annotations.reconciled_bounds(operation, notes.start)
    return found.value


def anchored(window: Window, reach: Reach) -> list[tuple[int, Sample]]:
    """The samples of the range and the last one before it; none where the range has none."""
    start = window.end - reach.after - reach.width
    samples = window.samples()
    before = sum(time <= start for time, _ in samples)
    return samples[max(before - 1, 0) :] if before < len(samples) else []


def smoothed_histograms(vector: Vector, source: RangeSource, ctx: Context, start: int) -> Vector:
    """A smoothed selector with the histograms of its series. source: windows a lookback to both sides."""
    values, present = vector.values, vector.mask().copy()
    made = no_histograms(values.shape)
    names = vector.labels.column(METRIC_NAME)
    for frame in source.histograms:
        row = frame.row
        notes = Notes(ctx.query.annotations, ctx.query.symbols.text(int(names[row])), start)
        for step, window in windows(frame, source):
            found = None
            if len(window.floats):
                notes.annotations.mixed_types(notes.name, start)
            else:
                found = _smoothed_at(window, window.end - source.width // 2, notes)
            present[row, step] = found is not None
            made[row, step] = found
    return replace(vector, present=present, histograms=made)


def _smoothed_at(window: Window, at: int, notes: Notes) -> Histogram | None:
    following = int(np.searchsorted(window.times, at, side="left"))
    if following < len(window.times) and window.times[following] == at:
        return window.histograms[following]
    if following == 0:
        return None
    if following == len(window.times):
        return window.histograms[-1].with_hint(CounterReset.UNKNOWN)
    before, after = window.histograms[following - 1 : following + 1]
    if before.is_custom is not after.is_custom:
        notes.annotations.mixed_schemas(notes.name, notes.start)
        return None
    return _between(window, following - 1, at, notes, counter=not (before.is_gauge and after.is_gauge))
