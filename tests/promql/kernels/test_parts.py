"""Kernels over some series at a time give what they give over all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zseval.promql.kernels import over_time, parts
from zseval.promql.kernels.windows import Phases, Windows, window_bounds

KERNELS = (
    "sum_over_time",
    "avg_over_time",
    "stddev_over_time",
    "stdvar_over_time",
    "max_over_time",
    "min_over_time",
)
VALUES = st.sampled_from([0.0, -0.0, 0.1, 1.0, 2.5, 1e9, -3.0, 1e300, 5e-324, np.nan, np.inf])


@settings(max_examples=60, deadline=None)
@given(data=st.data(), name=st.sampled_from(KERNELS), cells=st.integers(1, 30), phased=st.booleans())
def test_parts_together_are_the_whole(data: st.DataObject, name: str, cells: int, phased: bool) -> None:
    series, rows = data.draw(st.integers(1, 6)), data.draw(st.integers(0, 6))
    drawn = data.draw(st.lists(VALUES, min_size=series * rows, max_size=series * rows))
    values = np.array(drawn, dtype=np.float64).reshape(series, rows)
    times, ends = np.arange(rows) * 10, np.array([-5, 15, 35, 95])
    phases = Phases(np.stack([times, times]), np.arange(series) % 2) if phased and rows else None
    windows = Windows(values, times, *window_bounds(times, ends, 40), ends - 40, ends, phases)
    kernel = getattr(over_time, name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "_CELLS", cells)
        found, present = kernel(windows)
    wanted, held = kernel.__wrapped__(windows)
    here = np.ones(wanted.shape, dtype=np.bool_) if held is None else held
    assert np.array_equal(found[here], wanted[here], equal_nan=True)
    assert (present is None) == (held is None)
    assert present is None or np.array_equal(present, here)
