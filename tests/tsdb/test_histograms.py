"""Native histograms in the store: order, staleness, runs, deletion, retention."""

from __future__ import annotations

import pytest

from zseval.errors import StorageError
from zseval.model.histogram import CounterReset, Histogram
from zseval.model.labels import Labels
from zseval.model.matcher import Matcher, MatchType
from zseval.tsdb.db import TSDB
from zseval.tsdb.errors import DuplicateSampleError, OutOfOrderError

SERIES = Labels({"__name__": "h"})
ALL = (Matcher(MatchType.EQUAL, "__name__", "h"),)


def histogram(count: int) -> Histogram:
    return Histogram.parse(f"{{{{count:{count} sum:{count} buckets:[{count}]}}}}")


def stored(db: TSDB, start: int = -1, end: int = 10**9) -> list[tuple[int, Histogram]]:
    return [
        (time, value)
        for frame in db.select(ALL, start, end).histograms
        for time, value in zip(frame.times.tolist(), frame.values.tolist(), strict=True)
    ]


def filled(count: int = 5) -> TSDB:
    db = TSDB()
    for second in range(count):
        db.append_histogram(SERIES, histogram(second + 1), float(second))
    return db


def test_what_was_appended_is_selected() -> None:
    assert stored(filled()) == [(second * 1000, histogram(second + 1)) for second in range(5)]
    assert [time for time, _ in stored(filled(), 1000, 3000)] == [2000, 3000]


def test_only_the_first_of_a_run_may_be_a_reset() -> None:
    db = filled(3)
    db.append_histogram(SERIES, histogram(1), 3.0)
    unknown, kept = CounterReset.UNKNOWN, CounterReset.NOT_RESET
    assert [value.counter_reset for _, value in stored(db)] == [unknown, kept, kept, unknown]


def test_order_and_repetition_are_judged_as_for_floats() -> None:
    db = filled(3)
    db.append_histogram(SERIES, histogram(3), 2.0)
    with pytest.raises(DuplicateSampleError):
        db.append_histogram(SERIES, histogram(4), 2.0)
    with pytest.raises(DuplicateSampleError):
        db.append(SERIES, 3.0, 2.0)
    with pytest.raises(OutOfOrderError):
        db.append_histogram(SERIES, histogram(4), 1.0)
    assert len(stored(db)) == 3


def test_a_series_may_have_floats_between_its_histograms() -> None:
    db = filled(2)
    db.append(SERIES, 7.0, 2.0)
    db.append_histogram(SERIES, histogram(9), 3.0)
    assert [time for time, _ in stored(db)] == [0, 1000, 3000]
    assert db.select(ALL, -1, 10**9).frames[0].values.tolist() == [[7.0]]
    assert stored(db)[-1][1].counter_reset is CounterReset.UNKNOWN


def test_a_selection_does_not_change_when_more_is_appended() -> None:
    db = filled(3)
    before = stored(db)
    for second in range(3, 40):
        db.append_histogram(SERIES, histogram(second + 1), float(second))
    assert before == [(second * 1000, histogram(second + 1)) for second in range(3)]


def test_a_contradiction_is_refused() -> None:
    with pytest.raises(StorageError, match="negative"):
        TSDB().append_histogram(SERIES, Histogram(count=-1.0), 0.0)


def test_deleting_takes_the_samples_of_a_range() -> None:
    db = filled()
    assert db.delete(ALL, 1000, 2000) == 2
    assert [time for time, _ in stored(db)] == [0, 3000, 4000]
    assert db.delete(ALL, 0, 4000) == 3
    assert db.series([], 0, 10**9) == []


def test_retention_drops_whole_runs() -> None:
    db = TSDB(retention="1h")
    for minute in range(600):
        db.append_histogram(SERIES, histogram(minute + 1), 60.0 * minute)
    times = [time for time, _ in stored(db)]
    assert times[-1] == 599 * 60_000
    assert times[0] >= (599 - 60 - 120 - 31) * 60_000


def test_shifting_moves_them_too() -> None:
    db = filled(2)
    db.shift(500)
    assert [time for time, _ in stored(db)] == [500, 1500]


def test_they_count_in_the_status_and_the_index() -> None:
    db = filled()
    assert db.status().samples == 5
    assert (db.min_time_ms, db.max_time_ms) == (0, 4000)
    assert db.series([], 0, 10_000) == [SERIES]
