"""HistogramSum: many histograms added up with compensation for what rounding loses.

Source: KahanAdd upstream (model/histogram/float_histogram.go), and the sums and averages built on it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from zseval.model.arrays import Values
from zseval.model.histogram.buckets import Buckets
from zseval.model.histogram.histogram import CounterReset, Histogram, aligned, joined_hint, on_bounds, spread

__all__ = ["HistogramSum", "mean_of", "sum_of"]


class HistogramSum:
    """A running sum. reconciled: custom bounds differed on the way."""

    __slots__ = ("_hints", "_lost", "reconciled", "value")

    def __init__(self, first: Histogram) -> None:
        self.value = first
        self._lost: Histogram | None = None  # of the same layout as value
        self._hints = {first.counter_reset}
        self.reconciled = False

    @property
    def collision(self) -> bool:
        """A histogram known to be a reset met one known not to be."""
        return {CounterReset.RESET, CounterReset.NOT_RESET} <= self._hints

    def add(self, other: Histogram) -> None:
        """Raises IncompatibleSchemaError; the sum stays what it was."""
        value, lost = self.added(other)
        self.value, self._lost = value, lost

    def added(self, other: Histogram) -> tuple[Histogram, Histogram]:
        """The sum with one more, and what rounding lost so far."""
        left, right, reconciled = aligned(self.value, other)
        lost = _like(self._lost, left) if self._lost is not None else _empty(left)
        self._hints.add(other.counter_reset)
        self.reconciled |= reconciled
        hint, _ = joined_hint(self.value.counter_reset, other.counter_reset)
        total, rest = _compensated(_numbers(left), _numbers(right), _numbers(lost))
        return _of_numbers(replace(left, counter_reset=hint), total), _of_numbers(lost, rest)

    def total(self) -> Histogram:
        """The sum of all."""
        if self._lost is None:
            return self.value
        return self.value + replace(self._lost, counter_reset=self.value.counter_reset)

    def scale(self, factor: float) -> None:
        """The sum and what it lost, times a factor."""
        self.value *= factor
        if self._lost is not None:
            self._lost *= factor

    def shrink(self, divisor: float) -> None:
        """The sum and what it lost, divided."""
        self.value /= divisor
        if self._lost is not None:
            self._lost /= divisor


def sum_of(histograms: list[Histogram]) -> HistogramSum:
    """Raises IncompatibleSchemaError."""
    total = HistogramSum(histograms[0])
    for each in histograms[1:]:
        total.add(each)
    return total


def mean_of(histograms: list[Histogram]) -> HistogramSum:
    """The mean, as a sum that is already divided: by a running mean where the sum would overflow.

    Raises IncompatibleSchemaError.
    """
    mean = HistogramSum(histograms[0])
    incremental = False
    for number, each in enumerate(histograms[1:], start=2):
        if not incremental:
            value, lost = mean.added(each)
            if not value.has_overflow():
                mean.value, mean._lost = value, lost
                continue
            incremental = True
            mean.shrink(number - 1)
        mean.scale((number - 1) / number)
        mean.add(each / number)
    if not incremental:
        mean.shrink(len(histograms))
    return mean


def _numbers(histogram: Histogram) -> Values:
    """Everything that is added, in one array."""
    own = [histogram.count, histogram.sum, histogram.zero_count]
    return np.concatenate([own, histogram.positive.counts, histogram.negative.counts])


def _of_numbers(layout: Histogram, numbers: Values) -> Histogram:
    count, total, zero = numbers[:3].tolist()
    border = 3 + len(layout.positive)
    return replace(
        layout,
        count=count,
        sum=total,
        zero_count=zero,
        positive=Buckets(layout.positive.indices, numbers[3:border]),
        negative=Buckets(layout.negative.indices, numbers[border:]),
    )


def _empty(layout: Histogram) -> Histogram:
    return _of_numbers(layout, np.zeros(3 + len(layout.positive) + len(layout.negative)))


def _like(lost: Histogram, layout: Histogram) -> Histogram:
    """What was lost, moved to another layout as the sum was."""
    if layout.is_custom:
        if lost.custom_values != layout.custom_values:
            lost = on_bounds(lost, layout.custom_values)
    else:
        lost = lost.with_zero_up_to(layout.zero_threshold).reduced(layout.schema)
    return spread(lost, layout.positive.indices, layout.negative.indices)


def _compensated(total: Values, term: Values, lost: Values) -> tuple[Values, Values]:
    """Neumaier's step on whole arrays."""
    with np.errstate(over="ignore", invalid="ignore"):
        added = total + term
        larger = np.abs(total) >= np.abs(term)
        error = np.where(larger, (total - added) + term, (term - added) + total)
        return added, np.where(np.isinf(added), 0.0, lost + error)
