"""Counters with start times, against loops that follow upstream's."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings

from tests.oracles import started as slow
from tests.oracles.windows import Sample
from tests.promql.kernels.frames import COUNTS, START, Case, assert_matches, cases
from zseval.model.arrays import Mask, Times, Values
from zseval.promql.kernels import started
from zseval.promql.kernels.windows import NO_TIME, Windows


def _began(time: int) -> int:
    """Some start time of the sample at a time, the same each time it is asked for."""
    ago = random.Random(time).choice(
        [0, 1, -1, 7_000, 14_999, 15_000, 15_001, 30_000, 60_000, time, time - START]
    )
    return time - ago


def _starts(w: Windows) -> Times:
    times = np.broadcast_to(w.times, w.values.shape)
    found = [[0 if time == NO_TIME else _began(time) for time in row] for row in times.tolist()]
    return np.array(found, dtype=np.int64).reshape(times.shape)


def _twin(oracle: Callable[[Sequence[slow.Started], int, int], float | None]) -> Callable[..., float | None]:
    def with_starts(samples: Sequence[Sample], start: int, end: int) -> float | None:
        return oracle([(time, value, _began(time)) for time, value in samples], start, end)

    return with_starts


@pytest.mark.parametrize("name", ["increase", "irate", "resets"])
@given(case=cases(COUNTS))
@settings(max_examples=150, deadline=None)
def test_start_times_are_looked_at_as_the_slow_twin_does(name: str, case: Case) -> None:
    def kernel(w: Windows) -> tuple[Values, Mask | None]:
        return started.KERNELS[name](w, _starts(w))

    assert_matches(kernel, _twin(getattr(slow, name)), case, rel=1e-12)


@given(case=cases(COUNTS))
@settings(max_examples=50, deadline=None)
def test_without_start_times_everything_is_as_ever(case: Case) -> None:
    from zseval.promql.kernels import counters

    w = case.windows(ragged=False)
    nothing = np.zeros(w.values.shape, dtype=np.int64)
    for name, kernel in started.KERNELS.items():
        plain, plain_present = getattr(counters, name)(w)
        values, present = kernel(w, nothing)
        held = np.broadcast_to(True if plain_present is None else plain_present, w.shape)
        assert np.array_equal(np.broadcast_to(True if present is None else present, w.shape), held)
        assert np.allclose(values[held], plain[held], rtol=1e-12, atol=0, equal_nan=True)


def test_overlaps_are_counted_by_window() -> None:
    times = np.array([60_000, 120_000, 180_000], dtype=np.int64)
    starts = np.array([[30_000, 40_000, 40_000], [0, 0, 0]], dtype=np.int64)
    w = Windows.of(times, np.zeros((2, 3)), None, np.array([60_000, 120_000, 180_000]), 120_000)
    assert started.overlaps(w, starts).tolist() == [1, 0]
