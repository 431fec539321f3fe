"""Pieces: series of sources that are sampled alike, group by group, some hundred at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from zseval.model.arrays import Mask, Rows, Times, Values
from zseval.model.segments import reduce_segments
from zseval.promql.exec.context import Context
from zseval.promql.exec.ranges import RangeVector, trimmed
from zseval.promql.exec.totals import Source
from zseval.promql.kernels.windows import Phases, Windows, window_bounds
from zseval.tsdb.frame import Frame

__all__ = ["Alike", "Part", "Piece", "Places", "alike_of", "starts_of"]

_CELLS = 1 << 16
"""Cells taken at a time: 0.5 MB an array, so that what is in between stays in the cache."""

_HELD = 1 << 21
"""Cells of the series that are held together, if every one of them were a group: 16 MB an array."""


def alike_of(frames: Iterable[Frame], source: Source) -> list[Alike]:
    """Frames whose series share their times, perhaps with gaps, by the rows that their windows have.

    Not more of them together than what is made of them may take.
    """
    found: dict[tuple[int, bytes, bytes], Alike] = {}
    full: list[Alike] = []
    near = RangeVector(source.labels, (), source.ends, source.width)
    for whole in frames:
        frame = trimmed(whole, near)
        times = frame.times if frame.gappy is None else frame.gappy.times
        if len(times):
            lo, hi = window_bounds(times, source.ends, source.width)
            key = len(times), lo.tobytes(), hi.tobytes()
            most = max(1, _HELD // max(len(times), len(source.ends)))
            for part in _split(frame, most):
                kind = found.setdefault(key, Alike(source, lo, hi))
                if kind.series and kind.series + len(part.rows) > most:
                    full.append(kind)
                    kind = found[key] = Alike(source, lo, hi)
                kind.add(part, times)
    return [*full, *found.values()]


def _split(frame: Frame, most: int) -> Iterator[Frame]:
    """The frame in parts of at most so many series."""
    if len(frame.rows) <= most:
        yield frame
        return
    for first in range(0, len(frame.rows), most):
        yield frame.pick(np.arange(first, min(first + most, len(frame.rows)), dtype=np.intp))


@dataclass(slots=True, eq=False)
class Alike:
    """Frames whose windows have the same rows, lo:hi, intp[K].  times: int64[T] of each frame, ms.

    series: how many they have together.
    """

    source: Source
    lo: Rows
    hi: Rows
    frames: list[Frame] = field(default_factory=list)
    times: list[Times] = field(default_factory=list)
    series: int = 0

    def add(self, frame: Frame, times: Times) -> None:
        self.frames.append(frame)
        self.times.append(times)
        self.series += len(frame.rows)

    @property
    def rows(self) -> int:
        """T."""
        return len(self.times[0])

    @property
    def held(self) -> Mask:
        """bool[K], windows with enough samples."""
        enough: Mask = self.hi - self.lo >= self.source.least
        return enough

    def windows(self, values: Values, frames: Rows, steps: slice = slice(None)) -> Windows:
        """Over values: float64[M, T] of some frames: intp[M], at some of the steps."""
        times, ends = np.stack(self.times), self.source.ends[steps]
        starts = ends - np.int64(self.source.width)
        return Windows(values, times[0], self.lo[steps], self.hi[steps], starts, ends, Phases(times, frames))

    def pieces(self, groups: Rows, ctx: Context) -> Iterator[Piece]:
        """All series and their values. groups: intp[S], that of each series of the selection."""
        for part in self.parts(groups, ctx):
            yield Piece(part.frame, part.series, part.ids, *_cells(self.frames[part.frame], part.some))

    def parts(self, groups: Rows, ctx: Context) -> Iterator[Part]:
        """All series."""
        for number, frame in enumerate(self.frames):
            ids = groups[frame.rows]
            order = np.arange(len(ids), dtype=np.intp)
            is_sorted = bool((ids[1:] >= ids[:-1]).all())
            if not is_sorted:
                order = np.argsort(ids, kind="stable")
            size = max(1, _CELLS // self.rows)
            for first in range(0, len(ids), size):
                ctx.query.limits.check()
                some = slice(first, first + size)
                series = order[some]
                yield Part(number, series, ids[series], some if is_sorted else series)

    def pick(self, frame: int, series: Sequence[Rows]) -> Frame:
        """Some series of a frame, by position there, whole."""
        return self.frames[frame].pick(np.sort(np.concatenate(series)))


def _cells(frame: Frame, series: slice | Rows) -> tuple[Values, Mask | None]:
    """Values of some series, NaN where there is none, and where there is one."""
    if frame.gappy is None:
        if isinstance(series, slice):
            return frame.part(series), None
        return frame.pick(series).values, None
    some = frame.gappy.pick(series).without_markers()
    return np.where(some.present, some.values(), np.nan), some.present


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Series of one frame in group order.

    frame: its number.  series: intp[n], positions in it.  ids: intp[n], groups.  some: the positions as it is
    quickest to select by them.
    """

    frame: int
    series: Rows
    ids: Rows
    some: slice | Rows

    def pick(self, which: Rows) -> Part:
        """Some of the series, by increasing position here."""
        series = self.series[which]
        return Part(self.frame, series, self.ids[which], series)


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Series of one frame in group order.

    frame: its number.  series: intp[n], positions in it.  ids: intp[n], groups.
    values: float64[n, T], NaN where there is none.  present: bool[n, T], None for everywhere.
    """

    frame: int
    series: Rows
    ids: Rows
    values: Values
    present: Mask | None

    @property
    def starts(self) -> Rows:
        """intp[M], where another group begins."""
        return starts_of(self.ids)

    def occupied(self) -> Mask:
        """bool[M, T]: rows at which some series of the group has a sample."""
        starts = self.starts
        if self.present is None:
            return np.ones((len(starts), self.values.shape[1]), dtype=np.bool_)
        return reduce_segments(np.logical_or, self.present, starts, np.bool_)


def starts_of(ids: Rows) -> Rows:
    """Where another group begins. ids: intp[n], sorted, n above 0."""
    begins = np.empty(len(ids), dtype=np.bool_)
    begins[:1] = True
    np.not_equal(ids[1:], ids[:-1], out=begins[1:])
    return begins.nonzero()[0]


@dataclass(slots=True, eq=False)
class Places:
    """The groups of pieces, one after the other, M in all: which they are, and of which frame."""

    _groups: list[Rows] = field(default_factory=list)
    _frames: list[int] = field(default_factory=list)

    def add(self, groups: Rows, frame: int) -> None:
        self._groups.append(groups)
        self._frames.append(frame)

    @property
    def groups(self) -> Rows:
        """intp[M]."""
        return np.concatenate(self._groups)

    @property
    def frames(self) -> Rows:
        """intp[M]."""
        return np.repeat(np.array(self._frames, dtype=np.intp), [len(groups) for groups in self._groups])
