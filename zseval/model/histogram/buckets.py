"""Buckets of one side of a histogram, and where their bounds lie.

Source: model/histogram/generic.go upstream (getBound, reduceResolution, compactBuckets).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from zseval.model.arrays import Mask, Values

__all__ = ["CUSTOM_SCHEMA", "Bucket", "Buckets", "Indices", "upper_bounds"]

Indices: TypeAlias = NDArray[np.int32]

CUSTOM_SCHEMA = -53
_LARGEST = float(np.finfo(np.float64).max)


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket with its bounds; bounds belong to it where they are inclusive."""

    lower: float
    upper: float
    lower_inclusive: bool
    upper_inclusive: bool
    count: float

    def fraction_below(self, value: float, *, linear: bool) -> float:
        """The share of the bucket's width up to a value strictly inside finite bounds.

        Exponential buckets are even on a logarithmic scale; negative ones are their mirror image.
        """
        if linear:
            return (value - self.lower) / (self.upper - self.lower)
        lower, upper, at = np.log2(np.abs([self.lower, self.upper, value])).tolist()
        if value > 0:
            return float((at - lower) / (upper - lower))
        return float(1 - (at - upper) / (lower - upper))


@dataclass(frozen=True, slots=True, eq=False)
class Buckets:
    """indices: int32[n], increasing.  counts: float64[n], absolute. Neither is written to.

    Indices that are missing are empty buckets. For exponential schemas index i ends at base**i, on the
    negative side at -base**i; for custom bounds it ends at bound i.
    """

    indices: Indices
    counts: Values

    @classmethod
    def of(cls, counts: Iterable[float], offset: int = 0) -> Buckets:
        """Buckets side by side, the first at index `offset`."""
        values = np.array(list(counts), dtype=np.float64)
        return cls(np.arange(offset, offset + len(values), dtype=np.int32), values)

    @classmethod
    def of_spans(cls, spans: Iterable[tuple[int, int]], counts: Iterable[float]) -> Buckets:
        """From Prometheus' spans: each the distance from the end of the one before, and a length."""
        parts, at = [np.zeros(0, dtype=np.int32)], 0
        for offset, length in spans:
            at += offset
            parts.append(np.arange(at, at + length, dtype=np.int32))
            at += length
        return cls(np.concatenate(parts), np.array(list(counts), dtype=np.float64))

    def __len__(self) -> int:
        return len(self.indices)

    def spans(self) -> list[tuple[int, int]]:
        """As Prometheus writes them: (offset from the end of the span before, length)."""
        starts = np.flatnonzero(np.diff(self.indices, prepend=np.int32(-(2**30))) != 1)
        found, at = [], 0
        for first, last in zip(starts.tolist(), [*starts[1:].tolist(), len(self)], strict=True):
            index = int(self.indices[first])
            found.append((index - at, last - first))
            at = index + last - first
        return found

    def kept(self, keep: Mask) -> Buckets:
        return self if keep.all() else Buckets(self.indices[keep], self.counts[keep])

    def compact(self) -> Buckets:
        """Without empty buckets."""
        return self.kept(self.counts != 0)

    def scaled(self, factor: float) -> Buckets:
        return Buckets(self.indices, self.counts * factor)

    def reduced(self, levels: int) -> Buckets:
        """At a schema lower by `levels`: 2**levels neighbours become one."""
        if levels == 0 or not len(self):
            return self
        return self.mapped(((self.indices - 1) >> levels) + 1)

    def mapped(self, targets: Indices) -> Buckets:
        """Each bucket's count added to the bucket `targets` names, int32[n], not decreasing."""
        if not len(self):
            return self
        starts = np.flatnonzero(np.diff(targets, prepend=targets[:1] - 1))
        return Buckets(targets[starts].astype(np.int32), np.add.reduceat(self.counts, starts))

    def at(self, indices: Indices) -> Values:
        """The counts at these indices (increasing, all of the own ones among them); 0 where there is none."""
        if len(indices) == len(self):
            return self.counts
        found = np.zeros(len(indices), dtype=np.float64)
        found[np.searchsorted(indices, self.indices)] = self.counts
        return found

    def same(self, other: Buckets) -> bool:
        """Equal to the bit."""
        return np.array_equal(self.indices, other.indices) and np.array_equal(
            self.counts.view(np.int64), other.counts.view(np.int64)
        )


def upper_bounds(indices: Indices, schema: int, custom_values: tuple[float, ...] = ()) -> Values:
    """float64[n]: where the buckets of these indices end; index - 1 is where they begin."""
    if schema == CUSTOM_SCHEMA:
        bounds = np.array([-np.inf, *custom_values, np.inf])
        return np.asarray(bounds[np.asarray(indices) + 1])
    wide = np.asarray(indices, dtype=np.int64)
    if schema < 0:
        fractions, exponents = np.ones(len(wide)), wide << -schema
    else:
        fractions = _fractions(schema)[wide & ((1 << schema) - 1)]
        exponents = (wide >> schema) + 1
    with np.errstate(over="ignore", under="ignore"):
        found = np.ldexp(fractions, np.clip(exponents, -1100, 1100).astype(np.int32))
    # The last bucket of finite numbers ends at the largest; the next one holds infinities.
    last = (exponents == 1024) & (fractions == 1.0) | (exponents == 1025) & (fractions == 0.5)
    return np.where(last, _LARGEST, found)


@lru_cache
def _fractions(schema: int) -> Values:
    """float64[2**schema]: the bounds from 0.5 up to 1, to the bit those of upstream's table.

    Each level puts a bound between any two, the lower one times 2**(2**-level). The table has the double
    below the one next to sqrt(0.5), and what is made of it follows.
    """
    bounds, factor = np.array([0.5]), 2.0
    for level in range(schema):
        factor = math.sqrt(factor)
        between = bounds * factor if level else np.array([0.7071067811865475])
        bounds = np.column_stack([bounds, between]).ravel()
    return bounds
