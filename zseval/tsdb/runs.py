"""Runs: samples of many series in flat arrays, one series after another.

The form in which irregular samples are sorted, sealed and selected; and the way from it to matrices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zseval.model.arrays import Ids, Mask, Rows, Times, Values

__all__ = ["END_OF_TIME", "Runs", "compact"]

END_OF_TIME = 2**63 - 1
"""What times of ragged matrices are padded with."""


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """keys: intp[S], what each run is of, increasing.  counts: intp[S], above 0.

    times: int64[N], increasing within a run.  values: float64[N].
    """

    keys: Rows
    counts: Rows
    times: Times
    values: Values

    @classmethod
    def of(cls, keys: Rows | Ids, times: Times, values: Values) -> Runs:
        """Sort samples by key; those of a key must come in time order."""
        order = np.argsort(keys, kind="stable")
        distinct, counts = np.unique(keys, return_counts=True)
        return cls(distinct.astype(np.intp), counts, times[order], values[order])

    @classmethod
    def of_unordered(cls, keys: Rows, times: Times, values: Values) -> Runs:
        """The same where samples of a key come in any order."""
        order = np.argsort(times, kind="stable")
        return cls.of(keys[order], times[order], values[order])

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def starts(self) -> Rows:
        """intp[S], where each run begins."""
        return np.cumsum(self.counts) - self.counts

    def only(self, runs: Rows) -> Runs:
        """Some of the runs, by number, increasing."""
        kept = np.zeros(len(self), dtype=np.bool_)
        kept[runs] = True
        samples = np.repeat(kept, self.counts)
        return Runs(self.keys[runs], self.counts[runs], self.times[samples], self.values[samples])

    def equal_times(self, least: int) -> tuple[list[Rows], Rows]:
        """Groups of at least so many runs with identical times, and the runs in none; numbers increasing."""
        starts = self.starts
        place = np.arange(len(self.times)) - np.repeat(starts, self.counts)
        weights = _weights(int(self.counts.max()))[place]
        hashes = np.add.reduceat(self.times.view(np.uint64) * weights, starts)
        hashes ^= self.counts.astype(np.uint64) * _MIX
        _, group, sizes = np.unique(hashes, return_inverse=True, return_counts=True)
        single = np.ones(len(self), dtype=np.bool_)
        groups: list[Rows] = []
        for number in np.flatnonzero(sizes >= least):
            members = np.flatnonzero(group == number)
            if self._have_equal_times(members):
                groups.append(members)
                single[members] = False
        return groups, np.flatnonzero(single)

    def _have_equal_times(self, runs: Rows) -> bool:
        """Whether what the hashes promise is so."""
        if (self.counts[runs] != self.counts[runs[0]]).any():
            return False
        cells = self.starts[runs][:, None] + np.arange(int(self.counts[runs[0]]))
        times = self.times[cells]
        return bool((times == times[0]).all())

    def matrix(self, runs: Rows) -> tuple[Times, Values]:
        """Times and values [len(runs), T] of runs that all have T samples."""
        cells = self.starts[runs][:, None] + np.arange(int(self.counts[runs[0]]))
        return self.times[cells], self.values[cells]

    def padded(self, runs: Rows, time: int, value: float) -> tuple[Times, Values]:
        """Times and values [len(runs), T], T the longest; the rest is filled with these."""
        counts = self.counts[runs]
        part = self.only(runs)
        owners = np.repeat(np.arange(len(runs)), counts)
        place = np.arange(len(owners)) - np.repeat(part.starts, counts)
        times = np.full((len(runs), int(counts.max())), time, dtype=np.int64)
        values = np.full(times.shape, value)
        times[owners, place] = part.times
        values[owners, place] = part.values
        return times, values

    def by_length(self, runs: Rows) -> list[Rows]:
        """These runs in groups of like length (below twice the shortest): padding is bounded so."""
        lengths = np.frexp(self.counts[runs].astype(np.float64))[1]
        return [runs[lengths == length] for length in np.unique(lengths)]


_MIX = np.uint64(0x9E3779B97F4A7C15)


def _weights(count: int) -> NDArray[np.uint64]:
    """uint64[count] odd and scattered: a weighted sum of times is then a hash of their order too."""
    weights = np.arange(1, count + 1, dtype=np.uint64) * _MIX
    weights ^= weights >> np.uint64(29)
    weights *= np.uint64(0xBF58476D1CE4E5B9)
    return weights | np.uint64(1)


def compact(times: Times, values: Values, keep: Mask) -> tuple[Times, Values, Rows]:
    """Move the samples kept to the left of their rows.

    times: int64[T].  values: float64[S, T].  keep: bool[S, T], at least one in every row.
    Returns times int64[S, T'] padded with END_OF_TIME, values float64[S, T'] padded with infinity, which no
    value falls to and no NaN is, counts intp[S].
    """
    counts = np.count_nonzero(keep, axis=1)
    length = int(counts.max())
    held = np.arange(length) < counts[:, np.newaxis]  # [S, T']
    cells = np.flatnonzero(keep)
    out_times = np.full(held.shape, END_OF_TIME, dtype=np.int64)
    out_values = np.full(held.shape, np.inf)
    out_times[held] = np.tile(times, len(values))[cells]
    out_values[held] = values.reshape(-1)[cells]
    return out_times, out_values, counts
