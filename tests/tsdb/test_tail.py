"""Tails: a selector that is asked for again and again gives what it gives when it is asked for once."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zseval.model.labels import Labels
from zseval.model.matcher import Matcher, MatchType
from zseval.model.staleness import STALE_NAN
from zseval.tsdb.db import TSDB
from zseval.tsdb.frame import Selection

X = [Matcher(MatchType.EQUAL, "__name__", "x")]
PERIOD, WIDTH = 15_000, 60_000
_UNSEEN = count()


def _once() -> list[Matcher]:
    """The same series by a selector that nobody has asked for before."""
    return [Matcher(MatchType.REGEX, "__name__", f"x|unseen{next(_UNSEEN)}")]


def _samples(selection: Selection) -> dict[str, list[tuple[int, bytes]]]:
    found: dict[str, list[tuple[int, bytes]]] = {}
    for frame in selection.frames:
        for place, row in enumerate(frame.rows.tolist()):
            times = frame.times if frame.is_dense else frame.times[place]
            length = len(times) if frame.counts is None else int(frame.counts[place])
            values = [np.float64(value).tobytes() for value in frame.values[place, :length]]
            name = str(selection.labels[row])
            assert name not in found, "each series exactly once"
            if length:
                found[name] = list(zip(times[:length].tolist(), values, strict=True))
    return found


class _Sources:
    """Tables with three series each."""

    def __init__(self, db: TSDB, sources: int) -> None:
        self.db = db
        self.labels = [
            [Labels({"__name__": "x", "n": str(n), "source": str(source)}) for n in range(3)]
            for source in range(sources)
        ]
        self.value = 0.0

    def row(self, source: int, time_ms: int, values: list[float] | None = None) -> None:
        self.value += 1.0
        ids = self.db.resolve(self.labels[source])
        row = np.array(values or [self.value, -self.value, self.value / 8], dtype=np.float64)
        self.db.table(str(source)).append_row(time_ms, ids[: len(row)], row, epoch=self.db.epoch)

    def rows(self, number: int) -> int:
        """A row of each source, a millisecond apart; a time after all of them."""
        for source in range(len(self.labels)):
            self.row(source, number * PERIOD + source)
        return number * PERIOD + 5


def _tail_of(db: TSDB) -> object:
    return db._index.resolve(X).following.tail


def test_only_new_rows_are_read() -> None:
    db = TSDB(retention=None)
    sources = _Sources(db, 3)
    seen = []
    for row in range(40):
        now = sources.rows(row)
        selection = db.select(X, now - WIDTH, now)
        assert _samples(selection) == _samples(db.select(_once(), now - WIDTH, now)), row
        seen.append(_tail_of(db))
    assert seen[1] is None, "asked for twice, it may not be asked for again"
    assert seen[2] is not None
    assert all(tail is seen[2] for tail in seen[2:]), "the same goes on over rows and through sealed blocks"
    (cohort,) = selection.cohorts
    assert cohort.values.shape == (9, 4)
    assert selection.size == 36
    again = db.select(X, now - WIDTH, now)
    assert again.cohorts[0] is cohort


def test_what_was_given_out_stays() -> None:
    db = TSDB(retention=None)
    sources = _Sources(db, 2)
    kept = []
    for row in range(80):
        now = sources.rows(row)
        selection = db.select(X, now - WIDTH, now)
        kept.append((selection, _samples(selection)))
    for selection, samples in kept:
        assert _samples(selection) == samples


@pytest.mark.parametrize("values", [[1.0, STALE_NAN, 1.0], [1.0, 2.0]])
def test_markers_and_missing_samples_end_it(values: list[float]) -> None:
    db = TSDB(retention=None)
    sources = _Sources(db, 2)
    for row in range(100):
        for source in range(2):
            sources.row(source, row * PERIOD + source, values if (row, source) == (10, 1) else None)
        now = row * PERIOD + 5
        selection = db.select(X, now - WIDTH, now)
        assert _samples(selection) == _samples(db.select(_once(), now - WIDTH, now)), row
        if 10 <= row < 14:
            assert _tail_of(db) is None
    assert _tail_of(db) is not None, "it is tried again"


def test_deleted_samples_are_gone() -> None:
    db = TSDB(retention=None)
    sources = _Sources(db, 2)
    for row in range(10):
        now = sources.rows(row)
        db.select(X, now - WIDTH, now)
    assert _tail_of(db) is not None
    db.delete(X, 8 * PERIOD, 8 * PERIOD)
    samples = _samples(db.select(X, now - WIDTH, now))
    assert {len(each) for each in samples.values()} == {3, 4}
    assert samples == _samples(db.select(_once(), now - WIDTH, now))


def test_of_many_the_ones_used_last_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    db = TSDB(retention=None)
    sources = _Sources(db, 8)
    each = [[*X, Matcher(MatchType.EQUAL, "source", str(source))] for source in range(8)]
    monkeypatch.setattr("zseval.tsdb.tail._BUDGET_BYTES", 3000)
    for row in range(10):
        for source in range(8):
            sources.row(source, row * PERIOD + source)
        now = row * PERIOD + 9
        for matchers in each:
            db.select(matchers, now - WIDTH, now)
    kept = [db._index.resolve(matchers).following.tail is not None for matchers in each]
    assert 0 < sum(kept) < 8
    assert db._tails.nbytes <= 3000


_CHANGES = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "step",
                "step",
                "step",
                "step",
                "ahead",
                "lag",
                "part",
                "marker",
                "late",
                "delete",
                "shift",
                "new",
                "unasked",
            ]
        ),
        st.integers(0, 2),
    ),
    min_size=4,
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(changes=_CHANGES, width=st.sampled_from([20_000, 60_000, 200_000]), rows=st.sampled_from([8, 120]))
def test_it_gives_what_any_selector_gives(changes: list[tuple[str, int]], width: int, rows: int) -> None:
    db = TSDB(retention="1h", block_rows=rows)
    sources = _Sources(db, 3)
    now = 0
    for number, (change, source) in enumerate(changes):
        now += PERIOD
        for each in range(3):
            if change == "lag" and each == source:
                continue
            values = None
            if each == source and change in ("part", "marker"):
                values = [5.0, 6.0] if change == "part" else [STALE_NAN, 1.0, 2.0]
            sources.row(each, now + each, values)
        match change:
            case "ahead":
                sources.row(source, now + 4000)
            case "late":
                db.append(
                    {"__name__": "x", "late": str(source)},
                    1.0,
                    (now - 20_000) / 1000,
                )
            case "delete":
                db.delete([Matcher(MatchType.EQUAL, "source", str(source))], now - PERIOD, now - 1)
            case "shift":
                db.shift(1000)
                now += 1000
            case "new":
                sources.labels[source] = [
                    Labels({**dict(labels), "changed": str(number)}) for labels in sources.labels[source]
                ]
        if change == "unasked":  # several rows are new next time
            continue
        for end in (now + 5, now + 5, now - 3 * PERIOD):
            selection = db.select(X, end - width, end)
            assert _samples(selection) == _samples(db.select(_once(), end - width, end))
            for cohort in selection.cohorts:
                if cohort.rising:
                    assert not any((np.diff(frame.values, axis=1) < 0).any() for frame in cohort.frames()), (
                        "nothing falls"
                    )
