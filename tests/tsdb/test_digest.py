"""Digests of columns: what each says, and that it is found out once."""

from __future__ import annotations

import gc
import itertools
import math
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zseval.model.arrays import Rows, Values
from zseval.tsdb.block import SealedCells
from zseval.tsdb.codec import encode
from zseval.tsdb.digest import Digest, Digests, ends, largest, least

CELLS = st.sampled_from([0.0, -0.0, 1.0, -1.0, 2.5, math.nan, math.inf, -math.inf])


def _extreme(cells: list[float], sign: int) -> float:
    """Upstream's loop: NaN gives way, of equals the first stays."""
    best = cells[0]
    for value in cells[1:]:
        if sign * value > sign * best or math.isnan(best):
            best = value
    return best


@pytest.mark.parametrize(("digest", "sign"), [(largest, 1), (least, -1)])
@given(cells=st.lists(CELLS, min_size=1, max_size=12))
def test_an_extreme_is_that_of_a_loop_or_not_enough(digest: Digest, sign: int, cells: list[float]) -> None:
    values, odd = digest(np.array([cells]))
    wanted = _extreme(cells, sign)
    zeros = {math.copysign(1, value) for value in cells if value == 0}
    if not odd[0]:
        assert values.tobytes() == np.array([[wanted, wanted]]).tobytes() or math.isnan(wanted)
        assert np.isnan(values).all() == math.isnan(wanted)
    assert not odd[0] or (wanted == 0 and -1.0 in zeros)
    assert odd[0] or wanted != 0 or len(zeros) == 1


@given(cells=st.lists(CELLS, min_size=1, max_size=12))
def test_ends_are_the_first_and_last_and_tell_of_falls(cells: list[float]) -> None:
    values, odd = ends(np.array([cells]))
    assert values.tobytes() == np.array([[cells[0], cells[-1]]]).tobytes()
    assert odd[0] == any(after < before for before, after in itertools.pairwise(cells))


def test_a_block_that_was_asked_is_gone_as_soon_as_nobody_has_it() -> None:
    cells = SealedCells(encode(np.arange(12.0).reshape(4, 3)))
    columns = np.arange(4)
    cells.digest(ends, columns, 0, 3)
    encoded = weakref.ref(cells.encoded.forms)
    gc.disable()
    try:
        del cells
        assert encoded() is None
    finally:
        gc.enable()


def test_a_column_is_read_once_for_each_digest() -> None:
    cells = np.arange(12.0).reshape(4, 3)
    read: list[list[int]] = []

    def decode(columns: Rows) -> Values:
        read.append(columns.tolist())
        return cells[columns]

    digests = Digests(4)
    for columns in ([1, 2], [0, 2], [1]):
        values, odd = digests.of(ends, np.array(columns), decode)
        assert values.tolist() == [[cells[n, 0], cells[n, 2]] for n in columns]
        assert not odd.any()
    assert read == [[1, 2], [0]]
    values, _ = digests.of(largest, np.array([3]), decode)
    assert values.tolist() == [[11.0, 11.0]]
    assert read == [[1, 2], [0], [3]]
