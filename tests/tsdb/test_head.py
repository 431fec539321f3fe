"""Which samples may follow which: batches behave as if their samples came one after another."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zseval.model.staleness import ABSENT_NAN, NORMAL_NAN_BITS, STALE_NAN
from zseval.tsdb.errors import StaleReferences
from zseval.tsdb.head import Head, RowResult, Verdict, storable

VALUES = st.sampled_from([0.0, -0.0, 1.0, STALE_NAN])
SAMPLES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12), VALUES), max_size=25)
COUNTED = {
    Verdict.STORE: "appended",
    Verdict.REPEATED: "appended",
    Verdict.DUPLICATE: "duplicates",
    Verdict.OUT_OF_ORDER: "out_of_order",
    Verdict.OUT_OF_BOUNDS: "out_of_bounds",
}


def head(retention_ms: int | None = None) -> Head:
    made = Head(retention_ms, lambda: None)
    made.grow(4)
    return made


@settings(max_examples=200)
@given(SAMPLES, SAMPLES)
def test_a_batch_is_admitted_as_its_samples_one_by_one(
    before: list[tuple[int, int, float]], batch: list[tuple[int, int, float]]
) -> None:
    together, single = head(), head()
    for samples in (before, batch):
        series = np.array([sample[0] for sample in samples], dtype=np.int32)
        times = np.array([sample[1] for sample in samples], dtype=np.int64)
        values = np.array([sample[2] for sample in samples], dtype=np.float64)
        taken, result = together.admit(series, times, values)
        counts = dict.fromkeys(("appended", "duplicates", "out_of_order", "out_of_bounds"), 0)
        stored = []
        for number, time, value in samples:
            verdict = single.judge(number, time, value)
            if verdict is Verdict.STORE:
                single.record_one(number, time, value)
            stored.append(verdict is Verdict.STORE)
            counts[COUNTED[verdict]] += 1
        assert taken.tolist() == stored
        assert result == RowResult(**counts)
        assert together.max_time_ms == single.max_time_ms


def test_what_is_too_old_is_out_of_bounds_rather_than_out_of_order() -> None:
    bounded = head(10)
    bounded.record_one(0, 100, 1.0)
    assert bounded.judge(0, 90, 1.0) is Verdict.OUT_OF_ORDER
    assert bounded.judge(0, 89, 1.0) is Verdict.OUT_OF_BOUNDS
    assert bounded.judge(1, 89, 1.0) is Verdict.OUT_OF_BOUNDS
    assert bounded.judge(1, 90, 1.0) is Verdict.STORE
    ids = np.array([0, 1, 1], dtype=np.int32)
    taken, result = bounded.admit(ids, np.array([89, 89, 95]), np.ones(3))
    assert (taken.tolist(), result) == ([False, False, True], RowResult(appended=1, out_of_bounds=2))


def test_maintenance_is_called_when_it_is_due() -> None:
    calls: list[int] = []
    watched = Head(None, lambda: calls.append(watched.max_time_ms))
    watched.grow(1)
    watched.due_ms = 50
    for time in (10, 49, 50, 51):
        watched.record_one(0, time, 1.0)
        watched.settle()
    assert calls == [50, 51]


def test_compaction_moves_the_newest_samples_with_their_series() -> None:
    made = head()
    for series in range(4):
        made.record_one(series, series, float(series))
    made.compact(np.array([False, True, False, True]))
    assert made.judge(0, 1, 1.0) is Verdict.REPEATED
    assert made.judge(1, 3, 3.0) is Verdict.REPEATED
    with pytest.raises(StaleReferences, match="epoch 0, the store is at 1"):
        made.check_epoch(0)


def test_only_the_pattern_of_an_empty_cell_is_replaced() -> None:
    values = np.array([1.0, ABSENT_NAN, STALE_NAN, np.nan])
    before = values.view(np.int64).copy()
    stored = storable(values).view(np.int64)
    assert stored[1] == NORMAL_NAN_BITS
    assert np.array_equal(np.delete(stored, 1), np.delete(before, 1))
    assert np.array_equal(values.view(np.int64), before)
    assert storable(values[2:]).base is values
