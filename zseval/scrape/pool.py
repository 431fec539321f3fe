"""ScrapePool: the targets of one job and their loops. Source: prometheus scrape/scrape.go (scrapePool)."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Iterable

from zseval.clock import Clock
from zseval.errors import ScrapeError
from zseval.exposition.negotiate import accept_header
from zseval.scrape.config import ScrapeConfig, TargetGroup
from zseval.scrape.fetch import Fetched, fetch
from zseval.scrape.ingest import Ingest, Store
from zseval.scrape.loop import Fetch, Observer, ScrapeLoop
from zseval.scrape.target import DroppedTarget, Target, targets_of_group
from zseval.transport.client import HttpClient

__all__ = ["ScrapePool"]

_log = logging.getLogger(__name__)

_NOT_ABOUT_SERIES = {
    "scrape_interval_ms": 0,
    "scrape_timeout_ms": 0,
    "discovery": (),
    "relabel": (),
    "target_limit": 0,
    "keep_dropped_targets": 0,
}


class ScrapePool:
    """Owned by the manager, used in its event loop only."""

    def __init__(
        self,
        config: ScrapeConfig,
        store: Store,
        clock: Clock,
        seed: int,
        observe: Observer,
        turn: asyncio.Lock | None = None,
    ) -> None:
        self.config = config
        self.dropped: list[DroppedTarget] = []
        self.dropped_count = 0
        self._store = store
        self._clock = clock
        self._seed = seed
        self._observe = observe
        self._turn = turn or asyncio.Lock()
        self._client = HttpClient(config.http)
        self._groups: tuple[TargetGroup, ...] = ()
        self._loops: dict[Target, ScrapeLoop] = {}
        self._old_clients: list[HttpClient] = []
        self._ending: set[asyncio.Task[None]] = set()
        self._running = False

    @property
    def loops(self) -> list[ScrapeLoop]:
        return list(self._loops.values())

    def start(self) -> None:
        """Run loops: those there are, and those to come."""
        self._running = True
        for loop in self._loops.values():
            loop.start()

    async def stop(self) -> None:
        """End all loops. Series are not marked stale: the process may be back before anyone notices."""
        self._running = False
        for task in self._ending:
            task.cancel()
        ending = asyncio.gather(*self._ending, return_exceptions=True)
        await asyncio.gather(ending, *(loop.stop(at_once=True) for loop in self._loops.values()))
        for client in [self._client, *self._old_clients]:
            await client.close()

    async def retire(self) -> None:
        """The job is gone: end the loops, mark their series stale in a while."""
        self.sync(())
        await asyncio.gather(*self._ending, return_exceptions=True)
        await self.stop()

    def sync(self, groups: Iterable[TargetGroup]) -> None:
        """Scrape these targets from now on; loops of targets that stay go on undisturbed."""
        targets = self._targets(groups)
        for target in [target for target in self._loops if target not in targets]:
            self._end(self._loops.pop(target))
        for target in targets:
            known = self._loops.get(target)
            if known is None:
                self._add(target, None)
            else:  # what was discovered may have changed where relabelling makes the same of it
                known.target = dataclasses.replace(target, status=known.target.status)
        self._check_target_limit()

    def reload(self, config: ScrapeConfig) -> None:
        """Go on under another configuration. Loops start anew; what is known of a target's series is kept
        where the new configuration makes the same of them."""
        old_loops, self._loops = self._loops, {}
        reusable = _about_series(config) == _about_series(self.config)
        if config.http != self.config.http:
            self._old_clients.append(self._client)  # scrapes may be using it; it is closed at the end
            self._client = HttpClient(config.http)
        self.config = config
        for target in self._targets(self._groups):
            self._add(target, old_loops.get(target) if reusable else None)
        for target, loop in old_loops.items():
            kept = self._loops.get(target)
            self._end(loop, is_gone=kept is None or kept.ingest is not loop.ingest)
        self._check_target_limit()

    def _targets(self, groups: Iterable[TargetGroup]) -> dict[Target, Target]:
        """What relabelling makes of the groups; equal targets are one."""
        self._groups = tuple(groups)
        targets: dict[Target, Target] = {}
        self.dropped, self.dropped_count = [], 0
        for group in self._groups:
            made, dropped, failures = targets_of_group(self.config, group)
            for failure in failures:
                _log.error("creating target failed: job=%s %s", self.config.job_name, failure)
            targets.update({target: target for target in made if target not in targets})
            self.dropped_count += len(dropped)
            self.dropped += dropped
        if self.config.keep_dropped_targets:
            del self.dropped[self.config.keep_dropped_targets :]
        return targets

    def _check_target_limit(self) -> None:
        limit, count = self.config.target_limit, len(self._loops)
        error = None
        if 0 < limit < count:
            error = ScrapeError(f"target_limit exceeded (number of targets: {count}, limit: {limit})")
        for loop in self._loops.values():
            loop.forced_error = error

    def _add(self, target: Target, predecessor: ScrapeLoop | None) -> None:
        """A loop for a target; its predecessor's knowledge and status go on."""
        if predecessor is not None:
            target = dataclasses.replace(target, status=predecessor.target.status)
            ingest = predecessor.ingest
            ingest.config = target.config(self.config)
        else:
            source = f"scrape:{target.job}/{target.url}"
            if any(other.url == target.url for other in self._loops):
                source = f"{source}#{target.key:016x}"  # the same page under other labels is another source
            ingest = Ingest(self._store, source, target.labels, target.config(self.config))
        lock = None if predecessor is None else predecessor.lock
        loop = ScrapeLoop(
            target, ingest, self._fetcher(), self._clock, self._seed, self._observe, lock, self._turn
        )
        self._loops[target] = loop
        if self._running:
            loop.start()

    def _end(self, loop: ScrapeLoop, *, is_gone: bool = True) -> None:
        """Stop a loop; where its series are gone, they become stale in a while."""

        async def end() -> None:
            await loop.stop(at_once=False)
            if is_gone and loop.target.status.last_scrape_ms:
                await loop.finish()

        if self._running:
            task = asyncio.create_task(end(), name=f"end {loop.target.url}")
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    def _fetcher(self) -> Fetch:
        client, config = self._client, self.config
        accept = accept_header(config.protocols)

        async def fetch_target(target: Target) -> Fetched:
            return await fetch(
                client,
                target.url,
                timeout_ms=target.timeout_ms,
                body_size_limit=config.body_size_limit,
                compression=config.enable_compression,
                accept=accept,
            )

        return fetch_target


def _about_series(config: ScrapeConfig) -> ScrapeConfig:
    """The part of a configuration that decides what series a page becomes."""
    return dataclasses.replace(config, **_NOT_ABOUT_SERIES)  # type: ignore[arg-type]  # names are fields of it
