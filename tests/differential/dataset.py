"""One data set with what real ones have: resets, gaps, late and ending series, NaN, infinities, histograms.

Samples lie 7 s and 143 ms past whole steps, so that no window or lookback that the tests ask for has
a sample exactly on its left edge: there Prometheus 2.42 (closed) and 3 (open) differ.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["END_S", "INTERVAL_S", "START_S", "Series", "generate", "openmetrics"]

START_S = 1_700_006_400  # a multiple of two hours, so that Prometheus makes few blocks of it
INTERVAL_S = 15
_SAMPLES = 240
END_S = START_S + INTERVAL_S * _SAMPLES
_JITTER_S = 7.143


@dataclass(frozen=True, slots=True)
class Series:
    """labels with the metric name; samples are (Unix seconds, value), increasing."""

    labels: tuple[tuple[str, str], ...]
    samples: tuple[tuple[float, float], ...]


def generate(seed: int = 1) -> list[Series]:
    """The data set, the same for the same seed."""
    return list(_series(random.Random(seed)))


def openmetrics(dataset: list[Series]) -> str:
    """As a file for `promtool tsdb create-blocks-from openmetrics`."""
    lines = []
    for series in dataset:
        pairs = dict(series.labels)
        name = pairs.pop("__name__")
        labels = ",".join(f'{key}="{value}"' for key, value in pairs.items())
        for time, value in series.samples:
            lines.append(f"{name}{{{labels}}} {_text(value)} {time:.3f}")
    return "\n".join(lines) + "\n# EOF\n"


def _text(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return ("+Inf" if value > 0 else "-Inf") if math.isinf(value) else repr(value)


def _times(first: int = 0, last: int = _SAMPLES, missing: frozenset[int] = frozenset()) -> list[float]:
    return [
        round(START_S + _JITTER_S + INTERVAL_S * row, 3) for row in range(first, last) if row not in missing
    ]


def _make(name: str, times: list[float], values: list[float], **labels: str) -> Series:
    pairs = (("__name__", name), *sorted(labels.items()))
    return Series(pairs, tuple(zip(times, values, strict=True)))


def _counter(rng: random.Random, count: int, *, resets: float = 0.0, slope: float = 1.0) -> list[float]:
    total, values = float(rng.randrange(50)), []
    for _ in range(count):
        total = 0.0 if rng.random() < resets else total + rng.randrange(0, 8) * slope
        values.append(total)
    return values


def _gauge(rng: random.Random, count: int, centre: float) -> list[float]:
    phase = rng.random() * 6
    return [
        round(centre + centre * 0.5 * math.sin(phase + row / 20) + rng.gauss(0, centre / 20), 4)
        for row in range(count)
    ]


def _series(rng: random.Random) -> Iterator[Series]:
    for instance in ("a:1", "b:1", "c:2"):
        for code in ("200", "404", "500"):
            for method in ("get", "put"):
                times = _times()
                values = _counter(rng, len(times), resets=0.01 if code == "500" else 0.0)
                yield _make(
                    "requests_total", times, values, job="api", instance=instance, code=code, method=method
                )
        times = _times()
        yield _make("memory_bytes", times, _gauge(rng, len(times), 5e6), job="api", instance=instance)
        yield _make("temperature", times, _gauge(rng, len(times), 20.0), job="env", instance=instance)
        yield _make(
            "build_info", times, [1.0] * len(times), job="api", instance=instance, version=f"v{instance[0]}"
        )
    yield from _irregular(rng)
    yield from _special()
    yield from _histograms(rng)


def _irregular(rng: random.Random) -> Iterator[Series]:
    holes = frozenset(rng.sample(range(_SAMPLES), 60))
    times = _times(missing=holes)
    yield _make("gappy_total", times, _counter(rng, len(times), resets=0.02), job="edge", instance="g:1")
    outage = frozenset(range(80, 120))
    times = _times(missing=outage)
    yield _make("gappy_total", times, _counter(rng, len(times)), job="edge", instance="g:2")
    times = _times(first=100)
    yield _make("gappy_total", times, _counter(rng, len(times)), job="edge", instance="g:3")
    times = _times(last=90)
    yield _make("gappy_total", times, _counter(rng, len(times)), job="edge", instance="g:4")
    times = sorted(round(START_S + 0.5 + rng.random() * (END_S - START_S - 1), 3) for _ in range(100))
    yield _make("gappy_total", times, _counter(rng, len(times)), job="edge", instance="g:5")
    yield _make("lonely", _times(first=120, last=121), [42.0], job="edge")


def _special() -> Iterator[Series]:
    times = _times()
    rows = range(len(times))
    yield _make("special", times, [math.nan if row % 7 == 3 else float(row) for row in rows], kind="nan")
    yield _make("special", times, [math.inf if row % 11 == 5 else float(-row) for row in rows], kind="inf")
    yield _make("special", times, [-math.inf if row % 13 == 6 else 0.5 * row for row in rows], kind="neginf")
    yield _make("special", times, [-0.0 if row % 2 else 0.0 for row in rows], kind="zero")
    yield _make("special", times, [1e300 * (1 + row % 3) for row in rows], kind="huge")
    yield _make("special", times, [(-1.0) ** row * 1e-9 * row for row in rows], kind="tiny")
    yield _make("special", times, [3.25] * len(times), kind="constant")
    for left in ("x", "y"):
        yield _make("pairs", times, [float(row % 5) for row in rows], left=left, right="one")
        yield _make("pairs", times, [float(row % 9) for row in rows], left=left, right="two")
    yield _make("limits", times, [3.0] * len(times), left="x")
    yield _make("limits", times, [6.0] * len(times), left="y")
    yield _make("event_time", times, [START_S - 86_400.0 * 40 * row + 0.25 for row in rows], job="env")


def _histograms(rng: random.Random) -> Iterator[Series]:
    bounds = ("0.1", "0.5", "1.0", "2.5", "10.0", "+Inf")
    for instance in ("a:1", "b:1"):
        times = _times()
        counts = [0.0] * len(bounds)
        columns: list[list[float]] = [[] for _ in bounds]
        sums, total = [], 0.0
        for _ in times:
            for _ in range(rng.randrange(6)):
                value = rng.expovariate(0.8)
                total += value
                for index, bound in enumerate(bounds):
                    counts[index] += value <= float(bound)
            sums.append(round(total, 6))
            for column, count in zip(columns, counts, strict=True):
                column.append(count)
        for bound, column in zip(bounds, columns, strict=True):
            yield _make("latency_seconds_bucket", times, column, job="api", instance=instance, le=bound)
        yield _make("latency_seconds_sum", times, sums, job="api", instance=instance)
        yield _make("latency_seconds_count", times, columns[-1], job="api", instance=instance)
