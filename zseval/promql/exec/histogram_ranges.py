"""Range functions over windows that hold native histograms, alone or with floats.

The kernels have done the floats already; here every such window is looked at again, in Python: what
upstream does depends on the kind of each sample in it.
Source: promql/functions.go.
"""

# numpy's types of object arrays do not say what the objects are.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from zseval.model.arrays import no_histograms
from zseval.model.histogram import CounterReset, Histogram, IncompatibleSchemaError
from zseval.model.histogram.sums import mean_of, sum_of
from zseval.model.labels import METRIC_NAME
from zseval.promql.exec.context import Context
from zseval.promql.exec.histogram_extended import anchored, extended_rate
from zseval.promql.exec.histogram_windows import Notes, RangeSource, Sample, Window, windows
from zseval.promql.exec.vector import Vector
from zseval.promql.kernels.extended import Reach

__all__ = ["over_histograms"]

_Function: TypeAlias = Callable[[Window, Notes], "Sample | None"]


def over_histograms(name: str, result: Vector, source: RangeSource, ctx: Context, start: int) -> Vector:
    """The result of a range function, right where windows hold histograms. start: of the range vector."""
    values, present = result.values.copy(), result.mask().copy()
    made = no_histograms(values.shape)
    function = _FUNCTIONS.get(name) if source.reach is None else _extended(name, source.reach)
    names = result.labels.column(METRIC_NAME)
    for frame in source.histograms:
        ctx.query.limits.check()
        row = frame.row
        notes = Notes(ctx.query.annotations, ctx.query.symbols.text(int(names[row])), start)
        for step, window in windows(frame, source):
            if function is None:
                if len(window.floats):
                    notes.annotations.ignored_in_range(notes.name, start)
                continue
            value = function(window, notes)
            present[row, step] = value is not None
            if isinstance(value, Histogram):
                made[row, step] = value
            elif value is not None:
                values[row, step] = value
    return replace(result, values=values, present=present, histograms=made)


def _extended(name: str, reach: Reach) -> _Function:
    """Over a range that is anchored or smoothed."""
    if name in ("rate", "increase", "delta"):
        return lambda window, notes: extended_rate(window, notes, reach, name)
    counts = _is_reset if name == "resets" else _is_change

    def apply(window: Window, _notes: Notes) -> Sample | None:
        samples = [value for _, value in anchored(window, reach)]
        return float(sum(counts(*pair) for pair in pairwise(samples))) if samples else None

    return apply


def _extrapolated(*, counter: bool, per_second: bool) -> _Function:
    def apply(window: Window, notes: Notes) -> Sample | None:
        if len(window.floats):
            notes.annotations.mixed_types(notes.name, notes.start)
            return None
        points = window.histograms
        value = _difference(window, notes, counter=counter) if len(points) > 1 else None
        if value is None and len(points) > 1:
            return None
        first_time, last_time, began = int(window.times[0]), int(window.times[-1]), int(window.began[0])
        if counter and window.start < began < first_time:
            # The counter began inside the window, at zero: the first sample is part of the increase.
            value = points[0] if value is None else _with_first(value, points[0], notes)
            factor = _stretch(window, 0.0, (last_time - began) / 1000.0)
        elif value is not None:
            to_start = _to_start(window, value.count, counter=counter)
            factor = _stretch(window, to_start, (last_time - first_time) / 1000.0)
        else:
            return None
        if value is None:
            return None
        if per_second:
            factor /= (window.end - window.start) / 1000.0
        return value * factor

    return apply


def _with_first(value: Histogram, first: Histogram, notes: Notes) -> Histogram | None:
    try:
        found = value.plus(first)
    except IncompatibleSchemaError:
        notes.annotations.mixed_schemas(notes.name, notes.start)
        return None
    if found.reconciled:
        notes.annotations.reconciled_bounds("addition", notes.start)
    return found.value


def _between_samples(window: Window) -> float:
    """Seconds from one sample to the next, on average."""
    return float(window.times[-1] - window.times[0]) / 1000.0 / max(len(window.times) - 1, 1)


