"""`load_with_nhcb`: classic histograms once more, as native ones with custom buckets.

Source: util/convertnhcb upstream.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from tests.conformance.script import Load
from zseval.model.histogram import CUSTOM_SCHEMA, Histogram
from zseval.model.histogram.buckets import Buckets
from zseval.model.labels import METRIC_NAME, Labels

__all__ = ["converted"]


def converted(load: Load) -> Iterator[tuple[Labels, int, Histogram]]:
    """The histogram of each classic histogram and point, in time order: labels, time in ms, value."""
    found: dict[Labels, dict[int, dict[str | float, float]]] = {}
    for labels, values in load.series.items():
        name = labels[METRIC_NAME]
        base, _, suffix = name.rpartition("_")
        if suffix not in ("bucket", "count", "sum"):
            continue
        key: str | float = suffix
        if suffix == "bucket":
            try:
                key = float(labels["le"])
            except ValueError:
                continue
            if math.isnan(key):
                continue
        target = Labels({**labels.without("le").to_dict(), METRIC_NAME: base})
        for step, value in enumerate(values):
            if isinstance(value, float):
                found.setdefault(target, {}).setdefault(step * load.step_ms, {})[key] = value
    for target, points in found.items():
        for time_ms in sorted(points):
            yield target, time_ms, _histogram(points[time_ms])


def _histogram(parts: dict[str | float, float]) -> Histogram:
    bounds = sorted(key for key in parts if isinstance(key, float))
    cumulative = [parts[bound] for bound in bounds]
    largest = cumulative[-1] if cumulative else 0.0
    count = parts.get("count", parts.get(math.inf, largest))
    if not bounds or bounds[-1] != math.inf:
        bounds.append(math.inf)
        cumulative.append(count)
    counts = [high - low for low, high in zip([0.0, *cumulative], cumulative, strict=False)]
    return Histogram(
        schema=CUSTOM_SCHEMA,
        count=count,
        sum=parts.get("sum", 0.0),
        positive=Buckets.of(counts),
        custom_values=tuple(bounds[:-1]),
    )
