"""Trace: what each node of a plan did in one run, for `explain` and for query statistics.

A query that is not traced pays one look at `None` a node. Samples are counted as upstream counts them
(docs/querying/api.md, query statistics): an instant selector touches one sample a series and step, a
range vector all of its window at every step, and what a subquery evaluates inside counts only as read.
A native histogram counts as one sample; upstream counts it by its size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zseval.errors import PromQLError
from zseval.model.arrays import Histograms, Rows, Values, no_histograms
from zseval.model.labelsets import LabelSets
from zseval.promql.exec.context import Context
from zseval.promql.exec.ranges import RangeVector, windows_of
from zseval.promql.exec.vector import Vector
from zseval.promql.plan.nodes import Node, SampleTimes, Select, StepInvariant, Subquery
from zseval.promql.plan.steps import Steps

__all__ = ["Record", "Shown", "Trace"]

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What a node gave at one step, N series: labels, values float64[N], and for a range vector how many
    samples each has in its window, intp[N], the last of which is its value.

    histograms: object[N], the native histogram of each that is one, None of the others; or None."""

    labels: LabelSets
    values: Values
    counts: Rows | None = None
    time_ms: int = 0
    histograms: Histograms | None = None


@dataclass(slots=True)
class Record:
    """series: with a sample at some step.  samples: touched at all steps.  seconds: without inputs.

    error: why it failed, at the innermost node that did.
    """

    steps: Steps
    series: int = 0
    samples: int = 0
    seconds: float = 0.0
    shown: Shown | None = None
    error: str = ""


class _Frame:
    """A node being evaluated: seconds its inputs took, samples they gave, and counts at its own steps."""

    __slots__ = ("given", "loaded", "read", "spent")

    def __init__(self, steps: int) -> None:
        self.spent = 0.0
        self.given = 0
        self.loaded: Counts = np.zeros(steps, dtype=np.int64)
        self.read: Counts = np.zeros(steps, dtype=np.int64)

    def add(self, loaded: Counts, read: Counts) -> None:
        """Counts at the same steps; at others (a subquery asked for as it is) to the last one."""
        if len(loaded) == len(self.loaded):
            self.loaded += loaded
            self.read += read
        elif len(self.loaded):
            self.loaded[-1] += loaded.sum()
            self.read[-1] += read.sum()


