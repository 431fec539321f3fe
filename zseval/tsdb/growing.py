"""Growing: a one-dimensional array that is appended to, doubling when it is full."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["Growing"]

Scalar = TypeVar("Scalar", np.int32, np.int64, np.float64)

_LEAST = 16


class Growing(Generic[Scalar]):
    """`view` is the part in use, without a copy; what was handed out before stays as it was.

    Cells that a caller overwrites show in earlier views until the next growth.
    """

    __slots__ = ("_array", "_length")

    def __init__(self, dtype: type[Scalar]) -> None:
        self._array: NDArray[Scalar] = np.empty(_LEAST, dtype=dtype)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    @property
    def view(self) -> NDArray[Scalar]:
        return self._array[: self._length]

    @property
    def nbytes(self) -> int:
        return self._array.nbytes

    def append(self, value: Any) -> None:  # a number of the array's kind
        if self._length == len(self._array):
            self._reserve(self._length + 1)
        self._array[self._length] = value
        self._length += 1

    def extend(self, values: NDArray[Any]) -> None:
        end = self._length + len(values)
        if end > len(self._array):
            self._reserve(end)
        self._array[self._length : end] = values
        self._length = end

    def resize(self, length: int, fill: Any) -> None:
        """Grow to `length` with this value; nothing where it is longer already."""
        if length > self._length:
            if length > len(self._array):
                self._reserve(length)
            self._array[self._length : length] = fill
            self._length = length

    def clear(self) -> None:
        """Forget everything, and let go of the memory where it was much."""
        self._array = np.empty(_LEAST, dtype=self._array.dtype)
        self._length = 0

    def _reserve(self, least: int) -> None:
        # A quarter more keeps appends amortised without doubling what 100,000 series cost.
        grown = np.empty(max(least, self._length + (self._length >> 2) + _LEAST), dtype=self._array.dtype)
        grown[: self._length] = self._array[: self._length]
        self._array = grown
