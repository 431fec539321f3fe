"""Native histograms as both protocols write them, to the model's.

Source: prometheus prompb/codec.go; the checks are those of model/histogram (Histogram.Validate).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import accumulate

from zseval.model.histogram import CounterReset, Histogram, InvalidHistogramError
from zseval.model.histogram.buckets import Buckets
from zseval.model.staleness import is_stale_value
from zseval.remote.generated import histogram_pb2 as pb
from zseval.remote.message import TimedHistogram

__all__ = ["timed_histogram"]

_HINTS = (CounterReset.UNKNOWN, CounterReset.RESET, CounterReset.NOT_RESET, CounterReset.GAUGE)
_FINEST = 8
_TOO_FINE = range(_FINEST + 1, 53)  # exponential all the same: brought to the finest there is


def timed_histogram(message: pb.Histogram) -> TimedHistogram:
    """The histogram of a message, or what is wrong with it."""
    try:
        histogram: Histogram | InvalidHistogramError = _histogram(message)
    except InvalidHistogramError as error:
        histogram = error
    return TimedHistogram(histogram, message.timestamp)


def _histogram(message: pb.Histogram) -> Histogram:
    is_float = message.WhichOneof("count") == "count_float"
    made = Histogram(
        schema=message.schema,
        zero_threshold=message.zero_threshold,
        zero_count=message.zero_count_float if is_float else float(message.zero_count_int),
        count=message.count_float if is_float else float(message.count_int),
        sum=message.sum,
        positive=_side("positive", message.positive_spans, _counts(message, "positive", is_float=is_float)),
        negative=_side("negative", message.negative_spans, _counts(message, "negative", is_float=is_float)),
        custom_values=tuple(message.custom_values),
        counter_reset=_HINTS[message.reset_hint] if message.reset_hint < len(_HINTS) else _HINTS[0],
    )
    if made.schema in _TOO_FINE:
        made = made.reduced(_FINEST)
    made.validate()
    if not is_float:
        _check_total(made)
    return made


def _counts(message: pb.Histogram, side: str, *, is_float: bool) -> list[float]:
    if is_float:
        return list(getattr(message, f"{side}_counts"))
    return list(map(float, accumulate(getattr(message, f"{side}_deltas"))))


def _side(name: str, spans: Sequence[pb.BucketSpan], counts: list[float]) -> Buckets:
    for number, span in enumerate(spans):
        if number and span.offset < 0:
            raise InvalidHistogramError(
                f"{name} side: span number {number + 1} with offset {span.offset}: "
                "histogram has a span whose offset is negative"
            )
    needed = sum(span.length for span in spans)
    if needed != len(counts):
        raise InvalidHistogramError(
            f"{name} side: spans need {needed} buckets, have {len(counts)} buckets: "
            "histogram spans specify different number of buckets than provided"
        )
    if sum(abs(span.offset) for span in spans) + needed >= 2**31:
        raise InvalidHistogramError(f"{name} side: the index of a bucket is beyond 32 bits")
    return Buckets.of_spans(_pairs(spans), counts)


def _pairs(spans: Iterable[pb.BucketSpan]) -> list[tuple[int, int]]:
    return [(span.offset, span.length) for span in spans]


def _check_total(histogram: Histogram) -> None:
    """Integer histograms count exactly; observations of NaN are in no bucket."""
    if is_stale_value(histogram.sum):
        return
    found = histogram.zero_count + float(histogram.positive.counts.sum() + histogram.negative.counts.sum())
    if math.isnan(histogram.sum):
        if found > histogram.count:
            raise InvalidHistogramError(
                f"{found:.0f} observations found in buckets, but the Count field is {histogram.count:.0f}: "
                "histogram's observation count should be at least the number of observations found in the "
                "buckets"
            )
    elif found != histogram.count:
        raise InvalidHistogramError(
            f"{found:.0f} observations found in buckets, but the Count field is {histogram.count:.0f}: "
            "histogram's observation count should equal the number of observations found in the buckets "
            "(in absence of NaN)"
        )
