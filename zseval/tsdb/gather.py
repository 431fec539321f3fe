"""Gather: pieces of blocks to frames.

A source (a table, or the irregular store) contributes pieces: cells under shared times, and which of
the wanted series are in them. Series that are in the same pieces of one source become one matrix, so
that series which came and went do not widen the others'; unless most series of the source have gaps
anyway, and the others would add little. From a matrix, series without an absent cell
go into a dense frame and the others into a ragged one. Only series found in more than one place, or
with irregular samples, are taken apart into single samples and put together again.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from zseval.model.arrays import Mask, Rows, Times, Values
from zseval.model.staleness import is_absent, is_stale
from zseval.tsdb.frame import Frame
from zseval.tsdb.gappy import Gappy
from zseval.tsdb.layout import Located
from zseval.tsdb.partial import NOWHERE, Partial
from zseval.tsdb.runs import END_OF_TIME, Runs
from zseval.tsdb.stretch import Cells, Stretch, Stretches

__all__ = ["LooseSamples", "Piece", "Source", "gather"]

_WIDENED = 1.25  # a matrix of all series of a source may have so many times the cells that there are
_FEW_WHOLE = 1.25  # where all series are at most so many times those with gaps, they are one frame
_NO_SERIES = np.zeros(0, dtype=np.bool_)
_DENSE_SHARE = 16  # at most so many dense frames are made of loose samples; what is left becomes ragged


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Rows lo:hi of one block. times: int64[hi - lo].  located: which of the wanted series, where."""

    located: Located
    times: Times
    cells: Cells
    lo: int
    hi: int


@dataclass(frozen=True, slots=True, eq=False)
class LooseSamples:
    """Samples with a time each. rows: intp[N], which wanted series.  times: int64[N].  values: float64[N]."""

    rows: Rows
    times: Times
    values: Values


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """What one source has in the range; pieces in time order."""

    pieces: Sequence[Piece]
    loose: Sequence[LooseSamples] = ()


def gather(sources: Sequence[Source], wanted: int) -> tuple[Frame, ...]:
    """Frames of everything the sources have of `wanted` series; each series in one frame."""
    loose: list[LooseSamples] = [part for source in sources for part in source.loose]
    frames: list[Frame] = []
    scattered = _scattered(sources, wanted) if loose or len(sources) > 1 else _NO_SERIES
    some = bool(scattered.any())
    for source in sources:
        for rows, pieces in _groups(source.pieces, wanted):
            if some:
                loose.extend(_taken_apart(rows[scattered[rows]], pieces))
                rows = rows[~scattered[rows]]
            if len(rows):
                frames.extend(_matrix_frames(rows, pieces))
    if loose:
        frames.extend(_loose_frames(loose))
    return tuple(frames)


def _scattered(sources: Sequence[Source], wanted: int) -> Mask:
    """bool[wanted], the series with loose samples or in more than one source."""
    seen = np.zeros(wanted, dtype=np.int32)
    for source in sources:
        locations = {id(piece.located): piece.located.rows for piece in source.pieces}
        if len(locations) == 1:
            seen[next(iter(locations.values()))] += 1
        elif locations:
            seen[np.unique(np.concatenate(list(locations.values())))] += 1
        for part in source.loose:
            seen[part.rows] = 2
    return seen > 1