class Trace:
    """Records of one run, by the identity of the plan's nodes.

    steps: of the plan.  clock: seconds.  shown_ms: at which time values are kept; None for none at all.
    """

    def __init__(self, steps: Steps, clock: Callable[[], float], shown_ms: int | None = None) -> None:
        self._records: dict[int, Record] = {}
        self._clock = clock
        self._shown_ms = shown_ms
        self._steps = steps
        self._frames = [_Frame(steps.count)]
        self._failed = False

    @property
    def loaded(self) -> Counts:
        """int64[K]: samples loaded at each step."""
        return self._frames[0].loaded

    @property
    def read(self) -> Counts:
        """int64[K]: samples read: of windows that overlap, each sample at the first step that has it."""
        return self._frames[0].read

    @property
    def shown_at(self) -> int:
        """The plan's step whose values are kept, ms."""
        return int(self._steps.times[self._column(self._steps)]) if self._steps.count else 0

    def record(self, node: Node) -> Record | None:
        """What the node did; None where it was not evaluated."""
        return self._records.get(id(node))

    def vector(self, node: Node, ctx: Context, evaluate: Callable[[Node, Context], Vector]) -> Vector:
        """`evaluate(node, ctx)`, recorded."""
        started, record, frame = self._enter(node, ctx)
        try:
            result = evaluate(node, ctx)
        except PromQLError as error:
            self._fail(record, error)
            raise
        finally:
            record.seconds = self._clock() - started - frame.spent
            self._frames.pop()
        present = result.mask()
        cells = int(present.sum())
        record.series = int(present.any(axis=1).sum())
        record.samples = frame.given
        if isinstance(node, Select | SampleTimes):
            frame.loaded += present.sum(axis=0)
            frame.read += present.sum(axis=0)
            record.samples = cells
        if self._shown_ms is not None:
            record.shown = _shown(result, ctx, self._column(ctx.steps))
        self._leave(node, frame, cells, started)
        return result

    def samples(
        self, node: Node, ctx: Context, evaluate: Callable[[Node, Context], RangeVector]
    ) -> RangeVector:
        """The same of a range vector."""
        started, record, frame = self._enter(node, ctx)
        try:
            result = evaluate(node, ctx)
        except PromQLError as error:
            self._fail(record, error)
            raise
        finally:
            record.seconds = self._clock() - started - frame.spent
            self._frames.pop()
        if isinstance(node, Subquery):
            frame.loaded = np.zeros(ctx.steps.count, dtype=np.int64)
        self._count_windows(node, result, ctx, frame, record)
        self._leave(node, frame, record.samples, started)
        return result

    def _enter(self, node: Node, ctx: Context) -> tuple[float, Record, _Frame]:
        record = self._records[id(node)] = Record(ctx.steps)
        steps = ctx.steps
        if isinstance(node, Subquery):
            steps = node.steps
        elif isinstance(node, StepInvariant):
            steps = ctx.steps.first
        frame = _Frame(steps.count)
        self._frames.append(frame)
        return self._clock(), record, frame

    def _leave(self, node: Node, frame: _Frame, cells: int, started: float) -> None:
        parent = self._frames[-1]
        if isinstance(node, StepInvariant):  # what was loaded once is there at every step
            loaded = np.full(len(parent.loaded), frame.loaded.sum(), dtype=np.int64)
            read = np.zeros_like(loaded)
            read[:1] = frame.read.sum()
            parent.add(loaded, read)
        else:
            parent.add(frame.loaded, frame.read)
        parent.given += cells
        parent.spent += self._clock() - started

    def _fail(self, record: Record, error: PromQLError) -> None:
        if not self._failed:
            record.error, self._failed = str(error), True

    def _column(self, steps: Steps) -> int:
        """Which of a node's steps is shown: the plan's, and of other steps the last not after it."""
        assert self._shown_ms is not None
        place = int(np.searchsorted(steps.times, self._shown_ms, side="right")) - 1
        return max(place, 0)

    # Range vectors

    def _count_windows(
        self, node: Node, vector: RangeVector, ctx: Context, frame: _Frame, record: Record
    ) -> None:
        """Samples in the windows of each step, and of each series in the window shown."""
        inner = frame.read  # of a subquery, at its own steps
        counted = _Frame(ctx.steps.count)
        column = None if self._shown_ms is None else self._column(ctx.steps)
        seen = np.zeros(len(vector.labels), dtype=np.bool_)
        counts = np.zeros(len(vector.labels), dtype=np.intp)
        values = np.zeros(len(vector.labels))
        last = no_histograms((len(vector.labels),))
        for part, windows in windows_of(vector, ctx):
            shape = (len(part), ctx.steps.count)
            low, high = np.broadcast_to(windows.lo, shape), np.broadcast_to(windows.hi, shape)
            held = np.maximum(high - low, 0)
            counted.loaded += held.sum(axis=0)
            fresh = high - np.maximum(low, np.concatenate([low[:, :1], high[:, :-1]], axis=1))
            counted.read += np.maximum(fresh, 0).sum(axis=0)
            seen[part] |= held.any(axis=1)
            if column is not None:
                full = np.flatnonzero(held[:, column])
                counts[part[full]] = held[full, column]
                values[part[full]] = windows.values[full, high[full, column] - 1]
        for histograms in vector.histograms:
            kept = np.array([not each.is_stale for each in histograms.values], dtype=np.bool_)
            times, own = histograms.times[kept], histograms.values[kept]
            low = np.searchsorted(times, vector.ends - np.int64(vector.width), side="right")
            high = np.searchsorted(times, vector.ends, side="right")
            counted.loaded += high - low
            counted.read += np.maximum(high - np.maximum(low, np.concatenate([low[:1], high[:-1]])), 0)
            seen[histograms.row] |= bool((high > low).any())
            if column is not None and high[column] > low[column]:
                counts[histograms.row] += high[column] - low[column]
                last[histograms.row] = own[high[column] - 1]
        record.series = int(seen.sum())
        if isinstance(node, Subquery):
            counted.read = _read_inside(inner, node, vector)
        frame.loaded, frame.read = counted.loaded, counted.read
        record.samples = int(counted.loaded.sum())
        if column is not None:
            rows = np.flatnonzero(counts)
            labels = _readable(vector.labels.take(rows), ctx)
            time_ms = int(ctx.steps.times[column])
            record.shown = Shown(labels, values[rows], counts[rows], time_ms, last[rows])


def _read_inside(inner: Counts, node: Subquery, vector: RangeVector) -> Counts:
    """int64[K]: what a subquery read, at the first outer step whose window has it; in no window, nowhere.

    Source: stats.MergeSamplesReadFromSubquery upstream.
    """
    read = np.zeros(len(vector.ends), dtype=np.int64)
    if not len(vector.ends) or not len(inner):
        return read
    times = node.steps.times
    place = np.searchsorted(vector.ends, times, side="left")
    inside = place < len(vector.ends)
    place = np.minimum(place, len(vector.ends) - 1)
    inside &= times > vector.ends[place] - np.int64(vector.width)
    np.add.at(read, place[inside], inner[inside])
    return read


def _shown(vector: Vector, ctx: Context, column: int) -> Shown | None:
    if vector.values.shape[1] == 0:
        return None
    rows = np.flatnonzero(vector.mask()[:, column])
    time_ms = int(ctx.steps.times[column])
    histograms = None if vector.histograms is None else vector.histograms[rows, column]
    labels = _readable(vector.labels.take(rows), ctx)
    return Shown(labels, vector.values[rows, column], None, time_ms, histograms)


def _readable(labels: LabelSets, ctx: Context) -> LabelSets:
    """Over the table that has every string of this query."""
    return LabelSets(labels.names, labels.codes, ctx.query.symbols_of(labels))
