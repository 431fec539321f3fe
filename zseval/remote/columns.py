"""Columns: the values and times of all samples of a request, of either protocol.

Numbers that are 0 are not on the wire, so the values of a request are fewer than its samples. Which sample a
value is of follows from how long the samples are; where that leaves a doubt, each sample is read by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import numpy as np

from zseval.model.arrays import Times, Values

__all__ = ["ColumnsMessage", "SampleMessage", "columns_of", "varint_lengths"]

_VALUE_BYTES = 9  # what the value of a sample takes on the wire, with its tag


class ColumnsMessage(Protocol):
    """All numbers there are, each kind in order."""

    @property
    def value(self) -> Sequence[float]: ...
    @property
    def timestamp(self) -> Sequence[int]: ...


class SampleMessage(Protocol):
    value: float
    timestamp: int


def columns_of(
    columns: ColumnsMessage,
    starts: Sequence[int],
    count: int,
    unread: Callable[[], Iterable[bytes]],
    read: Callable[[bytes], SampleMessage],
) -> tuple[Values, Times]:
    """float64[N] values and int64[N] times, ms; N is `count`.

    starts: the start times there are.  unread: gives the samples as they are on the wire.  read: one of them.
    """
    values = np.array(columns.value, dtype=np.float64)
    times = np.array(columns.timestamp, dtype=np.int64)
    if len(values) == len(times) == count:
        return values, times
    samples = list(unread())
    if len(times) == count and len(starts) in (0, count):
        rest = np.fromiter(map(len, samples), dtype=np.int64, count=count) - _field_lengths(times)
        if len(starts):
            rest -= _field_lengths(np.array(starts, dtype=np.int64))
        has_value = rest == _VALUE_BYTES
        if np.count_nonzero(has_value) == len(values) and not rest[~has_value].any():
            full = np.zeros(count, dtype=np.float64)
            full[has_value] = values
            return full, times
    each = [read(sample) for sample in samples]
    return (
        np.array([sample.value for sample in each], dtype=np.float64),
        np.array([sample.timestamp for sample in each], dtype=np.int64),
    )


def _field_lengths(numbers: Times) -> Times:
    return 1 + varint_lengths(numbers)


def varint_lengths(numbers: Times) -> Times:
    """int64[N]: how many bytes each number takes on the wire."""
    if len(numbers):
        least, most = int(numbers.min()), int(numbers.max())
        if least >= 0 and (length := _varint_length(least)) == _varint_length(most):  # times near each other
            return np.full(len(numbers), length, dtype=np.int64)
    lengths = np.ones(len(numbers), dtype=np.int64)
    unsigned = numbers.view(np.uint64)
    for bits in range(7, 64, 7):
        lengths += unsigned >= np.uint64(1) << np.uint64(bits)
    return lengths


def _varint_length(number: int) -> int:
    return max(number.bit_length() + 6, 7) // 7
