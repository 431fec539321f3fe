"""The codec gives back every bit, in little space, and reads only what it is asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from zseval.model.arrays import Values
from zseval.model.staleness import ABSENT_NAN, STALE_NAN, is_absent
from zseval.tsdb.codec import encode
from zseval.tsdb.forms import Form

SHAPES = st.tuples(st.integers(0, 12), st.integers(1, 20))
SPECIAL = [
    0.0, -0.0, np.inf, -np.inf, np.nan, STALE_NAN, ABSENT_NAN, 5e-324, -5e-324, 2.0**52, 2.0**53, -(2.0**53),
    1.7976931348623157e308, 0.1, 0.25, 1e21, 1e22, 123456789.123, float(np.float32(0.1)), 2.0**63,
]  # fmt: skip


def same_bits(left: Values, right: Values) -> bool:
    return np.array_equal(left.view(np.int64), right.view(np.int64))


def any_bits() -> st.SearchStrategy[Values]:
    """Any float64 bit pattern: signalling NaNs and payloads included."""
    return hnp.arrays(np.int64, SHAPES).map(lambda bits: bits.view(np.float64))


def likely_columns() -> st.SearchStrategy[Values]:
    """Integers, decimals, floats and specials, mixed in one column now and then."""
    cell = st.one_of(
        st.integers(-20, 20).map(float),
        st.integers(-(2**54), 2**54).map(float),
        st.integers(-(10**9), 10**9).map(lambda whole: whole / 1000),
        st.floats(allow_nan=True, width=32),
        st.floats(),
        st.sampled_from(SPECIAL),
    )
    return hnp.arrays(np.float64, SHAPES, elements=cell, fill=st.sampled_from(SPECIAL))


@settings(max_examples=200)
@given(st.one_of(any_bits(), likely_columns()))
def test_decoding_gives_back_every_bit(values: Values) -> None:
    assert same_bits(encode(values).decode_all(), values)


@settings(max_examples=200)
@given(st.one_of(any_bits(), likely_columns()), st.data())
def test_any_columns_and_rows_can_be_decoded_alone(values: Values, data: st.DataObject) -> None:
    series, rows = values.shape
    lo = data.draw(st.integers(0, rows - 1))
    hi = data.draw(st.integers(lo + 1, rows))
    picked = data.draw(st.lists(st.integers(0, max(series - 1, 0)), unique=True, max_size=series))
    columns = np.array(picked, dtype=np.intp)
    out = np.empty((len(columns), hi - lo))
    encode(values).decode(columns, lo, hi, out)
    assert same_bits(out, np.ascontiguousarray(values[columns, lo:hi]))
    held = ~is_absent(out)
    encode(values).decode(columns, lo, hi, out, absent=False)
    assert same_bits(out[held], values[columns, lo:hi][held])


def counters() -> st.SearchStrategy[Values]:
    """Columns of step forms mostly: whole numbers that go on by small and large steps, and some decimals."""
    steps = hnp.arrays(np.int64, SHAPES, elements=st.sampled_from([-3, 0, 1, 5, 15, 16, 300, 70_000, 2**33]))
    scale = st.sampled_from([1.0, 1.0, 100.0])
    base = st.sampled_from([0, 7, 2**51])
    return st.builds(lambda each, by, begin: (begin + np.cumsum(each, axis=1)) / by, steps, scale, base)


@settings(max_examples=300)
@given(st.one_of(counters(), likely_columns()), st.data())
def test_steps_are_the_differences_of_what_is_decoded(values: Values, data: st.DataObject) -> None:
    values = np.where(np.isnan(values), 0.0, values)  # no cell may be empty
    series, rows = values.shape
    lo = data.draw(st.integers(0, rows - 1))
    hi = data.draw(st.integers(lo + 1, rows))
    columns = np.array(data.draw(st.permutations(range(series))), dtype=np.intp)
    out = np.empty((series, hi - lo - 1))
    with np.errstate(invalid="ignore", over="ignore"):
        first, last = encode(values).steps(columns, lo, hi, out)
        wanted = np.diff(values[columns, lo:hi], axis=1)
    assert np.array_equal(out, wanted, equal_nan=True)
    assert np.array_equal(first, values[columns, lo])
    assert np.array_equal(last, values[columns, hi - 1])


def column(form: Form) -> Values:
    rng = np.random.default_rng(7)
    rows = np.arange(120, dtype=np.float64)
    steps = np.cumsum(rng.integers(0, 2**30, 120)).astype(np.float64)
    jumps = rng.permutation(120).astype(np.float64)
    return {
        Form.CONSTANT: np.full(120, 3.7),
        Form.LINEAR: 1.7e12 + 15000 * rows,
        Form.OFFSET_4: jumps % 16,
        Form.STEP_4: np.cumsum(jumps % 16) + 1e9,
        Form.OFFSET_8: 1e6 + jumps % 200,
        Form.STEP_8: np.cumsum(jumps % 200) / 100,
        Form.OFFSET_16: jumps * 500,
        Form.STEP_16: np.cumsum(jumps * 500),
        Form.OFFSET_32: jumps * 500_000,
        Form.STEP_32: steps * 2,
        Form.FLOAT_32: rng.random(120, dtype=np.float32).astype(np.float64),
        Form.TAIL_5: 1000 + rng.random(120) / 1000,
        Form.TAIL_6: 1.0 + rng.random(120) / 20,
        Form.FLOAT_64: rng.random(120) * 1e5 - 5e4,
    }[form]


@pytest.mark.parametrize("form", Form)
def test_each_form_is_chosen_where_it_is_the_smallest(form: Form) -> None:
    values = column(form)[None, :]
    encoded = encode(values)
    assert Form(int(encoded.forms[0])) == form
    assert same_bits(encoded.decode_all(), values)


def test_gaps_do_not_spoil_the_form_of_their_column() -> None:
    values = np.stack([column(Form.STEP_4), column(Form.CONSTANT)])
    values[0, 10:20] = ABSENT_NAN
    values[0, 9] = STALE_NAN
    values[1, :5] = ABSENT_NAN
    encoded = encode(values)
    assert encoded.forms.tolist() == [Form.STEP_8, Form.CONSTANT]
    assert same_bits(encoded.decode_all(), values)


def test_wide_tables_are_encoded_in_chunks_that_join() -> None:
    rng = np.random.default_rng(3)
    values = np.concatenate([rng.integers(0, 100, (3000, 10)), rng.random((3000, 10))]).astype(np.float64)
    values = values[rng.permutation(len(values))]
    assert same_bits(encode(values).decode_all(), values)
