"""Cases for kernels over groups of series: a matrix, which of it is present, and groups."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from tests.promql.kernels.frames import WILD
from zseval.model.arrays import Mask, Rows, Values


@dataclass(frozen=True)
class Matrix:
    """values: float64[S, K].  present: bool[S, K] or None.  groups: intp[S], below count."""

    values: Values
    present: Mask | None
    groups: Rows
    count: int

    def cells(self) -> Iterator[tuple[int, int, list[int], list[float]]]:
        """Group, step, and the series present there with their values."""
        for group in range(self.count):
            for step in range(self.values.shape[1]):
                rows = [
                    row
                    for row in np.flatnonzero(self.groups == group).tolist()
                    if self.present is None or self.present[row, step]
                ]
                yield group, step, rows, [float(self.values[row, step]) for row in rows]


@st.composite
def matrices(
    draw: st.DrawFn, values: st.SearchStrategy[float] = WILD, *, most: int = 9, steps: int = 0
) -> Matrix:
    """steps: so many; 0 for any number."""
    series, steps = draw(st.integers(0, most)), steps or draw(st.integers(1, 4))
    count = draw(st.integers(1, 4))
    cells = draw(st.lists(values, min_size=series * steps, max_size=series * steps))
    present = None
    if draw(st.booleans()):
        flags = draw(st.lists(st.booleans(), min_size=series * steps, max_size=series * steps))
        present = np.array(flags, dtype=np.bool_).reshape(series, steps)
    groups = draw(st.lists(st.integers(0, count - 1), min_size=series, max_size=series))
    return Matrix(
        np.array(cells, dtype=np.float64).reshape(series, steps),
        present,
        np.array(groups, dtype=np.intp),
        count,
    )