def _to_start(window: Window, increase: float, *, counter: bool) -> float:
    """Seconds before the first sample that are taken to be like those after it."""
    sampled = float(window.times[-1] - window.times[0]) / 1000.0
    to_start = float(window.times[0] - window.start) / 1000.0
    if to_start >= _between_samples(window) * 1.1:
        to_start = _between_samples(window) / 2
    if counter and increase > 0 and window.histograms[0].count >= 0:
        # A counter begins at zero: it cannot have been less before its first sample.
        to_start = min(to_start, sampled * (window.histograms[0].count / increase))
    return to_start


def _stretch(window: Window, to_start: float, sampled: float) -> float:
    """How much more the whole window has than the seconds `sampled`."""
    to_end = float(window.end - window.times[-1]) / 1000.0
    if to_end >= _between_samples(window) * 1.1:
        to_end = _between_samples(window) / 2
    return (sampled + to_start + to_end) / sampled if sampled else 1.0


def _resets(window: Window, row: int) -> bool:
    """Whether the histogram at a row above 0 comes after a reset, by its start time or by its counts."""
    times, began = window.times, window.began
    if starts_anew(int(began[row - 1]), int(times[row - 1]), int(began[row]), int(times[row])):
        return True
    return window.histograms[row].is_reset_after(window.histograms[row - 1])


def starts_anew(before: int, before_time: int, start: int, time: int) -> bool:
    """Whether a counter that began at `start` is another than that of the sample before (times in ms).

    Beginning exactly at the sample before it means a delta, but only where that one's own start is sound.
    """
    if start == 0 or start >= time or start < before_time:
        return False
    return start > before_time or (before != 0 and before < before_time)


def _difference(window: Window, notes: Notes, *, counter: bool) -> Histogram | None:
    """From the first to the last, with what was lost to counter resets."""
    told, name, start, points = notes.annotations, notes.name, notes.start, window.histograms
    first, last = points[0], points[-1]
    custom = first.is_custom
    if counter:
        if any(each.is_gauge for each in points):
            told.not_a_counter(name, start)
        if _resets(window, 1):
            first = Histogram(schema=points[1].schema, custom_values=points[1].custom_values)
            custom = points[1].is_custom
    if any(each.is_custom is not custom for each in points[1:]):
        told.mixed_schemas(name, start)
        return None
    total = last
    if not custom:
        total = last.reduced(min(each.schema for each in (first, *(points[1:] if counter else (last,)))))
    try:
        found = total.minus(first)
        total = found.value
        if found.reconciled:
            told.reconciled_bounds("subtraction", start)
        if counter:
            total = _with_lost(total, first, window, notes)
    except IncompatibleSchemaError:
        told.mixed_schemas(name, start)
        return None
    if not counter and not (points[0].is_gauge and last.is_gauge):
        told.not_a_gauge(name, start)
    return total.with_hint(CounterReset.GAUGE).compact()


def _with_lost(total: Histogram, first: Histogram, window: Window, notes: Notes) -> Histogram:
    """With what the counter had at each reset; first: what it is taken to have begun with."""
    times, began, points = window.times.tolist(), window.began.tolist(), window.histograms
    overlaps = 0
    for row in range(1, len(points)):
        previous = first if row == 1 else points[row - 1]
        overlaps += began[row] != 0 and began[row] < times[row - 1] and began[row] != began[row - 1]
        anew = starts_anew(began[row - 1], times[row - 1], began[row], times[row])
        if anew or points[row].is_reset_after(previous):
            found = total.plus(previous)
            total = found.value
            if found.reconciled:
                notes.annotations.reconciled_bounds("addition", notes.start)
    if overlaps:
        notes.annotations.start_time_overlap(notes.name, 1, notes.start)
    return total


