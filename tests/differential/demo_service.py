"""The metrics of the demo service that the PromQL compliance queries ask for, with its names and labels.

Three instances, scraped every 5 s at moments of their own, for a little over an hour and a half. No scrape
lies on a whole second, so none on the left edge of a window, where Prometheus 2.42 is closed and 3.x open.
Counters begin far from zero, so that extrapolation does not end there, which 2.42 and 3.x do differently.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator

from tests.differential.dataset import Series
from zseval.model.staleness import STALE_NAN

__all__ = ["END_S", "START_S", "demo_service"]

START_S = 1_700_006_400
_INTERVAL_S = 5
_SCRAPES = 1150
END_S = START_S + _INTERVAL_S * _SCRAPES
_INSTANCES = {
    f"demo.promlabs.com:{10_000 + place}": first for place, first in enumerate((0.143, 1.711, 3.357))
}
_BOUNDS = ("0.0001", "0.00050625", "0.0025628906", "0.0129746338", "0.0656840835", "0.3325256729", "+Inf")


def demo_service(seed: int = 1) -> list[Series]:
    """All series, the same for the same seed."""
    rng = random.Random(seed)
    return [series for instance in _INSTANCES for series in _instance(rng, instance)]


def _instance(rng: random.Random, instance: str) -> Iterator[Series]:
    def series(name: str, values: list[float | None], **labels: str) -> Series:
        pairs = {"__name__": name, "instance": instance, "job": "demo", **labels}
        times = (round(START_S + _INSTANCES[instance] + row * _INTERVAL_S, 3) for row in itertools.count())
        samples = tuple(
            (time, value) for time, value in zip(times, values, strict=False) if value is not None
        )
        return Series(tuple(sorted(pairs.items())), samples)

    for kind, size in (("free", 3.2e9), ("used", 4.1e9), ("buffers", 2.3e8), ("cached", 9.7e8)):
        yield series("demo_memory_usage_bytes", _wave(rng, size), type=kind)
    for mode, share in (("idle", 3.1), ("user", 0.7), ("system", 0.2)):
        yield series("demo_cpu_usage_seconds_total", _counter(rng, share, reset=mode == "user"), mode=mode)
    yield series("demo_num_cpus", [4.0] * _SCRAPES)
    yield series("demo_disk_total_bytes", [160e9] * _SCRAPES)
    yield series(
        "demo_disk_usage_bytes", [80e9 + row * 1.5e6 + rng.randrange(10**5) for row in range(_SCRAPES)]
    )
    yield series("demo_intermittent_metric", _intermittent(rng))
    yield from (series(name, values) for name, values in _batch(rng))
    for method, path, status in (
        ("GET", "/api/foo", "200"), ("GET", "/api/nonexistent", "404"), ("POST", "/api/bar", "500"),
    ):  # fmt: skip
        labels = {"method": method, "path": path, "status": status}
        name = "demo_api_request_duration_seconds"
        counts, total = _buckets(rng)
        for bound, values in zip(_BOUNDS, counts, strict=True):
            yield series(f"{name}_bucket", values, le=bound, **labels)
        yield series(f"{name}_count", counts[-1], **labels)
        yield series(f"{name}_sum", total, **labels)


def _wave(rng: random.Random, centre: float) -> list[float | None]:
    phase = rng.random() * 6
    return [
        float(round(centre * (1 + 0.3 * math.sin(phase + row / 50)) + rng.gauss(0, centre / 100)))
        for row in range(_SCRAPES)
    ]


def _counter(rng: random.Random, per_second: float, *, reset: bool) -> list[float | None]:
    total, values = 1e5 * per_second, []
    for row in range(_SCRAPES):
        if reset and row == _SCRAPES // 2:
            total = 40.0
        total += per_second * _INTERVAL_S * rng.uniform(0.5, 1.5)
        values.append(round(total, 3))
    return list(values)


def _intermittent(rng: random.Random) -> list[float | None]:
    """There for a while, then marked as stale, then away."""
    values: list[float | None] = []
    while len(values) < _SCRAPES:
        values += [1.0] * rng.randrange(3, 30)
        values += [STALE_NAN, *([None] * rng.randrange(2, 80))]
    return values[:_SCRAPES]


def _batch(rng: random.Random) -> Iterator[tuple[str, list[float | None]]]:
    """A job that runs for some time and now and then fails."""
    run, success = float(START_S - 300), float(START_S - 300)
    runs: list[float | None] = []
    successes: list[float | None] = []
    for row in range(_SCRAPES):
        now = START_S + row * _INTERVAL_S
        if now - run > 250 + rng.random() * 60:
            run = now + rng.random()
            success = success if rng.random() < 0.3 else run
        runs.append(run)
        successes.append(success)
    yield "demo_batch_last_run_timestamp_seconds", runs
    yield "demo_batch_last_success_timestamp_seconds", successes


def _buckets(rng: random.Random) -> tuple[list[list[float | None]], list[float | None]]:
    """Cumulative counts by bound, and the sums, of requests that take around 20 ms."""
    uppers = [float(bound) for bound in _BOUNDS]
    counts = [20_000.0 * (place + 1) for place in range(len(_BOUNDS))]
    columns: list[list[float | None]] = [[] for _ in _BOUNDS]
    total, sums = 4_000.0, []
    for _ in range(_SCRAPES):
        for _ in range(rng.randrange(8)):
            seconds = rng.expovariate(50)
            total += seconds
            counts = [count + (seconds <= upper) for count, upper in zip(counts, uppers, strict=True)]
        for column, count in zip(columns, counts, strict=True):
            column.append(count)
        sums.append(round(total, 6))
    return columns, list(sums)
