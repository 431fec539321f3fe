"""One thread appends while others select: every selection is a state the store was in."""

from __future__ import annotations

import threading

import numpy as np

from zseval.model.labels import Labels
from zseval.model.matcher import Matcher
from zseval.tsdb.db import TSDB

SERIES = 40
ROWS = 600
UP = Matcher.metric("up")


def names(first: int, last: int) -> list[Labels]:
    return [Labels({"__name__": "up", "n": f"{number:03}"}) for number in range(first, last)]


def check(db: TSDB) -> int:
    """Every sample's value is its time plus its series' number, and no series misses a row it had."""
    selection = db.select([UP], -1, 2**62)
    numbers = np.array([int(labels.get("n")) for labels in selection.labels.to_list()])
    seen = 0
    for frame in selection.frames:
        for place, row in enumerate(frame.rows.tolist()):
            count = frame.values.shape[1] if frame.counts is None else int(frame.counts[place])
            times = frame.times[:count] if frame.counts is None else frame.times[place, :count]
            assert np.array_equal(frame.values[place, :count], times + float(numbers[row]))
            assert np.array_equal(np.diff(times), np.ones(count - 1))
            seen += count
    return seen


def test_selections_are_whole_while_rows_columns_and_blocks_are_added() -> None:
    db = TSDB(None, block_rows=16)
    done = threading.Event()
    failures: list[BaseException] = []
    selections = 0

    def select() -> None:
        nonlocal selections
        try:
            while not done.is_set():
                check(db)
                selections += 1
        except BaseException as error:  # noqa: BLE001  (handed to the test's own thread)
            failures.append(error)

    readers = [threading.Thread(target=select) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for row in range(ROWS):
            width = SERIES + row // 20
            ids = db.resolve(names(0, width))
            values = np.arange(width, dtype=np.float64) + row
            assert db.table("t").append_row(row, ids, values, epoch=db.epoch).appended == width
            if row % 200 == 199:
                late, at = db.resolve(names(900, 901)), np.array([row // 200])
                db.append_samples(late, at, at + 900.0, epoch=db.epoch)
    finally:
        done.set()
        for reader in readers:
            reader.join()
    assert not failures, failures[0]
    assert selections > 0
    assert check(db) == sum(SERIES + row // 20 for row in range(ROWS)) + 3
