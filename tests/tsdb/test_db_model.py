"""The store and a plain-Python one agree after any sequence of operations.

Blocks, buffers and merges are made tiny here, so that a short sequence goes through all of them.
"""

from __future__ import annotations

import struct
from bisect import insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zseval.errors import StorageError
from zseval.model.arrays import Ids
from zseval.model.labels import Labels
from zseval.model.matcher import Matcher, MatchType
from zseval.model.staleness import ABSENT_NAN, NORMAL_NAN_BITS, STALE_NAN, is_absent, is_stale
from zseval.tsdb import db as db_module
from zseval.tsdb import irregular
from zseval.tsdb.db import TSDB
from zseval.tsdb.errors import DuplicateSampleError, OutOfBoundsError, OutOfOrderError
from zseval.tsdb.frame import Selection
from zseval.tsdb.head import RowResult
from zseval.tsdb.runs import END_OF_TIME

SERIES = [Labels({"__name__": f"m{number % 3}", "n": str(number)}) for number in range(9)]
EVERYTHING = [Matcher(MatchType.REGEX, "__name__", ".+")]
VALUES = st.sampled_from(
    [0.0, -0.0, 1.0, 2.0, 2.0, 0.25, 1e300, float("inf"), float("nan"), STALE_NAN, ABSENT_NAN]
)
TIMES = st.integers(-5, 60)

Bits = tuple[int, int]
"""A sample as (time, bit pattern of its value)."""
Operation = tuple[Any, ...]


@pytest.fixture(autouse=True, scope="module")
def small_sizes() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(irregular, "_BUFFER_SAMPLES", 6)
        patch.setattr(irregular, "_FAN_IN", 2)
        patch.setattr(irregular, "_SHARED_LEAST", 2)
        patch.setattr(db_module, "_IDLE_MS", 10)
        patch.setattr(db_module, "_DEAD_LEAST", 0)
        yield


def bits(value: float) -> int:
    found: int = struct.unpack("<q", struct.pack("<d", value))[0]
    return found


@dataclass
class Model:
    """Samples in a dict; the rules as sentences."""

    retention_ms: int | None = None
    samples: dict[Labels, list[Bits]] = field(default_factory=dict)
    newest: dict[Labels, tuple[int, int]] = field(default_factory=dict)
    max_time: int | None = None

    def floor(self) -> int:
        if self.retention_ms is None or self.max_time is None:
            return -(2**63)
        return self.max_time - self.retention_ms

    def add(self, floor: int, labels: Labels, time: int, value: float) -> str:
        kept = NORMAL_NAN_BITS if bits(value) == bits(ABSENT_NAN) else bits(value)
        if time < floor:
            return "out_of_bounds"
        if labels in self.newest and time <= self.newest[labels][0]:
            if time < self.newest[labels][0]:
                return "out_of_order"
            return "appended" if kept == self.newest[labels][1] else "duplicates"
        self.newest[labels] = time, kept
        self.samples.setdefault(labels, []).append((time, kept))
        self.max_time = time if self.max_time is None else max(self.max_time, time)
        return "appended"

    def add_all(self, batch: Sequence[tuple[Labels, int, float]]) -> RowResult:
        floor = self.floor()
        counts = dict.fromkeys(("appended", "out_of_order", "duplicates", "out_of_bounds"), 0)
        for labels, time, value in batch:
            counts[self.add(floor, labels, time, value)] += 1
        return RowResult(**counts)

    def select(self, matchers: Sequence[Matcher], start: int, end: int) -> dict[Labels, list[Bits]]:
        found = {}
        for labels, samples in self.samples.items():
            inside = [sample for sample in samples if start < sample[0] <= end]
            if inside and all(each.matches(labels.get(each.name)) for each in matchers):
                found[labels] = inside
        return found

    def delete(self, matchers: Sequence[Matcher], start: int, end: int) -> int:
        gone = self.select(matchers, start - 1, end)
        for labels, samples in gone.items():
            self.samples[labels] = [sample for sample in self.samples[labels] if sample not in samples]
            if not self.samples[labels]:
                del self.samples[labels], self.newest[labels]
        return sum(map(len, gone.values()))


