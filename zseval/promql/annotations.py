"""Annotations: the warnings and infos a query gathers, with Prometheus' texts.

Equal texts count once; where the position differs the last one stays. The position (and, for
forced monotonicity, the extent) becomes part of the text only when the annotations are listed.
Source: util/annotations/annotations.go upstream.
"""

from __future__ import annotations

import datetime
import math
from dataclasses import dataclass, field
from typing import TypeAlias

from zseval.errors import Position
from zseval.model.labels import quote
from zseval.model.number import format_g

__all__ = ["Annotations", "ForcedMonotonicity"]

_WARNING = "PromQL warning: "
_INFO = "PromQL info: "
_MIX = "encountered a mix of histograms and floats for"


@dataclass(frozen=True, slots=True)
class ForcedMonotonicity:
    """How far classic histogram buckets had to be bent: which, by how much, how often, when (ms)."""

    min_time_ms: int
    max_time_ms: int
    min_bucket: float
    max_bucket: float
    max_diff: float
    count: int

    def merged(self, other: ForcedMonotonicity) -> ForcedMonotonicity:
        return ForcedMonotonicity(
            min(self.min_time_ms, other.min_time_ms),
            max(self.max_time_ms, other.max_time_ms),
            min(self.min_bucket, other.min_bucket),
            max(self.max_bucket, other.max_bucket),
            max(self.max_diff, other.max_diff),
            self.count + other.count,
        )

    def __str__(self) -> str:
        return (
            f", from buckets {format_g(self.min_bucket)} to {format_g(self.max_bucket)}, with a max diff of "
            f"{_two_digits(self.max_diff)}, over {self.count} samples "
            f"from {_rfc3339(self.min_time_ms)} to {_rfc3339(self.max_time_ms)}"
        )


@dataclass(frozen=True, slots=True)
class Occurrences:
    """How often something was met; said where that is more than once."""

    count: int

    def merged(self, other: Occurrences) -> Occurrences:
        return Occurrences(self.count + other.count)

    def __str__(self) -> str:
        return f" ({self.count} occurrences)" if self.count > 1 else ""


Extent: TypeAlias = ForcedMonotonicity | Occurrences
"""What is added up over the places where the same is noted."""


def _two_digits(value: float) -> str:
    """As Go's `%.2g`."""
    return f"{value:.2g}" if math.isfinite(value) else format_g(value)


