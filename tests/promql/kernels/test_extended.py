"""anchored and smoothed, against loops that follow upstream's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracles import extended as slow
from tests.oracles.windows import Sample
from tests.promql.kernels.frames import COUNTS, DECIMALS, Case, assert_matches, cases
from zseval.promql.kernels.extended import KERNELS, Reach, edge_samples, smoothed_at
from zseval.promql.kernels.windows import Windows


def _reach(case: Case, *, smoothed: bool) -> Reach:
    """Such that the windows of the case are as wide as it needs them."""
    lookback = case.width // 3
    return Reach(case.width - lookback * (2 if smoothed else 1), lookback, smoothed)


@pytest.mark.parametrize("smoothed", [False, True])
@pytest.mark.parametrize("name", ["delta", "increase", "rate"])
@given(case=cases(st.one_of(COUNTS, DECIMALS)))
@settings(max_examples=120, deadline=None)
def test_what_is_gained_from_edge_to_edge_is_the_slow_twins(name: str, smoothed: bool, case: Case) -> None:
    reach = _reach(case, smoothed=smoothed)

    def twin(samples: Sequence[Sample], _start: int, wide_end: int) -> float | None:
        end = wide_end - reach.after
        counter = name != "delta"
        found = slow.gained(samples, end - reach.width, end, smoothed=smoothed, counter=counter)
        return found / (reach.width / 1000) if found is not None and name == "rate" else found

    peak = max((abs(value) for row in case.values for value in row), default=0.0)
    scale = peak / (reach.width / 1000) if name == "rate" else peak
    assert_matches(lambda w: KERNELS[name](w, reach), twin, case, rel=1e-12, slack=1e-12 * scale)


@pytest.mark.parametrize(("name", "twin"), [("changes", slow.changes), ("resets", slow.resets)])
@given(case=cases())
@settings(max_examples=120, deadline=None)
def test_anchored_counts_begin_with_the_sample_before(name: str, twin: object, case: Case) -> None:
    reach = _reach(case, smoothed=False)
    counted = slow.changes if twin is slow.changes else slow.resets
    assert_matches(
        lambda w: KERNELS[name](w, reach),
        lambda samples, _, end: counted(samples, end - reach.width, end),
        case,
    )


@given(case=cases(DECIMALS))
@settings(max_examples=120, deadline=None)
def test_a_smoothed_instant_lies_between_its_neighbours(case: Case) -> None:
    lookback = case.width // 2
    assert_matches(
        lambda w: smoothed_at(w, lookback),
        lambda samples, _, end: slow.smoothed_at(samples, end - lookback),
        case,
        rel=1e-12,
    )


def test_the_samples_of_a_range_have_one_at_each_edge() -> None:
    times = np.array([0, 60_000, 120_000, 180_000], dtype=np.int64)
    values = np.array([[0.0, 6.0, 12.0, 18.0], [5.0, 5.0, 5.0, 5.0]])
    reach = Reach(60_000, 60_000, smoothed=True)
    w = Windows.of(times, values, None, np.array([150_000 + reach.after]), reach.before + reach.after)
    found, at, counts = edge_samples(w, reach)
    assert found.tolist() == [[90_000, 120_000, 150_000]] * 2
    assert at.tolist() == [[9.0, 12.0, 15.0], [5.0, 5.0, 5.0]]
    assert counts.tolist() == [3, 3]
