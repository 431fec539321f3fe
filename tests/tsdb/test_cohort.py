"""Cohorts: what many sources have in their open blocks, as one matrix."""

from __future__ import annotations

import numpy as np
import pytest

from zseval.model.labels import Labels
from zseval.model.matcher import Matcher, MatchType
from zseval.model.staleness import STALE_NAN
from zseval.tsdb.db import TSDB
from zseval.tsdb.frame import Selection

ALL = [Matcher(MatchType.EQUAL, "__name__", "x")]
PERIOD = 15_000


def _labels(source: int, series: int = 3) -> list[Labels]:
    return [Labels({"__name__": "x", "n": str(n), "source": str(source)}) for n in range(series)]


def _fill(
    db: TSDB, source: int, rows: int, *, first: int = 0, change: dict[int, float] | None = None
) -> None:
    """Rows at first + source ms; values tell source, row and series, but for the last series in some rows."""
    table, ids = db.table(str(source)), db.resolve(_labels(source))
    for row in range(rows):
        values = 1000.0 * source + 10.0 * row + np.arange(3, dtype=np.float64)
        if change and row in change:
            values[2] = change[row]
        table.append_row(first + source + row * PERIOD, ids, values, epoch=db.epoch)


def _samples(selection: Selection) -> dict[int, list[tuple[int, float]]]:
    """By row of the selection, from its frames."""
    found: dict[int, list[tuple[int, float]]] = {}
    for frame in selection.frames:
        for place, row in enumerate(frame.rows.tolist()):
            times = frame.times if frame.is_dense else frame.times[place]
            count = len(times) if frame.counts is None else int(frame.counts[place])
            found[row] = list(zip(times.tolist()[:count], frame.values[place].tolist()[:count], strict=True))
    return found


def _of_cohorts(selection: Selection) -> dict[int, list[tuple[int, float]]]:
    return {
        row: list(zip(cohort.times[source].tolist(), values, strict=True))
        for cohort in selection.cohorts
        for row, source, values in zip(
            cohort.rows.tolist(), cohort.of.tolist(), cohort.values.tolist(), strict=True
        )
    }


def test_sources_with_as_many_rows_are_one_cohort() -> None:
    db = TSDB(retention=None)
    for source in range(4):
        _fill(db, source, 5 if source < 3 else 2)
    selection = db.select(ALL, -1, 10 * PERIOD)
    assert [cohort.values.shape for cohort in selection.cohorts] == [(9, 5), (3, 2)]
    assert not selection.apart
    assert _of_cohorts(selection) == _samples(selection)
    assert selection.size == 51
    assert len(_samples(selection)) == 12


def test_only_the_rows_in_the_range() -> None:
    db = TSDB(retention=None)
    for source in range(3):
        _fill(db, source, 6)
    selection = db.select(ALL, PERIOD + 1, 3 * PERIOD + 1)  # left-open
    assert {row: [time for time, _ in samples] for row, samples in _of_cohorts(selection).items()} == {
        **{key: [2 * PERIOD, 3 * PERIOD] for key in range(3)},
        **{key: [2 * PERIOD + 1, 3 * PERIOD + 1] for key in range(3, 6)},
        **{key: [PERIOD + 2, 2 * PERIOD + 2] for key in range(6, 9)},
    }
    (cohort,) = selection.cohorts
    assert np.array_equal(cohort.between(1, 2), cohort.values[:, 1:2])


@pytest.mark.parametrize("odd", [STALE_NAN, None], ids=["a marker", "a gap"])
def test_a_source_with_a_marker_or_a_gap_stays_apart(odd: float | None) -> None:
    db = TSDB(retention=None)
    for source in range(3):
        _fill(db, source, 4, change={2: odd} if odd is not None and source == 1 else None)
    if odd is None:
        ids = db.resolve(_labels(1)[:2])
        db.table("1").append_row(1 + 4 * PERIOD, ids, np.array([1.0, 2.0]), epoch=db.epoch)
        _fill(db, 0, 1, first=4 * PERIOD)
        _fill(db, 2, 1, first=4 * PERIOD)
    selection = db.select(ALL, -1, 10 * PERIOD)
    assert sorted(_of_cohorts(selection)) == [0, 1, 2, 6, 7, 8]
    assert sorted(row for frame in selection.apart for row in frame.rows.tolist()) == [3, 4, 5]


def test_what_is_encoded_already_stays_apart() -> None:
    db = TSDB(retention=None, block_rows=8)
    _fill(db, 0, 40)
    newest = 39 * PERIOD
    assert db.select(ALL, newest - PERIOD, newest).cohorts
    assert not db.select(ALL, -1, newest).cohorts
    assert len(_samples(db.select(ALL, -1, newest))[0]) == 40


def test_a_series_that_moved_to_another_source_is_put_together() -> None:
    db = TSDB(retention=None)
    _fill(db, 0, 3)
    ids = db.resolve(_labels(0))
    db.table("other").append_row(3 * PERIOD, ids, np.array([7.0, 8.0, 9.0]), epoch=db.epoch)
    selection = db.select(ALL, -1, 10 * PERIOD)
    assert not selection.cohorts
    assert _samples(selection)[0] == [(0, 0.0), (PERIOD, 10.0), (2 * PERIOD, 20.0), (3 * PERIOD, 7.0)]


def test_samples_that_came_one_by_one_are_put_together() -> None:
    db = TSDB(retention=None)
    _fill(db, 0, 3)
    db.append(_labels(0)[0], 5.0, 3 * PERIOD / 1000)
    assert not db.select(ALL, -1, 10 * PERIOD).cohorts
    assert db.select(ALL, -1, 3 * PERIOD - 1).cohorts
    assert _samples(db.select(ALL, -1, 10 * PERIOD))[0][-1] == (3 * PERIOD, 5.0)


def test_later_rows_are_not_seen() -> None:
    db = TSDB(retention=None)
    _fill(db, 0, 3)
    selection = db.select(ALL, -1, 100 * PERIOD)
    _fill(db, 0, 40, first=3 * PERIOD)
    assert _of_cohorts(selection)[0] == [(0, 0.0), (PERIOD, 10.0), (2 * PERIOD, 20.0)]
