"""A numpy loop that takes as long as the machine is slow: what the benchmarks' times are divided by."""

from __future__ import annotations

import time

import numpy as np

__all__ = ["calibrated", "loop"]

_REPEATS = 5
_DATA = np.random.default_rng(20).random((64, 512))


def loop() -> float:
    """Some of each kind of work that zseval has: passes over arrays, sorting, gathering, Python between."""
    total = 0.0
    order = np.arange(511, -1, -1)
    for _ in range(8):
        sums = np.cumsum(_DATA, axis=1)
        high = np.maximum(sums[:, 1:], sums[:, :-1])
        ordered = np.sort(_DATA[:16], axis=1)
        taken = sums[:, order]
        total += float(high[0, 0] + ordered[0, 0] + taken[0, 0])
        total += sum(value * 2.0 for value in sums[0].tolist())
    return total


def calibrated() -> float:
    """The best of a few, in seconds: other work on the machine only ever adds."""
    best = float("inf")
    for _ in range(_REPEATS):
        began = time.perf_counter()
        loop()
        best = min(best, time.perf_counter() - began)
    return best
