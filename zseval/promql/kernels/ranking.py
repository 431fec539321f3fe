"""topk, bottomk, limitk and limit_ratio: which series of each group stay at each step.

Only what ties with the last that stays is in doubt: then it is upstream's heap that decides, and it is
played through for that group and step. Source: promql/engine.go (aggregationK), container/heap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from zseval.model.arrays import Mask, Rows, Values
from zseval.model.segments import reduce_segments
from zseval.promql.kernels.groups import Groups

__all__ = ["bottomk", "limit_ratio", "limitk", "topk"]

Scalar = TypeVar("Scalar", bound=np.generic)

_FEW = 24
_SHARE = 32  # a group of so many times the series that stay has only the best of each few looked at


def topk(values: Values, present: Mask | None, groups: Rows, count: int, wanted: Rows) -> Mask:
    """bool[S, K]: the `wanted` largest samples of each group at each step; NaN stay only for want of others.

    values: float64[S, K].  present: bool[S, K], None for all.  groups: intp[S], each below count.
    wanted: intp[K]; below 1 nothing stays.
    """
    return _best(values, values, present, Groups.of(groups, count), wanted, largest=True)


def bottomk(values: Values, present: Mask | None, groups: Rows, count: int, wanted: Rows) -> Mask:
    """bool[S, K]: the `wanted` smallest samples of each group at each step; else as `topk`."""
    return _best(values, -values, present, Groups.of(groups, count), wanted, largest=False)


def _best(
    values: Values, keys: Values, present: Mask | None, groups: Groups, wanted: Rows, *, largest: bool
) -> Mask:
    """keys: float64[S, K], the larger the better."""
    given = _Given(values, keys, present, wanted, np.zeros(values.shape, dtype=np.bool_), largest)
    for size in np.unique(groups.sizes).tolist():
        chosen = np.flatnonzero(groups.sizes == size)
        if size >= _SHARE * max(int(wanted.max(initial=1)), 1):
            for first in groups.starts[chosen].tolist():
                part = groups.rows(slice(first, first + size))
                left = _best_of_many(given, part)
                if len(left):
                    with given.at(left) as some:
                        _best_of_few(some, np.arange(len(values), dtype=np.intp)[np.newaxis, part])
            continue
        rows = groups.starts[chosen, np.newaxis] + np.arange(size, dtype=np.intp)
        _best_of_few(given, rows if groups.order is None else groups.order[rows])
    return given.kept


@dataclass(frozen=True, slots=True, eq=False)
class _Given:
    """What `_best` goes through. kept: bool[S, K], what stays so far; written to."""

    values: Values
    keys: Values
    present: Mask | None
    wanted: Rows
    kept: Mask
    largest: bool

    @contextmanager
    def at(self, steps: Rows) -> Iterator[_Given]:
        """Some of the steps only; what is found of them in the end stands here as well."""
        present = None if self.present is None else self.present[:, steps]
        wanted, kept = self.wanted[steps], self.kept[:, steps]
        yield _Given(self.values[:, steps], self.keys[:, steps], present, wanted, kept, self.largest)
        self.kept[:, steps] = kept


def _best_of_few(given: _Given, rows: Rows) -> None:
    """Marks in kept what stays of groups of as many series each. rows: intp[M, size]."""
    held = None if given.present is None else _turned(given.present, rows)
    best, unsure = _above(_ranked(_turned(given.keys, rows), held), held, given.wanted)
    for group, step in zip(*np.nonzero(unsure), strict=True):
        members = rows[group] if held is None else rows[group][held[group, step]]
        stay = _play(given.values[members, step], int(given.wanted[step]), largest=given.largest)
        best[group, step] = np.isin(rows[group], members[stay])
    given.kept[rows] = best.transpose(0, 2, 1)


def _best_of_many(given: _Given, rows: Rows | slice) -> Rows:
    """Marks in kept what stays of a group of many series; returns the steps at which it has to be found
    another way.

    Of the best of each few series, the wanted-th is a bound: what stays is no worse. Few samples are as
    good, and only they are ranked.
    """
    keys, wanted = given.keys, given.wanted
    cells = keys[rows]
    held = None if given.present is None else given.present[rows]
    if held is not None:
        cells = np.where(held, cells, -np.inf)
    most, steps = max(int(wanted.max(initial=1)), 1), cells.shape[1]
    length = min(len(cells) // (most * _SHARE // 2), _FEW)
    best = reduce_segments(np.maximum, cells, np.arange(0, len(cells), length), np.float64)
    bound = np.partition(best, len(best) - most, axis=0)[len(best) - most]
    # Of too few samples there is no bound, and of a few series one of which is a NaN no best.
    is_left = (bound == -np.inf) | np.isnan(best).any(axis=0)
    if is_left.all():
        return np.flatnonzero(is_left)
    blocks, step = np.nonzero((best >= bound) & ~is_left)
    near = blocks[:, np.newaxis] * length + np.arange(length, dtype=np.intp)
    found = cells[np.minimum(near, len(cells) - 1), step[:, np.newaxis]] >= bound[step, np.newaxis]
    found &= near < len(cells)
    which, _ = np.nonzero(found)
    series, step = near[found], step[which]
    order = np.lexsort((series, step))
    series, step = series[order], step[order]
    counts = np.bincount(step, minlength=steps)
    place = np.arange(len(step)) - np.repeat(np.cumsum(counts) - counts, counts)
    contenders = np.full((1, steps, int(counts.max(initial=0))), -np.inf)
    contenders[0, step, place] = cells[series, step]
    filled = contenders > -np.inf
    stays, unsure = _above(contenders, filled, wanted)
    stays = stays[0, step, place]
    names = np.arange(len(keys), dtype=np.intp)[rows]
    for column in np.flatnonzero(unsure[0]).tolist():
        members = names if held is None else names[held[:, column]]
        heap = _play(given.values[members, column], int(wanted[column]), largest=given.largest)
        mine = step == column
        stays[mine] = np.isin(names[series[mine]], members[heap])
    given.kept[names[series[stays]], step[stays]] = True
    return np.flatnonzero(is_left)


def _turned(array: NDArray[Scalar], rows: Rows) -> NDArray[Scalar]:
    """[S, K] -> [M, K, size]: one group at one step along the last axis; a copy."""
    return np.ascontiguousarray(array[rows].transpose(0, 2, 1))


def _ranked(keys: Values, held: Mask | None) -> Values:
    """NaN and what is absent made the lowest; keys may be written to."""
    odd = np.isnan(keys)
    if held is not None:
        odd |= ~held
    keys[odd] = -np.inf
    return keys


def _above(keys: Values, held: Mask | None, wanted: Rows) -> tuple[Mask, Mask]:
    """Which of keys [M, K, size] stay, and bool[M, K]: where ties leave that open."""
    size = keys.shape[2]
    limit = np.clip(wanted, 0, size)
    least = _largest(keys, np.maximum(limit, 1))  # [M, K, 1] the last that stays
    kept = keys > least
    above = np.count_nonzero(kept, axis=2)
    tied = keys == least
    if held is not None:
        tied &= held
    room = np.maximum(limit - above, 0)
    crowded = np.count_nonzero(tied, axis=2) > room
    unsure = crowded & (limit > 0) & ((above > 0) | (least[..., 0] == -np.inf))
    if crowded.any():
        # With nothing better the first to come stay: only something better ever drives one out.
        tied[crowded] &= np.cumsum(tied[crowded], axis=1, dtype=np.int32) <= room[crowded][:, np.newaxis]
    kept |= tied
    kept &= (limit > 0)[:, np.newaxis]
    return kept, unsure


def _largest(keys: Values, wanted: Rows) -> Values:
    """[M, K, 1]: the wanted-th largest of keys [M, K, size] at each step."""
    size = keys.shape[2]
    if len(wanted) and (wanted == wanted[0]).all():
        place = size - int(wanted[0])
        found: Values = np.partition(keys, place, axis=2)[..., place : place + 1]
        return found
    return np.take_along_axis(np.sort(keys, axis=2), (size - wanted)[np.newaxis, :, np.newaxis], axis=2)


def _play(samples: Values, wanted: int, *, largest: bool) -> list[int]:
    """Positions that upstream's heap of `wanted` samples, float64[n], holds in the end.

    Only what is better than the worst in the heap changes it, and the worst gets no worse: of ever
    longer parts only the samples better than the worst at their beginning are looked at.
    """
    less = _less if largest else _greater
    heap: list[int] = []
    values: dict[int, float] = {}
    start, length = 0, max(64, wanted)
    while start < len(samples):
        part = samples[start : start + length]
        worst = values[heap[0]] if len(heap) == wanted else np.nan
        some = np.arange(len(part), dtype=np.intp)
        if worst == worst:
            some = np.flatnonzero(part > worst if largest else part < worst)
        for position, value in zip((start + some).tolist(), part[some].tolist(), strict=True):
            values[position] = value
            if len(heap) < wanted:
                heap.append(position)
                _up(heap, values, less)
                continue
            worst = values[heap[0]]
            beats = value > worst if largest else value < worst
            if beats or (worst != worst and value == value):
                heap[0] = position
                _down(heap, values, less)
        start, length = start + length, 2 * length
    return heap


def _less(left: float, right: float) -> bool:
    return left != left or left < right


def _greater(left: float, right: float) -> bool:
    return left != left or left > right


def _up(heap: list[int], values: dict[int, float], less: Callable[[float, float], bool]) -> None:
    child = len(heap) - 1
    while child > 0:
        parent = (child - 1) // 2
        if not less(values[heap[child]], values[heap[parent]]):
            return
        heap[parent], heap[child] = heap[child], heap[parent]
        child = parent


def _down(heap: list[int], values: dict[int, float], less: Callable[[float, float], bool]) -> None:
    parent = 0
    while (child := 2 * parent + 1) < len(heap):
        if child + 1 < len(heap) and less(values[heap[child + 1]], values[heap[child]]):
            child += 1
        if not less(values[heap[child]], values[heap[parent]]):
            return
        heap[parent], heap[child] = heap[child], heap[parent]
        parent = child


def limitk(values: Values, present: Mask | None, groups: Rows, count: int, wanted: Rows) -> Mask:
    """bool[S, K]: the first `wanted` (intp[K]) samples of each group at each step."""
    found = Groups.of(groups, count)
    if present is None:
        present = np.ones(values.shape, dtype=np.bool_)
    held = present if found.order is None else present[found.order]
    before = np.cumsum(held, axis=0, dtype=np.int32) - held  # of all groups so far
    of_group = before - np.repeat(before[found.starts], found.sizes, axis=0)
    stay = held & (of_group < wanted)
    if found.order is None:
        return stay
    kept = np.empty(stay.shape, dtype=np.bool_)
    kept[found.order] = stay
    return kept


def limit_ratio(present: Mask, offsets: Values, ratios: Values) -> Mask:
    """bool[S, K]: samples of the series whose offset (float64[S], 0 to 1) the ratio takes in.

    ratios: float64[K], -1 to 1. A negative one takes what its positive complement leaves.
    """
    place = offsets[:, np.newaxis]
    taken = np.where(ratios >= 0, place < ratios, place >= 1.0 + ratios)
    return np.asarray(taken & present)
