"""Irregular samples end up compact however they come."""

from __future__ import annotations

import numpy as np
import pytest

from zseval.model.labels import Labels
from zseval.model.matcher import Matcher
from zseval.tsdb import irregular
from zseval.tsdb.db import TSDB
from zseval.tsdb.runs import Runs

FOREVER = (-(2**62), 2**62)


def names(count: int) -> list[Labels]:
    return [Labels({"__name__": "m", "n": str(number)}) for number in range(count)]


@pytest.fixture
def small_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(irregular, "_BUFFER_SAMPLES", 1 << 10)


@pytest.mark.usefixtures("small_buffer")
def test_rows_that_come_through_append_samples_cost_what_table_rows_cost() -> None:
    db = TSDB(None)
    ids = db.resolve(names(200))
    for row in range(600):
        values = np.full(200, float(row))
        db.append_samples(ids, np.full(200, row * 15_000), values, epoch=db.epoch)
    db._held.irregular.seal()
    status = db.status()
    assert status.samples == 120_000
    assert status.sealed_bytes / status.samples < 1
    (frame,) = db.select([Matcher.metric("m")], *FOREVER).frames
    assert (frame.is_dense, frame.values.shape) == (True, (200, 600))


@pytest.mark.usefixtures("small_buffer")
def test_series_with_times_of_their_own_cost_a_few_bytes_a_sample() -> None:
    db = TSDB(None)
    ids = db.resolve(names(50))
    rng = np.random.default_rng(3)
    for row in range(1000):
        times = row * 15_000 + np.arange(50) * 200 + rng.integers(0, 20, 50)
        db.append_samples(ids, times, rng.integers(0, 100, 50).astype(np.float64), epoch=db.epoch)
    db._held.irregular.seal()
    status = db.status()
    assert status.sealed_bytes / status.samples < 5
    assert len(db._held.irregular.segments) < 12


def test_large_runs_of_one_buffer_are_found_again() -> None:
    db = TSDB(None)
    rng = np.random.default_rng(4)
    ids = db.resolve(names(30))
    count = 20_000
    series = rng.integers(0, 30, count)
    times = np.arange(count, dtype=np.int64) * 7
    values = rng.random(count)
    for start in range(0, count, 3000):
        part = slice(start, start + 3000)
        result = db.append_samples(ids[series[part]], times[part], values[part], epoch=db.epoch)
        assert result.appended == len(times[part])
        if start == 9000:
            db._held.irregular.seal()
    found = 0
    for frame in db.select([Matcher.metric("m")], 700, 100_000).frames:
        assert frame.counts is not None
        for place, row in enumerate(frame.rows.tolist()):
            mine = (series == row) & (times > 700) & (times <= 100_000)
            size = int(frame.counts[place])
            assert np.array_equal(frame.times[place, :size], times[mine])
            assert np.array_equal(frame.values[place, :size], values[mine])
            found += size
    assert found == np.count_nonzero((times > 700) & (times <= 100_000))


def test_runs_with_equal_times_are_found_whatever_their_number() -> None:
    rng = np.random.default_rng(9)
    shared, other = np.array([1, 5, 9]), np.array([1, 5, 10])
    times = [
        shared if number % 3 == 0 else other if number % 3 == 1 else rng.integers(0, 9, 1)
        for number in range(90)
    ]
    keys = np.repeat(np.arange(90), [len(each) for each in times])
    flat = np.concatenate(times)
    runs = Runs.of(keys, flat, np.zeros(len(flat)))
    groups, rest = runs.equal_times(20)
    assert sorted(group.tolist() for group in groups) == [list(range(0, 90, 3)), list(range(1, 90, 3))]
    assert rest.tolist() == list(range(2, 90, 3))
