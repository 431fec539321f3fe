"""Loops, pools and the manager under a clock that the test moves."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from zseval.metrics import Registry
from zseval.model.labels import Labels
from zseval.model.matcher import Matcher, MatchType
from zseval.model.metadata import Metadata, MetricType
from zseval.model.relabel import RelabelRule
from zseval.model.staleness import is_stale_value
from zseval.scrape.config import FileDiscovery, HttpDiscovery, ScrapeConfig, StaticDiscovery, TargetGroup
from zseval.scrape.discovery.discoverer import Refreshed
from zseval.scrape.discovery.http import HttpDiscoverer
from zseval.scrape.fetch import Fetched
from zseval.scrape.loop import TickTimes
from zseval.scrape.manager import ScrapeManager
from zseval.scrape.target import Health
from zseval.transport.client import HttpClient, TransportError
from zseval.tsdb.db import TSDB

START_MS = 1_700_000_000_000


class FakeClock:
    """Time that passes when `advance` says so; `step_ms` sets the wall clock alone."""

    def __init__(self) -> None:
        self.now = 0.0
        self.step_ms = 0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def wall_ms(self) -> int:
        return START_MS + self.step_ms + round(self.now * 1000)

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self.now + seconds, self._count, future))
        await future

    async def advance(self, seconds: float) -> None:
        end = self.now + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            self.now, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)
            await settle()
        self.now = end


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


Page = Callable[[], str]


class World:
    """Targets that answer from functions instead of sockets, and the manager that scrapes them."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.db = TSDB()
        self.registry = Registry()
        self.manager = ScrapeManager(self.db, self.clock, registry=self.registry)
        self.pages: dict[str, Page] = {}
        self.requests: list[tuple[float, str]] = []
        self.slow: dict[str, float] = {}

    async def fetch(self, _client: HttpClient, url: str, **_options: Any) -> Fetched:
        self.requests.append((self.clock.now, url))
        host = url.split("/")[2]
        if host in self.slow:
            await self.clock.sleep(self.slow[host])
        if host not in self.pages:
            raise TransportError(f'Get "{url}": connection refused')
        return Fetched(self.pages[host]().encode(), "text/plain")

    def times_of(self, url_part: str) -> list[float]:
        return [time for time, url in self.requests if url_part in url]

    def samples(self, name: str, **labels: str) -> list[tuple[int, float | str]]:
        matchers = [Matcher.metric(name)] + [
            Matcher(MatchType.EQUAL, label, value) for label, value in labels.items()
        ]
        found: list[tuple[int, float | str]] = []
        for frame in self.db.select(matchers, 0, 10**15).frames:
            assert frame.times.ndim == 1
            found += [
                (time - START_MS, "stale" if is_stale_value(value) else value)
                for values in frame.values.tolist()
                for time, value in zip(frame.times.tolist(), values, strict=True)
            ]
        return found


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    made = World()
    monkeypatch.setattr("zseval.scrape.pool.fetch", made.fetch)
    yield made
    await made.manager.stop()


def job(*addresses: str, name: str = "j", **settings: Any) -> ScrapeConfig:
    group = TargetGroup(tuple(Labels({"__address__": address}) for address in addresses), source="0")
    settings = {"scrape_interval_ms": 10_000, "scrape_timeout_ms": 5_000, **settings}
    return ScrapeConfig(name, discovery=(StaticDiscovery((group,)),), **settings)


async def test_a_target_is_scraped_once_an_interval_and_stamped_evenly(world: World) -> None:
    world.pages["a"] = lambda: "m 1\n"
    await world.manager.start([job("a")])
    await world.clock.advance(60)
    times = world.times_of("//a/")
    assert len(times) == 6
    assert all(abs(later - earlier - 10) < 1e-6 for earlier, later in itertools.pairwise(times))
    stamps = [time for time, _ in world.samples("m")]
    assert [later - earlier for earlier, later in itertools.pairwise(stamps)] == [10_000] * 5


