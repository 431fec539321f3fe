"""The two NaNs that are not values: the staleness marker and the empty cell.

A NaN is a legal sample value, so neither may be tested with `isnan`; both are bit patterns.
`STALE` is Prometheus' (model/value/value.go): it ends a series. `ABSENT` is our own: a cell of a
table row for which no sample was ever written. An instant selector stops at a marker but looks
past an absent cell; range selectors skip both. `ABSENT` cannot be stored: appending it stores the
ordinary NaN.
"""

from __future__ import annotations

import struct

import numpy as np

from zseval.model.arrays import Mask, Values

__all__ = [
    "ABSENT_BITS",
    "ABSENT_NAN",
    "HISTOGRAM_BITS",
    "HISTOGRAM_NAN",
    "NORMAL_NAN_BITS",
    "STALE_BITS",
    "STALE_NAN",
    "has_nan",
    "is_absent",
    "is_empty",
    "is_histogram_value",
    "is_stale",
    "is_stale_value",
]

STALE_BITS = 0x7FF0000000000002
ABSENT_BITS = 0x7FF0000000000003
NORMAL_NAN_BITS = 0x7FF8000000000001
HISTOGRAM_BITS = 0x7FF0000000000004
"""Stands for a native histogram where the newest value of a series is kept as a number."""


def _from_bits(bits: int) -> float:
    value: float = struct.unpack("<d", struct.pack("<Q", bits))[0]
    return value


STALE_NAN = _from_bits(STALE_BITS)
ABSENT_NAN = _from_bits(ABSENT_BITS)
HISTOGRAM_NAN = _from_bits(HISTOGRAM_BITS)


def has_nan(values: Values) -> bool:
    """Whether there is any NaN in float64[...]: nearly never, and where not, then no marker of any kind.

    A fifth of what looking for one of the markers takes in a short row.
    """
    if not values.size:
        return False
    largest = np.maximum.reduce(values, axis=None)  # NaN where there is one
    return bool(largest != largest)


def is_stale(values: Values) -> Mask:
    """True where a value is the staleness marker. values: float64[...] of any layout."""
    return np.asarray(values.view(np.int64) == STALE_BITS)


def is_absent(values: Values) -> Mask:
    """True where a cell holds no sample. values: float64[...] of any layout."""
    return np.asarray(values.view(np.int64) == ABSENT_BITS)


def is_empty(values: Values) -> Mask:
    """True where a cell is a staleness marker or holds no sample (they differ in the lowest bit only)."""
    return np.asarray((values.view(np.int64) | 1) == ABSENT_BITS)


def is_stale_value(value: float) -> bool:
    """True if a Python float is the staleness marker."""
    bits: int = struct.unpack("<Q", struct.pack("<d", value))[0]
    return bits == STALE_BITS


def is_histogram_value(value: float) -> bool:
    """True if a Python float stands for a native histogram."""
    bits: int = struct.unpack("<Q", struct.pack("<d", value))[0]
    return bits == HISTOGRAM_BITS
