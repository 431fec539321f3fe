"""Points laid out by numpy are those written one after the other."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from zseval.model.arrays import Mask, Values
from zseval.model.number import format_sample
from zseval.promql.kernels.weave import Heads, weave, weave_even

_DECIMALS = st.builds(
    lambda whole, places: whole / 10**places, st.integers(-(10**7), 10**7), st.integers(0, 4)
)
_EDGES = st.sampled_from(
    [
        *(0.0, -0.0, math.nan, math.inf, -math.inf, 5e-324, 1.7976931348623157e308, -1.2345678901234567e-300),
        *(1e-5, 9.99e-6, 1e-6, 9.99e-7, 1e15, 1e16, -1e16, 1e21, 999999999999999.0, 2.0**53),
        123456789012.345,
    ]
)
_KINDS = [
    st.floats(),
    _EDGES,
    _DECIMALS,
    st.integers(-(10**16), 10**16).map(float),
    st.integers(0, 20_000).map(float),
    st.integers(-20_000, 20_000).map(lambda whole: whole / 100),
    st.floats() | _EDGES | _DECIMALS,
]


def _one_by_one(
    values: Values, present: Mask | None, heads: list[bytes], leads: list[bytes], over: int
) -> bytes:
    made = b""
    for row, lead in enumerate(leads):
        at = len(made)
        for column, head in enumerate(heads):
            if present is None or present[row, column]:
                made += head + format_sample(float(values[row, column])).encode()
        made = made[:at] + lead + made[at + over :]
    return made


@st.composite
def _present(draw: st.DrawFn, series: int, steps: int) -> Mask | None:
    if draw(st.booleans()):
        return None
    mask = draw(hnp.arrays(np.bool_, (series, steps)))
    mask[:, draw(st.integers(0, steps - 1))] = True  # no row is empty
    return mask


@pytest.mark.parametrize("kind", range(len(_KINDS)))
@given(st.data())
def test_every_value_stands_after_its_head(kind: int, data: st.DataObject) -> None:
    series, steps = data.draw(st.tuples(st.integers(1, 6), st.integers(1, 9)))
    values = data.draw(hnp.arrays(np.float64, (series, steps), elements=_KINDS[kind], fill=st.nothing()))
    present = data.draw(_present(series, steps))
    heads = data.draw(st.lists(st.binary(min_size=15, max_size=24), min_size=steps, max_size=steps))
    leads = data.draw(st.lists(st.binary(min_size=3, max_size=40), min_size=series, max_size=series))
    found = weave(values, present, Heads.of(heads), leads, 3)
    assert found is not None
    assert bytes(found) == _one_by_one(values, present, heads, leads, 3)


@given(hnp.arrays(np.float64, (3, 5), elements=st.floats() | _EDGES | _DECIMALS), st.integers(3, 14))
def test_with_short_heads_it_is_right_or_not_done(values: Values, width: int) -> None:
    heads = [b"abcdefghijklmnop"[:width]] * 5
    leads = [b"<one>", b"<two>", b"<three>"]
    found = weave(values, None, Heads.of(heads), leads, 3)
    assert found is None or bytes(found) == _one_by_one(values, None, heads, leads, 3)


@pytest.mark.parametrize("decimals", range(8))
def test_many_values_of_few_decimals(decimals: int) -> None:
    whole = np.random.default_rng(decimals).integers(-(10**9), 10**9, (40, 50)) >> np.arange(50) // 2
    values = whole / 10.0**decimals
    heads, leads = [b'"],[1700000000,"'] * 50, [b"lead"] * 40
    found = weave(values, None, Heads.of(heads), leads, 3)
    assert found is not None
    assert bytes(found) == _one_by_one(values, None, heads, leads, 3)


def test_nothing_is_written_outside_the_text() -> None:
    values = np.array([[0.0, 123456.789], [1e-300, 5.0]])
    heads, leads = [b"0123456789abcdef"] * 2, [b"lead"] * 2
    found = weave(values, None, Heads.of(heads), leads, 3)
    assert found is not None
    assert (
        bytes(found)
        == b"lead3456789abcdef00123456789abcdef123456.789lead3456789abcdef1e-3000123456789abcdef5"
    )


@given(st.data(), st.integers(0, 3))
def test_small_values_are_written_with_spaces_after_them(data: st.DataObject, decimals: int) -> None:
    series, steps = data.draw(st.tuples(st.integers(1, 6), st.integers(1, 9)))
    largest = data.draw(st.sampled_from([0, 9, 120, 16_000, 20_000]))
    whole = data.draw(hnp.arrays(np.int64, (series, steps), elements=st.integers(0, largest)))
    values = whole / 10.0**decimals
    heads = [b'"],[%d,"' % column for column in range(100, 100 + steps)]
    leads = data.draw(
        st.lists(st.binary(max_size=40).map(lambda x: x.hex().encode()), min_size=series, max_size=series)
    )
    found = weave_even(values, Heads.of(heads), leads, 3)
    needed = (n for n in range(decimals + 1) if not (whole % 10 ** (decimals - n)).any())
    too_large = whole.max() // 10 ** (decimals - next(needed)) >= 1 << 14
    assert not (too_large and found is not None)
    if whole.size <= 16:  # of more, the decimals are a guess from some
        assert found is not None or too_large
    if found is not None:
        text = bytes(found)
        assert len(text) % series == 0
        for row, lead in enumerate(leads):
            own = text[row * len(text) // series : (row + 1) * len(text) // series]
            assert own.startswith(lead)
            points = b",".join(
                b'[%d,"%s"]' % (100 + column, format_sample(float(values[row, column])).encode())
                for column in range(steps)
            )
            assert own[len(lead) :].replace(b" ", b"") == points


def test_decimals_that_the_guess_did_not_see_are_left_to_the_other_way() -> None:
    values = np.zeros((4, 8))
    values[0, 1] = 0.1  # every second value is looked at
    heads, leads = [b'"],[1700000000,"'] * 8, [b"lead"] * 4
    assert weave_even(values, Heads.of(heads), leads, 3) is None
    found = weave(values, None, Heads.of(heads), leads, 3)
    assert found is not None
    assert bytes(found) == _one_by_one(values, None, heads, leads, 3)


@pytest.mark.parametrize("odd", [-1.0, -0.0, math.nan, math.inf, 1e-4, 20_000.0])
def test_other_values_are_not_written_so(odd: float) -> None:
    values = np.array([[1.0, odd]])
    assert weave_even(values, Heads.of([b'"],[1700000000,"'] * 2), [b"lead"], 3) is None
