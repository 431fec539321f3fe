"""Histogram: the value of a native histogram at one time, and its arithmetic.

Source: model/histogram/float_histogram.go upstream; integer histograms are the same numbers here.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from zseval.errors import ZsevalError
from zseval.model.histogram.buckets import CUSTOM_SCHEMA, Bucket, Buckets, Indices, upper_bounds
from zseval.model.number import format_g, format_sample
from zseval.model.staleness import is_stale_value

__all__ = [
    "CUSTOM_SCHEMA",
    "Combined",
    "CounterReset",
    "Histogram",
    "IncompatibleSchemaError",
    "InvalidHistogramError",
]

_SCHEMAS = range(-4, 9)


class InvalidHistogramError(ZsevalError):
    """A histogram that contradicts itself, or text that is none."""


class IncompatibleSchemaError(ZsevalError):
    """Exponential buckets met custom ones; no arithmetic makes one of both."""


class CounterReset(enum.Enum):
    """What is known about the step from the sample before to this one."""

    UNKNOWN = "unknown"
    RESET = "reset"
    NOT_RESET = "not_reset"
    GAUGE = "gauge"


def _none() -> Buckets:
    return Buckets.of(())


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """Counts of observations by bucket.

    schema: -4 to 8, each bucket 2**(2**-schema) times as wide as the one before; -53: custom bounds.
    zero_threshold, zero_count: the zero bucket reaches as far as that to both sides, and holds so many.
    count, sum: of all observations, those that are NaN included. A sum that is a staleness marker ends
    the series.  custom_values: upper bounds, increasing; above the last there is one more bucket.
    counter_reset: does not take part in equality, which is as PromQL's `==` has it.
    """

    schema: int = 0
    zero_threshold: float = 0.0
    zero_count: float = 0.0
    count: float = 0.0
    sum: float = 0.0
    positive: Buckets = field(default_factory=_none)
    negative: Buckets = field(default_factory=_none)
    custom_values: tuple[float, ...] = ()
    counter_reset: CounterReset = CounterReset.UNKNOWN

    @classmethod
    def parse(cls, text: str) -> Histogram:
        """From the notation of test scripts: `{{schema:0 sum:5 count:4 buckets:[1 2 1]}}`.

        Raises InvalidHistogramError.
        """
        from zseval.model.histogram.text import parse_histogram  # it makes Histograms itself

        return parse_histogram(text)

    @property
    def is_custom(self) -> bool:
        return self.schema == CUSTOM_SCHEMA

    @property
    def is_gauge(self) -> bool:
        return self.counter_reset is CounterReset.GAUGE

    @property
    def is_stale(self) -> bool:
        return is_stale_value(self.sum)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Histogram):
            return NotImplemented
        return (
            self.schema == other.schema
            and self.custom_values == other.custom_values
            and self.zero_threshold == other.zero_threshold
            and self._totals() == other._totals()
            and self.positive.same(other.positive)
            and self.negative.same(other.negative)
        )

    def __hash__(self) -> int:
        return hash((self.schema, self._totals(), self.positive.counts.tobytes()))

    def _totals(self) -> bytes:
        """To the bit, so that NaN is itself."""
        return np.array([self.count, self.sum, self.zero_count]).tobytes()

    def __str__(self) -> str:
        """As Prometheus prints it: `{count:4, sum:5, (0.5,1]:1, …}`."""
        parts = [f"{{count:{format_g(self.count)}", f"sum:{format_g(self.sum)}"]
        middle = [self._zero_bucket()] if self.zero_count != 0 else []
        shown = [*reversed(list(self._side(positive=False))), *middle, *self._side(positive=True)]
        parts += [_bucket_text(bucket) for bucket in shown if bucket.count != 0]
        return ", ".join(parts) + "}"

    def __repr__(self) -> str:
        from zseval.model.histogram.text import to_expression  # as in `parse`

        return to_expression(self)

    def to_json(self) -> dict[str, object]:
        """As the HTTP API has it: count, sum, and buckets of [boundaries, lower, upper, count].

        boundaries: 0 open at the left, 1 open at the right, 2 open, 3 closed.
        """
        made: dict[str, object] = {"count": format_sample(self.count), "sum": format_sample(self.sum)}
        found = [
            [_BOUNDARIES[each.lower_inclusive, each.upper_inclusive]]
            + [format_sample(number) for number in (each.lower, each.upper, each.count)]
            for each in self.buckets()
            if each.count != 0
        ]
        return {**made, "buckets": found} if found else made

    def validate(self) -> None:
        """Raises InvalidHistogramError for what no client can have measured."""
        if self.is_custom:
            self._validate_custom()
        elif self.schema not in _SCHEMAS:
            raise InvalidHistogramError(
                f"histogram has an invalid schema, which must be between {_SCHEMAS[0]} and {_SCHEMAS[-1]} "
                f"for exponential buckets, or {CUSTOM_SCHEMA} for custom buckets, got schema {self.schema}"
            )
        elif self.custom_values:
            raise InvalidHistogramError("histogram with exponential schema must not have custom bounds")
        if (self.positive.counts < 0).any() or (self.negative.counts < 0).any() or self.zero_count < 0:
            raise InvalidHistogramError("histogram has a bucket whose observation count is negative")
        if self.count < 0:
            raise InvalidHistogramError("histogram's observation count is negative")

    def _validate_custom(self) -> None:
        bounds = np.array(self.custom_values)
        if (np.diff(bounds) <= 0).any() or np.isnan(bounds).any():
            raise InvalidHistogramError("histogram custom bounds must be in strictly increasing order")
        if len(bounds) and math.isinf(bounds[-1]):
            raise InvalidHistogramError("histogram custom bounds must be finite")
        if len(self.positive) and not 0 <= self.positive.indices[0] <= self.positive.indices[-1] <= len(
            bounds
        ):
            raise InvalidHistogramError("histogram custom bounds are too few")
        if self.zero_count or self.zero_threshold or len(self.negative):
            raise InvalidHistogramError(
                "custom buckets: must have neither a zero bucket nor negative buckets"
            )

    def buckets(self) -> Iterator[Bucket]:
        """All buckets from the lowest up, empty ones included but for an empty zero bucket.

        Those that overlap the zero bucket are cut off where it ends.
        """
        for bucket in reversed(list(self._side(positive=False))):
            yield self._clipped(bucket)
        if self.zero_count > 0:
            yield self._zero_bucket()
        for bucket in self._side(positive=True):
            yield self._clipped(bucket)

    def buckets_outwards(self, *, positive: bool) -> Iterator[Bucket]:
        """Those of one side as they are, from zero outwards."""
        return self._side(positive=positive)

    def _side(self, *, positive: bool) -> Iterator[Bucket]:
        side = self.positive if positive else self.negative
        far = upper_bounds(side.indices, self.schema, self.custom_values).tolist()
        near = upper_bounds(side.indices - 1, self.schema, self.custom_values).tolist()
        for index, inner, outer, count in zip(
            side.indices.tolist(), near, far, side.counts.tolist(), strict=True
        ):
            lower, upper = (inner, outer) if positive else (-outer, -inner)
            if self.is_custom:
                yield Bucket(lower, upper, index == 0, True, count)
            else:
                yield Bucket(lower, upper, lower < 0, upper > 0, count)

    def _zero_bucket(self) -> Bucket:
        return Bucket(-self.zero_threshold, self.zero_threshold, True, True, self.zero_count)

    def _clipped(self, bucket: Bucket) -> Bucket:
        if 0 < bucket.lower < self.zero_threshold:
            return replace(bucket, lower=self.zero_threshold)
        if -self.zero_threshold < bucket.upper < 0:
            return replace(bucket, upper=-self.zero_threshold)
        return bucket

    def compact(self) -> Histogram:
        """Without empty buckets."""
        positive, negative = self.positive.compact(), self.negative.compact()
        if positive is self.positive and negative is self.negative:
            return self
        return replace(self, positive=positive, negative=negative)

    def with_hint(self, hint: CounterReset) -> Histogram:
        return self if hint is self.counter_reset else replace(self, counter_reset=hint)

    def reduced(self, schema: int) -> Histogram:
        """At a lower exponential schema."""
        if schema == self.schema:
            return self
        if self.is_custom or schema not in _SCHEMAS or schema > self.schema:
            raise ValueError(f"cannot reduce resolution from schema {self.schema} to {schema}")
        levels = self.schema - schema
        return replace(
            self,
            schema=schema,
            positive=self.positive.reduced(levels),
            negative=self.negative.reduced(levels),
        )

    def __neg__(self) -> Histogram:
        return self * -1.0

    def __mul__(self, factor: float) -> Histogram:
        return replace(
            self,
            zero_count=self.zero_count * factor,
            count=self.count * factor,
            sum=self.sum * factor,
            positive=self.positive.scaled(factor),
            negative=self.negative.scaled(factor),
            counter_reset=CounterReset.GAUGE if factor < 0 else self.counter_reset,
        )

    __rmul__ = __mul__

    def __truediv__(self, divisor: float) -> Histogram:
        """Division by zero removes all buckets."""
        if divisor == 0:
            zero, count, total = np.divide([self.zero_count, self.count, self.sum], divisor).tolist()
            return replace(self, zero_count=zero, count=count, sum=total, positive=_none(), negative=_none())
        return replace(
            self,
            zero_count=self.zero_count / divisor,
            count=self.count / divisor,
            sum=self.sum / divisor,
            positive=Buckets(self.positive.indices, self.positive.counts / divisor),
            negative=Buckets(self.negative.indices, self.negative.counts / divisor),
            counter_reset=CounterReset.GAUGE if divisor < 0 else self.counter_reset,
        )

    def plus(self, other: Histogram) -> Combined:
        """The sum, and what was remarkable about it. Raises IncompatibleSchemaError."""
        return self._combined(other, 1.0)

    def minus(self, other: Histogram) -> Combined:
        """The difference, and what was remarkable about it. Raises IncompatibleSchemaError."""
        return self._combined(other, -1.0)

    def __add__(self, other: Histogram) -> Histogram:
        return self.plus(other).value

    def __sub__(self, other: Histogram) -> Histogram:
        return self.minus(other).value

    def _combined(self, other: Histogram, sign: float) -> Combined:
        hint, collision = joined_hint(self.counter_reset, other.counter_reset)
        left, right, reconciled = aligned(self, other)
        value = replace(
            left,
            zero_count=left.zero_count + sign * right.zero_count,
            count=left.count + sign * right.count,
            sum=left.sum + sign * right.sum,
            positive=Buckets(left.positive.indices, left.positive.counts + sign * right.positive.counts),
            negative=Buckets(left.negative.indices, left.negative.counts + sign * right.negative.counts),
            counter_reset=hint,
        )
        return Combined(value, collision, reconciled)

    def has_overflow(self) -> bool:
        """True if any number in it is infinite."""
        numbers = (self.zero_count, self.count, self.sum, *self.custom_values)
        sides = np.concatenate([self.positive.counts, self.negative.counts])
        return any(map(math.isinf, numbers)) or bool(np.isinf(sides).any())

    def is_reset_after(self, previous: Histogram) -> bool:
        """True where a counter cannot have gone from `previous` to this without a reset."""
        if self.counter_reset is CounterReset.RESET:
            return True
        if self.counter_reset is CounterReset.NOT_RESET:
            return False
        if self.count < previous.count:
            return True
        if self.is_custom:
            if not previous.is_custom:
                return True
            if self.custom_values != previous.custom_values:
                left, right, _ = aligned(self, previous)
                return _any_less(left.positive, right.positive)
        if self.schema > previous.schema or self.zero_threshold < previous.zero_threshold:
            return True
        zero_count, threshold = previous.zero_count_up_to(self.zero_threshold)
        if threshold != self.zero_threshold or self.zero_count < zero_count:
            return True
        before = previous if self.is_custom else previous.reduced(self.schema)
        return any(
            _any_less(self.beyond_zero(new), self.beyond_zero(old))
            for new, old in ((self.positive, before.positive), (self.negative, before.negative))
        )

    def beyond_zero(self, side: Buckets) -> Buckets:
        """The buckets of this schema that end beyond the zero bucket."""
        if self.is_custom or self.zero_threshold == 0:
            return side
        return side.kept(upper_bounds(side.indices, self.schema) > self.zero_threshold)

    def zero_count_up_to(self, threshold: float) -> tuple[float, float]:
        """What the zero bucket would hold if it reached as far as `threshold`, not below its own.

        Where that ends inside a bucket that is not empty it reaches as far as the bucket: the second value.
        """
        while threshold != self.zero_threshold:
            inside = [self._within(side, threshold) for side in (self.positive, self.negative)]
            farthest = threshold
            for side in inside:
                populated = side.indices[side.counts != 0]
                if len(populated):
                    farthest = max(farthest, float(upper_bounds(populated[-1:], self.schema)[0]))
            if farthest == threshold:
                return self.zero_count + float(sum(side.counts.sum() for side in inside)), threshold
            threshold = farthest
        return self.zero_count, threshold

    def _within(self, side: Buckets, threshold: float) -> Buckets:
        """The buckets that begin below a threshold."""
        return side.kept(upper_bounds(side.indices - 1, self.schema) < threshold)

    def with_zero_up_to(self, threshold: float) -> Histogram:
        """With a zero bucket that takes in what lies below `threshold`, a bound of its buckets."""
        if threshold == self.zero_threshold:
            return self
        sides = self.positive, self.negative
        inside = [upper_bounds(side.indices - 1, self.schema) < threshold for side in sides]
        taken = sum(float(side.counts[within].sum()) for side, within in zip(sides, inside, strict=True))
        return replace(
            self,
            zero_threshold=threshold,
            zero_count=self.zero_count + taken,
            positive=self.positive.kept(~inside[0]),
            negative=self.negative.kept(~inside[1]),
        )


@dataclass(frozen=True, slots=True)
class Combined:
    """A sum or difference.

    collision: one operand was known to be reset, the other not.  reconciled: custom bounds differed.
    """

    value: Histogram
    collision: bool
    reconciled: bool


_BOUNDARIES = {(False, True): 0, (True, False): 1, (False, False): 2, (True, True): 3}


def _bucket_text(bucket: Bucket) -> str:
    left = "[" if bucket.lower_inclusive else "("
    right = "]" if bucket.upper_inclusive else ")"
    return f"{left}{format_g(bucket.lower)},{format_g(bucket.upper)}{right}:{format_g(bucket.count)}"


def joined_hint(left: CounterReset, right: CounterReset) -> tuple[CounterReset, bool]:
    """What is known of a sum, and whether the two contradict each other."""
    if left is right:
        return left, False
    if CounterReset.GAUGE in (left, right):
        return CounterReset.GAUGE, False
    return CounterReset.UNKNOWN, CounterReset.UNKNOWN not in (left, right)


def aligned(left: Histogram, right: Histogram) -> tuple[Histogram, Histogram, bool]:
    """Both with the same schema, zero bucket, bounds and bucket indices; True where bounds differed.

    Raises IncompatibleSchemaError.
    """
    if left.is_custom != right.is_custom:
        raise IncompatibleSchemaError(
            "cannot apply this operation on histograms with a mix of exponential and custom bucket schemas"
        )
    reconciled = False
    if left.is_custom:
        if left.custom_values != right.custom_values:
            bounds = _common_bounds(left.custom_values, right.custom_values)
            left, right, reconciled = on_bounds(left, bounds), on_bounds(right, bounds), True
    else:
        threshold = common_threshold(left, right)
        schema = min(left.schema, right.schema)
        zero_count, _ = right.zero_count_up_to(threshold)
        left = left.with_zero_up_to(threshold).reduced(schema)
        right = replace(right.reduced(schema), zero_threshold=threshold, zero_count=zero_count)
        right = replace(
            right, positive=right.beyond_zero(right.positive), negative=right.beyond_zero(right.negative)
        )
    positive, negative = union(left.positive, right.positive), union(left.negative, right.negative)
    return spread(left, positive, negative), spread(right, positive, negative), reconciled


def common_threshold(left: Histogram, right: Histogram) -> float:
    """The least zero threshold for both that lies inside no populated bucket of either."""
    first, second = left.zero_threshold, right.zero_threshold
    while first != second:
        if first > second:
            _, second = right.zero_count_up_to(first)
        if second > first:
            _, first = left.zero_count_up_to(second)
    return first


def union(left: Buckets, right: Buckets) -> Indices:
    """int32[n]: the indices of either."""
    if np.array_equal(left.indices, right.indices):
        return left.indices
    return np.union1d(left.indices, right.indices)


def spread(histogram: Histogram, positive: Indices, negative: Indices) -> Histogram:
    """With buckets at these indices, its own among them."""
    return replace(
        histogram,
        positive=Buckets(positive, histogram.positive.at(positive)),
        negative=Buckets(negative, histogram.negative.at(negative)),
    )


def on_bounds(histogram: Histogram, bounds: tuple[float, ...]) -> Histogram:
    """With fewer custom bounds: each bucket becomes part of the one that ends at or above its end."""
    own = np.array([*histogram.custom_values, np.inf])
    targets = np.searchsorted(np.array(bounds), own[histogram.positive.indices], side="left")
    positive = histogram.positive.mapped(targets.astype(np.int32))
    return replace(histogram, custom_values=bounds, positive=positive)


def _common_bounds(left: tuple[float, ...], right: tuple[float, ...]) -> tuple[float, ...]:
    shared = set(right)
    return tuple(bound for bound in left if bound in shared)


def _any_less(new: Buckets, old: Buckets) -> bool:
    """True if a bucket of `old` holds more than the same bucket of `new`, or is missing there."""
    indices = union(new, old)
    return bool((new.at(indices) < old.at(indices)).any())
