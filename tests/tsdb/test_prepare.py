from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType

import numpy as np
import pytest

from zseval.model.labels import Labels
from zseval.model.matcher import Matcher, MatchType
from zseval.tsdb.db import TSDB
from zseval.tsdb.prepare import prepare
from zseval.tsdb.series import SeriesTable

MATCHERS = [
    Matcher.metric("m"),
    Matcher(MatchType.REGEX, "n", ".*[13579]"),
    Matcher(MatchType.NOT_EQUAL, "n", "7"),
]


class Busy:
    """The store's lock; each time it is let go of, somebody else does something."""

    def __init__(self, db: TSDB, meanwhile: Callable[[int], None]) -> None:
        self._lock = db.exclusively()
        self._meanwhile = meanwhile
        self.times = 0

    def __enter__(self) -> None:
        self._lock.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.__exit__(kind, error, trace)
        self.times += 1
        self._meanwhile(self.times)


def _append(db: TSDB, source: str, first: int, last: int, time_ms: int) -> None:
    ids = db.resolve([Labels({"__name__": "m", "n": str(n)}) for n in range(first, last)])
    db.table(source).append_row(time_ms, ids, np.arange(first, last, dtype=np.float64), epoch=db.epoch)


def _selected(db: TSDB) -> list[tuple[str, int]]:
    selection = db.select(MATCHERS, -1, 10_000)
    counts = np.zeros(len(selection.ids), dtype=np.int64)
    for frame in selection.frames:
        counts[frame.rows] += frame.values.shape[1] if frame.counts is None else frame.counts
    names = [dict(labels)["n"] for labels in selection.labels.to_list()]
    return sorted(zip(names, counts.tolist(), strict=True))


def _wanted(last: int, rows: int) -> list[tuple[str, int]]:
    return sorted((str(n), rows) for n in range(last) if n % 2 and n != 7)


def _prepare(db: TSDB, lock: Busy) -> None:
    prepare(lock, db._index, MATCHERS, db._held.tables.values)


def test_a_look_up_finds_all_done() -> None:
    db = TSDB(None)
    _append(db, "a", 0, 2000, 1000)
    lock = Busy(db, lambda _: None)
    _prepare(db, lock)
    resolved = db._index.known(MATCHERS)
    assert resolved is not None
    assert resolved.is_placed
    assert db._index.unsorted() is None
    assert _selected(db) == _wanted(2000, 1)
    done = lock.times
    _prepare(db, lock)
    assert lock.times == done, "nothing to do, nothing to wait for"


def test_series_that_appear_meanwhile_are_found() -> None:
    for moment in range(1, 8):
        db = TSDB(None)
        _append(db, "a", 0, 2000, 1000)

        def meanwhile(times: int, db: TSDB = db, moment: int = moment) -> None:
            if times == moment:
                _append(db, "a", 2000, 2600, 1000)
                _append(db, "b", 2600, 5000, 1000)

        lock = Busy(db, meanwhile)
        _prepare(db, lock)
        assert _selected(db) == _wanted(5000, 1), moment
        assert lock.times >= 7, "every place where the lock is let go of was tried"


def test_series_that_are_renumbered_meanwhile() -> None:
    for moment in range(1, 8):
        db = TSDB(None)
        _append(db, "gone", 5000, 6000, 1000)
        _append(db, "a", 0, 2000, 1000)

        def meanwhile(times: int, db: TSDB = db, moment: int = moment) -> None:
            if times == moment:
                db.delete([Matcher(MatchType.REGEX, "n", "5...")], 0, 10_000)

        before = db.epoch
        _prepare(db, Busy(db, meanwhile))
        assert db.epoch != before
        assert _selected(db) == _wanted(2000, 1), moment


def test_rows_go_on_while_others_look_series_up() -> None:
    db = TSDB(None)
    rounds = 30
    failed: list[BaseException] = []
    stop = threading.Event()

    def look() -> None:
        try:
            while not stop.is_set():
                found = _selected(db)
                assert len({name for name, _ in found}) == len(found)
        except BaseException as error:  # noqa: BLE001 - raised below
            failed.append(error)

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for number in range(rounds):
            _append(db, f"t{number % 5}", number * 100, number * 100 + 100, 1000)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failed, failed
    assert _selected(db) == _wanted(rounds * 100, 1)


def test_labels_are_listed_while_others_append(monkeypatch: pytest.MonkeyPatch) -> None:
    db = TSDB(None)
    _append(db, "a", 0, 50, 1000)
    asked: list[str] = []
    free: list[bool] = []

    def try_lock() -> None:
        lock = db._head.lock
        taken = lock.acquire(blocking=False)
        free.append(taken)
        if taken:
            lock.release()

    def watched(kind: type, name: str) -> None:
        original = getattr(kind, name)

        def call(*args: object) -> object:
            asked.append(name)
            thread = threading.Thread(target=try_lock)
            thread.start()
            thread.join()
            return original(*args)

        monkeypatch.setattr(kind, name, call)

    watched(SeriesTable, "label_sets")
    watched(SeriesTable, "pairs_of")
    odd = [[Matcher(MatchType.REGEX, "n", ".*[13579]")]]
    assert len(db.series(odd, 0, 10_000)) == 25
    assert db.label_names(odd, 0, 10_000) == ["__name__", "n"]
    assert len(db.label_values("n", odd, 0, 10_000)) == 25
    assert len(db.select(odd[0], 0, 10_000).ids) == 25
    assert asked == ["label_sets", "pairs_of", "pairs_of", "pairs_of", "label_sets", "pairs_of"]
    assert all(free)
