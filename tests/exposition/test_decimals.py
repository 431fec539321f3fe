"""read_decimals: what it reads, it reads as float() does, and leaves the rest."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zseval.exposition.decimals import read_decimals

NUMBERS = (
    st.from_regex(r"-?[0-9]{1,18}", fullmatch=True)
    | st.from_regex(r"-?[0-9]{0,9}\.[0-9]{0,9}", fullmatch=True)
    | st.from_regex(r"-?[0-9]\.[0-9]{0,12}e[+-][0-9]{2,3}", fullmatch=True)
    | st.floats().map(repr)
    | st.text("0123456789.-+eE_ x", max_size=20)
)


def read(texts: list[str]) -> list[float | None]:
    body = "".join(f"a {text}\n" for text in texts).encode()
    ends = np.cumsum([len(text) + 3 for text in texts]) - 1
    values, is_read = read_decimals(body, ends - [len(text) for text in texts], ends)
    return [value if ok else None for value, ok in zip(values.tolist(), is_read.tolist(), strict=True)]


@given(st.lists(NUMBERS, min_size=1, max_size=20))
def test_what_is_read_has_the_bits_of_float(texts: list[str]) -> None:
    for text, value in zip(texts, read(texts), strict=True):
        if value is not None:
            assert struct.pack("<d", value) == struct.pack("<d", float(text)), text


@pytest.mark.parametrize(
    "text",
    ["0", "-0", "7", "5.", ".5", "-12.75", "123456789012345", "12345678.9012345", "1e+06", "1.5e-07",
     "9.00719925474099e+22", "0.000001"],
)  # fmt: skip
def test_usual_numbers_are_read(text: str) -> None:
    assert read([text, "1"]) == [float(text), 1.0]


@pytest.mark.parametrize(
    "text",
    ["", "-", ".", "+1", "NaN", "Inf", "1e5", "e+06", "-e+06", "1_0", "1 5", "1.2.3", "--1", "1e+x1",
     "5e-324", "1234567890123456", "1.234567890123456", "x", "\x00"],
)  # fmt: skip
def test_other_texts_are_left_to_float(text: str) -> None:
    assert read(["1", text]) == [1.0, None]
