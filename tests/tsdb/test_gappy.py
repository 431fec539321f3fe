"""Series with gaps, against loops over their samples."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from zseval.model.labels import Labels
from zseval.model.matcher import Matcher
from zseval.model.staleness import ABSENT_NAN, STALE_NAN, is_absent, is_stale, is_stale_value
from zseval.tsdb.block import OpenCells, SealedCells
from zseval.tsdb.codec import encode
from zseval.tsdb.db import TSDB
from zseval.tsdb.gappy import Gappy
from zseval.tsdb.partial import NOWHERE, Partial
from zseval.tsdb.stretch import Stretch, Stretches

CELLS = st.sampled_from([1.0, 2.5, 7.0, ABSENT_NAN, ABSENT_NAN, STALE_NAN])
MATRICES = st.tuples(st.integers(1, 4), st.integers(2, 9)).flatmap(
    lambda shape: st.lists(
        st.lists(CELLS, min_size=shape[1], max_size=shape[1]), min_size=shape[0], max_size=shape[0]
    )
)


@given(rows=MATRICES, split=st.integers(1, 8))
def test_it_is_what_its_samples_say(rows: list[list[float]], split: int) -> None:
    values = np.array(rows)
    series, length = values.shape
    cut = min(split, length - 1)
    columns = np.arange(series, dtype=np.intp)
    sealed = SealedCells(encode(values[:, :cut]))
    recent = values[:, cut:]
    cells = OpenCells.of(
        recent, *(np.logical_or.reduce(found(recent), axis=1) for found in (is_absent, is_stale))
    )
    both = Stretches.of([Stretch(sealed, columns, 0, cut), Stretch(cells, columns, 0, length - cut)])
    absent, stale = both.empty()
    assert (absent == is_absent(values)).all()
    assert (stale == is_stale(values)).all()

    gappy = Gappy(np.arange(length) * 10, both, ~absent, stale)
    marked, ended = gappy.ended()
    for number, row in enumerate(rows):
        kept = [cell for cell in row if not is_absent(np.array([cell]))[0]]
        last = [
            [cell for cell in row[: n + 1] if not is_absent(np.array([cell]))[0]][-1:] for n in range(length)
        ]
        assert gappy.held()[number].tolist()[-1] == len(kept)
        assert (number in marked) == any(is_stale_value(cell) for cell in row)
        if number in marked:
            told = ended[marked.tolist().index(number)]
            assert told.tolist() == [bool(cell) and is_stale_value(cell[0]) for cell in last]
    unmarked = gappy.without_markers()
    assert (unmarked.present == ~(is_absent(values) | is_stale(values))).all()
    times, compacted, counts = gappy.compact()
    for number in range(series):
        there = np.flatnonzero(~absent[number])
        assert times[number, : counts[number]].tolist() == (there * 10).tolist()
        assert (
            compacted[number, : counts[number]].view(np.int64) == values[number, there].view(np.int64)
        ).all()


@given(rows=MATRICES, nowhere=st.lists(st.booleans(), min_size=4, max_size=4))
def test_series_that_a_block_has_not_are_absent_in_it(rows: list[list[float]], nowhere: list[bool]) -> None:
    values = np.array(rows)
    series, length = values.shape
    columns = np.where(nowhere[:series], NOWHERE, np.arange(series)).astype(np.intp)
    cells = Partial(SealedCells(encode(values)))
    wanted = np.where(columns[:, np.newaxis] == NOWHERE, ABSENT_NAN, values)
    taken = cells.take(columns, 1, length)
    assert (taken.view(np.int64) == np.ascontiguousarray(wanted[:, 1:]).view(np.int64)).all()
    absent, stale = cells.empty(columns, 1, length)
    assert (absent == is_absent(wanted[:, 1:])).all()
    assert (stale == is_stale(wanted[:, 1:])).all()
    assert not (is_absent(wanted).any(axis=1) & ~cells.may_be_absent(columns)).any()
    assert not (is_stale(wanted).any(axis=1) & ~cells.may_be_stale(columns)).any()


def test_series_that_came_and_went_are_one_frame_with_the_others_where_most_have_gaps() -> None:
    """What the samples are does not depend on it: that is what the laws of storage are about."""
    db = TSDB(retention=None)
    rng = np.random.default_rng(3)
    ids = db.resolve([Labels({"__name__": "m", "i": str(number)}) for number in range(40)])
    written: dict[int, list[tuple[int, float]]] = {}
    for row in range(400):
        some = ids[:36] if row < 200 else ids
        some = some[rng.random(len(some)) >= 0.05]
        db.table("t").append_row(1000 * row, some, np.full(len(some), float(row)), epoch=db.epoch)
        for number in some.tolist():
            written.setdefault(number, []).append((1000 * row, float(row)))
        if row == 250:
            db.table("t").seal()
    selection = db.select([Matcher.metric("m")], -1, 400_000)
    (frame,) = selection.frames
    assert frame.gappy is not None
    assert frame.gappy.present.shape == (40, 400)
    assert frame.counts is not None
    for place, row in enumerate(frame.rows.tolist()):
        count = int(frame.counts[place])
        found = zip(frame.times[place, :count].tolist(), frame.values[place, :count].tolist(), strict=True)
        assert list(found) == written[int(selection.ids[row])]


def test_a_source_whose_series_have_no_sample_in_the_window_gives_no_frame() -> None:
    db = TSDB(retention=None)
    ids = db.resolve([Labels({"__name__": name}) for name in ("a", "b")])
    table = db.table("t")
    for row in range(4):
        some = ids if row < 2 else ids[1:]
        table.append_row(1000 * row, some, np.full(len(some), 1.0), epoch=db.epoch)
    assert list(db.select([Matcher.metric("a")], 1500, 4000).frames) == []
