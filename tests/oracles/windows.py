"""Slow twins of the windows and instant kernels: loops over every sample."""

from __future__ import annotations

from collections.abc import Sequence

Sample = tuple[int, float]


def window(samples: Sequence[Sample], end: int, width: int) -> list[Sample]:
    """The samples in (end - width, end]."""
    return [(time, value) for time, value in samples if end - width < time <= end]


def last_within(
    samples: Sequence[Sample], end: int, lookback: int, stale: Sequence[int] = ()
) -> Sample | None:
    """The last sample in (end - lookback, end]; None if it is one of the `stale` positions."""
    found = None
    for position, (time, value) in enumerate(samples):
        if time > end:
            break
        found = None if position in stale or time <= end - lookback else (time, value)
    return found
