"""plain_floats: many numbers at once, each as parse_float reads it."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zseval.exposition.floats import parse_float, plain_floats

NUMBERS = (
    st.floats().map(repr)
    | st.integers().map(str)
    | st.from_regex(r"-?[0-9]{0,9}\.[0-9]{0,9}", fullmatch=True)
    | st.from_regex(r"-?[0-9]\.[0-9]{0,12}[eE][+-]?[0-9]{1,3}", fullmatch=True)
    | st.sampled_from(["-0", "0", "NaN", "-NaN", "+Inf", "inf", "1e999", "007", "+1", "5e-324"])
)
TEXTS = NUMBERS | st.text("0123456789.-+eE_ ,[]naNifty\x00", max_size=8)


def read(texts: list[str]) -> list[bytes] | None:
    values = plain_floats("".join(f"{text}\n" for text in texts).encode(), len(texts))
    return None if values is None else [struct.pack("<d", value) for value in values.tolist()]


@given(st.lists(NUMBERS, max_size=20) | st.lists(TEXTS, max_size=4))
def test_numbers_have_the_bits_of_their_own_reading(texts: list[str]) -> None:
    wanted = [parse_float(text.encode()) for text in texts]
    found = read(texts)
    if any(value is None for value in wanted):
        assert found is None
    else:
        assert found == [struct.pack("<d", value) for value in wanted if value is not None]


@pytest.mark.parametrize(
    "texts", [[""], ["1", ""], ["1,2", ""], ["1,2"], ["[1]"], ["1 5"], ["true"], ["\x00"]]
)
def test_what_is_no_number_is_none(texts: list[str]) -> None:
    assert read(texts) is None
    assert read([*texts, "NaN"]) is None
