"""TSDB as its callers see it: refusals, selection, label queries, deletion, renumbering, statistics."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from zseval.errors import StorageError
from zseval.model.labels import Labels
from zseval.model.matcher import Matcher, MatchType
from zseval.model.staleness import ABSENT_NAN, NORMAL_NAN_BITS, STALE_NAN
from zseval.tsdb.db import TSDB
from zseval.tsdb.errors import (
    DuplicateSampleError,
    InvalidSampleError,
    OutOfBoundsError,
    OutOfOrderError,
    StaleReferences,
)
from zseval.tsdb.head import NO_TIME, RowResult
from zseval.tsdb.runs import END_OF_TIME

UP = Matcher.metric("up")
FOREVER = (-(2**62), 2**62)


def instances(count: int) -> list[Labels]:
    return [Labels({"__name__": "up", "instance": f"i{number}"}) for number in range(count)]


def filled(series: int, rows: int, db: TSDB | None = None) -> TSDB:
    """One table `t` with a row every 15 s from 0; values count up."""
    db = TSDB(None, block_rows=8) if db is None else db
    ids = db.resolve(instances(series))
    for row in range(rows):
        values = np.arange(series, dtype=np.float64) + row
        db.table("t").append_row(15_000 * row, ids, values, epoch=db.epoch)
    return db


@pytest.mark.parametrize(
    ("value", "timestamp", "error", "text"),
    [
        (1.0, 99.0, OutOfOrderError, "out of order sample"),
        (2.0, 100.0, DuplicateSampleError, "duplicate sample for timestamp"),
        (1.0, -4000.0, OutOfBoundsError, "out of bounds"),
    ],
)
def test_append_refuses_what_prometheus_refuses(
    value: float, timestamp: float, error: type[StorageError], text: str
) -> None:
    db = TSDB("1h")
    db.append({"__name__": "up"}, 1.0, 100.0)
    with pytest.raises(error, match=text):
        db.append({"__name__": "up"}, value, timestamp)
    assert db.status().samples == 1


def test_the_same_sample_again_is_no_error_and_no_second_sample() -> None:
    db = TSDB()
    for _ in range(2):
        db.append({"__name__": "up"}, STALE_NAN, 100.0)
    assert db.status().samples == 1


def test_a_label_set_without_labels_is_refused() -> None:
    with pytest.raises(InvalidSampleError, match="empty labelset"):
        TSDB().append({"a": ""}, 1.0, 1.0)
    with pytest.raises(InvalidSampleError):
        TSDB().resolve([Labels({"a": "b"}), Labels()])


def test_seconds_are_rounded_to_milliseconds() -> None:
    db = TSDB()
    db.append({"__name__": "up"}, 1.0, 1.0006)
    assert (db.min_time_ms, db.max_time_ms) == (1001, 1001)


def test_the_bit_pattern_of_an_empty_cell_is_stored_as_the_ordinary_nan() -> None:
    db = TSDB()
    db.append({"__name__": "up"}, ABSENT_NAN, 1.0)
    ids = db.resolve(instances(1))
    db.table("t").append_row(1000, ids, np.array([ABSENT_NAN]), epoch=db.epoch)
    for frame in db.select([UP], *FOREVER).frames:
        assert (frame.values.view(np.int64) == NORMAL_NAN_BITS).all()


def test_an_empty_store_answers_everything() -> None:
    db = TSDB()
    selection = db.select([UP], *FOREVER)
    assert (len(selection.ids), len(selection.labels), selection.frames) == (0, 0, ())
    assert (db.series([], *FOREVER), db.label_names([], *FOREVER)) == ([], [])
    assert db.label_values("a", [[UP]], *FOREVER) == []
    assert db.delete([UP], *FOREVER) == 0
    assert (db.min_time_ms, db.max_time_ms) == (END_OF_TIME, NO_TIME)
    assert db.status().num_series == 0


def test_a_range_of_the_open_block_is_a_view_and_stays_as_it_was() -> None:
    db = filled(5, 3)
    (frame,) = db.select([UP], 0, 30_000).frames
    assert frame.is_dense
    assert not frame.values.flags.owndata
    assert frame.times.tolist() == [15_000, 30_000]
    assert frame.values[:, 1].tolist() == [2.0, 3.0, 4.0, 5.0, 6.0]
    before = frame.values.copy()
    filled_more = db.resolve(instances(200))
    db.table("t").append_row(45_000, filled_more, np.zeros(200), epoch=db.epoch)
    assert np.array_equal(frame.values, before)


def test_blocks_of_one_table_come_as_one_dense_frame() -> None:
    db = filled(3, 50)
    (frame,) = db.select([UP], *FOREVER).frames
    assert frame.is_dense
    assert frame.times.tolist() == [15_000 * row for row in range(50)]
    assert np.array_equal(frame.values, np.add.outer(np.arange(3.0), np.arange(50.0)))


def test_only_the_series_with_gaps_become_ragged() -> None:
    db = filled(4, 5)
    ids = db.resolve(instances(4))
    db.table("t").append_row(75_000, ids[:3], np.zeros(3), epoch=db.epoch)
    db.table("t").append_row(90_000, ids, np.zeros(4), epoch=db.epoch)
    ragged, dense = sorted(db.select([UP], *FOREVER).frames, key=lambda frame: frame.is_dense)
    assert (ragged.rows.tolist(), dense.rows.tolist()) == ([3], [0, 1, 2])
    assert ragged.counts is not None
    assert (ragged.counts.tolist(), dense.values.shape) == ([6], (3, 7))


def test_series_with_markers_do_not_share_a_frame_with_those_without() -> None:
    db = filled(4, 3)
    ids = db.resolve(instances(4))
    db.table("t").append_row(45_000, ids, np.array([0.0, STALE_NAN, 0.0, 0.0]), epoch=db.epoch)
    frames = {tuple(frame.rows.tolist()): frame.has_stale for frame in db.select([UP], *FOREVER).frames}
    assert frames == {(0, 2, 3): False, (1,): True}
    assert [frame.has_stale for frame in db.select([UP], 0, 30_000).frames] == [False]


def test_rows_of_one_time_may_come_in_parts() -> None:
    db = TSDB(None, block_rows=4)
    table, ids = db.table("rules"), db.resolve(instances(6))
    parts = [ids[:2].copy(), ids[2:].copy()]
    for row in range(9):
        for part in parts:
            assert table.append_row(row, part, np.zeros(len(part)), epoch=db.epoch).appended == len(part)
    (frame,) = db.select([UP], *FOREVER).frames
    assert (frame.is_dense, frame.values.shape) == (True, (6, 9))


def test_a_series_in_two_tables_comes_out_once_and_in_order() -> None:
    db = TSDB(None)
    ids = db.resolve(instances(2))
    for row in range(6):
        db.table(f"t{row % 2}").append_row(row, ids, np.full(2, float(row)), epoch=db.epoch)
    db.append_samples(ids[:1], np.array([6]), np.array([6.0]), epoch=db.epoch)
    found = {}
    for frame in db.select([UP], *FOREVER).frames:
        for place, row in enumerate(frame.rows.tolist()):
            count = frame.values.shape[1] if frame.counts is None else int(frame.counts[place])
            found[row] = frame.values[place, :count].tolist()
    assert found == {0: [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 1: [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]}


def test_a_row_older_than_the_tables_last_is_kept_where_its_series_allow() -> None:
    db = TSDB(None)
    table, ids = db.table("t"), db.resolve(instances(2))
    table.append_row(10, ids[:1], np.zeros(1), epoch=db.epoch)
    result = table.append_row(5, ids, np.ones(2), epoch=db.epoch)
    assert result == RowResult(appended=1, out_of_order=1)
    assert db.status().samples == 2


def test_irregular_samples_that_share_their_times_come_as_one_dense_frame() -> None:
    db = TSDB(None)
    for second in range(100):
        for labels in instances(20):
            db.append(labels, float(second), float(second))
    (frame,) = db.select([UP], *FOREVER).frames
    assert (frame.is_dense, frame.values.shape) == (True, (20, 100))


def test_irregular_samples_with_times_of_their_own_are_padded_by_like_length_only() -> None:
    db = TSDB(None)
    rng = np.random.default_rng(5)
    counts = [2, 3] * 40 + [2000]
    ids = db.resolve(instances(len(counts)))
    series = np.repeat(ids, counts)
    times = np.concatenate([np.sort(rng.choice(10**6, count, replace=False)) for count in counts])
    db.append_samples(series, times, np.zeros(len(times)), epoch=db.epoch)
    frames = db.select([UP], *FOREVER).frames
    assert sum(frame.values.size for frame in frames) < 2 * len(times)
    assert sum(int(frame.counts.sum()) for frame in frames if frame.counts is not None) == len(times)


def test_label_queries_see_only_series_with_a_sample_in_the_range() -> None:
    db = filled(3, 20)
    db.append({"__name__": "other", "zone": "z"}, 1.0, 10_000.0)
    late, all_time = (9_000_000, 11_000_000), (0, 10_000_000)
    assert db.series([], *late) == [Labels({"__name__": "other", "zone": "z"})]
    assert db.series([[UP]], *late) == []
    assert db.series([[UP], [Matcher.metric("other")]], *all_time) == sorted(
        [*instances(3), Labels({"__name__": "other", "zone": "z"})]
    )
    assert db.label_names([[UP]], *all_time) == ["__name__", "instance"]
    assert db.label_values("instance", [], *all_time) == ["i0", "i1", "i2"]
    assert db.label_values("zone", [], 0, 9_999_999) == []
    assert db.label_values("instance", [[Matcher(MatchType.EQUAL, "instance", "i1")]], 0, 0) == ["i1"]


def test_deleting_takes_samples_and_then_the_series_itself() -> None:
    db = filled(3, 20)
    one = Matcher(MatchType.EQUAL, "instance", "i1")
    assert db.delete([one], 15_000, 30_000) == 2
    assert db.status().samples == 58
    epoch = db.epoch
    assert db.delete([one], *FOREVER) == 18
    assert db.series([], *FOREVER) == [instances(3)[0], instances(3)[2]]
    assert (db.status().num_series, db.label_values("instance", [], *FOREVER)) == (2, ["i0", "i2"])
    assert db.epoch != epoch
    db.append(instances(3)[1], 1.0, 0.0)  # a new series may start anywhere


def test_ids_of_an_earlier_epoch_are_refused() -> None:
    db = filled(2, 3)
    ids, epoch = db.resolve(instances(2)), db.epoch
    db.delete([Matcher(MatchType.EQUAL, "instance", "i0")], *FOREVER)
    with pytest.raises(StaleReferences, match="epoch"):
        db.table("t").append_row(10**6, ids, np.zeros(2), epoch=epoch)
    with pytest.raises(StaleReferences):
        db.append_samples(ids, np.array([10**6, 10**6]), np.zeros(2), epoch=epoch)
    fresh = db.resolve(instances(2))
    assert db.table("t").append_row(10**6, fresh, np.zeros(2), epoch=db.epoch).appended == 2


def test_a_selection_outlives_a_renumbering() -> None:
    db = filled(3, 3)
    selection = db.select([UP], *FOREVER)
    db.delete([Matcher(MatchType.EQUAL, "instance", "i0")], *FOREVER)
    db.append({"__name__": "up", "instance": "new"}, 1.0, 100.0)
    assert selection.labels.to_list() == instances(3)
    assert db.select([UP], *FOREVER).labels.to_list() == [
        *instances(3)[1:],
        Labels({"__name__": "up", "instance": "new"}),
    ]


def test_the_generation_changes_with_every_new_series_and_every_renumbering() -> None:
    db = TSDB()
    seen = {db.generation}
    for labels in instances(3):
        db.append(labels, 1.0, 1.0)
        assert db.generation not in seen
        seen.add(db.generation)
    db.append(instances(1)[0], 1.0, 2.0)
    assert db.generation in seen
    db.delete([Matcher(MatchType.EQUAL, "instance", "i0")], *FOREVER)
    assert db.generation not in seen


def test_repeated_selection_gives_the_same_labels_object() -> None:
    db = filled(3, 3)
    assert db.select([UP], 0, 1).labels is db.select([UP], 0, 10**9).labels


def test_a_released_source_goes_with_its_last_block() -> None:
    db = filled(3, 3)
    table = db.table("t")
    db.release("t")
    assert db.status().open_bytes < 2000
    assert db.status().samples == 9
    db.delete([UP], *FOREVER)
    assert db.table("t") is not table
    with pytest.raises(StorageError, match="'t' was released"):
        table.append_row(10**6, db.resolve(instances(1)), np.zeros(1), epoch=db.epoch)
    db.release("never heard of")


def test_a_row_and_its_ids_must_have_one_length() -> None:
    db = TSDB()
    ids = db.resolve(instances(2))
    with pytest.raises(ValueError, match="2 series and 3 values"):
        db.table("t").append_row(0, ids, np.zeros(3), epoch=db.epoch)
    with pytest.raises(ValueError, match="2 series, 1 times and 2 values"):
        db.append_samples(ids, np.zeros(1, dtype=np.int64), np.zeros(2), epoch=db.epoch)


def test_a_series_twice_in_a_row_is_taken_once() -> None:
    db = TSDB()
    ids = db.resolve([*instances(2), instances(1)[0], instances(1)[0]])
    result = db.table("t").append_row(0, ids, np.array([1.0, 2.0, 1.0, 3.0]), epoch=db.epoch)
    assert result == RowResult(appended=3, duplicates=1)
    assert db.status().samples == 2


def test_status_counts_and_ranks() -> None:
    db = filled(5, 20)
    db.append({"__name__": "other", "zone": "zz"}, 1.0, 1.0)
    status = db.status(limit=2)
    assert (status.num_series, status.num_label_pairs, status.samples) == (6, 8, 101)
    assert (status.min_time_ms, status.max_time_ms) == (0, 285_000)
    assert status.series_by_metric == (("up", 5), ("other", 1))
    assert status.values_by_label == (("instance", 5), ("__name__", 2))
    assert status.bytes_by_label == (("instance", 10), ("__name__", 7))
    assert status.series_by_pair[0] == ("__name__=up", 5)
    assert len(status.series_by_pair) == 2
    assert status.blocks >= 1
    assert min(status.sealed_bytes, status.open_bytes, status.index_bytes, status.chunk_count) > 0


def test_times_far_outside_any_clock_survive_sealing() -> None:
    db = TSDB(None)
    times = [-(2**62), -1, 0, 2**62]
    for time in times:
        db.append_samples(db.resolve(instances(1)), np.array([time]), np.array([float(time)]), epoch=db.epoch)
    db._held.irregular.seal()
    (frame,) = db.select([UP], -(2**63), 2**63 - 1).frames
    assert frame.times.reshape(-1).tolist() == times
    assert struct.pack("<4d", *frame.values[0]) == struct.pack("<4d", *times)
