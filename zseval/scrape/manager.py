"""ScrapeManager: all jobs, their discovery and loops, and the sources inside the process."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import socket
from collections.abc import Mapping, Sequence
from functools import lru_cache

from zseval.clock import Clock, SteadyClock
from zseval.metrics import Registry
from zseval.model.duration import format_duration
from zseval.model.labels import Labels
from zseval.model.metadata import Metadata
from zseval.scrape.config import DiscoveryConfig, ScrapeConfig, TargetGroup
from zseval.scrape.discovery.discoverer import Discoverer, Refreshed, keep_refreshed
from zseval.scrape.discovery.static import discoverer_for
from zseval.scrape.fetch import BodySizeError, Fetched
from zseval.scrape.ingest import HISTOGRAM_LIMIT, Ingest, Outcome, Store
from zseval.scrape.inprocess import CONTENT_TYPE, Source, body_of
from zseval.scrape.loop import ScrapeLoop
from zseval.scrape.pool import ScrapePool
from zseval.scrape.target import DroppedTarget, Target

__all__ = ["ScrapeManager"]

_log = logging.getLogger(__name__)

_NO_LABELS = Labels()


_FIRST_ANSWER_S = 5.0  # how long a start or a reload waits for a discovery that does not answer


class _Discovery:
    """A discoverer and what it found last."""

    def __init__(self, config: DiscoveryConfig) -> None:
        self.config = config
        self.discoverer: Discoverer = discoverer_for(config)
        self.latest: Refreshed | None = None
        self.task: asyncio.Task[None] | None = None

    @property
    def groups(self) -> tuple[TargetGroup, ...]:
        return () if self.latest is None else self.latest.groups

    @property
    def errors(self) -> tuple[str, ...]:
        return () if self.latest is None else self.latest.errors

    async def close(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
        await self.discoverer.close()


class _Job:
    """A pool and what finds its targets."""

    def __init__(self, pool: ScrapePool) -> None:
        self.pool = pool
        self.discoveries: list[_Discovery] = []


class ScrapeManager:
    """Scrapes what a configuration says. All methods but the constructor are for one event loop."""

    def __init__(self, store: Store, clock: Clock, *, registry: Registry | None = None) -> None:
        self._store = store
        self._clock = clock if isinstance(clock, SteadyClock) else SteadyClock(clock)
        self._jobs: dict[str, _Job] = {}
        self._sources: dict[str, ScrapeLoop] = {}
        self._retiring: set[asyncio.Task[None]] = set()
        self._seed = 0
        self._turn = asyncio.Lock()  # of reading a page of new series
        self._running = False
        self._counters = _Counters(registry or Registry())

    async def start(self, configs: Sequence[ScrapeConfig], external_labels: Labels = _NO_LABELS) -> None:
        """Discover targets and scrape each on its interval."""
        await self.prepare(configs, external_labels)
        self._running = True
        for job in self._jobs.values():
            job.pool.start()
            self._watch(job)
        for loop in self._sources.values():
            loop.start()

    async def prepare(self, configs: Sequence[ScrapeConfig], external_labels: Labels = _NO_LABELS) -> None:
        """Discover targets without scraping them yet (for `scrape_once`)."""
        self._seed = _seed(external_labels)
        await self.apply(configs)

    async def apply(self, configs: Sequence[ScrapeConfig]) -> None:
        """Go over to another configuration. Jobs that are the same in it are left alone."""
        wanted = {config.job_name: config for config in configs}
        for name in [name for name in self._jobs if name not in wanted]:
            await self._remove(self._jobs.pop(name))
        changed: list[_Job] = []
        for name, config in wanted.items():
            job = self._jobs.get(name)
            if job is None:
                job = self._jobs[name] = _Job(
                    ScrapePool(config, self._store, self._clock, self._seed, self._observe, self._turn)
                )
                if self._running:
                    job.pool.start()
            elif job.pool.config == config:
                continue
            else:
                job.pool.reload(config)
            changed.append(job)
        await asyncio.gather(*(self._rediscover(job) for job in changed))

    async def stop(self) -> None:
        """End everything; returns when nothing runs any more."""
        self._running = False
        for task in self._retiring:
            task.cancel()
        await asyncio.gather(*self._retiring, return_exceptions=True)
        for job in self._jobs.values():
            await asyncio.gather(*(discovery.close() for discovery in job.discoveries))
            await job.pool.stop()
        await asyncio.gather(*(loop.stop(at_once=True) for loop in self._sources.values()))

    def add_source(
        self, name: str, source: Source, interval_ms: int, labels: Mapping[str, str] | None = None
    ) -> None:
        """Scrape something inside the process: job `name`, instance `name` unless `labels` say otherwise.

        source: a prometheus_client registry, or a callable giving text in the text format. It is called in a
        thread of its own.
        """
        all_labels = Labels({"job": name, "instance": name, **(labels or {})})
        target = Target(name, all_labels, all_labels, f"inprocess:{name}", interval_ms, interval_ms)
        config = ScrapeConfig(
            name, scrape_interval_ms=interval_ms, scrape_timeout_ms=interval_ms, honor_labels=True
        )

        async def read(_target: Target) -> Fetched:
            return Fetched(await asyncio.to_thread(body_of, source), CONTENT_TYPE)

        ingest = Ingest(self._store, f"scrape:{name}/inprocess:{name}", target.labels, config)
        loop = ScrapeLoop(target, ingest, read, self._clock, self._seed, self._observe, turn=self._turn)
        self._sources[name] = loop
        if self._running:
            loop.start()

    def shift(self, delta_ms: int) -> None:
        """Move what targets remember of times, as when the clock was set."""
        for loop in self._loops():
            if loop.target.status.last_scrape_ms:
                loop.target.status.last_scrape_ms += delta_ms

    async def scrape_once(self) -> None:
        """Scrape every target there is exactly once, all at the same time; return when all are done."""
        now_ms = self._clock.wall_ms()
        await asyncio.gather(*(loop.scrape(now_ms) for loop in self._loops()))

    def active_targets(self) -> list[Target]:
        """By job and URL."""
        return sorted((loop.target for loop in self._loops()), key=lambda target: (target.job, target.url))

    def dropped_targets(self) -> list[DroppedTarget]:
        return [dropped for _, job in sorted(self._jobs.items()) for dropped in job.pool.dropped]

    def dropped_counts(self) -> dict[str, int]:
        """How many targets relabelling dropped, by job; keep_dropped_targets limits only what is listed."""
        return {name: job.pool.dropped_count for name, job in self._jobs.items()}

    def discovery_errors(self) -> dict[str, list[str]]:
        """What is wrong with the latest discovery, by job; jobs without an error are left out."""
        errors = {
            name: [text for discovery in job.discoveries for text in discovery.errors]
            for name, job in self._jobs.items()
        }
        return {name: texts for name, texts in errors.items() if texts}

    def metadata(self) -> list[tuple[Target, Mapping[str, Metadata]]]:
        """What each active target says of its metric families."""
        return [(loop.target, loop.ingest.metadata) for loop in self._loops()]

    def _loops(self) -> list[ScrapeLoop]:
        return [loop for job in self._jobs.values() for loop in job.pool.loops] + list(self._sources.values())

    # Discovery

    async def _rediscover(self, job: _Job) -> None:
        """Make the job's discoveries those of its configuration; those it had go on with what they found."""
        had = {discovery.config: discovery for discovery in job.discoveries}
        wanted = job.pool.config.discovery
        job.discoveries = [had.pop(config) if config in had else _Discovery(config) for config in wanted]
        await asyncio.gather(*(discovery.close() for discovery in had.values()))
        await asyncio.gather(*(self._ask_first(job, discovery) for discovery in job.discoveries))
        self._sync(job)
        if self._running:
            self._watch(job)

    async def _ask_first(self, job: _Job, discovery: _Discovery) -> None:
        """Ask a new discovery once; one that does not answer soon is left to its task."""
        if discovery.latest is None:
            try:
                refreshed = await asyncio.wait_for(discovery.discoverer.refresh(), _FIRST_ANSWER_S)
            except TimeoutError:
                _log.warning("discovery does not answer yet: job=%s", job.pool.config.job_name)
            else:
                self._note(job, discovery, refreshed)

    def _watch(self, job: _Job) -> None:
        for discovery in job.discoveries:
            if discovery.task is not None:
                continue

            def publish(refreshed: Refreshed, discovery: _Discovery = discovery) -> None:
                before = discovery.groups
                self._note(job, discovery, refreshed)
                if refreshed.groups != before:
                    self._sync(job)

            watching = keep_refreshed(
                discovery.discoverer, self._clock, publish, at_once=discovery.latest is None
            )
            name = f"discovery {job.pool.config.job_name}"
            discovery.task = asyncio.create_task(watching, name=name)

    def _note(self, job: _Job, discovery: _Discovery, refreshed: Refreshed) -> None:
        if refreshed.errors != discovery.errors:
            for error in refreshed.errors:
                _log.error("discovery failed: job=%s %s", job.pool.config.job_name, error)
        discovery.latest = refreshed

    def _sync(self, job: _Job) -> None:
        job.pool.sync(group for discovery in job.discoveries for group in discovery.groups)

    async def _remove(self, job: _Job) -> None:
        await asyncio.gather(*(discovery.close() for discovery in job.discoveries))
        if not self._running:
            await job.pool.stop()
            return
        task = asyncio.create_task(job.pool.retire(), name=f"retire {job.pool.config.job_name}")
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    def _observe(self, target: Target, outcome: Outcome) -> None:
        self._counters.note(target, outcome)
        if outcome.error is not None:
            _log.debug("scrape failed: job=%s target=%s %s", target.job, target.url, outcome.error)