def _instant(*, counter: bool) -> _Function:
    """irate (counter) and idelta: from the last two samples."""

    def apply(window: Window, notes: Notes) -> Sample | None:
        samples = window.samples()[-2:]
        if len(samples) < 2:
            return None
        (before, first), (after, last) = samples
        seconds = (after - before) / 1000.0
        if isinstance(first, Histogram) and isinstance(last, Histogram):
            value = _last_difference(window, first, last, notes, counter=counter)
            return value / seconds if counter and value is not None else value
        if isinstance(first, Histogram) or isinstance(last, Histogram):
            notes.annotations.mixed_types(notes.name, notes.start)
            return None
        if not counter:
            return last - first
        return (last if last < first else last - first) / seconds

    return apply


def _last_difference(
    window: Window, first: Histogram, last: Histogram, notes: Notes, *, counter: bool
) -> Histogram | None:
    told = notes.annotations
    if counter and (first.is_gauge or last.is_gauge):
        told.not_a_counter(notes.name, notes.start)
    if not counter and not (first.is_gauge and last.is_gauge):
        told.not_a_gauge(notes.name, notes.start)
    value = last
    if not counter or not _resets(window, len(window.histograms) - 1):
        try:
            found = last.minus(first)
        except IncompatibleSchemaError:
            told.mixed_schemas(notes.name, notes.start)
            return None
        value = found.value
        if found.reconciled:
            told.reconciled_bounds("subtraction", notes.start)
    return value.with_hint(CounterReset.GAUGE).compact()


def _total(*, mean: bool) -> _Function:
    """sum_over_time and avg_over_time."""

    def apply(window: Window, notes: Notes) -> Sample | None:
        if len(window.floats):
            notes.annotations.mixed_types(notes.name, notes.start)
            return None
        try:
            total = (mean_of if mean else sum_of)(window.histograms)
        except IncompatibleSchemaError:
            notes.annotations.mixed_schemas(notes.name, notes.start)
            return None
        if total.collision:
            notes.annotations.conflicting_resets("aggregation", notes.start)
        if total.reconciled:
            notes.annotations.reconciled_bounds("aggregation", notes.start)
        return total.total()

    return apply


def _steps(counts: Callable[[Sample, Sample], bool]) -> _Function:
    """How often one sample after another is a step that counts."""

    def apply(window: Window, _notes: Notes) -> Sample | None:
        samples = [value for _, value in window.samples()]
        pairs = pairwise(samples)
        return float(sum(counts(before, after) for before, after in pairs))

    return apply


def _is_reset(before: Sample, after: Sample) -> bool:
    if isinstance(before, Histogram) and isinstance(after, Histogram):
        return after.is_reset_after(before)
    if isinstance(before, Histogram) or isinstance(after, Histogram):
        return True
    return after < before


def _is_change(before: Sample, after: Sample) -> bool:
    if isinstance(before, Histogram) or isinstance(after, Histogram):
        return before != after
    return after != before and not (np.isnan(after) and np.isnan(before))


def _count_resets(window: Window, notes: Notes) -> Sample | None:
    """By start times too, where all samples are histograms."""
    if len(window.floats):
        return _steps(_is_reset)(window, notes)
    return float(sum(_resets(window, row) for row in range(1, len(window.histograms))))


def _count(window: Window, _notes: Notes) -> Sample | None:
    return float(len(window.floats) + len(window.histograms))


_FUNCTIONS: dict[str, _Function] = {
    "avg_over_time": _total(mean=True),
    "changes": _steps(_is_change),
    "count_over_time": _count,
    "delta": _extrapolated(counter=False, per_second=False),
    "first_over_time": lambda window, _notes: window.samples()[0][1],
    "idelta": _instant(counter=False),
    "increase": _extrapolated(counter=True, per_second=False),
    "irate": _instant(counter=True),
    "last_over_time": lambda window, _notes: window.samples()[-1][1],
    "present_over_time": lambda _window, _notes: 1.0,
    "rate": _extrapolated(counter=True, per_second=True),
    "resets": _count_resets,
    "sum_over_time": _total(mean=False),
    "ts_of_first_over_time": lambda window, _notes: window.samples()[0][0] / 1000.0,
    "ts_of_last_over_time": lambda window, _notes: window.samples()[-1][0] / 1000.0,
}
"""By name; the others look at floats only."""
