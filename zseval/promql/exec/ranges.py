"""Range functions: a kernel over the windows of each frame, in chunks of series that fit the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np

from zseval.model.arrays import Mask, Rows, Times, Values
from zseval.model.labels import METRIC_NAME, TYPE_LABEL
from zseval.model.labelsets import LabelSets, factorize
from zseval.model.staleness import is_stale
from zseval.model.symbols import texts
from zseval.promql.errors import EvaluationError
from zseval.promql.exec.context import Context
from zseval.promql.exec.digested import digested
from zseval.promql.exec.histogram_ranges import over_histograms
from zseval.promql.exec.select import assemble
from zseval.promql.exec.vector import SAME_LABELSET, Vector, relabelled, without_names
from zseval.promql.functions import Function, RangeKernel
from zseval.promql.kernels.extended import Reach
from zseval.promql.kernels.gaps import Gaps
from zseval.promql.kernels.windows import Phases, Windows, compact, window_bounds
from zseval.tsdb.cohort import Cohort
from zseval.tsdb.frame import Frame, HistogramFrame
from zseval.tsdb.gappy import Gappy
from zseval.tsdb.start_times import StartTimes

__all__ = [
    "RangeVector",
    "RowsKernel",
    "apply_range",
    "parts_of",
    "trimmed",
    "warn_if_not_counters",
    "windows_of",
]

CHUNK_SERIES = (
    1024  # 241 steps of this many series are 2 MB an array: the working set of a kernel stays in L2
)

COHORT_SERIES = 8192  # with some twenty cells each

RowsKernel: TypeAlias = Callable[[Rows, Windows], tuple[Values, Mask | None]]
"""As a RangeKernel; rows: intp[S], which series of the range vector the windows are of."""

_COUNTER_SUFFIXES = ("_total", "_sum", "_count", "_bucket")
_COUNTER_TYPES = ("counter", "histogram")


class RangeVector:
    """What a range function reads: samples of S series, and the left-open window of each step.

    frames, cohorts: as apart and cohorts in Selection.

    ends: int64[K], ms.  width: ms.  drop_name: as in Vector.  starts: start times of samples, if any.
    histograms: as in Selection.  reach: of an anchored or smoothed range, whose windows are wider.
    span: all windows are in (span[0], span[1]], ms; None where there is no step.
    """

    __slots__ = (
        "cohorts", "drop_name", "ends", "frames", "histograms", "labels", "reach", "span", "starts", "width"
    )  # fmt: skip

    def __init__(
        self,
        labels: LabelSets,
        frames: Sequence[Frame],
        ends: Times,
        width: int,
        drop_name: Mask | None = None,
        starts: StartTimes | None = None,
        histograms: Sequence[HistogramFrame] = (),
        reach: Reach | None = None,
        cohorts: Sequence[Cohort] = (),
    ) -> None:
        self.labels = labels
        self.frames = frames
        self.ends = ends
        self.width = width
        if len(ends) == 1:
            end = int(ends[0])
            self.span: tuple[int, int] | None = (end - width, end)
        else:
            self.span = (int(ends.min()) - width, int(ends.max())) if len(ends) else None
        self.drop_name = drop_name
        self.starts = starts
        self.histograms = histograms
        self.reach = reach
        self.cohorts = cohorts

    @property
    def is_cohort(self) -> bool:
        """Whether a single cohort is all there is, seen from one step."""
        return len(self.cohorts) == 1 and not self.frames and len(self.ends) == 1

    def without_gaps(self) -> RangeVector:
        """Less the series that share their times but for missing samples."""
        return self.with_frames([frame for frame in self.frames if frame.gappy is None])

    def with_frames(self, frames: Sequence[Frame]) -> RangeVector:
        """The same but for its frames."""
        return RangeVector(
            self.labels,
            frames,
            self.ends,
            self.width,
            self.drop_name,
            self.starts,
            self.histograms,
            self.reach,
            self.cohorts,
        )


def windows_of(
    vector: RangeVector, ctx: Context, *, together: bool = False
) -> Iterator[tuple[Rows, Windows]]:
    """The windows of all series, chunk by chunk, without staleness markers, and which series they are.

    together: series of several sources may come in one chunk, as phases.
    """
    frames = list(vector.frames)
    for cohort in vector.cohorts:
        if together and len(vector.ends) == 1:
            yield from _of_cohort(cohort, vector, ctx)
        else:
            frames += cohort.frames()
    alike: dict[tuple[int, bytes, bytes], _Alike] = {}
    for frame in frames:
        for clean in _without_markers(trimmed(frame, vector)):
            if not together or not clean.is_dense or len(clean.rows) > CHUNK_SERIES // 2:
                yield from _chunks(clean, vector, ctx)
                continue
            bounds = window_bounds(clean.times, vector.ends, vector.width)
            key = (len(clean.times), bounds[0].tobytes(), bounds[1].tobytes())
            group = alike.setdefault(key, _Alike(bounds))
            group.frames.append(clean)
            group.series += len(clean.rows)
            if group.series > CHUNK_SERIES // 2:
                yield group.taken(vector, ctx)
    for group in alike.values():
        if group.series:
            yield group.taken(vector, ctx)


@dataclass(slots=True, eq=False)
class _Alike:
    """Dense frames whose windows have the same rows."""

    bounds: tuple[Rows, Rows]
    frames: list[Frame] = field(default_factory=list)
    series: int = 0

    def taken(self, vector: RangeVector, ctx: Context) -> tuple[Rows, Windows]:
        """The windows of all of them, which are then forgotten here."""
        ctx.query.limits.check()
        frames, self.frames, self.series = self.frames, [], 0
        times, starts = frames[0].times, vector.ends - np.int64(vector.width)
        lo, hi = self.bounds
        if len(frames) == 1:
            return frames[0].rows, Windows(frames[0].values, times, lo, hi, starts, vector.ends)
        values = np.concatenate([frame.part(slice(None)) for frame in frames])
        moments = np.stack([frame.times for frame in frames])
        of = np.repeat(np.arange(len(frames), dtype=np.intp), [len(frame.rows) for frame in frames])
        windows = Windows(values, times, lo, hi, starts, vector.ends, Phases(moments, of))
        return np.concatenate([frame.rows for frame in frames]), windows


def parts_of(
    function: Function,
    compute: RowsKernel,
    vector: RangeVector,
    ctx: Context,
    params: Sequence[Values] = (),
    *,
    together: bool,
) -> list[tuple[Rows, Values, Mask | None]]:
    """What a function gives for all series: rows of them, values and where they are present.

    compute: its kernel, with its parameters.  together: as in `windows_of`, and gaps may be filled.
    """
    made: list[tuple[Rows, Values, Mask | None]] = []
    if together and function.gaps is not None:
        for rows, gaps in _gaps_of(vector, ctx):
            made.append((rows, *function.gaps(gaps, *params)))
        vector = vector.without_gaps()
    if together and function.digest is not None and len(vector.ends) == 1:
        near = [trimmed(frame, vector) for frame in vector.frames]
        whole, others = digested(function, near, vector.ends, vector.width, ctx.query.limits.check)
        made.extend((rows, *compute(rows, windows)) for rows, windows in whole)
        vector = vector.with_frames(others)
    found = windows_of(vector, ctx, together=together)
    made.extend((rows, *compute(rows, windows)) for rows, windows in found)
    return made


def _gaps_of(vector: RangeVector, ctx: Context) -> Iterator[tuple[Rows, Gaps]]:
    """Series with gaps, those of sources whose windows have the same rows together."""
    alike: dict[tuple[int, bytes, bytes], list[tuple[Rows, Gappy]]] = {}
    bounds: dict[tuple[int, bytes, bytes], tuple[Rows, Rows]] = {}
    for frame in vector.frames:
        if frame.gappy is not None:
            lo, hi = window_bounds(frame.gappy.times, vector.ends, vector.width)
            key = len(frame.gappy.times), lo.tobytes(), hi.tobytes()
            bounds[key] = lo, hi
            alike.setdefault(key, []).append((frame.rows, frame.gappy.without_markers()))
    for key, parts in alike.items():
        for some in _batches(parts):
            ctx.query.limits.check()
            gappy = [each for _, each in some]
            of = np.repeat(np.arange(len(some), dtype=np.intp), [len(rows) for rows, _ in some])
            phases = Phases(np.stack([each.times for each in gappy]), of)
            values = np.concatenate([each.values() for each in gappy])
            present = np.concatenate([each.present for each in gappy])
            starts = vector.ends - np.int64(vector.width)
            gaps = Gaps(values, present, phases, *bounds[key], starts, vector.ends)
            yield np.concatenate([rows for rows, _ in some]), gaps


def _batches(parts: Sequence[tuple[Rows, Gappy]]) -> Iterator[list[tuple[Rows, Gappy]]]:
    """Series by some hundred: small sources together, large ones in pieces."""
    batch: list[tuple[Rows, Gappy]] = []
    held = 0
    for rows, gappy in parts:
        for first in range(0, len(rows), CHUNK_SERIES):
            part = slice(first, first + CHUNK_SERIES)
            batch.append((rows[part], gappy if len(rows) <= CHUNK_SERIES else gappy.pick(part)))
            held += len(rows[part])
            if held > CHUNK_SERIES // 2:
                yield batch
                batch, held = [], 0
    if batch:
        yield batch


def _of_cohort(cohort: Cohort, vector: RangeVector, ctx: Context) -> Iterator[tuple[Rows, Windows]]:
    """The only window of each series; sources that have it at the same rows together."""
    ctx.query.limits.check()
    end, times = int(vector.ends[0]), cohort.times
    starts, length = vector.ends - np.int64(vector.width), times.shape[1]
    kinds, found = None, [length]  # by first and last row; here all rows of all sources
    if cohort.span != vector.span and (times[:, 0].min() <= end - vector.width or times[:, -1].max() > end):
        lows = np.count_nonzero(times <= end - vector.width, axis=1)  # [P]
        kinds = lows * (length + 1) + np.count_nonzero(times <= end, axis=1)
        found = np.unique(kinds).tolist()
    for kind in found:
        lo, hi = divmod(kind, length + 1)
        rows, of, times, values = cohort.rows, cohort.of, cohort.times, cohort.values
        if hi - lo != length:
            times, values = times[:, lo:hi], values[:, lo:hi]
        if kinds is not None and len(found) > 1:
            sources, mine = np.flatnonzero(kinds == kind), np.flatnonzero(kinds[of] == kind)
            rows, values, times = rows[mine], values[mine], times[sources]
            of = np.searchsorted(sources, of[mine])
        windows = Windows.single(values, starts, vector.ends, Phases(times, of), rising=cohort.rising)
        if len(rows) <= COHORT_SERIES:
            yield rows, windows
            continue
        for first in range(0, len(rows), COHORT_SERIES):
            ctx.query.limits.check()
            part = slice(first, first + COHORT_SERIES)
            yield rows[part], windows.pick(part)


def _chunks(frame: Frame, vector: RangeVector, ctx: Context) -> Iterator[tuple[Rows, Windows]]:
    """A chunk is decoded when its turn comes, so that its cells are still in the cache when they are used."""
    ends, width = vector.ends, vector.width
    bounds = window_bounds(frame.times, ends, width) if frame.is_dense else None
    starts = ends - np.int64(width)
    for first in range(0, len(frame.rows), CHUNK_SERIES):
        ctx.query.limits.check()
        part = slice(first, first + CHUNK_SERIES)
        if frame.gappy is not None:
            some = frame.gappy.pick(part)
            yield frame.rows[part], Windows.with_gaps(some.times, some.values(), some.present, ends, width)
            continue
        values = frame.part(part)
        if bounds is not None:
            yield frame.rows[part], Windows(values, frame.times, bounds[0], bounds[1], starts, ends)
        else:
            assert frame.counts is not None
            windows = Windows.of(frame.times[part], values, frame.counts[part], ends, width)
            yield frame.rows[part], windows


def trimmed(frame: Frame, vector: RangeVector) -> Frame:
    """Without the rows that no window reaches, where series share their times; a view.

    A read may be longer than this vector needs: selectors share reads.
    """
    if not frame.is_dense or vector.span is None:
        return frame
    times, (begin, end) = frame.times, vector.span
    if len(times) and times[0] > begin and times[-1] <= end:
        return frame
    first, last = (int(place) for place in times.searchsorted(vector.span, side="right"))
    if last - first == len(frame.times):
        return frame
    return frame.between(first, max(first, last))


def _without_markers(frame: Frame) -> Iterator[Frame]:
    """The frame's samples less staleness markers; only the series that have one pay for it."""
    if not frame.has_stale:
        yield frame
        return
    if frame.gappy is not None:
        yield Frame.with_gaps(frame.rows, frame.gappy.without_markers())
        return
    marked = is_stale(frame.values)
    if frame.counts is not None:
        keep = ~marked & (np.arange(frame.values.shape[1]) < frame.counts[:, np.newaxis])
        yield Frame(frame.rows, *compact(frame.times, frame.values, keep), has_stale=False)
        return
    stale = marked.any(axis=1)
    clean = np.flatnonzero(~stale)
    if len(clean):
        yield Frame(frame.rows[clean], frame.times, frame.values[clean], None, has_stale=False)
    dirty = np.flatnonzero(stale)
    if len(dirty):
        compacted = compact(frame.times, frame.values[dirty], ~marked[dirty])
        yield Frame(frame.rows[dirty], *compacted, has_stale=False)