def _rfc3339(time_ms: int) -> str:
    moment = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(seconds=time_ms // 1000)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(slots=True)
class Annotations:
    """Gathered by one query in one thread."""

    _notes: dict[str, tuple[int, Extent | None]] = field(default_factory=dict)

    def invalid_quantile(self, value: float, start: int) -> None:
        self._add(f"{_WARNING}quantile value should be between 0 and 1, got {format_g(value)}", start)

    def invalid_ratio(self, value: float, capped: float, start: int) -> None:
        self._add(
            f"{_WARNING}ratio value should be between -1 and 1, got {format_g(value)}, "
            f"capping to {format_g(capped)}",
            start,
        )

    def bad_bucket_label(self, metric_name: str, label: str, start: int) -> None:
        text = f'{_WARNING}bucket label "le" is missing or has a malformed value of {quote(label)}'
        self._add(text + _for_metric(metric_name), start)

    def sort_in_range_query(self, start: int) -> None:
        self._add(
            f"{_WARNING}sort is ineffective for range queries since results are always ordered by labels",
            start,
        )

    def possible_non_counter(self, metric_name: str, start: int) -> None:
        self._add(
            f"{_INFO}metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "
            f"{quote(metric_name)}",
            start,
        )

    def possible_non_counter_type(self, metric_name: str, kind: str, start: int) -> None:
        self._add(
            f'{_INFO}metric might not be a counter, __type__ label is not set to "counter" or "histogram", '
            f"got {quote(kind)}: {quote(metric_name)}",
            start,
        )

    def forced_monotonicity(self, metric_name: str, start: int, extent: ForcedMonotonicity) -> None:
        text = (
            f"{_INFO}input to histogram_quantile needed to be fixed for monotonicity (see "
            "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)"
        )
        self._add(text + _for_metric(metric_name), start, extent)

    def start_time_overlap(self, metric_name: str, count: int, start: int) -> None:
        text = f"{_WARNING}sample has start time that overlaps with previous sample timestamp for metric "
        self._add(text + quote(metric_name), start, Occurrences(count))

    def mixed_types(self, metric_name: str, start: int) -> None:
        self._add(f"{_WARNING}{_MIX} metric name {quote(metric_name)}", start)

    def mixed_types_in_aggregation(self, start: int) -> None:
        self._add(f"{_WARNING}{_MIX} aggregation", start)

    def mixed_classic_and_native(self, metric_name: str, start: int) -> None:
        text = f"{_WARNING}vector contains a mix of classic and native histograms"
        self._add(text + _for_metric(metric_name), start)

    def not_a_counter(self, metric_name: str, start: int) -> None:
        self._add(f"{_WARNING}this native histogram metric is not a counter: {quote(metric_name)}", start)

    def not_a_gauge(self, metric_name: str, start: int) -> None:
        self._add(f"{_WARNING}this native histogram metric is not a gauge: {quote(metric_name)}", start)

    def mixed_schemas(self, metric_name: str, start: int) -> None:
        self._add(
            f"{_WARNING}vector contains a mix of histograms with exponential and custom buckets schemas "
            f"for metric name {quote(metric_name)}",
            start,
        )

    def incompatible_buckets(self, operator: str, start: int) -> None:
        self._add(f"{_WARNING}incompatible bucket layout encountered for binary operator {operator}", start)

    def incompatible_types(self, left: str, operator: str, right: str, start: int) -> None:
        self._add(
            f"{_INFO}incompatible sample types encountered for binary operator {quote(operator)}: "
            f"{left} {operator} {right}",
            start,
        )

    def ignored_in_aggregation(self, aggregation: str, start: int) -> None:
        self._add(f"{_INFO}ignored histogram in {aggregation} aggregation", start)

    def ignored_in_range(self, metric_name: str, start: int) -> None:
        self._add(
            f"{_INFO}ignored histograms in a range containing both floats and histograms "
            f"for metric name {quote(metric_name)}",
            start,
        )

    def quantile_is_nan(self, metric_name: str, start: int) -> None:
        text = f"{_INFO}input to histogram_quantile has NaN observations, result is NaN"
        self._add(text + _for_metric(metric_name), start)

    def quantile_is_skewed(self, metric_name: str, start: int) -> None:
        text = f"{_INFO}input to histogram_quantile has NaN observations, result is skewed higher"
        self._add(text + _for_metric(metric_name), start)

    def fraction_excludes_nan(self, metric_name: str, start: int) -> None:
        text = (
            f"{_INFO}input to histogram_fraction has NaN observations, which are excluded from all fractions"
        )
        self._add(text + _for_metric(metric_name), start)

    def conflicting_resets(self, operation: str, start: int) -> None:
        self._add(f"{_WARNING}conflicting counter resets during histogram {operation}", start)

    def reconciled_bounds(self, operation: str, start: int) -> None:
        self._add(f"{_INFO}mismatched custom buckets were reconciled during {operation}", start)

    def warnings(self, query: str) -> list[str]:
        """Their texts with positions in `query`, in order of appearance."""
        return self._texts(_WARNING, query)

    def infos(self, query: str) -> list[str]:
        return self._texts(_INFO, query)

    def _add(self, text: str, start: int, extent: Extent | None = None) -> None:
        before = self._notes.get(text, (0, None))[1]
        match before, extent:
            case ForcedMonotonicity() as bent, ForcedMonotonicity() as more:
                extent = bent.merged(more)
            case Occurrences() as some, Occurrences() as others:
                extent = some.merged(others)
        self._notes[text] = (start, extent)

    def _texts(self, prefix: str, query: str) -> list[str]:
        return [
            f"{text}{extent or ''} ({Position.of_bytes(query, start)})"
            for text, (start, extent) in self._notes.items()
            if text.startswith(prefix)
        ]


def _for_metric(name: str) -> str:
    return f" for metric name {quote(name)}" if name else ""
