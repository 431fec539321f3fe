"""Floats are written as Go's strconv writes them, and read back the same."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from zseval.model.number import format_e, format_f, format_fixed, format_g, format_sample

_FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("value", "f", "g", "e", "sample"),
    [
        (0.0, "0", "0", "0e+00", "0"),
        (-0.0, "-0", "-0", "-0e+00", "-0"),
        (1.0, "1", "1", "1e+00", "1"),
        (0.1, "0.1", "0.1", "1e-01", "0.1"),
        (-1.5, "-1.5", "-1.5", "-1.5e+00", "-1.5"),
        (100000.0, "100000", "100000", "1e+05", "100000"),
        (123456.0, "123456", "123456", "1.23456e+05", "123456"),
        (1e6, "1000000", "1e+06", "1e+06", "1000000"),
        (1234567.0, "1234567", "1.234567e+06", "1.234567e+06", "1234567"),
        (0.0001, "0.0001", "0.0001", "1e-04", "0.0001"),
        (0.00001, "0.00001", "1e-05", "1e-05", "0.00001"),
        (1e-6, "0.000001", "1e-06", "1e-06", "0.000001"),
        (1e-7, "0.0000001", "1e-07", "1e-07", "1e-07"),
        (1e20, "100000000000000000000", "1e+20", "1e+20", "100000000000000000000"),
        (1e21, "1000000000000000000000", "1e+21", "1e+21", "1e+21"),
        (1e23, "100000000000000000000000", "1e+23", "1e+23", "1e+23"),
        (1435781430.781, "1435781430.781", "1.435781430781e+09", "1.435781430781e+09", "1435781430.781"),
        (2.0**53, "9007199254740992", "9.007199254740992e+15", "9.007199254740992e+15", "9007199254740992"),
        (5e-324, "0." + "0" * 323 + "5", "5e-324", "5e-324", "5e-324"),
        (1.7976931348623157e308, "17976931348623157" + "0" * 292, *("1.7976931348623157e+308",) * 3),
        (math.inf, "+Inf", "+Inf", "+Inf", "+Inf"),
        (-math.inf, "-Inf", "-Inf", "-Inf", "-Inf"),
        (math.nan, "NaN", "NaN", "NaN", "NaN"),
    ],
)
def test_known_numbers_are_written_as_go_writes_them(
    value: float, f: str, g: str, e: str, sample: str
) -> None:
    assert (format_f(value), format_g(value), format_e(value), format_sample(value)) == (f, g, e, sample)


@given(_FLOATS)
@example(5e-324)
@example(-0.0)
@example(2.2250738585072014e-308)
@example(9007199254740993.0)
def test_every_layout_reads_back_to_the_same_bits(value: float) -> None:
    bits = struct.pack("<d", value)
    for write in (format_f, format_g, format_e, format_sample):
        assert struct.pack("<d", float(write(value))) == bits


@given(_FLOATS)
def test_the_plain_layout_has_no_exponent_and_the_other_always_has_two_digits(value: float) -> None:
    assert set(format_f(value)) <= set("-.0123456789")
    mantissa, exponent = format_e(value).split("e")
    assert len(mantissa.lstrip("-").partition(".")[0]) == 1
    assert exponent[0] in "+-"
    assert len(exponent) >= 3


@given(_FLOATS)
def test_general_and_sample_layout_are_one_of_the_two(value: float) -> None:
    assert format_g(value) in (format_f(value), format_e(value))
    assert format_sample(value) in (format_f(value), format_e(value))


@pytest.mark.parametrize(
    ("value", "places", "text"),
    [
        (1.5, 3, "1.500"),
        (0.125, 2, "0.12"),
        (2.5, 0, "2"),
        (-0.0, 1, "-0.0"),
        (math.inf, 2, "+Inf"),
        (1e21, 0, "1" + "0" * 21),
    ],
)
def test_fixed_places_round_half_to_even_of_the_exact_value(value: float, places: int, text: str) -> None:
    assert format_fixed(value, places) == text


@pytest.mark.parametrize(
    ("value", "precision", "text"), [(1234.5, 2, "1.23e+03"), (0.0, 3, "0.000e+00"), (1e-100, 0, "1e-100")]
)
def test_an_exponent_layout_takes_a_precision(value: float, precision: int, text: str) -> None:
    assert format_e(value, precision) == text