def apply_range(
    function: Function,
    kernel: RangeKernel,
    vector: RangeVector,
    params: Sequence[Values],
    ctx: Context,
    *,
    node: object,
    start: int,
    by_rows: RowsKernel | None = None,
) -> Vector:
    """The vector a range function gives. params: its scalar arguments, float64[K] each.

    by_rows: takes the kernel's place where it matters which series the windows are of.
    node: the call, which takes notes.  start: where in the text its range vector stands.
    Raises EvaluationError where two series become the same by losing their name.
    """
    series, steps = len(vector.labels), len(vector.ends)
    ctx.query.limits.hold(series * steps)
    compute: RowsKernel = by_rows or (lambda _rows, windows: kernel(windows, *params))
    together = function.phased and by_rows is None and vector.reach is None
    if together and vector.is_cohort:
        values, present = _once(function, compute, vector, ctx, is_fixed=not params)
    else:
        parts = parts_of(function, compute, vector, ctx, params, together=together)
        values, present = assemble(series, steps, parts)
    ctx.query.limits.hold(-series * steps)
    result = Vector(vector.labels, values, present, vector.drop_name)
    if function.counters_only:
        warn_if_not_counters(result.labels, result.rows_present, start, ctx)
    if vector.histograms:
        result = over_histograms(function.name, result, vector, ctx, start)
    return result if function.keeps_name else _drop_names(result, ctx, node)


