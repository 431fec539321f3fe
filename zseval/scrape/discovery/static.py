"""static_configs, and which discoverer a configuration wants."""

from __future__ import annotations

from typing import assert_never

from zseval.scrape.config import (
    DiscoveryConfig,
    DnsDiscovery,
    FileDiscovery,
    HttpDiscovery,
    StaticDiscovery,
)
from zseval.scrape.discovery.discoverer import Discoverer, Refreshed
from zseval.scrape.discovery.dns import DnsDiscoverer
from zseval.scrape.discovery.file import FileDiscoverer
from zseval.scrape.discovery.http import HttpDiscoverer

__all__ = ["StaticDiscoverer", "discoverer_for"]


class StaticDiscoverer:
    """Groups that never change."""

    interval_s = 86_400.0

    def __init__(self, config: StaticDiscovery) -> None:
        self._groups = config.groups

    async def refresh(self) -> Refreshed:
        return Refreshed(self._groups)

    async def close(self) -> None:
        return None


def discoverer_for(config: DiscoveryConfig) -> Discoverer:
    match config:
        case StaticDiscovery():
            return StaticDiscoverer(config)
        case FileDiscovery():
            return FileDiscoverer(config)
        case HttpDiscovery():
            return HttpDiscoverer(config)
        case DnsDiscovery():
            return DnsDiscoverer(config)
        case _:
            assert_never(config)
