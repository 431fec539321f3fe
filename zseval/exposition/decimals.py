"""Decimals: many short numbers read at once, digit by digit, each exactly as float() reads it.

A number of at most 15 digits is a whole number below 2**53, times or by a power of ten of at most 22. Both
are float64 without error, so that the one multiplication or division rounds as a correct reading does. What
is longer, or written otherwise, is left to float().
Source: W. D. Clinger, How to read floating point numbers accurately, 1990 (the case without loss).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zseval.model.arrays import Mask, Rows, Values

__all__ = ["read_decimals"]

_MOST_DIGITS = 15
_MOST_CHARS = _MOST_DIGITS + 1  # one may be the point
_EXPONENT_CHARS = 4  # e+06: so Go writes a million
_POWERS = 10.0 ** np.arange(23)
_ZERO, _POINT, _MINUS, _PLUS, _E = (ord(char) for char in "0.-+e")

_Bytes = NDArray[np.uint8]


def read_decimals(body: bytes, starts: Rows, ends: Rows) -> tuple[Values, Mask]:
    """The numbers that body[start:end] are, and bool[N]: which of them are read.

    starts, ends: intp[N], N above 0.  Returns float64[N], whatever where it is not read.
    """
    text = np.frombuffer(body, dtype=np.uint8)
    is_negative = text.take(starts, mode="clip") == _MINUS
    sizes, exponents = ends - starts - is_negative, None
    has_exponent = np.flatnonzero(
        (text.take(ends - _EXPONENT_CHARS, mode="clip") == _E) & (sizes > _EXPONENT_CHARS)
    )
    readable = sizes <= _MOST_CHARS
    if len(has_exponent):
        exponents = np.zeros(len(sizes), dtype=np.intp)
        exponents[has_exponent], is_exponent = _exponents(text, ends[has_exponent])
        sizes[has_exponent] -= _EXPONENT_CHARS
        ends = starts + is_negative + sizes
        readable = sizes <= _MOST_CHARS
        readable[has_exponent] &= is_exponent
    whole, decimals, is_number = _digits(text, ends, sizes, int(sizes[readable].max(initial=1)))
    powers = -decimals if exponents is None else exponents - decimals
    readable &= is_number & (np.abs(powers) < len(_POWERS))
    values = whole / _POWERS.take(-powers, mode="clip")
    if exponents is not None:
        values = np.where(powers > 0, whole * _POWERS.take(powers, mode="clip"), values)
    np.negative(values, out=values, where=is_negative)
    return values, readable


def _exponents(text: _Bytes, ends: Rows) -> tuple[Rows, Mask]:
    """intp[N] of `e+07` and the like, and bool[N]: whether it is one."""
    sign, tens, ones = (text.take(ends - back, mode="clip") for back in (3, 2, 1))
    tens, ones = tens - np.uint8(_ZERO), ones - np.uint8(_ZERO)
    exponents = tens.astype(np.intp) * 10 + ones
    is_one = ((sign == _PLUS) | (sign == _MINUS)) & (tens < 10) & (ones < 10)
    return np.where(sign == _MINUS, -exponents, exponents), is_one


def _digits(text: _Bytes, ends: Rows, sizes: Rows, width: int) -> tuple[Values, Rows, Mask]:
    """The number before each end, read as if it had no point: float64[N]; how many digits are behind the
    point; and whether there were only digits and perhaps a point, and not too many of them."""
    columns = np.arange(-width, 0)[:, None]
    chars = text.take(ends + columns, mode="clip")  # [width, N], the last character of each in the last row
    inside = columns >= -sizes
    points = (chars == _POINT) & inside
    digits = chars - np.uint8(_ZERO)
    counted = (digits < 10) & inside
    digits *= counted
    counts, point_counts = counted.sum(axis=0, dtype=np.uint8), points.sum(axis=0, dtype=np.uint8)
    is_number = (
        (counts + point_counts == sizes) & (point_counts <= 1) & (counts > 0) & (counts <= _MOST_DIGITS)
    )
    factors = np.where(points, 1, 10)
    whole = np.zeros(len(sizes), dtype=np.int64)
    for factor, digit in zip(factors, digits, strict=True):
        whole *= factor
        whole += digit
    behind = (points * np.arange(width - 1, -1, -1, dtype=np.uint8)[:, None]).sum(axis=0, dtype=np.intp)
    return whole.astype(np.float64), behind, is_number