class _Counters:
    """What scraping counts about itself, under Prometheus' names."""

    def __init__(self, registry: Registry) -> None:
        self._out_of_order = registry.counter(
            "prometheus_target_scrapes_sample_out_of_order_total",
            "Total number of samples rejected due to not being out of the expected order.",
        )
        self._duplicates = registry.counter(
            "prometheus_target_scrapes_sample_duplicate_timestamp_total",
            "Total number of samples rejected due to duplicate timestamps but different values.",
        )
        self._out_of_bounds = registry.counter(
            "prometheus_target_scrapes_sample_out_of_bounds_total",
            "Total number of samples rejected due to timestamp falling outside of the time bounds.",
        )
        self._sample_limit = registry.counter(
            "prometheus_target_scrapes_exceeded_sample_limit_total",
            "Total number of scrapes that hit the sample limit and were rejected.",
        )
        self._bucket_limit = registry.counter(
            "prometheus_target_scrapes_exceeded_native_histogram_bucket_limit_total",
            "Total number of scrapes that hit the native histogram bucket limit and were rejected.",
        )
        self._body_size = registry.counter(
            "prometheus_target_scrapes_exceeded_body_size_limit_total",
            "Total number of scrapes that hit the body size limit.",
        )
        self._scrapes = registry.counter(
            "zseval_scrapes_total", "Scrapes, by what came of them.", "interval", "result"
        )

    def note(self, target: Target, outcome: Outcome) -> None:
        refused = outcome.refused
        for counter, count in (
            (self._out_of_order, refused.out_of_order),
            (self._duplicates, refused.duplicates),
            (self._out_of_bounds, refused.out_of_bounds),
        ):
            if count:
                counter.inc(by=count)
        if isinstance(outcome.error, BodySizeError):
            self._body_size.inc()
        elif outcome.error is not None and str(outcome.error) == "sample limit exceeded":
            self._sample_limit.inc()
        elif outcome.error is not None and str(outcome.error) == HISTOGRAM_LIMIT:
            self._bucket_limit.inc()
        result = "failed" if outcome.error is not None else "ok"
        self._scrapes.inc(_interval(target.interval_ms), result)


@lru_cache(64)
def _interval(interval_ms: int) -> str:
    return format_duration(interval_ms)


def _seed(external_labels: Labels) -> int:
    """Spreads the scrapes of several processes: each has its own host name or external labels."""
    text = f"{socket.getfqdn()}{external_labels}".encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")
