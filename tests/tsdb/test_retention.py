"""What leaves, when, and that memory stays where it is while series come and go."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from zseval.model.duration import DurationError
from zseval.model.histogram import Histogram
from zseval.model.histogram.buckets import Buckets
from zseval.model.labels import Labels
from zseval.model.matcher import Matcher
from zseval.tsdb.db import TSDB
from zseval.tsdb.errors import OutOfBoundsError

UP = Matcher.metric("up")
FOREVER = (-(2**62), 2**62)
MINUTE = 60_000


def names(count: int, prefix: str = "i") -> list[Labels]:
    return [Labels({"__name__": "up", "instance": f"{prefix}{number}"}) for number in range(count)]


def write(db: TSDB, source: str, labels: list[Labels], minutes: range) -> None:
    epoch, ids, rng = db.epoch, db.resolve(labels), np.random.default_rng(1)
    for minute in minutes:
        if epoch != db.epoch:
            epoch, ids = db.epoch, db.resolve(labels)
        db.table(source).append_row(MINUTE * minute, ids, rng.random(len(labels)), epoch=epoch)


def oldest(db: TSDB) -> int:
    return min(int(frame.times[0]) for frame in db.select([UP], *FOREVER).frames) // MINUTE


def test_blocks_leave_once_all_of_them_is_older_than_the_retention() -> None:
    db = TSDB("2h", block_rows=10)
    write(db, "t", names(3), range(600))
    assert 600 - 120 - 3 * 10 < oldest(db) <= 600 - 120
    assert db.min_time_ms == oldest(db) * MINUTE


def test_without_retention_nothing_leaves() -> None:
    db = TSDB(None, block_rows=10)
    write(db, "t", names(3), range(600))
    assert oldest(db) == 0
    db.append({"__name__": "other"}, 1.0, -1e9)  # nor is anything too old


def test_what_is_older_than_the_retention_is_refused() -> None:
    db = TSDB("2h")
    write(db, "t", names(1), range(300))
    with pytest.raises(OutOfBoundsError):
        db.append({"__name__": "other"}, 1.0, 179 * 60 - 1)
    db.append({"__name__": "other"}, 1.0, 179 * 60)


def test_a_silent_source_is_encoded_and_later_leaves_while_others_go_on() -> None:
    db = TSDB("6h", block_rows=1000)
    write(db, "silent", names(100, "s"), range(30))
    write(db, "alive", names(1), range(30, 120))
    assert db.status().open_bytes < 100 * 1000 * 8
    assert len(db.series([], *FOREVER)) == 101
    write(db, "alive", names(1), range(120, 480))
    assert db.series([], *FOREVER) == names(1)


def test_an_irregular_buffer_is_sealed_and_leaves_too() -> None:
    db = TSDB("6h")
    db.append({"__name__": "once"}, 1.0, 0.0)
    write(db, "alive", names(1), range(480))
    assert db.series([], *FOREVER) == names(1)


def test_a_byte_budget_drops_the_oldest_blocks_of_whichever_table() -> None:
    limit = 200_000
    db = TSDB(None, retention_bytes=limit, block_rows=10)
    for hour in range(10):
        write(db, "a", names(50, "a"), range(hour * 60, hour * 60 + 60))
        write(db, "b", names(50, "b"), range(hour * 60, hour * 60 + 60))
    status = db.status()
    assert limit / 2 < status.sealed_bytes + status.open_bytes < limit * 1.1
    starts = [int(frame.times[0]) // MINUTE for frame in db.select([UP], *FOREVER).frames]
    assert len(starts) == 2
    assert max(starts) - min(starts) <= 20
    assert 600 - 300 < min(starts) < 600 - 50


def _histogram(count: float) -> Histogram:
    buckets = Buckets.of([count] * 20)
    return Histogram(
        schema=0, zero_threshold=0.0, zero_count=0.0, count=20 * count, sum=1.0, positive=buckets
    )


def test_native_histograms_leave_with_the_blocks_of_their_time() -> None:
    limit = 1_000_000
    db = TSDB(None, retention_bytes=limit, block_rows=10)
    series = [Labels({"__name__": "h", "n": str(number)}) for number in range(10)]
    for minute in range(1000):
        write(db, "t", names(50), range(minute, minute + 1))
        times = np.full(10, MINUTE * minute)
        db.append_histograms(db.resolve(series), times, [_histogram(float(minute))] * 10, epoch=db.epoch)
    status = db.status()
    assert limit / 2 < status.sealed_bytes + status.open_bytes < limit * 1.3
    selection = db.select([Matcher.metric("h")], *FOREVER)
    assert len(selection.histograms) == 10
    assert all(int(frame.times[-1]) == MINUTE * 999 for frame in selection.histograms)
    assert abs(int(selection.histograms[0].times[0]) // MINUTE - oldest(db)) <= 150  # a run has 120 rows


def test_native_histograms_alone_keep_to_the_budget() -> None:
    db, limit = TSDB(None, retention_bytes=300_000), 300_000
    gone = Labels({"__name__": "h", "n": "gone"})
    for minute in range(100):
        db.append_histogram(gone, _histogram(float(minute)), 60.0 * minute)
    for minute in range(100, 2000):
        db.append_histogram(Labels({"__name__": "h"}), _histogram(float(minute)), 60.0 * minute)
        status = db.status(0)
        assert status.open_bytes < limit + 17 * 25_000  # a look comes after 16 runs
    assert db.series([], *FOREVER) == [Labels({"__name__": "h"})]
    db.delete([Matcher.metric("h")], *FOREVER)
    assert db.status(0).open_bytes == TSDB().status(0).open_bytes


def test_series_without_a_block_leave_the_index() -> None:
    db = TSDB("1h", block_rows=10)
    for generation in range(10):
        write(db, "t", names(400, f"g{generation}-"), range(generation * 60, generation * 60 + 60))
    assert db.epoch > 0
    assert db.status().num_series < 4 * 400 + 1024
    assert len(db.symbols) < 4 * 400 + 1100
    alive = {labels.get("instance").split("-")[0] for labels in db.series([], *FOREVER)}
    assert alive <= {"g8", "g9"}


def test_memory_stays_where_it_is_under_churn() -> None:
    db = TSDB("1h", block_rows=10)
    churned = 0

    def churn(minutes: range) -> None:
        nonlocal churned
        for minute in minutes:
            churned += 1
            labels = [*names(10), *names(40, f"c{churned}-")]
            ids = db.resolve(labels)
            db.table("t").append_row(MINUTE * minute, ids, np.full(50, float(minute)), epoch=db.epoch)
            db.append({"__name__": "one", "n": str(churned)}, 1.0, minute * 60.0)
            db.select([UP], MINUTE * (minute - 5), MINUTE * minute)

    churn(range(100))
    tracemalloc.start()
    try:
        churn(range(100, 150))
        first = tracemalloc.get_traced_memory()[0]
        churn(range(150, 300))
        grown = tracemalloc.get_traced_memory()[0] - first
    finally:
        tracemalloc.stop()
    assert grown < 700_000  # 6,000 series came and went; kept, they would be several times that
    assert db.status().num_series < 8000


def test_a_retention_that_is_no_duration_is_refused() -> None:
    with pytest.raises(DurationError):
        TSDB("a while")
