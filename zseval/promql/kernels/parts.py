"""Parts: a kernel over some series at a time, so that what it makes in between stays in the cache."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from zseval.model.arrays import Mask, Values
from zseval.promql.kernels.windows import Windows

__all__ = ["in_parts"]

_Kernel: TypeAlias = Callable[[Windows], tuple[Values, Mask | None]]

_CELLS = 1 << 16
"""Cells at a time: 0.5 MB an array."""


def in_parts(kernel: _Kernel) -> _Kernel:
    """The kernel, of one that looks at each series by itself and is absent in empty windows only."""

    @functools.wraps(kernel)
    def whole(w: Windows) -> tuple[Values, Mask | None]:
        series, size = w.shape[0], max(1, _CELLS // max(w.values.shape[1], 1))
        if series <= size or not w.is_dense:
            return kernel(w)
        result = np.empty(w.shape)
        for first in range(0, series, size):
            rows = slice(first, first + size)
            result[rows], _ = kernel(w.pick(rows))
        return result, w.holding(1)

    return whole