def _groups(pieces: Sequence[Piece], wanted: int) -> Iterator[tuple[Rows, list[Piece]]]:
    """Series that are in the same pieces, with those pieces."""
    if not pieces:
        return
    if _hold_the_same(pieces):
        yield pieces[0].located.rows, list(pieces)
        return
    if _are_one(pieces):
        rows = np.unique(np.concatenate([piece.located.rows for piece in pieces]))
        if len(rows) * sum(len(piece.times) for piece in pieces) <= _WIDENED * _size(pieces):
            yield rows, [_widened(piece, rows) for piece in pieces]
            return
    present = np.zeros((wanted, (len(pieces) + 7) // 8), dtype=np.uint8)
    for number, piece in enumerate(pieces):
        present[piece.located.rows, number >> 3] |= 128 >> (number & 7)
    rows = np.flatnonzero(present.any(axis=1))
    kinds, group = np.unique(present[rows], axis=0, return_inverse=True)
    group = group.reshape(-1)
    for kind, bits in enumerate(np.unpackbits(kinds, axis=1, count=len(pieces))):
        yield rows[group == kind], [pieces[number] for number in np.flatnonzero(bits).tolist()]


def _hold_the_same(pieces: Sequence[Piece]) -> bool:
    """Whether each has the same of the wanted series, be they in other columns."""
    before = pieces[0].located
    for piece in pieces:
        located = piece.located
        if located is not before and not np.array_equal(located.rows, before.rows):
            return False
        before = located
    return True


def _size(pieces: Sequence[Piece]) -> int:
    return sum(len(piece.times) * len(piece.located.rows) for piece in pieces)


def _are_one(pieces: Sequence[Piece]) -> bool:
    """Whether most series of the largest piece have gaps, and the pieces follow one another."""
    if any(before.times[-1] >= after.times[0] for before, after in itertools.pairwise(pieces)):
        return False
    largest = max(pieces, key=lambda piece: len(piece.times) * len(piece.located.rows))
    if largest.cells.is_full:
        return False
    columns = largest.located.columns
    return 2 * int(np.count_nonzero(largest.cells.may_be_absent(columns))) > len(columns)


def _widened(piece: Piece, rows: Rows) -> Piece:
    """The piece with all of these wanted series, those that it has among them."""
    located = piece.located
    if len(located.rows) == len(rows):
        return piece
    columns = np.full(len(rows), NOWHERE, dtype=np.intp)
    columns[np.searchsorted(rows, located.rows)] = located.columns
    return Piece(Located(rows, columns, columns), piece.times, Partial(piece.cells), piece.lo, piece.hi)


def _columns(piece: Piece, rows: Rows) -> Rows:
    """Where in a piece these wanted series, all in it, are."""
    located = piece.located
    if len(rows) == len(located.rows):
        return located.columns
    return located.columns[np.searchsorted(located.rows, rows)]


def _stretches(rows: Rows, pieces: list[Piece]) -> Stretches:
    """The cells of series that are in all of these pieces."""
    return Stretches.of([Stretch(piece.cells, _columns(piece, rows), piece.lo, piece.hi) for piece in pieces])


def _matrix_frames(rows: Rows, pieces: list[Piece]) -> Iterator[Frame]:
    """Frames of series that are in all of these pieces of one source.

    Only series with staleness markers and no gap are decoded here.
    """
    cells = _stretches(rows, pieces)
    times = pieces[0].times if len(pieces) == 1 else np.concatenate([piece.times for piece in pieces])
    doubtful = np.zeros(len(rows), dtype=np.bool_)
    gappy_parts = [part for part in cells.parts if not part.cells.is_full]
    for part in gappy_parts:
        doubtful |= part.cells.may_be_absent(part.columns)
        doubtful |= part.cells.may_be_stale(part.columns)
    if not gappy_parts or not doubtful.any():
        yield Frame(rows, times, cells, None, has_stale=False)
        return
    clean, rest = np.flatnonzero(~doubtful), np.flatnonzero(doubtful)
    some = cells.pick(rest)
    absent, stale = some.empty()
    with_gaps = absent.any(axis=1)
    with_samples = np.logical_not(absent.all(axis=1))
    if not len(clean) and not with_samples.any():
        return
    if _FEW_WHOLE * np.count_nonzero(with_gaps) >= len(rows):
        yield _all_with_gaps(rows, times, cells, rest, absent, stale, with_samples)
        return
    found = np.flatnonzero(with_gaps & with_samples)
    if len(found):
        marks = stale[found]
        gappy = Gappy(times, some.pick(found), ~absent[found], marks if marks.any() else None)
        yield Frame.with_gaps(rows[rest[found]], gappy)
    whole = np.flatnonzero(~with_gaps)
    if not len(clean):
        if len(whole):
            yield from _dense(rows[rest[whole]], times, some.decode(whole))
        return
    marked = whole[stale[whole].any(axis=1)]
    if len(marked):
        yield Frame(rows[rest[marked]], times, some.decode(marked), None, has_stale=True)
    unmarked = np.sort(np.concatenate([clean, rest[np.setdiff1d(whole, marked)]]))
    yield Frame(rows[unmarked], times, cells.pick(unmarked), None, has_stale=False)


def _all_with_gaps(
    rows: Rows, times: Times, cells: Stretches, some: Rows, absent: Mask, stale: Mask, with_samples: Mask
) -> Frame:
    """One frame of all series that have samples, as some of them have gaps: intp[n].

    absent, stale: bool[n, T].  with_samples: bool[n].
    """
    present = ~absent
    if len(some) < len(rows):
        present = np.ones((len(rows), len(times)), dtype=np.bool_)
        marks = np.zeros(present.shape, dtype=np.bool_)
        kept = np.ones(len(rows), dtype=np.bool_)
        present[some], marks[some], kept[some] = ~absent, stale, with_samples
        stale, with_samples = marks, kept
    some = np.flatnonzero(with_samples)
    if len(some) < len(rows):
        rows, cells, present, stale = rows[some], cells.pick(some), present[some], stale[some]
    return Frame.with_gaps(rows, Gappy(times, cells, present, stale if stale.any() else None))


def _dense(rows: Rows, times: Times, values: Values) -> Iterator[Frame]:
    """One dense frame, or two so that series with markers do not slow down those without."""
    marked = is_stale(values).any(axis=1)
    if marked.all() or not marked.any():
        yield Frame(rows, times, values, None, has_stale=bool(marked.any()))
        return
    yield Frame(rows[~marked], times, values[~marked], None, has_stale=False)
    yield Frame(rows[marked], times, values[marked], None, has_stale=True)


def _taken_apart(rows: Rows, pieces: Iterable[Piece]) -> Iterator[LooseSamples]:
    """The single samples of series that are in all of these pieces."""
    if not len(rows):
        return
    for piece in pieces:
        values = piece.cells.take(_columns(piece, rows), piece.lo, piece.hi)
        series, at = np.nonzero(~is_absent(values))
        yield LooseSamples(rows[series], piece.times[at], values[series, at])


def _loose_frames(loose: list[LooseSamples]) -> Iterator[Frame]:
    """Sort single samples into frames: dense where many series share their times, else ragged."""
    rows = np.concatenate([part.rows for part in loose])
    times = np.concatenate([part.times for part in loose])
    if not len(rows):
        return
    runs = Runs.of_unordered(rows, times, np.concatenate([part.values for part in loose]))
    shared, rest = runs.equal_times(-(-len(runs) // _DENSE_SHARE))
    for group in shared:
        own_times, values = runs.matrix(group)
        yield from _dense(runs.keys[group], own_times[0], values)
    for ragged in runs.by_length(rest):
        own_times, values = runs.padded(ragged, END_OF_TIME, 0.0)
        has_stale = bool(is_stale(values).any())
        yield Frame(runs.keys[ragged], own_times, values, runs.counts[ragged], has_stale)
