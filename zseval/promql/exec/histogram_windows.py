"""Windows of range functions that hold native histograms: the samples of one series, one window at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np

from zseval.model.arrays import Times, Values
from zseval.model.histogram import Histogram
from zseval.model.staleness import is_stale
from zseval.promql.annotations import Annotations
from zseval.promql.kernels.extended import Reach
from zseval.tsdb.frame import Frame, HistogramFrame
from zseval.tsdb.start_times import StartTimes

__all__ = ["Notes", "RangeSource", "Sample", "Window", "windows"]

Sample: TypeAlias = "float | Histogram"


@dataclass(frozen=True, slots=True)
class Notes:
    """Where annotations about one series go."""

    annotations: Annotations
    name: str
    start: int


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """(start, end], ms: the samples of one series, floats and histograms apart, each in time order.

    began: int64[T], when the counter behind each histogram began, ms, 0 where that is not known.
    """

    start: int
    end: int
    float_times: Times
    floats: Values
    times: Times
    histograms: list[Histogram]
    began: Times

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
    starts: StartTimes | None
    reach: Reach | None


def windows(frame: HistogramFrame, source: RangeSource) -> list[tuple[int, Window]]:
    """The windows of one series that hold a histogram, by step."""
    keep = np.array([not each.is_stale for each in frame.values], dtype=np.bool_)
    times, histograms = frame.times[keep], frame.values[keep]
    began = np.zeros(len(times), dtype=np.int64)
    if source.starts is not None:
        began = source.starts.at(np.full(len(times), frame.row, dtype=np.intp), times)
    float_times, floats = _floats(source.frames, frame.row)
    found = []
    for step, end in enumerate(source.ends.tolist()):
        edges = [end - source.width, end]
        low, high = np.searchsorted(times, edges, side="right").tolist()
        if low == high:
            continue
        first, last = np.searchsorted(float_times, edges, side="right").tolist()
        part = slice(low, high)
        window = Window(
            end - source.width,
            end,
            float_times[first:last],
            floats[first:last],
            times[part],
            histograms[part].tolist(),
            began[part],
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
