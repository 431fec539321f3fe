"""Sums from encoded columns are the sums of the decoded ones."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from zseval.model.arrays import Values
from zseval.model.staleness import is_empty
from zseval.tsdb.block import OpenCells, SealedBlock
from zseval.tsdb.layout import Layout
from zseval.tsdb.stretch import Cells, Stretch, Stretches
from zseval.tsdb.whole import group_sums

ROWS = 12
STEPS = st.sampled_from(
    [
        st.just(0), st.integers(0, 3), st.integers(0, 15), st.integers(5, 300), st.integers(-4, 4),
        st.integers(0, 70_000), st.integers(-(2**33), 2**33),
    ]
)  # fmt: skip


@st.composite
def columns(draw: st.DrawFn) -> list[float]:
    """A column as counters and gauges are: whole numbers, decimals, at rest, falling, or anything."""
    kind = draw(st.sampled_from(["whole", "decimal", "page", "any"]))
    if kind == "any":
        return draw(st.lists(st.floats(allow_nan=True), min_size=ROWS, max_size=ROWS))
    base = draw(st.integers(-(10**4), 10**9))
    steps = draw(st.lists(draw(STEPS), min_size=ROWS - 1, max_size=ROWS - 1))
    whole = np.cumsum([base, *steps], dtype=np.int64)
    scale = {"whole": 1.0, "decimal": draw(st.sampled_from([10.0, 100.0, 1000.0])), "page": 2.0**-12}[kind]
    return [float(value) for value in whole / scale]


def cells_of(values: Values, *, sealed: bool) -> Cells:
    count = len(values)
    if not sealed:
        nothing = np.zeros(count, dtype=np.bool_)
        return OpenCells.of(values, nothing, nothing)
    times = np.arange(values.shape[1], dtype=np.int64) * 15_000
    return SealedBlock.of(Layout(np.arange(count, dtype=np.int32)), times, values).cells


@given(st.lists(st.lists(columns(), min_size=1, max_size=9), min_size=1, max_size=3), st.data())
def test_sums_are_those_of_the_decoded_columns(sources: list[list[list[float]]], data: st.DataObject) -> None:
    lo = data.draw(st.integers(0, ROWS - 1))
    hi = data.draw(st.integers(lo + 1, ROWS))
    rising = data.draw(st.sampled_from([None, 0.0, 1.5]))
    frames, mine, groups = [], [], []
    for number, given_columns in enumerate(sources):
        values = np.array(given_columns)
        values[is_empty(values)] = 1.5
        count, cut = len(values), data.draw(st.integers(0, ROWS))
        shuffled = np.array(data.draw(st.permutations(range(count))), dtype=np.intp)
        groups += data.draw(st.lists(st.integers(2 * number, 2 * number + 1), min_size=count, max_size=count))
        parts = []
        for first, last, sealed in ((0, cut, True), (cut, ROWS, False)):
            low, high = max(lo, first), min(hi, last)
            if low < high:
                cells = cells_of(np.ascontiguousarray(values[:, first:last]), sealed=sealed)
                parts.append(Stretch(cells, shuffled, low - first, high - first))
        frames.append(Stretches.of(parts))
        mine.append(values[shuffled][:, lo:hi])
    count = 2 * len(sources)
    grouped = np.array(groups, dtype=np.intp)
    found = group_sums(frames, grouped, count, rising=rising)
    joined = np.concatenate(mine)
    total = sum((sums / scale for sums, scale in found.parts), np.zeros((count, hi - lo)))
    for group in range(count):
        rows = found.taken & (grouped == group)
        expected = joined[rows].sum(axis=0)
        magnitude = np.abs(joined[rows]).sum(axis=0)
        assert (np.abs(total[group] - expected) <= 1e-14 * magnitude).all()
    if rising is not None:
        for row in joined[found.taken]:
            assert (np.diff(row) >= 0).all()
            assert row[0] >= rising * np.diff(row).max(initial=0.0)


@given(hnp.arrays(np.float64, (3, ROWS), elements=st.integers(0, 9).map(float)))
def test_whole_numbers_that_may_fall_all_take_part(values: Values) -> None:
    for sealed in (True, False):
        stretches = Stretches.of(
            [Stretch(cells_of(values, sealed=sealed), np.arange(3, dtype=np.intp), 0, ROWS)]
        )
        found = group_sums([stretches], np.zeros(3, dtype=np.intp), 1)
        assert found.taken.all()
        ((sums, scale),) = found.parts
        assert np.array_equal(sums[0] / scale, values.sum(axis=0))


def test_columns_of_several_forms_with_one_type_are_added_to_their_own_groups() -> None:
    # Steps of 4 and of 8 bits are both bytes once unpacked: joined, their groups are no longer in order.
    rng = np.random.default_rng(20)
    steps = rng.integers(0, [[15], [250]] * 6, (12, 40))
    values = np.cumsum(steps, axis=1).astype(np.float64)
    cells = cells_of(values, sealed=True)
    frame = Stretches.of([Stretch(cells, np.arange(12, dtype=np.intp), 0, 40)])
    groups = np.arange(12, dtype=np.intp) // 4
    found = group_sums([frame], groups, 3)
    assert found.taken.all()
    total = sum((sums / scale for sums, scale in found.parts), np.zeros((3, 40)))
    np.testing.assert_array_equal(total, values.reshape(3, 4, 40).sum(axis=1))


def test_values_too_large_for_a_unit_take_no_part_and_warn_of_nothing() -> None:
    cells = cells_of(np.array([[0.0, 1.2e308]]), sealed=False)
    frame = Stretches.of([Stretch(cells, np.zeros(1, dtype=np.intp), 0, 2)])
    assert not group_sums([frame], np.zeros(1, dtype=np.intp), 1, rising=1.5).taken.any()
