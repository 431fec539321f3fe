"""Native histograms: exponential and custom buckets, counters and gauges."""

from __future__ import annotations

from zseval.model.histogram.histogram import (
    CUSTOM_SCHEMA,
    Combined,
    CounterReset,
    Histogram,
    IncompatibleSchemaError,
    InvalidHistogramError,
)
from zseval.model.histogram.sums import HistogramSum

__all__ = [
    "CUSTOM_SCHEMA",
    "Combined",
    "CounterReset",
    "Histogram",
    "HistogramSum",
    "IncompatibleSchemaError",
    "InvalidHistogramError",
]
