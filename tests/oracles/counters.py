"""Slow twins of the counter kernels. Source: promql/functions.go (extrapolatedRate, instantValue)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from tests.oracles.go import divide
from tests.oracles.windows import Sample


def _extrapolated(
    samples: Sequence[Sample], start: int, end: int, *, counter: bool, per_second: bool
) -> float | None:
    if len(samples) < 2:
        return None
    (first_time, first), (last_time, last) = samples[0], samples[-1]
    gained = last - first
    if counter:
        for (_, earlier), (_, later) in itertools.pairwise(samples):
            if later < earlier:
                gained += earlier
    to_start = (first_time - start) / 1000
    to_end = (end - last_time) / 1000
    sampled = (last_time - first_time) / 1000
    average = sampled / (len(samples) - 1)
    if to_start >= average * 1.1:
        to_start = average / 2
    if counter and gained > 0 and first >= 0:
        to_start = min(to_start, sampled * divide(first, gained)) if first != math.inf else to_start
    if to_end >= average * 1.1:
        to_end = average / 2
    factor = (sampled + to_start + to_end) / sampled
    if per_second:
        factor /= (end - start) // 1000 + (end - start) % 1000 / 1000
    return gained * factor


def rate(samples: Sequence[Sample], start: int, end: int) -> float | None:
    return _extrapolated(samples, start, end, counter=True, per_second=True)


def increase(samples: Sequence[Sample], start: int, end: int) -> float | None:
    return _extrapolated(samples, start, end, counter=True, per_second=False)


def delta(samples: Sequence[Sample], start: int, end: int) -> float | None:
    return _extrapolated(samples, start, end, counter=False, per_second=False)


def _last_two(samples: Sequence[Sample], *, counter: bool) -> float | None:
    if len(samples) < 2:
        return None
    (before_time, before), (last_time, last) = samples[-2:]
    gained = last if counter and last < before else last - before
    return gained / ((last_time - before_time) / 1000) if counter else gained


def irate(samples: Sequence[Sample], _start: int, _end: int) -> float | None:
    return _last_two(samples, counter=True)


def idelta(samples: Sequence[Sample], _start: int, _end: int) -> float | None:
    return _last_two(samples, counter=False)


def resets(samples: Sequence[Sample], _start: int, _end: int) -> float:
    return float(sum(later < earlier for (_, earlier), (_, later) in itertools.pairwise(samples)))


def changes(samples: Sequence[Sample], _start: int, _end: int) -> float:
    return float(
        sum(
            later != earlier and not (math.isnan(later) and math.isnan(earlier))
            for (_, earlier), (_, later) in itertools.pairwise(samples)
        )
    )
