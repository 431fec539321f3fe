"""Metadata of a metric family: type, help and unit, as its target declares them."""

from __future__ import annotations

import enum
from dataclasses import dataclass

__all__ = ["MetricType", "Metadata"]


class MetricType(enum.StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    GAUGE_HISTOGRAM = "gaugehistogram"
    SUMMARY = "summary"
    INFO = "info"
    STATESET = "stateset"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Metadata:
    type: MetricType = MetricType.UNKNOWN
    help: str = ""
    unit: str = ""