def _once(
    function: Function, compute: RowsKernel, vector: RangeVector, ctx: Context, *, is_fixed: bool
) -> tuple[Values, Mask | None]:
    """[S, 1]: what a function gives for a single cohort and step, which others may have asked for before.

    is_fixed: nothing but the samples and the window matters.
    """
    cohort = vector.cohorts[0]
    what = function.name, vector.width, int(vector.ends[0])
    found = cohort.made.get(what) if is_fixed else None
    if found is None:
        parts = [(rows, *compute(rows, windows)) for rows, windows in _of_cohort(cohort, vector, ctx)]
        if len(parts) == 1 and parts[0][0] is cohort.rows:
            found = cohort.spread(parts[0][1], parts[0][2], len(vector.labels))
        else:
            found = assemble(len(vector.labels), 1, parts)
        if is_fixed:
            cohort.made[what] = found
    return found


def _drop_names(vector: Vector, ctx: Context, node: object) -> Vector:
    """As `vector.drop_names`, but series that become the same are an error even at different steps.

    Source: promql/engine.go, eval of a Call with a matrix argument.
    """
    query = ctx.query
    if query.delayed_names:
        return replace(vector, drop_name=np.ones(len(vector.labels), dtype=np.bool_))

    def make() -> Vector:
        labels = without_names(vector.labels, query)
        groups = query.remember((labels,), "group", labels.group)
        if groups.count == len(labels):
            return vector.under(labels)
        rows = np.flatnonzero(vector.rows_present())
        if factorize(labels.codes[:, rows]).count < len(rows):
            raise EvaluationError(SAME_LABELSET)
        return replace(vector.take(rows), labels=labels.take(rows))

    return relabelled(vector, node, ctx, make)


