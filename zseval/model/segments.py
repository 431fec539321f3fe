"""Segments: rows that stand one after the other and are reduced to one row, as those of a group are."""

from __future__ import annotations

import itertools
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from zseval.model.arrays import Rows

__all__ = ["reduce_segments"]

Scalar = TypeVar("Scalar", bound=np.generic)

_NARROW = 16
"""Of fewer columns numpy's reduceat is as quick as anything; of more it is up to fifteen times slower."""

_SMALL = 1 << 12
"""Of so few cells too."""

_LONG = 16
"""Segments of so many rows on average are reduced one by one: calling numpy for each costs little beside."""

_ALIKE = 4
"""So many segments of each length there must be on average to go through them by length."""


def reduce_segments(
    operator: np.ufunc, array: NDArray[Any], starts: Rows, kind: type[Scalar]
) -> NDArray[Scalar]:
    """[n, R] -> [M, R]: each column of the rows from each start to the next, one after the other.

    starts: intp[M], increasing from 0, M above 0.  kind: what is computed with and comes out.
    """
    count = len(starts)
    if count == 1:
        only: NDArray[Scalar] = operator.reduce(array, axis=0, dtype=kind, keepdims=True)
        return only
    if array.shape[1] < _NARROW or array.size < _SMALL:
        narrow: NDArray[Scalar] = operator.reduceat(array, starts, axis=0, dtype=kind)
        return narrow
    sizes = np.append(starts[1:], len(array)) - starts
    result = np.empty((count, array.shape[1]), dtype=kind)
    if (sizes[:-1] == sizes[0]).all():  # all of one length, but perhaps the last
        even = count if sizes[-1] == sizes[0] else count - 1
        rows = even * int(sizes[0])
        whole = array[:rows].reshape(even, int(sizes[0]), array.shape[1])
        operator.reduce(whole, axis=1, dtype=kind, out=result[:even])
        if even < count:
            operator.reduce(array[rows:], axis=0, dtype=kind, out=result[even])
        return result
    if len(array) < count * _LONG:
        lengths = np.unique(sizes).tolist()
        if count >= len(lengths) * _ALIKE:
            for length in lengths:
                some = np.flatnonzero(sizes == length)
                members = starts[some, np.newaxis] + np.arange(length, dtype=np.intp)
                result[some] = operator.reduce(array[members], axis=1, dtype=kind)
            return result
    for number, (start, end) in enumerate(itertools.pairwise([*starts.tolist(), len(array)])):
        operator.reduce(array[start:end], axis=0, dtype=kind, out=result[number])
    return result