async def test_targets_are_spread_over_the_interval_and_at_the_same_place_each_time(world: World) -> None:
    addresses = [f"host{number}" for number in range(20)]
    await world.manager.start([job(*addresses)])
    await world.clock.advance(10)
    first = {url: time for time, url in world.requests}
    assert len({round(time) for time in first.values()}) > 4
    other = World()
    other.clock.now = 5.0
    await other.manager.prepare([job(*addresses)])
    for loop in other.manager._loops():
        wait = loop.target.offset_ms(other.clock.wall_ms(), other.manager._seed) / 1000
        assert (5 + wait) % 10 == pytest.approx(first[loop.target.url] % 10, abs=1e-3)
    await other.manager.stop()


@pytest.mark.parametrize("step_ms", [-3_600_000, 3_600_000, -50_000 * 86_400, 500])
async def test_a_step_of_the_wall_clock_neither_stops_nor_thins_out_ingestion(
    world: World, step_ms: int
) -> None:
    world.pages["a"] = lambda: "m 1\n"
    await world.manager.start([job("a")])
    await world.clock.advance(50)
    world.clock.step_ms = step_ms
    await world.clock.advance(50)
    times = world.times_of("//a/")
    assert len(times) == 10
    samples = world.samples("m")
    assert len(samples) == 10
    assert samples == sorted(samples)
    assert all(value == 1 for _, value in samples)


async def test_a_dead_and_a_slow_target_cost_only_themselves(world: World) -> None:
    world.pages.update(good=lambda: "m 1\n", slow=lambda: "m 1\n")
    world.slow["slow"] = 8.0
    await world.manager.start([job("dead", "good", "slow")])
    await world.clock.advance(60)
    assert len(world.times_of("//good/")) == 6
    health = {target.labels["instance"]: target.status for target in world.manager.active_targets()}
    assert health["good"].health is Health.UP
    assert health["dead"].health is Health.DOWN
    assert "connection refused" in health["dead"].last_error
    assert [value for _, value in world.samples("up", instance="dead")] == [0.0] * 6
    assert [value for _, value in world.samples("up", instance="good")] == [1.0] * 6


async def test_ticks_missed_by_a_slow_scrape_are_not_made_up_for(world: World) -> None:
    world.pages["a"] = lambda: "m 1\n"
    world.slow["a"] = 25.0
    await world.manager.start([job("a")])
    await world.clock.advance(100)
    times = world.times_of("//a/")
    assert all(later - earlier >= 25 for earlier, later in itertools.pairwise(times))


