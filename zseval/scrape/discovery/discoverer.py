"""What all discoveries have in common: they are asked for their groups again and again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from zseval.clock import Clock
from zseval.scrape.config import TargetGroup

_log = logging.getLogger(__name__)

__all__ = ["Discoverer", "Refreshed", "keep_refreshed"]


@dataclass(frozen=True, slots=True)
class Refreshed:
    """groups: all there are now; where a part could not be read, the part as it was.  errors: why."""

    groups: tuple[TargetGroup, ...]
    errors: tuple[str, ...] = ()


class Discoverer(Protocol):
    @property
    def interval_s(self) -> float: ...
    async def refresh(self) -> Refreshed: ...
    async def close(self) -> None: ...


async def keep_refreshed(
    discoverer: Discoverer, clock: Clock, publish: Callable[[Refreshed], None], *, at_once: bool = True
) -> None:
    """Publish what the discoverer finds, now and at each of its intervals, until cancelled."""
    if not at_once:
        await clock.sleep(discoverer.interval_s)
    while True:
        try:
            refreshed = await discoverer.refresh()
        except Exception:  # noqa: BLE001 - a fault of one discovery is not to end it for good
            _log.exception("discovery failed unexpectedly")
        else:
            publish(refreshed)
        await clock.sleep(discoverer.interval_s)