class Driver:
    """Does each operation on the store and the model and compares what they answer."""

    def __init__(self, retention_ms: int | None) -> None:
        self.db = TSDB(None if retention_ms is None else f"{retention_ms}ms", block_rows=4)
        self.model = Model(retention_ms)
        self._ids: dict[tuple[int, tuple[int, ...]], Ids] = {}

    def ids(self, series: Sequence[int]) -> Ids:
        key = self.db.epoch, tuple(series)
        if key not in self._ids:
            self._ids[key] = self.db.resolve([SERIES[each] for each in series])
        return self._ids[key]

    def row(self, table: int, time: int, cells: list[tuple[int, float]]) -> None:
        ids = self.ids([series for series, _ in cells])
        values = np.array([value for _, value in cells], dtype=np.float64)
        result = self.db.table(f"t{table}").append_row(time, ids, values, epoch=self.db.epoch)
        assert result == self.model.add_all([(SERIES[series], time, value) for series, value in cells])

    def samples(self, batch: list[tuple[int, int, float]]) -> None:
        ids = self.ids([series for series, _, _ in batch])
        times = np.array([time for _, time, _ in batch], dtype=np.int64)
        values = np.array([value for _, _, value in batch], dtype=np.float64)
        result = self.db.append_samples(ids, times, values, epoch=self.db.epoch)
        assert result == self.model.add_all([(SERIES[series], time, value) for series, time, value in batch])

    def single(self, series: int, time: int, value: float) -> None:
        expected = self.model.add(self.model.floor(), SERIES[series], time, value)
        try:
            self.db.append(SERIES[series], value, time / 1000)
            happened = "appended"
        except StorageError as error:
            happened = {
                OutOfOrderError: "out_of_order",
                DuplicateSampleError: "duplicates",
                OutOfBoundsError: "out_of_bounds",
            }[type(error)]
        assert happened == expected

    def delete(self, matchers: list[Matcher], start: int, length: int) -> None:
        expected = self.model.delete(matchers, start, start + length)
        assert self.db.delete(matchers, start, start + length) == expected

    def release(self, table: int) -> None:
        self.db.release(f"t{table}")

    def check(self, matchers: Sequence[Matcher], start: int, length: int) -> None:
        """What is selected is what the model has; older than the retention, it may be less."""
        floor = self.model.floor()
        found = unpacked(self.db.select(matchers, start, start + length))
        expected = self.model.select(matchers, start, start + length)
        if floor < -(10**9):
            assert found == expected
            return
        assert set(found) <= set(expected)
        for labels, samples in expected.items():
            kept = found.get(labels, [])
            missing = [sample for sample in samples if sample not in kept]
            assert sorted(kept + missing) == samples
            assert all(time < floor for time, _ in missing)


def unpacked(selection: Selection) -> dict[Labels, list[Bits]]:
    """The samples of a selection, after checking that its frames are what they claim to be."""
    found: dict[Labels, list[Bits]] = {}
    labels = selection.labels.to_list()
    assert (np.diff(selection.ids) > 0).all()
    assert len(labels) == len(selection.ids)
    for frame in selection.frames:
        assert frame.has_stale == bool(is_stale(frame.values).any())
        assert not is_absent(frame.values).any()
        for place, row in enumerate(frame.rows.tolist()):
            assert labels[row] not in found
            if frame.counts is None:
                times, values = frame.times, frame.values[place]
            else:
                count = int(frame.counts[place])
                assert (frame.times[place, count:] == END_OF_TIME).all()
                times, values = frame.times[place, :count], frame.values[place, :count]
            assert len(times) == len(values) > 0
            assert (np.diff(times) > 0).all()
            found[labels[row]] = list(zip(times.tolist(), values.view(np.int64).tolist(), strict=True))
    return found


