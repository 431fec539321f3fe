"""Windows: bounds, gathers and compaction, against loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracles.windows import last_within as slow_last_within
from tests.oracles.windows import window
from tests.promql.kernels.frames import START, Case, cases, same
from zseval.model.staleness import STALE_NAN
from zseval.promql.kernels.instant import last_with_gaps, last_within
from zseval.promql.kernels.missing import Missing
from zseval.promql.kernels.windows import NO_TIME, Differences, Windows, compact, take


@given(cases())
@settings(max_examples=150, deadline=None)
def test_a_window_holds_the_samples_after_its_start_up_to_its_end(case: Case) -> None:
    for ragged in (False, True):
        w = case.windows(ragged=ragged)
        lo, hi = (np.broadcast_to(rows, w.shape) for rows in (w.lo, w.hi))
        for series in range(len(case.values)):
            samples = case.samples(series, ragged=ragged)
            for step, end in enumerate(case.ends):
                rows = slice(lo[series, step], hi[series, step])
                assert samples[rows] == window(samples, end, case.width) or any(
                    value != value for _, value in samples[rows]
                )
                assert len(samples[rows]) == len(window(samples, end, case.width))


@given(cases(), st.integers(1, 100_000), st.sets(st.integers(0, 11)))
@settings(max_examples=150, deadline=None)
def test_an_instant_selector_gives_the_last_sample_unless_it_is_a_marker(
    case: Case, lookback: int, stale: set[int]
) -> None:
    ends = np.array(case.ends, dtype=np.int64)
    for ragged in (False, True):
        times, values, counts = case.frame(ragged=ragged)
        values = values.copy()
        values[:, [position for position in stale if position < values.shape[1]]] = STALE_NAN
        got, present, found_times = last_within(times, values, counts, ends, lookback)
        found_times = np.broadcast_to(found_times, got.shape)
        for series in range(len(case.values)):
            samples = case.samples(series, ragged=ragged)
            for step, end in enumerate(case.ends):
                expected = slow_last_within(samples, end, lookback, tuple(stale))
                here = present is None or present[series, step]
                assert here == (expected is not None)
                if expected is not None:
                    assert found_times[series, step] == expected[0]
                    assert same(float(got[series, step]), expected[1])


@given(cases(most=30), st.integers(1, 100_000), st.sets(st.integers(0, 29), max_size=3))
@settings(max_examples=150, deadline=None)
def test_an_instant_selector_gives_the_same_with_gaps_as_with_gaps_closed(
    case: Case, lookback: int, stale: set[int]
) -> None:
    ends, gaps = np.array(case.ends, dtype=np.int64), case.gappy()
    values = gaps.values.copy()
    values[:, [position for position in stale if position < values.shape[1]]] = STALE_NAN
    got, present, times = last_with_gaps(gaps.phases.times[0], values, gaps.present, ends, lookback)
    closed = compact(gaps.phases.times[0], values, gaps.present)
    wanted, held, wanted_times = last_within(*closed, ends, lookback)
    mask = np.ones(got.shape, dtype=np.bool_) if held is None else held
    assert np.array_equal(np.ones(got.shape, dtype=np.bool_) if present is None else present, mask)
    assert np.array_equal(got[mask].view(np.int64), wanted[mask].view(np.int64))
    assert np.array_equal(times[mask], np.broadcast_to(wanted_times, got.shape)[mask])


@given(seed=st.integers(0, 2**32 - 1), share=st.sampled_from([0.0, 0.1, 0.6, 1.0]), rows=st.integers(1, 12))
@settings(max_examples=100, deadline=None)
def test_windows_without_a_sample_are_told_from_what_is_missing(seed: int, share: float, rows: int) -> None:
    rng = np.random.default_rng(seed)
    present = rng.random((4, rows)) >= share
    lo = np.sort(rng.integers(0, rows, 8)).astype(np.intp)
    hi = np.maximum.accumulate(np.minimum(lo + rng.integers(1, 5, 8), rows))
    found = np.zeros((4, 8), dtype=np.intp)
    for series, first, last in zip(*Missing(present).spans(lo, hi), strict=True):
        found[series, first:last] += 1
    wanted = [[not row[first:last].any() for first, last in zip(lo, hi, strict=True)] for row in present]
    assert found.tolist() == [[int(cell) for cell in row] for row in wanted]


def test_a_sample_as_old_as_the_lookback_is_not_seen() -> None:
    ends = np.array([START + 300_000, START + 299_999], dtype=np.int64)[::-1].copy()
    values, present, _ = last_within(np.array([START]), np.array([[7.0]]), None, ends, 300_000)
    assert present is not None
    assert present.tolist() == [[True, False]]
    assert values[0, 0] == 7.0


def test_windows_exclude_the_left_edge_and_include_the_right() -> None:
    times = START + np.arange(3, dtype=np.int64) * 1000
    w = Windows.of(times, np.zeros((1, 3)), None, times[2:], 2000)
    assert (w.lo.tolist(), w.hi.tolist()) == ([1], [3])


def test_evenly_spaced_rows_are_taken_without_a_copy() -> None:
    array = np.arange(20.0).reshape(2, 10)
    view = take(array, np.array([1, 4, 7]))
    assert np.shares_memory(view, array)
    assert view.tolist() == [[1, 4, 7], [11, 14, 17]]


@pytest.mark.parametrize("rows", [[-1, 0, 1], [8, 9, 10], [3, 1, 2], [2, 2, 2], []])
def test_rows_that_are_not_evenly_inside_are_gathered(rows: list[int]) -> None:
    array = np.arange(20.0).reshape(2, 10)
    taken = take(array, np.array(rows, dtype=np.intp))
    for position, row in enumerate(rows):
        if 0 <= row < 10:
            assert taken[:, position].tolist() == [row, 10 + row]


def test_compact_moves_what_is_kept_to_the_left_and_pads() -> None:
    times, values, counts = compact(
        np.array([1, 2, 3]),
        np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]),
        np.array([[0, 1, 1], [1, 0, 0]], bool),
    )
    assert times.tolist() == [[2, 3], [1, NO_TIME]]
    assert values[0].tolist() == [2.0, 3.0]
    assert values[1, 0] == 4.0
    assert values[1, 1] == np.inf
    assert counts.tolist() == [2, 1]


def test_a_frame_without_rows_has_only_empty_windows() -> None:
    w = Windows.of(np.zeros(0, dtype=np.int64), np.zeros((3, 0)), None, np.array([5, 10]), 5)
    present = w.holding(1)
    assert present is not None
    assert not present.any()
    assert w.first().shape == (3, 2)


@given(
    starts=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30),
    seed=st.integers(0, 2**32 - 1),
)
def test_sums_over_windows_are_differences_of_running_sums(starts: list[tuple[int, int]], seed: int) -> None:
    steps = np.array(starts, dtype=np.intp)
    lo, hi = steps[:, 0].cumsum(), steps.sum(axis=1).cumsum()
    length = int(hi[-1])
    cells = np.random.default_rng(seed).integers(-9, 9, (3, length))
    running = np.zeros((3, length + 1), dtype=np.int64)
    np.cumsum(cells, axis=1, out=running[:, 1:])
    sums = Differences(lo, hi).of(running)
    for step, (first, last) in enumerate(zip(lo.tolist(), hi.tolist(), strict=True)):
        assert (sums[:, step] == cells[:, first:last].sum(axis=1)).all()
    assert (Differences(np.tile(lo, (3, 1)), np.tile(hi, (3, 1))).of(running) == sums).all()
