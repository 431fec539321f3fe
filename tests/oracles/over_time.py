"""Slow twins of the over_time kernels. Source: promql/functions.go (func…OverTime)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tests.oracles.go import divide, kahan_inc, sqrt
from tests.oracles.windows import Sample


def total(values: Sequence[float]) -> float:
    summed, rest = 0.0, 0.0
    for value in values:
        summed, rest = kahan_inc(value, summed, rest)
    return summed if math.isinf(summed) else summed + rest


def mean(values: Sequence[float]) -> float:
    summed, rest, average = values[0], 0.0, 0.0
    count, incremental = 1, False
    for count, value in enumerate(values[1:], start=2):
        if not incremental:
            new, new_rest = kahan_inc(value, summed, rest)
            if not math.isinf(new):
                summed, rest = new, new_rest
                continue
            incremental = True
            average = summed / (count - 1)
            rest /= count - 1
        share = (count - 1) / count
        average, rest = kahan_inc(value / count, share * average, share * rest)
    return average + rest if incremental else summed / count + rest / count


def variance(values: Sequence[float]) -> float:
    average = average_rest = squares = squares_rest = 0.0
    for count, value in enumerate(values, start=1):
        off = value - (average + average_rest)
        average, average_rest = kahan_inc(divide(off, count), average, average_rest)
        squares, squares_rest = kahan_inc(off * (value - (average + average_rest)), squares, squares_rest)
    return (squares + squares_rest) / len(values)


def best(samples: Sequence[Sample], *, largest: bool, last: bool) -> Sample:
    """The extreme sample; the last of equal ones if asked for."""
    found = samples[0]
    for time, value in samples:
        beats = value > found[1] if largest else value < found[1]
        if beats or math.isnan(found[1]) or (last and value == found[1]):
            found = (time, value)
    return found


def sum_over_time(samples: Sequence[Sample], _start: int, _end: int) -> float:
    return total([value for _, value in samples])


def avg_over_time(samples: Sequence[Sample], _start: int, _end: int) -> float:
    return mean([value for _, value in samples])


def count_over_time(samples: Sequence[Sample], _start: int, _end: int) -> float:
    return float(len(samples))


def present_over_time(_samples: Sequence[Sample], _start: int, _end: int) -> float:
    return 1.0


def first_over_time(samples: Sequence[Sample], _start: int, _end: int) -> float:
    return samples[0][1]


def last_over_time(samples: Sequence[Sample], _start: int, _end: int) -> float:
    return samples[-1][1]


def ts_of_first_over_time(samples: Sequence[Sample], _start: int, _end: int) -> float:
    return samples[0][0] / 1000


def ts_of_last_over_time(samples: Sequence[Sample], _start: int, _end: int) -> float:
    return samples[-1][0] / 1000


def max_over_time(samples: Sequence[Sample], _start: int, _end: int) -> float:
    return best(samples, largest=True, last=False)[1]


def min_over_time(samples: Sequence[Sample], _start: int, _end: int) -> float:
    return best(samples, largest=False, last=False)[1]


def ts_of_max_over_time(samples: Sequence[Sample], _start: int, _end: int) -> float:
    return best(samples, largest=True, last=True)[0] / 1000


def ts_of_min_over_time(samples: Sequence[Sample], _start: int, _end: int) -> float:
    return best(samples, largest=False, last=True)[0] / 1000


def stdvar_over_time(samples: Sequence[Sample], _start: int, _end: int) -> float:
    return variance([value for _, value in samples])


def stddev_over_time(samples: Sequence[Sample], _start: int, _end: int) -> float:
    return sqrt(variance([value for _, value in samples]))
