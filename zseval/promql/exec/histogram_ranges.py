"""Range functions over windows that hold native histograms, alone or with floats.

The kernels have done the floats already; here every such window is looked at again, in Python: what
upstream does depends on the kind of each sample in it.
Source: promql/functions.go.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Protocol, TypeAlias

import numpy as np

from zseval.model.arrays import Times, Values, no_histograms
from zseval.model.histogram import CounterReset, Histogram, IncompatibleSchemaError
from zseval.model.histogram.sums import mean_of, sum_of
from zseval.model.labels import METRIC_NAME
from zseval.model.staleness import is_stale
from zseval.promql.annotations import Annotations
from zseval.promql.exec.context import Context
from zseval.promql.exec.vector import Vector
from zseval.tsdb.frame import Frame, HistogramFrame

__all__ = ["RangeSource", "over_histograms"]

Sample: TypeAlias = "float | Histogram"


@dataclass(frozen=True, slots=True)
class _Notes:
    """Where annotations about one series go."""

    annotations: Annotations
    name: str
    start: int


@dataclass(frozen=True, slots=True, eq=False)
class _Window:
    """(start, end], ms: the samples of one series, floats and histograms apart, each in time order."""

    start: int
    end: int
    float_times: Times
    floats: Values
    times: Times
    histograms: list[Histogram]

    def samples(self) -> list[tuple[int, Sample]]:
        """All in time order."""
        both: list[tuple[int, Sample]] = list(
            zip(self.float_times.tolist(), self.floats.tolist(), strict=True)
        )
        both += zip(self.times.tolist(), self.histograms, strict=True)
        return sorted(both, key=lambda sample: sample[0])


class RangeSource(Protocol):
    """What over_histograms needs to know of a range vector."""

    frames: Sequence[Frame]
    histograms: Sequence[HistogramFrame]
    ends: Times
    width: int


_Function: TypeAlias = Callable[[_Window, _Notes], "Sample | None"]


def over_histograms(name: str, result: Vector, source: RangeSource, ctx: Context, start: int) -> Vector:
    """The result of a range function, right where windows hold histograms. start: of the range vector."""
    values, present = result.values.copy(), result.mask().copy()
    made = no_histograms(values.shape)
    function = _FUNCTIONS.get(name)
    names = result.labels.column(METRIC_NAME)
    for frame in source.histograms:
        ctx.query.limits.check()
        row = frame.row
        notes = _Notes(ctx.query.annotations, ctx.query.symbols.text(int(names[row])), start)
        for step, window in _windows(frame, source):
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


def _windows(frame: HistogramFrame, source: RangeSource) -> list[tuple[int, _Window]]:
    """The windows of one series that hold a histogram, by step."""
    keep = np.array([not each.is_stale for each in frame.values], dtype=np.bool_)
    times, histograms = frame.times[keep], frame.values[keep]
    float_times, floats = _floats(source.frames, frame.row)
    found = []
    for step, end in enumerate(source.ends.tolist()):
        edges = [end - source.width, end]
        low, high = np.searchsorted(times, edges, side="right").tolist()
        if low == high:
            continue
        first, last = np.searchsorted(float_times, edges, side="right").tolist()
        part = slice(low, high)
        window = _Window(
            end - source.width,
            end,
            float_times[first:last],
            floats[first:last],
            times[part],
            histograms[part].tolist(),
        )
        found.append((step, window))
    return found


def _floats(frames: Sequence[Frame], row: int) -> tuple[Times, Values]:
    """The float samples of one series, without staleness markers."""
    for frame in frames:
        places = np.flatnonzero(frame.rows == row)
        if len(places):
            place = places[0]
            count = frame.values.shape[1] if frame.counts is None else int(frame.counts[place])
            times = (frame.times if frame.is_dense else frame.times[place])[:count]
            values = frame.values[place, :count]
            keep = ~is_stale(np.ascontiguousarray(values))
            return times[keep], values[keep]
    return np.zeros(0, dtype=np.int64), np.zeros(0)


def _extrapolated(*, counter: bool, per_second: bool) -> _Function:
    def apply(window: _Window, notes: _Notes) -> Sample | None:
        if len(window.floats):
            notes.annotations.mixed_types(notes.name, notes.start)
            return None
        if len(window.histograms) < 2:
            return None
        value = _difference(window.histograms, notes, counter=counter)
        if value is None:
            return None
        factor = _extrapolation(window, value.count, counter=counter)
        if per_second:
            factor /= (window.end - window.start) / 1000.0
        return value * factor

    return apply


def _extrapolation(window: _Window, increase: float, *, counter: bool) -> float:
    """How much more the whole window has than the time between its first and last sample."""
    times = window.times
    to_start = float(times[0] - window.start) / 1000.0
    to_end = float(window.end - times[-1]) / 1000.0
    sampled = float(times[-1] - times[0]) / 1000.0
    between = sampled / (len(times) - 1)
    if to_start >= between * 1.1:
        to_start = between / 2
    if counter and increase > 0 and window.histograms[0].count >= 0:
        # A counter begins at zero: it cannot have been less before its first sample.
        to_start = min(to_start, sampled * (window.histograms[0].count / increase))
    if to_end >= between * 1.1:
        to_end = between / 2
    return (sampled + to_start + to_end) / sampled if sampled else 1.0


def _difference(points: list[Histogram], notes: _Notes, *, counter: bool) -> Histogram | None:
    """From the first to the last, with what was lost to counter resets."""
    told, name, start = notes.annotations, notes.name, notes.start
    first, last = points[0], points[-1]
    custom = first.is_custom
    if counter:
        if any(each.is_gauge for each in points):
            told.not_a_counter(name, start)
        if points[1].is_reset_after(first):
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
        total, previous = found.value, first
        if found.reconciled:
            told.reconciled_bounds("subtraction", start)
        for each in points[1:] if counter else ():
            if each.is_reset_after(previous):
                found = total.plus(previous)
                total = found.value
                if found.reconciled:
                    told.reconciled_bounds("addition", start)
            previous = each
    except IncompatibleSchemaError:
        told.mixed_schemas(name, start)
        return None
    if not counter and not (points[0].is_gauge and last.is_gauge):
        told.not_a_gauge(name, start)
    return total.with_hint(CounterReset.GAUGE).compact()


def _instant(*, counter: bool) -> _Function:
    """irate (counter) and idelta: from the last two samples."""

    def apply(window: _Window, notes: _Notes) -> Sample | None:
        samples = window.samples()[-2:]
        if len(samples) < 2:
            return None
        (before, first), (after, last) = samples
        seconds = (after - before) / 1000.0
        if isinstance(first, Histogram) and isinstance(last, Histogram):
            value = _last_difference(first, last, notes, counter=counter)
            return value / seconds if counter and value is not None else value
        if isinstance(first, Histogram) or isinstance(last, Histogram):
            notes.annotations.mixed_types(notes.name, notes.start)
            return None
        if not counter:
            return last - first
        return (last if last < first else last - first) / seconds

    return apply


def _last_difference(first: Histogram, last: Histogram, notes: _Notes, *, counter: bool) -> Histogram | None:
    told = notes.annotations
    if counter and (first.is_gauge or last.is_gauge):
        told.not_a_counter(notes.name, notes.start)
    if not counter and not (first.is_gauge and last.is_gauge):
        told.not_a_gauge(notes.name, notes.start)
    value = last
    if not counter or not last.is_reset_after(first):
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

    def apply(window: _Window, notes: _Notes) -> Sample | None:
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

    def apply(window: _Window, _notes: _Notes) -> Sample | None:
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


def _count(window: _Window, _notes: _Notes) -> Sample | None:
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
    "resets": _steps(_is_reset),
    "sum_over_time": _total(mean=False),
    "ts_of_first_over_time": lambda window, _notes: window.samples()[0][0] / 1000.0,
    "ts_of_last_over_time": lambda window, _notes: window.samples()[-1][0] / 1000.0,
}
"""By name; the others look at floats only."""
