"""Start times of samples: kept beside them, found by series and time, gone when they are."""

from __future__ import annotations

import numpy as np

from zseval.model.histogram import Histogram
from zseval.model.labels import Labels
from zseval.model.matcher import Matcher, MatchType
from zseval.tsdb.db import TSDB
from zseval.tsdb.start_times import StartTimes

C = Matcher.metric("c")
FOREVER = (-(2**62), 2**62)


def _found(db: TSDB) -> list[tuple[str, int, int]]:
    """Instance, sample time and start time of all there are, in order."""
    found = db.start_times((C,), *FOREVER)
    if found is None:
        return []
    epoch, starts = found
    selection = db.select((C,), *FOREVER)
    assert epoch == selection.epoch
    mine = starts.among(selection.ids)
    assert mine is not None
    names = [selection.labels[row]["i"] for row in mine.rows.tolist()]
    return sorted(zip(names, mine.times.tolist(), mine.starts.tolist(), strict=True))


def _append(db: TSDB, instance: str, time: float, start: float | None) -> None:
    db.append({"__name__": "c", "i": instance}, time, time, start)


def test_start_times_belong_to_samples() -> None:
    db = TSDB(None)
    _append(db, "a", 10, 1)
    _append(db, "b", 10, None)
    _append(db, "a", 20, 1)
    _append(db, "b", 20, 15.5)
    assert _found(db) == [("a", 10_000, 1_000), ("a", 20_000, 1_000), ("b", 20_000, 15_500)]


def test_none_and_zero_say_nothing_and_cost_nothing() -> None:
    db = TSDB(None)
    _append(db, "a", 10, 0)
    _append(db, "a", 20, None)
    assert db.start_times((C,), *FOREVER) is None


def test_a_range_is_left_open() -> None:
    db = TSDB(None)
    for time in (10, 20, 30):
        _append(db, "a", time, 5)
    found = db.start_times((C,), 10_000, 20_000)
    assert found is not None
    assert found[1].times.tolist() == [20_000]


def test_deleted_samples_lose_their_start_times_and_other_series_keep_theirs() -> None:
    db = TSDB(None)
    for time in (10, 20, 30):
        _append(db, "a", time, 5)
        _append(db, "b", time, 6)
    db.append({"__name__": "other"}, 1, 30)
    assert db.delete((C, Matcher(MatchType.EQUAL, "i", "a")), 0, 100_000) == 3
    assert _found(db) == [("b", time, 6_000) for time in (10_000, 20_000, 30_000)]


def test_start_times_leave_with_the_samples_retention_drops() -> None:
    db = TSDB("1h")
    _append(db, "a", 10, 5)
    db.append({"__name__": "late"}, 1, 40_000)
    db.append({"__name__": "late"}, 1, 80_000)
    assert _found(db) == []


def test_a_lookup_gives_0_where_nothing_is_known() -> None:
    starts = StartTimes(np.array([0, 2, 2]), np.array([10, 10, 20]), np.array([1, 2, 3]))
    rows, times = np.array([[0], [1], [2]]), np.array([5, 10, 20])
    assert starts.at(rows, times).tolist() == [[0, 1, 0], [0, 0, 0], [0, 2, 3]]


def test_series_that_were_not_selected_are_left_out() -> None:
    starts = StartTimes(np.array([3, 7]), np.array([10, 10]), np.array([1, 2]))
    assert starts.among(np.array([5], dtype=np.int32)) is None
    mine = starts.among(np.array([5, 7], dtype=np.int32))
    assert mine is not None
    assert (mine.rows.tolist(), mine.starts.tolist()) == ([1], [2])


def test_rows_and_batches_bring_start_times_for_what_they_store() -> None:
    db = TSDB(None)
    ids = db.resolve([Labels({"__name__": "c", "i": name}) for name in "ab"])
    values = np.array([1.0, 2.0])
    table = db.table("t")
    table.append_row(10, ids, values, epoch=db.epoch, starts=np.array([5, 0]))
    table.append_row(20, ids, values, epoch=db.epoch, starts=np.array([5, 7]))
    table.append_row(20, ids, values + 1, epoch=db.epoch, starts=np.array([8, 8]))  # refused as duplicates
    db.append_samples(ids, np.array([30, 15]), values, epoch=db.epoch, starts=np.array([6, 9]))
    assert _found(db) == [("a", 10, 5), ("a", 20, 5), ("a", 30, 6), ("b", 20, 7)]


def test_histograms_in_a_batch_are_judged_one_by_one() -> None:
    db = TSDB(None)
    ids = db.resolve([Labels({"__name__": "c", "i": name}) for name in "aab"])
    made = [Histogram(count=each) for each in (1.0, 2.0, 3.0)]
    result = db.append_histograms(
        ids, np.array([10, 10, 10]), made, epoch=db.epoch, starts=np.array([5, 6, 7])
    )
    assert (result.appended, result.duplicates) == (2, 1)
    result = db.append_histograms(ids[:1], np.array([10]), made[:1], epoch=db.epoch)
    assert result.appended == 1  # the same again
    assert db.append_histograms(ids[:1], np.array([9]), made[:1], epoch=db.epoch).out_of_order == 1
    assert _found(db) == [("a", 10, 5), ("b", 10, 7)]


def test_start_times_stay_with_their_samples_when_the_clock_is_set() -> None:
    db = TSDB(None)
    _append(db, "a", 10, 1)
    db.shift(5_000)
    assert _found(db) == [("a", 15_000, 1_000)]