NUMBERS = st.integers(0, len(SERIES) - 1)
MATCHERS = st.one_of(
    st.just(EVERYTHING),
    st.builds(lambda n: [Matcher(MatchType.EQUAL, "__name__", f"m{n}")], st.integers(0, 3)),
    st.builds(lambda n: [Matcher(MatchType.NOT_EQUAL, "n", str(n))], NUMBERS),
)
ROWS = st.tuples(st.just("row"), st.integers(0, 1), TIMES, st.lists(st.tuples(NUMBERS, VALUES), max_size=7))
FULL_ROWS = st.tuples(
    st.just("row"),
    st.just(0),
    TIMES,
    st.lists(VALUES, min_size=5, max_size=5).map(lambda v: list(enumerate(v))),
)
APPENDS = [
    ROWS,
    FULL_ROWS,
    st.tuples(st.just("samples"), st.lists(st.tuples(NUMBERS, TIMES, VALUES), max_size=8)),
    st.tuples(st.just("single"), NUMBERS, TIMES, VALUES),
]
CHECKS = st.tuples(st.just("check"), MATCHERS, TIMES, st.integers(0, 70))
RELEASES = st.tuples(st.just("release"), st.integers(0, 1))
DELETES = st.tuples(st.just("delete"), MATCHERS, TIMES, st.integers(0, 70))


def in_time(operations: list[Operation]) -> list[Operation]:
    """Half of all sequences in time order, or nearly everything would be refused as out of order."""
    times: list[int] = []
    for operation in operations:
        if operation[0] in ("row", "single"):
            insort(times, operation[2])
    made = []
    for operation in operations:
        if operation[0] in ("row", "single"):
            operation = (*operation[:2], times.pop(0), *operation[3:])
        made.append(operation)
    return made


def sequences(*operations: st.SearchStrategy[Operation]) -> st.SearchStrategy[list[Operation]]:
    lists = st.lists(st.one_of(*operations), max_size=40)
    return st.one_of(lists, lists.map(in_time))


def run(driver: Driver, operations: list[Operation]) -> None:
    for name, *arguments in operations:
        getattr(driver, str(name))(*arguments)
    driver.check(EVERYTHING, -100, 1000)
    driver.check(EVERYTHING, 10, 20)


@settings(max_examples=200, deadline=None)
@given(sequences(*APPENDS, FULL_ROWS, FULL_ROWS, CHECKS, RELEASES, DELETES))
def test_the_store_agrees_with_the_model_when_samples_are_deleted(operations: list[Operation]) -> None:
    driver = Driver(None)
    run(driver, operations)
    everything = driver.model.select([], -100, 1000)
    assert driver.db.series([], -100, 1000) == sorted(everything)
    assert driver.db.label_values("n", [], 10, 20) == sorted(
        labels.get("n") for labels in driver.model.select([], 9, 20)
    )
    status = driver.db.status()
    assert status.samples == sum(map(len, everything.values()))
    starts = [samples[0][0] for samples in everything.values()]
    assert driver.db.min_time_ms == min(starts, default=END_OF_TIME)


@settings(max_examples=200, deadline=None)
@given(sequences(*APPENDS, FULL_ROWS, FULL_ROWS, CHECKS, RELEASES))
def test_the_store_agrees_with_the_model_when_blocks_leave_by_age(operations: list[Operation]) -> None:
    run(Driver(15), operations)


@settings(max_examples=50, deadline=None)
@given(sequences(FULL_ROWS, FULL_ROWS, ROWS), st.integers(0, 60), st.integers(1, 60))
def test_a_selection_does_not_change_when_more_is_appended(
    operations: list[Operation], start: int, length: int
) -> None:
    driver = Driver(None)
    half = len(operations) // 2
    run(driver, operations[:half])
    selection = driver.db.select(EVERYTHING, start, start + length)
    before = unpacked(selection)
    run(driver, operations[half:])
    assert unpacked(selection) == before
