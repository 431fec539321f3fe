"""Native histograms of one TSDB, by series and in columns.

A series is a list of runs: samples with the same buckets, whose numbers are the rows of one matrix.
A change of schema, bounds or bucket indices begins a new run, as does a counter reset, a float in
between, or a change from counter to gauge; so within a run of counters no sample is a reset, and
the first sample of a run is one of which nothing is known.
Source: tsdb/chunkenc upstream, whose chunks begin for the same reasons.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from zseval.model.arrays import Ids, Mask, Times
from zseval.model.histogram import CounterReset, Histogram
from zseval.model.histogram.buckets import Buckets
from zseval.tsdb.frame import HistogramFrame
from zseval.tsdb.growing import Growing
from zseval.tsdb.head import NO_TIME
from zseval.tsdb.runs import END_OF_TIME

__all__ = ["Histograms"]

_TOTALS = 3  # count, sum and zero count lead each row
_LEAST_ROWS = 4
_MOST_ROWS = 120  # retention drops whole runs
_LEAST_BEGUN, _BEGUN_SHARE = 16, 4  # new runs after which there is a look, at least, and of the series


class Histograms:
    """Guarded by the lock of its TSDB. nbytes: of all runs."""

    def __init__(self) -> None:
        self.nbytes = 0
        self._series: dict[int, list[Run]] = {}
        self._begun = 0  # runs, since the last look at what could leave

    def __len__(self) -> int:
        return len(self._series)

    @property
    def samples(self) -> int:
        return sum(len(run) for run in self._runs())

    @property
    def run_count(self) -> int:
        return sum(map(len, self._series.values()))

    @property
    def min_time_ms(self) -> int:
        return min((runs[0].first_ms for runs in self._series.values()), default=END_OF_TIME)

    def ids(self) -> Ids:
        """int32[N]: the series that have a histogram."""
        return np.array(list(self._series), dtype=np.int32)

    def newest(self, series: int) -> Histogram | None:
        runs = self._series.get(series)
        return runs[-1].histogram(len(runs[-1]) - 1) if runs else None

    def append(self, series: int, time_ms: int, histogram: Histogram, *, after_float: bool) -> bool:
        """after_float: the series' sample before this one was a float.

        True if so many runs are complete since the last look that it is time to see what has to leave.
        """
        runs = self._series.setdefault(series, [])
        before = runs[-1].nbytes if runs else 0
        begins = not runs or after_float or not runs[-1].takes(histogram)
        if begins:
            runs.append(Run(histogram))
            before = 0
            self._begun += 1
        runs[-1].append(time_ms, histogram)
        self.nbytes += runs[-1].nbytes - before
        return begins and self._begun >= max(_LEAST_BEGUN, len(self._series) // _BEGUN_SHARE)

    def looked_at(self) -> int:
        """The bytes of all runs; `append` counts new ones from now on."""
        self._begun = 0
        return self.nbytes

    def complete(self, silent_before_ms: int) -> list[tuple[int, int, int]]:
        """(end, bytes, series) of the runs that are not written to any more, those that end first first:
        all but the newest of each series, and that too where it ends before a time.
        """
        found = [
            (run.last_ms, run.nbytes, series)
            for series, runs in self._series.items()
            for place, run in enumerate(runs, start=1)
            if place < len(runs) or run.last_ms < silent_before_ms
        ]
        found.sort()
        return found

    def drop_oldest(self, which: Iterable[int]) -> None:
        """The oldest run of a series, for each time that it is named."""
        for series, count in Counter(which).items():
            self._keep(series, self._series[series][count:])

    def read(self, wanted: Ids, start_ms: int, end_ms: int) -> tuple[HistogramFrame, ...]:
        """The samples with start_ms < t <= end_ms of these series, int32[N] increasing."""
        if not self._series:
            return ()
        frames = []
        for row, series in enumerate(wanted.tolist()):
            runs = self._series.get(series)
            if runs:
                frame = _frame(row, runs, start_ms, end_ms)
                if frame is not None:
                    frames.append(frame)
        return tuple(frames)

    def occupied(self, start_ms: int, end_ms: int) -> Iterator[Ids]:
        """Series with a sample in start_ms < t <= end_ms."""
        found = [
            series
            for series, runs in self._series.items()
            if any(len(run.within(start_ms, end_ms)) for run in runs)
        ]
        if found:
            yield np.array(found, dtype=np.int32)

    def delete(self, wanted: Mask, start_ms: int, end_ms: int) -> int:
        """Drop samples start_ms < t <= end_ms of the series marked in bool[S]; how many that were."""
        deleted = 0
        for series in [series for series in self._series if wanted[series]]:
            left: list[Run] = []
            for run in self._series[series]:
                rows = run.within(start_ms, end_ms)
                deleted += len(rows)
                left.extend(run.without(rows))
            self._keep(series, left)
        return deleted

    def drop_before(self, cutoff_ms: int) -> bool:
        """Drop runs that end before a time. True if anything went."""
        before = self.run_count
        for series, runs in list(self._series.items()):
            if runs[0].last_ms < cutoff_ms:
                self._keep(series, [run for run in runs if run.last_ms >= cutoff_ms])
        return self.run_count < before

    def next_end_ms(self) -> int:
        """When the run that ends first ends."""
        return min((runs[0].last_ms for runs in self._series.values()), default=END_OF_TIME)

    def shift(self, delta_ms: int) -> None:
        """Move the time of every sample."""
        for run in self._runs():
            run.shift(delta_ms)

    def renumber(self, new_ids: Ids) -> None:
        """Series ids change to new_ids[id]."""
        self._series = {int(new_ids[series]): runs for series, runs in self._series.items()}

    def _keep(self, series: int, runs: list[Run]) -> None:
        self.nbytes += sum(run.nbytes for run in runs) - sum(run.nbytes for run in self._series[series])
        if runs:
            self._series[series] = runs
        else:
            del self._series[series]

    def _runs(self) -> Iterator[Run]:
        for runs in self._series.values():
            yield from runs


class Run:
    """Histograms of one series with the same buckets.

    Rows of _cells: count, sum, zero count, then the positive and the negative buckets.
    """

    __slots__ = ("_cells", "_layout", "_times")

    def __init__(self, first: Histogram) -> None:
        hint = CounterReset.GAUGE if first.is_gauge else CounterReset.UNKNOWN
        self._layout = replace(first, counter_reset=hint)
        width = _TOTALS + len(first.positive) + len(first.negative)
        self._cells = np.empty((_LEAST_ROWS, width))
        self._times = Growing(np.int64)

    def __len__(self) -> int:
        return len(self._times)

    @property
    def nbytes(self) -> int:
        return self._cells.nbytes + self._times.nbytes

    @property
    def first_ms(self) -> int:
        return int(self._times.view[0])

    @property
    def last_ms(self) -> int:
        return int(self._times.view[-1]) if len(self._times) else NO_TIME

    def takes(self, histogram: Histogram) -> bool:
        """True if the histogram may follow the last one in the same run."""
        layout, last = self._layout, self.histogram(len(self) - 1)
        if len(self) == _MOST_ROWS or last.is_stale or histogram.is_gauge is not layout.is_gauge:
            return False
        if histogram.is_stale:
            return not len(histogram.positive) and not len(layout.positive)
        if histogram.counter_reset is CounterReset.RESET:
            return False
        same = (
            histogram.schema == layout.schema
            and histogram.zero_threshold == layout.zero_threshold
            and histogram.custom_values == layout.custom_values
            and np.array_equal(histogram.positive.indices, layout.positive.indices)
            and np.array_equal(histogram.negative.indices, layout.negative.indices)
        )
        if not same or layout.is_gauge:
            return same
        return not histogram.with_hint(CounterReset.UNKNOWN).is_reset_after(last)

    def append(self, time_ms: int, histogram: Histogram) -> None:
        row = len(self)
        if row == len(self._cells):
            grown = np.empty((2 * row, self._cells.shape[1]))
            grown[:row] = self._cells
            self._cells = grown
        cells, border = self._cells[row], _TOTALS + len(histogram.positive)
        cells[:_TOTALS] = histogram.count, histogram.sum, histogram.zero_count
        cells[_TOTALS:border] = histogram.positive.counts
        cells[border:] = histogram.negative.counts
        self._times.append(time_ms)

    def within(self, start_ms: int, end_ms: int) -> range:
        """Rows with start_ms < t <= end_ms."""
        low, high = np.searchsorted(self._times.view, [start_ms, end_ms], side="right").tolist()
        return range(low, high)

    def times(self, rows: range) -> Times:
        return self._times.view[rows.start : rows.stop]

    def histogram(self, row: int) -> Histogram:
        """A row as a value; its counts are a view."""
        cells, layout = self._cells[row], self._layout
        count, total, zero_count = cells[:_TOTALS].tolist()
        border = _TOTALS + len(layout.positive)
        known = row > 0 and not layout.is_gauge
        return Histogram(
            layout.schema,
            layout.zero_threshold,
            zero_count,
            count,
            total,
            Buckets(layout.positive.indices, cells[_TOTALS:border]),
            Buckets(layout.negative.indices, cells[border:]),
            layout.custom_values,
            CounterReset.NOT_RESET if known else layout.counter_reset,
        )

    def shift(self, delta_ms: int) -> None:
        moved = Growing(np.int64)
        moved.extend(self._times.view + np.int64(delta_ms))
        self._times = moved

    def without(self, rows: range) -> Iterator[Run]:
        """What is left when rows side by side go: up to two runs."""
        if not len(rows):
            yield self
            return
        for part in (range(rows.start), range(rows.stop, len(self))):
            if len(part):
                left = Run(self.histogram(part[0]))
                for row in part:
                    left.append(int(self._times.view[row]), self.histogram(row))
                yield left


def _frame(row: int, runs: list[Run], start_ms: int, end_ms: int) -> HistogramFrame | None:
    times: list[Times] = []
    found: list[Histogram] = []
    for run in runs:
        rows = run.within(start_ms, end_ms)
        if len(rows):
            times.append(run.times(rows))
            found.extend(map(run.histogram, rows))
    if not found:
        return None
    values = np.empty(len(found), dtype=np.object_)
    values[:] = found
    return HistogramFrame(row, np.concatenate(times), values)
