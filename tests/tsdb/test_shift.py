"""Moving all times, as when the clock that stamped the samples was set."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zseval.model.labels import Labels
from zseval.model.matcher import Matcher, MatchType
from zseval.tsdb.db import TSDB
from zseval.tsdb.errors import OutOfOrderError

HOUR_MS = 3_600_000
ALL = [Matcher(MatchType.REGEX, "__name__", ".+")]
FIFTY_SIX_YEARS_MS = 56 * 365 * 24 * HOUR_MS


def samples(db: TSDB) -> dict[Labels, list[tuple[int, float]]]:
    found: dict[Labels, list[tuple[int, float]]] = {}
    selection = db.select(ALL, -(2**62), 2**62)
    for frame in selection.frames:
        times = np.broadcast_to(frame.times, frame.values.shape)
        for position, row in enumerate(frame.rows.tolist()):
            end = frame.values.shape[1] if frame.counts is None else int(frame.counts[position])
            pairs = zip(times[position, :end].tolist(), frame.values[position, :end].tolist(), strict=True)
            found[selection.labels[row]] = list(pairs)
    return found


def filled(*, rows: int = 50) -> TSDB:
    """Sealed and open blocks of a table, sealed and buffered irregular samples."""
    db = TSDB(block_rows=16)
    ids = db.resolve([Labels({"__name__": "m", "i": str(number)}) for number in range(3)])
    table = db.table("t")
    for row in range(rows):
        table.append_row(1_000 + 15_000 * row, ids, np.array([row, -row, 0.5]), epoch=db.epoch)
    single = db.resolve([Labels({"__name__": "n"})])
    times = np.arange(70_000, dtype=np.int64) * 7 + 13  # more than a buffer holds
    db.append_samples(np.repeat(single, len(times)), times, times.astype(np.float64), epoch=db.epoch)
    db.append({"__name__": "o"}, 1.0, 12.5)
    return db


@pytest.mark.parametrize("delta_ms", [HOUR_MS, -HOUR_MS, FIFTY_SIX_YEARS_MS, 1, 0])
def test_every_sample_moves_and_nothing_else_changes(delta_ms: int) -> None:
    db = filled()
    before, first, last = samples(db), db.min_time_ms, db.max_time_ms
    db.shift(delta_ms)
    after = samples(db)
    assert after == {
        labels: [(time_ms + delta_ms, value) for time_ms, value in series]
        for labels, series in before.items()
    }
    assert (db.min_time_ms, db.max_time_ms) == (first + delta_ms, last + delta_ms)


@pytest.mark.parametrize("delta_ms", [HOUR_MS, -HOUR_MS, FIFTY_SIX_YEARS_MS])
def test_appending_goes_on_where_it_was(delta_ms: int) -> None:
    db = filled()
    ids = db.resolve([Labels({"__name__": "m", "i": str(number)}) for number in range(3)])
    last = 1_000 + 15_000 * 49
    db.shift(delta_ms)
    table = db.table("t")
    refused = table.append_row(last + delta_ms - 1, ids, np.zeros(3), epoch=db.epoch)
    taken = table.append_row(last + delta_ms + 15_000, ids, np.zeros(3), epoch=db.epoch)
    assert (refused.out_of_order, taken.appended) == (3, 3)
    db.append({"__name__": "o"}, 2.0, (12_500 + delta_ms + 1) / 1000)
    with pytest.raises(OutOfOrderError):
        db.append({"__name__": "o"}, 2.0, (12_500 + delta_ms - 1) / 1000)


def test_what_was_selected_before_stays_as_it_was() -> None:
    db = filled()
    selection = db.select(ALL, -(2**62), 2**62)
    copies = [(np.array(frame.times), np.array(frame.values)) for frame in selection.frames]
    db.shift(HOUR_MS)
    ids = db.resolve([Labels({"__name__": "m", "i": "0"})])
    db.table("t").append_row(2 * HOUR_MS, ids, np.array([7.0]), epoch=db.epoch)
    for frame, (times, values) in zip(selection.frames, copies, strict=True):
        assert np.array_equal(frame.times, times)
        assert np.array_equal(frame.values, values, equal_nan=True)


def test_samples_of_a_node_without_a_battery_clock_survive_the_first_time_it_is_set() -> None:
    db = TSDB("1h")
    for row in range(5):
        db.append({"__name__": "m"}, float(row), 15.0 * row)  # seconds after 1970
    db.shift(FIFTY_SIX_YEARS_MS)
    db.append({"__name__": "m"}, 5.0, FIFTY_SIX_YEARS_MS / 1000 + 75)
    (series,) = samples(db).values()
    assert [value for _, value in series] == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


def test_an_empty_store_can_be_moved() -> None:
    db = TSDB()
    db.shift(HOUR_MS)
    db.append({"__name__": "m"}, 1.0, 5.0)
    assert list(samples(db).values()) == [[(5_000, 1.0)]]


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("append"), st.integers(1, 100_000)),
            st.tuples(st.just("shift"), st.integers(-(10**10), 10**10)),
        ),
        max_size=40,
    )
)
def test_shifts_between_appends_add_up(steps: list[tuple[str, int]]) -> None:
    db, now_ms = TSDB(retention=None, block_rows=4), 0
    ids = db.resolve([Labels({"__name__": "m"})])
    expected: list[tuple[int, float]] = []
    for number, (what, amount) in enumerate(steps):
        now_ms += amount
        if what == "append":
            db.table("t").append_row(now_ms, ids, np.array([float(number)]), epoch=db.epoch)
            expected.append((now_ms, float(number)))
        else:
            db.shift(amount)
            expected = [(time_ms + amount, value) for time_ms, value in expected]
    assert samples(db) == ({Labels({"__name__": "m"}): expected} if expected else {})