async def test_a_fault_inside_one_scrape_is_that_scrapes_error(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.pages["a"] = lambda: "m 1\n"
    await world.manager.start([job("a")])
    monkeypatch.setattr(
        "zseval.scrape.ingest.format_of", lambda *_: (_ for _ in ()).throw(RuntimeError("a bug"))
    )
    await world.clock.advance(20)
    (target,) = world.manager.active_targets()
    assert target.status.last_error == "RuntimeError: a bug"
    assert len(world.times_of("//a/")) == 2


async def test_a_discovery_that_hangs_holds_up_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answer = asyncio.Event()

    async def refresh(_self: HttpDiscoverer) -> Refreshed:
        await answer.wait()
        return Refreshed((TargetGroup((Labels({"__address__": "found"}),), source="0"),))

    monkeypatch.setattr(HttpDiscoverer, "refresh", refresh)
    monkeypatch.setattr("zseval.scrape.manager._FIRST_ANSWER_S", 0.01)
    world.pages.update(a=lambda: "m 1\n", found=lambda: "m 1\n")
    hanging = ScrapeConfig("h", discovery=(HttpDiscovery("http://sd.invalid/"),), scrape_interval_ms=10_000)
    await world.manager.start([hanging, job("a")])
    await world.clock.advance(10)
    assert len(world.times_of("//a/")) == 1
    answer.set()
    await world.clock.advance(10)
    assert len(world.times_of("//found/")) == 1


async def test_a_file_that_changes_changes_the_targets(world: World, tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text('[{"targets": ["a"]}]')
    config = ScrapeConfig("f", discovery=(FileDiscovery((str(path),)),), scrape_interval_ms=10_000)
    await world.manager.start([config])
    path.write_text('[{"targets": ["bb"]}]')
    await world.clock.advance(5.5)
    for _ in range(100):  # the file is read in a thread
        if world.manager.active_targets()[0].labels["instance"] == "bb":
            break
        await asyncio.sleep(0.02)
    assert [target.labels["instance"] for target in world.manager.active_targets()] == ["bb"]
    path.write_text("[")
    await world.clock.advance(5.5)
    for _ in range(100):
        if world.manager.discovery_errors():
            break
        await asyncio.sleep(0.02)
    assert "invalid JSON" in world.manager.discovery_errors()["f"][0]
    assert [target.labels["instance"] for target in world.manager.active_targets()] == ["bb"]


async def test_equal_targets_are_one(world: World) -> None:
    await world.manager.start([job("a", "a", "b")])
    assert [target.labels["instance"] for target in world.manager.active_targets()] == ["a", "b"]


async def test_dropped_targets_are_listed_with_what_was_discovered(world: World) -> None:
    rules = (RelabelRule(("__address__",), regex="b.*", action="drop"),)
    await world.manager.start([job("a", "b1", "b2", relabel=rules, keep_dropped_targets=1)])
    (dropped,) = world.manager.dropped_targets()
    assert dropped.discovered["__address__"] == "b1"
    assert dropped.discovered["__metrics_path__"] == "/metrics"
    assert world.manager.dropped_counts() == {"j": 2}


async def test_more_targets_than_the_limit_all_fail(world: World) -> None:
    world.pages.update(a=lambda: "m 1\n", b=lambda: "m 1\n")
    await world.manager.start([job("a", "b", target_limit=1)])
    await world.clock.advance(10)
    assert world.requests == []
    errors = {target.status.last_error for target in world.manager.active_targets()}
    assert errors == {"target_limit exceeded (number of targets: 2, limit: 1)"}


async def test_a_reload_leaves_unchanged_jobs_and_targets_alone(world: World) -> None:
    world.pages.update(a=lambda: "m 1\n", b=lambda: "m 1\n", c=lambda: "m 1\n")
    await world.manager.start([job("a", name="one"), job("b", name="two")])
    await world.clock.advance(25)
    before = {loop.target.job: loop for loop in world.manager._loops()}
    await world.manager.apply([job("a", name="one"), job("b", "c", name="two")])
    after = {loop.target.labels["instance"]: loop for loop in world.manager._loops()}
    assert after["a"] is before["one"]
    assert after["b"].ingest is before["two"].ingest
    assert after["b"].target.status.health is Health.UP
    await world.clock.advance(60)
    assert [value for _, value in world.samples("m", instance="b")].count("stale") == 0
    assert len(world.samples("m", instance="c")) >= 5


async def test_series_of_a_target_that_is_gone_become_stale_and_nothing_else_does(world: World) -> None:
    world.pages.update(a=lambda: "m 1\n", b=lambda: "m 1\n")
    await world.manager.start([job("a", "b")])
    await world.clock.advance(20)
    await world.manager.apply([job("a")])
    await world.clock.advance(40)
    assert world.samples("m", instance="b")[-1][1] == "stale"
    assert world.samples("up", instance="b")[-1][1] == "stale"
    assert len(world.times_of("//b/")) == 2
    assert "stale" not in [value for _, value in world.samples("m", instance="a")]


async def test_series_of_a_job_that_is_gone_become_stale(world: World) -> None:
    world.pages["a"] = lambda: "m 1\n"
    await world.manager.start([job("a")])
    await world.clock.advance(20)
    await world.manager.apply([])
    await world.clock.advance(40)
    assert world.samples("m")[-1][1] == "stale"
    assert world.manager.active_targets() == []


async def test_metric_relabelling_that_changes_leaves_old_series_stale(world: World) -> None:
    world.pages["a"] = lambda: "m 1\nn 1\n"
    await world.manager.start([job("a")])
    await world.clock.advance(20)
    rules = (RelabelRule(("__name__",), regex="n", action="drop"),)
    await world.manager.apply([job("a", metric_relabel=rules)])
    await world.clock.advance(60)
    assert world.samples("n")[-1][1] == "stale"
    assert [value for _, value in world.samples("m")].count("stale") == 0


async def test_stopping_marks_nothing_stale(world: World) -> None:
    world.pages["a"] = lambda: "m 1\n"
    await world.manager.start([job("a")])
    await world.clock.advance(20)
    await world.manager.stop()
    assert [value for _, value in world.samples("m")] == [1.0, 1.0]


async def test_scrape_once_scrapes_everything_once_and_returns(world: World) -> None:
    world.pages.update(a=lambda: "# TYPE m counter\nm 1\n", b=lambda: "m 2\n")
    world.manager.add_source("self", lambda: "m 3\n", 10_000)
    await world.manager.prepare([job("a", "b")])
    await world.manager.scrape_once()
    assert sorted(value for _, value in world.samples("m")) == [1.0, 2.0, 3.0]
    metadata = {target.url: dict(found) for target, found in world.manager.metadata()}
    assert metadata["http://a/metrics"] == {"m": Metadata(MetricType.COUNTER, "", "")}


async def test_a_source_in_the_process_that_fails_is_a_failed_scrape(world: World) -> None:
    def broken() -> str:
        raise RuntimeError("no")

    world.manager.add_source("mine", broken, 10_000, {"instance": "here"})
    await world.manager.scrape_once()
    (target,) = world.manager.active_targets()
    assert target.status.last_error == "the source failed: RuntimeError: no"
    assert [value for _, value in world.samples("up", job="mine", instance="here")] == [0.0]


async def test_a_prometheus_client_registry_is_a_source(world: World) -> None:
    from prometheus_client import CollectorRegistry, Counter, Histogram

    registry = CollectorRegistry()
    Counter("things", "Things done.", ["kind"], registry=registry).labels("x").inc(3)
    Histogram("wait_seconds", "Waiting.", buckets=(1, 2), registry=registry).observe(1.5)
    world.manager.add_source("mine", registry, 10_000)
    await world.manager.scrape_once()
    assert [value for _, value in world.samples("things_total", kind="x")] == [3.0]
    assert [value for _, value in world.samples("wait_seconds_bucket", le="2.0")] == [1.0]
    ((_, metadata),) = world.manager.metadata()
    assert metadata["things_total"] == Metadata(MetricType.COUNTER, "Things done.", "")


async def test_refused_samples_and_limits_are_counted(world: World) -> None:
    world.pages["a"] = lambda: "m 1\nm 2\n"
    world.pages["b"] = lambda: "m 1\nn 2\n"
    world.pages["c"] = lambda: '# TYPE h histogram\nh_bucket{le="1"} 1\nh_count 2\n'
    native = job("c", name="n", native_histogram_bucket_limit=1, convert_classic_histograms_to_nhcb=True)
    await world.manager.start([job("a"), job("b", name="k", sample_limit=1), native])
    await world.clock.advance(10)
    counted = {reading.name: reading.samples[0][1] for reading in world.registry.collect() if reading.samples}
    assert counted["prometheus_target_scrapes_sample_duplicate_timestamp_total"] == 1
    assert counted["prometheus_target_scrapes_exceeded_sample_limit_total"] == 1
    assert counted["prometheus_target_scrapes_exceeded_native_histogram_bucket_limit_total"] == 1


def test_ticks_a_little_off_are_stamped_as_if_on_time() -> None:
    times = TickTimes(1000, 10_000)
    assert [times.at(now) for now in (1000, 11_002, 20_999, 31_003, 41_000)] == [
        1000,
        11_000,
        21_000,
        31_003,
        41_000,
    ]


def test_ticks_after_a_step_are_stamped_evenly_again() -> None:
    times = TickTimes(1000, 10_000)
    assert [times.at(now) for now in (1000, 5_000_400, 5_010_401)] == [1000, 5_000_400, 5_010_400]
