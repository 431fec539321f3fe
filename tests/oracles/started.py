"""Slow twins of the kernels that look at start times. Source: promql/functions.go (extrapolatedRate)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from tests.oracles.go import divide

Started = tuple[int, float, int]
"""Time, value, and when the counter began (0 where not known); ms."""


def is_reset(before: Started, sample: Started) -> bool:
    (before_time, _, before_start), (time, _, start) = before, sample
    if start == 0 or start >= time or start < before_time:
        return False
    return start > before_time or (before_start <= before_time and before_start not in (0, before_time))


def _fell(before: Started, sample: Started) -> bool:
    return sample[1] < before[1] or is_reset(before, sample)


def resets(samples: Sequence[Started], _start: int, _end: int) -> float:
    return float(sum(itertools.starmap(_fell, itertools.pairwise(samples))))


def irate(samples: Sequence[Started], _start: int, _end: int) -> float | None:
    if len(samples) < 2:
        return None
    before, last = samples[-2:]
    gained = last[1] if _fell(before, last) else last[1] - before[1]
    return gained / ((last[0] - before[0]) / 1000)


def increase(samples: Sequence[Started], start: int, end: int) -> float | None:
    (first_time, first, began), (last_time, last, _) = samples[0], samples[-1]
    total = last - first + sum(a[1] for a, b in itertools.pairwise(samples) if _fell(a, b))
    sampled = (last_time - first_time) / 1000
    average = sampled / (len(samples) - 1) if len(samples) > 1 else 0.0
    to_end = (end - last_time) / 1000
    to_end = average / 2 if to_end >= average * 1.1 else to_end
    if began != 0 and start < began < first_time:
        spanned = (last_time - began) / 1000
        return (total + first) * ((spanned + to_end) / spanned)
    if len(samples) == 1:
        return None
    to_start = (first_time - start) / 1000
    to_start = average / 2 if to_start >= average * 1.1 else to_start
    if total > 0 and first >= 0:
        to_start = min(to_start, sampled * divide(first, total))
    return total * ((sampled + to_start + to_end) / sampled)
