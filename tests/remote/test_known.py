"""Series are found by what a sender calls them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zseval.remote.known import UNKNOWN, KnownSeries, names_of


@pytest.fixture
def known() -> KnownSeries:
    return KnownSeries()


@given(rounds=st.lists(st.lists(st.binary(max_size=3), unique=True, max_size=20), max_size=6))
def test_every_name_has_the_id_it_was_given(rounds: list[list[bytes]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zseval.remote.known._RECENT_LEAST", 5)  # so that both places are used
        known, model = KnownSeries(), dict[bytes, int]()
        for keys in rounds:
            names = names_of(keys)
            found = known.find(names)
            assert found.tolist() == [model.get(key, UNKNOWN) for key in keys]
            fresh = np.flatnonzero(found == UNKNOWN)
            ids = np.arange(len(model), len(model) + len(fresh), dtype=np.int32)
            known.add((names[0][fresh], names[1][fresh]), ids)
            model |= {keys[place]: int(series) for place, series in zip(fresh.tolist(), ids, strict=True)}
        assert len(known) == len(model)


def test_names_whose_first_hash_is_the_same_are_not_mixed_up(known: KnownSeries) -> None:
    same = np.array([7], dtype=np.int64)
    known.add((same, np.array([1], dtype=np.uint32)), np.array([5], dtype=np.int32))
    known._settle()
    assert known.find((same, np.array([2], dtype=np.uint32))).tolist() == [UNKNOWN]
    assert known.find((same, np.array([1], dtype=np.uint32))).tolist() == [5]