def warn_if_not_counters(labels: LabelSets, present: Callable[[], Mask], start: int, ctx: Context) -> None:
    """Infos for the metric names of series that do not look like a counter's. present: bool[S], which are."""
    query = ctx.query
    if "type-and-unit-labels" in query.features:
        _warn_of_types(labels, present(), start, ctx)
        return
    suspects = query.remember((labels,), "not counters", lambda: _not_counters(labels))
    if len(suspects):
        rows = suspects[present()[suspects]]
        for name in dict.fromkeys(texts(query.symbols, labels.column(METRIC_NAME)[rows])):
            query.annotations.possible_non_counter(name, start)


def _warn_of_types(labels: LabelSets, present: Mask, start: int, ctx: Context) -> None:
    """The same by the type label, where there is a name."""
    query = ctx.query
    rows = np.flatnonzero(present & (labels.column(METRIC_NAME) != 0))
    names = texts(query.symbols, labels.column(METRIC_NAME)[rows])
    types = texts(query.symbols, labels.column(TYPE_LABEL)[rows])
    for name, kind in dict.fromkeys(zip(names, types, strict=True)):
        if kind not in _COUNTER_TYPES:
            query.annotations.possible_non_counter_type(name, kind, start)


def _not_counters(labels: LabelSets) -> Rows:
    """Rows whose metric name lacks a counter's suffix."""
    unique, inverse = np.unique(labels.column(METRIC_NAME), return_inverse=True)
    names = [labels.symbols.text(int(code)) for code in unique]
    suspect = np.array(
        [bool(name) and not name.endswith(_COUNTER_SUFFIXES) for name in names], dtype=np.bool_
    )
    return np.flatnonzero(suspect[inverse]) if len(unique) else np.zeros(0, dtype=np.intp)
