"""Slow twins of the anchored and smoothed kernels. Source: promql/functions.go (extendedRate, pickFirst…)."""

from __future__ import annotations

from collections.abc import Sequence

from tests.oracles import counters
from tests.oracles.go import divide
from tests.oracles.windows import Sample


def line(before: Sample, after: Sample, time: int, *, counter: bool = False) -> float:
    """The value at a time between two samples."""
    low = 0.0 if counter and after[1] < before[1] else before[1]
    return low + divide((after[1] - low) * (time - before[0]), float(after[0] - before[0]))


def gained(samples: Sequence[Sample], start: int, end: int, *, smoothed: bool, counter: bool) -> float | None:
    """From edge to edge; samples may lie outside."""
    last = len(samples) - 1
    if smoothed:
        last = next((row for row in range(last) if samples[row][0] >= end), last)
    reaching = next((row for row in range(len(samples) - 1) if samples[row][0] > start), len(samples) - 1)
    first = max(0, reaching - 1)
    if samples[last][0] <= start or (smoothed and samples[first][0] > end):
        return None
    left, right = samples[first][1], samples[last][1]
    if smoothed and samples[first][0] < start:
        left = line(samples[first], samples[first + 1], start, counter=counter)
    if smoothed and last > 0 and samples[last][0] > end:
        right = line(samples[last - 1], samples[last], end, counter=counter)
    total = right - left
    if counter:
        previous = left
        for time, value in samples[first : last + 1]:
            if start < time < end:
                total += previous if value < previous else 0.0
                previous = value
        total += previous if right < previous else 0.0
    return total


def _anchored(samples: Sequence[Sample], start: int) -> list[Sample]:
    inside = [sample for sample in samples if sample[0] > start]
    before = [sample for sample in samples if sample[0] <= start]
    return [*before[-1:], *inside] if inside else []


def changes(samples: Sequence[Sample], start: int, end: int) -> float | None:
    found = _anchored(samples, start)
    return counters.changes(found, start, end) if found else None


def resets(samples: Sequence[Sample], start: int, end: int) -> float | None:
    found = _anchored(samples, start)
    return counters.resets(found, start, end) if found else None


def smoothed_at(samples: Sequence[Sample], time: int) -> float | None:
    """The value of an instant selector."""
    before = [sample for sample in samples if sample[0] < time]
    after = [sample for sample in samples if sample[0] >= time]
    if after and after[0][0] == time:
        return after[0][1]
    if not before:
        return None
    return line(before[-1], after[0], time) if after else before[-1][1]
