"""Series with gaps, against loops over their samples."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from zseval.model.staleness import ABSENT_NAN, STALE_NAN, is_absent, is_stale, is_stale_value
from zseval.tsdb.block import OpenCells, SealedCells
from zseval.tsdb.codec import encode
from zseval.tsdb.gappy import Gappy
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
