"""A data set of everything that goes wrong in real ones, for the fuzz.

All samples lie 7.143 s past a multiple of 15 s (or at another time that ends in .143 s), so that no window
of whole seconds, evaluated at whole seconds, has one on its left edge.
Values are mostly small integers and halves: sums of them are exact, so that most answers can be compared bit
for bit whatever the order of addition.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence

from tests.differential.dataset import Series
from zseval.model.staleness import STALE_NAN

__all__ = ["END_S", "START_S", "generate"]

START_S = 1_700_006_400
_INTERVAL_S = 15
_ROWS = 200
END_S = START_S + _ROWS * _INTERVAL_S
_JITTER_S = 7.143
_ODD_NAN = float("-nan")


def generate(seed: int = 1) -> list[Series]:
    """The data set, the same for the same seed."""
    rng = random.Random(seed)
    return [*_counters(rng), *_gauges(rng), *_special(), *_collisions(rng), *_histograms(rng)]


def _make(name: str, values: Sequence[float | None], *, first: int = 0, **labels: str) -> Series:
    """A value a row from `first` on; None is no sample."""
    samples = tuple(
        (round(START_S + _JITTER_S + _INTERVAL_S * row, 3), value)
        for row, value in enumerate(values, first)
        if value is not None
    )
    return Series((("__name__", name), *sorted(labels.items())), samples)


def _counter(rng: random.Random, count: int = _ROWS, *, resets: float = 0.02) -> list[float | None]:
    total, values = float(rng.randrange(30)), []
    for _ in range(count):
        total = 0.0 if rng.random() < resets else total + rng.randrange(0, 8)
        values.append(total)
    return list(values)


def _torn(rng: random.Random, values: list[float | None], *, marked: bool) -> list[float | None]:
    """With outages, which begin with a staleness marker or not."""
    values = values.copy()
    for _ in range(4):
        start, length = rng.randrange(len(values)), rng.randrange(1, 40)
        values[start : start + length] = [None] * len(values[start : start + length])
        if marked and start < len(values):
            values[start] = STALE_NAN
    return values


def _counters(rng: random.Random) -> Iterator[Series]:
    for instance in ("a:1", "b:1", "c:2"):
        for code in ("200", "404", "500"):
            values = _counter(rng, resets=0.05 if code == "500" else 0.0)
            if instance == "c:2":
                values = _torn(rng, values, marked=code != "200")
            yield _make("requests_total", values, job="api", instance=instance, code=code)
        errors = _counter(rng)
        yield _make("errors_total", errors, job="api", instance=instance)
    yield _make("errors_total", _counter(rng, 60), first=120, job="edge", instance="late:1")
    early: list[float | None] = [*_counter(rng, 80), STALE_NAN]
    yield _make("errors_total", early, job="edge", instance="early:1")
    flapping = [STALE_NAN if row % 3 == 2 else float(row) for row in range(_ROWS)]
    yield _make("errors_total", flapping, job="edge", instance="flapping:1")
    times = sorted(START_S + 0.143 + rng.randrange(_ROWS * _INTERVAL_S) for _ in range(90))
    samples = {round(time, 3): float(row * 2) for row, time in enumerate(times)}
    labels = (("__name__", "errors_total"), ("instance", "irregular:1"), ("job", "edge"))
    yield Series(labels, tuple(samples.items()))


def _gauges(rng: random.Random) -> Iterator[Series]:
    for instance in ("a:1", "b:1", "c:2"):
        walk = [float(rng.randrange(-20, 60)) / 2 for _ in range(_ROWS)]
        yield _make("temperature", walk, job="env", instance=instance)
        yield _make("memory_bytes", [1e6 + each * 4096 for each in walk], job="api", instance=instance)
        yield _make("build_info", [1.0] * _ROWS, job="api", instance=instance, version=f"v{instance[0]}")
        yield _make("limit", _torn(rng, [10.0] * _ROWS, marked=True), job="env", instance=instance)
    yield _make("lonely", [42.0], first=100, job="edge")
    yield _make("event_time", [START_S - 86_400.0 * 40 * row + 0.25 for row in range(_ROWS)], job="env")


def _special() -> Iterator[Series]:
    rows = range(_ROWS)
    yield _make("special", [math.nan if row % 7 == 3 else float(row) for row in rows], kind="nan")
    yield _make("special", [_ODD_NAN if row % 5 else 1.0 for row in rows], kind="mostly nan")
    yield _make("special", [math.inf if row % 11 == 5 else float(-row) for row in rows], kind="inf")
    yield _make("special", [-math.inf if row % 13 == 6 else 0.5 * row for row in rows], kind="neginf")
    yield _make("special", [math.inf if row % 2 else -math.inf for row in rows], kind="both inf")
    yield _make("special", [-0.0 if row % 2 else 0.0 for row in rows], kind="zero")
    yield _make("special", [-0.0] * _ROWS, kind="minus zero")
    yield _make("special", [(-1.0) ** row * 2.0**-30 * row for row in rows], kind="tiny")
    yield _make("special", [3.25] * _ROWS, kind="constant")
    yield _make("huge", [1e300 * (1 + row % 3) for row in rows], kind="a")
    yield _make("huge", [-1e308 if row % 4 else 1.7e308 for row in rows], kind="b")
    yield _make("huge", [5e-324 * (row % 3) for row in rows], kind="subnormal")


def _collisions(rng: random.Random) -> Iterator[Series]:
    """Series that become the same without their name, or without one label."""
    for name in ("twin_a", "twin_b"):
        yield _make(name, _torn(rng, _counter(rng), marked=True), job="twin", instance="a:1")
        yield _make(name, _counter(rng, 60), first=70 if name == "twin_a" else 0, job="twin", instance="b:1")
    for left in ("x", "y"):
        for right in ("one", "two"):
            values = [float((row * len(right + left)) % 9) for row in range(_ROWS)]
            yield _make("pairs", values, left=left, right=right)
    yield _make("one_side", [3.0] * _ROWS, left="x")
    yield _make("one_side", [6.0] * _ROWS, left="y")
    yield _make("one_side", [6.0] * _ROWS, left="z", right="")


def _histograms(rng: random.Random) -> Iterator[Series]:
    whole = ("0.1", "0.5", "1.0", "2.5", "10.0", "+Inf")
    for instance in ("a:1", "b:1"):
        yield from _buckets(rng, "latency_bucket", whole, job="api", instance=instance)
    yield from _buckets(rng, "bad_bucket", ("1", "2", "5"), kind="no inf")
    yield from _buckets(rng, "bad_bucket", ("+Inf",), kind="only inf")
    yield from _buckets(rng, "bad_bucket", ("1", "1.0", "2", "2e0", "+Inf", "Inf"), kind="spellings")
    yield from _buckets(rng, "bad_bucket", ("-5", "-1", "0", "1", "+Inf"), kind="negative")
    yield from _buckets(rng, "bad_bucket", ("1", "two", "", "NaN", "+Inf"), kind="words")
    for le, step in (("1", 3), ("2", 2), ("5", 9), ("+Inf", 4)):
        yield _make("bad_bucket", [float(row * step) for row in range(_ROWS)], kind="falling", le=le)
    for le, value in (("1", math.nan), ("2", 4.0), ("+Inf", 9.0)):
        yield _make("bad_bucket", [value * row for row in range(_ROWS)], kind="nan", le=le)
    for le, first in (("1", 0), ("2", 90), ("+Inf", 30)):
        yield _make("bad_bucket", _counter(rng, 100), first=first, kind="late", le=le)
    yield _make("bad_bucket", [0.0] * _ROWS, kind="zero", le="1")
    yield _make("bad_bucket", [0.0] * _ROWS, kind="zero", le="+Inf")


def _buckets(rng: random.Random, name: str, bounds: Sequence[str], **labels: str) -> Iterator[Series]:
    """Cumulative counts of small integers: each bucket grows by what the one below does, or more."""
    columns: list[list[float | None]] = [[] for _ in bounds]
    totals = [0.0] * len(bounds)
    for _ in range(_ROWS):
        grown = 0
        for index in range(len(bounds)):
            grown += rng.randrange(3)
            totals[index] += grown
            columns[index].append(totals[index])
    for bound, column in zip(bounds, columns, strict=True):
        yield _make(name, column, first=0, le=bound, **labels)
