"""Slow twins of ranking: one group at one step, with Go's heap. Source: promql/engine.go (aggregationK)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

Less = Callable[[float, float], bool]


def _less(left: float, right: float) -> bool:
    return math.isnan(left) or left < right


def _greater(left: float, right: float) -> bool:
    return math.isnan(left) or left > right


def _push(heap: list[tuple[float, int]], item: tuple[float, int], less: Less) -> None:
    heap.append(item)
    j = len(heap) - 1
    while True:
        i = (j - 1) // 2
        if i == j or j <= 0 or not less(heap[j][0], heap[i][0]):
            break
        heap[i], heap[j] = heap[j], heap[i]
        j = i


def _fix(heap: list[tuple[float, int]], less: Less) -> None:
    i = 0
    while True:
        j = 2 * i + 1
        if j >= len(heap):
            break
        if j + 1 < len(heap) and less(heap[j + 1][0], heap[j][0]):
            j += 1
        if not less(heap[j][0], heap[i][0]):
            break
        heap[i], heap[j] = heap[j], heap[i]
        i = j


def best(values: Sequence[float], wanted: int, *, largest: bool) -> set[int]:
    """Positions of the values that stay."""
    if wanted < 1:
        return set()
    less = _less if largest else _greater
    heap: list[tuple[float, int]] = []
    for position, value in enumerate(values):
        if len(heap) < wanted:
            _push(heap, (value, position), less)
            continue
        worst = heap[0][0]
        if (worst < value if largest else worst > value) or (math.isnan(worst) and not math.isnan(value)):
            heap[0] = (value, position)
            _fix(heap, less)
    return {position for _, position in heap}
