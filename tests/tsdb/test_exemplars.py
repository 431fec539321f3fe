"""The ring of exemplars."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from zseval.model.labels import Labels
from zseval.tsdb.db import TSDB
from zseval.tsdb.exemplars import ExemplarRing, ExemplarVerdict, StoredExemplar

A, B = Labels({"__name__": "x", "job": "a"}), Labels({"__name__": "x", "job": "b"})


def _exemplar(time_ms: int, value: float = 1.0, trace: str = "t", *, has_time: bool = True) -> StoredExemplar:
    return StoredExemplar(Labels({"trace_id": trace}), value, time_ms, has_time)


def _times(ring: ExemplarRing, start: int = 0, end: int = 10**15) -> dict[str, list[int]]:
    found = ring.select([[]], start, end)
    return {series["job"]: [each.timestamp_ms for each in own] for series, own in found}


def test_the_newest_are_kept_and_the_oldest_leave() -> None:
    ring = ExemplarRing(3)
    for time_ms in range(5):
        ring.add(A if time_ms % 2 else B, _exemplar(time_ms))
    assert len(ring) == 3
    assert _times(ring) == {"a": [3], "b": [2, 4]}


def test_a_range_includes_both_ends_and_leaves_out_series_without_any() -> None:
    ring = ExemplarRing()
    for time_ms in (1, 2, 3):
        ring.add(B, _exemplar(time_ms))
    ring.add(A, _exemplar(9))
    assert _times(ring, 2, 3) == {"b": [2, 3]}


def test_what_is_there_already_is_refused() -> None:
    ring = ExemplarRing()
    assert ring.add(A, _exemplar(5)) is ExemplarVerdict.STORED
    assert ring.add(A, _exemplar(5)) is ExemplarVerdict.DUPLICATE
    assert ring.add(A, _exemplar(5, 2.0)) is ExemplarVerdict.STORED
    assert ring.add(A, _exemplar(5, 1.0)) is ExemplarVerdict.OUT_OF_ORDER
    assert ring.add(A, _exemplar(4, 3.0)) is ExemplarVerdict.OUT_OF_ORDER
    assert ring.add(B, _exemplar(4, 3.0)) is ExemplarVerdict.STORED


def test_an_exemplar_without_a_time_of_its_own_repeats_itself_at_every_scrape() -> None:
    ring = ExemplarRing()
    assert ring.add(A, _exemplar(5, has_time=False)) is ExemplarVerdict.STORED
    assert ring.add(A, _exemplar(20, has_time=False)) is ExemplarVerdict.DUPLICATE
    assert ring.add(A, _exemplar(20, trace="u", has_time=False)) is ExemplarVerdict.STORED


def test_labels_that_are_too_long_are_refused() -> None:
    ring = ExemplarRing()
    assert ring.add(A, _exemplar(1, trace="é" * 120)) is ExemplarVerdict.STORED
    assert ring.add(A, _exemplar(2, trace="é" * 121)) is ExemplarVerdict.TOO_LONG


def test_a_smaller_ring_lets_the_oldest_go_and_one_of_none_holds_none() -> None:
    ring = ExemplarRing()
    for time_ms in range(5):
        ring.add(A, _exemplar(time_ms))
    ring.resize(2)
    assert _times(ring) == {"a": [3, 4]}
    ring.resize(0)
    ring.add(A, _exemplar(9))
    assert len(ring) == 0


def test_the_store_moves_them_with_its_clock() -> None:
    db = TSDB(max_exemplars=5)
    assert db.exemplars is not None
    db.exemplars.add(A, _exemplar(5))
    db.shift(100)
    assert _times(db.exemplars) == {"a": [105]}
    assert TSDB().exemplars is None


@settings(max_examples=100)
@given(st.integers(1, 6), st.lists(st.tuples(st.sampled_from([A, B]), st.integers(0, 9)), max_size=40))
def test_it_is_the_end_of_what_was_stored(capacity: int, added: list[tuple[Labels, int]]) -> None:
    ring = ExemplarRing(capacity)
    stored = [
        (series, time_ms)
        for series, time_ms in added
        if ring.add(series, _exemplar(time_ms)) is ExemplarVerdict.STORED
    ][-capacity:]
    assert len(ring) == len(stored)
    expected = {series["job"]: [time_ms for own, time_ms in stored if own == series] for series, _ in stored}
    assert _times(ring) == expected
