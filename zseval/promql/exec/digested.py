"""Long windows seen from one step, by what is known of the blocks that lie in them.

What entered a window since the last evaluation and what is about to leave it are read; of the blocks in
between a digest of each series is kept (`zseval.tsdb.digest`). Series of which that is not enough (a counter
that was reset) are read whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from zseval.model.arrays import Mask, Rows, Times, Values
from zseval.promql.functions import Function
from zseval.promql.kernels.windows import Phases, Windows
from zseval.tsdb.digest import Digest, ends
from zseval.tsdb.frame import Frame
from zseval.tsdb.stretch import Stretches

__all__ = ["digested"]

_LEAST_PARTS = 2
"""Stretches a frame must have: below, nothing of it is known from before."""


@dataclass(slots=True, eq=False)
class _Alike:
    """Sources with equally many rows in the window."""

    rows: list[Rows] = field(default_factory=list)
    values: list[Values] = field(default_factory=list)
    times: list[Times] = field(default_factory=list)


def digested(
    function: Function, frames: Sequence[Frame], end: Times, width: int, check: Callable[[], None]
) -> tuple[list[tuple[Rows, Windows]], list[Frame]]:
    """The windows of series of which digests are enough, and frames of the others.

    function: one that has a digest.
    frames: without rows that the window does not reach, where series share their times.
    end: int64[1], ms.  width: ms.  check: is called now and then, to be interrupted.
    """
    digest = function.digest
    assert digest is not None, "others are not asked for"
    alike: dict[tuple[int, int], _Alike] = {}
    rest: list[Frame] = []
    for frame in frames:
        cells = frame.stretches
        if cells is None or frame.has_stale or len(cells.parts) < _LEAST_PARTS:
            rest.append(frame)
            continue
        values, odd = _digest_of(cells, digest, check, counter=function.counters_only)
        rows = frame.rows
        if odd.any():
            rest.append(frame.pick(np.flatnonzero(odd)))
            rows, values = rows[~odd], values[~odd]
        if len(rows):
            group = alike.setdefault((cells.shape[1], values.shape[1]), _Alike())
            group.rows.append(rows)
            group.values.append(values)
            group.times.append(frame.times)
    return [_windows(group, digest is ends, end, width) for group in alike.values()], rest


def _windows(group: _Alike, by_ends: bool, end: Times, width: int) -> tuple[Rows, Windows]:
    """by_ends: the values are the first and the last of each window; else extremes of its stretches."""
    values = np.concatenate(group.values)
    of = np.repeat(np.arange(len(group.rows), dtype=np.intp), [len(rows) for rows in group.rows])
    times = np.stack(group.times)
    skipped = times.shape[1] - 2 if by_ends else 0
    some = times[:, [0, -1]] if by_ends else times[:, : values.shape[1]]
    windows = Windows.single(
        values, end - np.int64(width), end, Phases(some, of), rising=by_ends, skipped=skipped
    )
    return np.concatenate(group.rows), windows


def _digest_of(
    cells: Stretches, digest: Digest, check: Callable[[], None], *, counter: bool
) -> tuple[Values, Mask]:
    """float64[S, 2], the first and last value, or float64[S, parts], extremes; bool[S], where not enough."""
    parts: list[tuple[Values, Mask]] = []
    for part in cells.parts:
        check()
        parts.append(part.cells.digest(digest, part.columns, part.lo, part.hi))
    values = np.stack([found for found, _ in parts], axis=1)  # [S, parts, 2]
    odd: Mask = np.logical_or.reduce([odd for _, odd in parts])
    if digest is not ends:
        return values[:, :, 0], odd
    if counter:
        odd |= (values[:, 1:, 0] < values[:, :-1, 1]).any(axis=1)
    else:
        odd[:] = False
    return np.stack([values[:, 0, 0], values[:, -1, 1]], axis=1), odd
