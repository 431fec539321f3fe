"""What the configuration says about a scrape job and where its targets come from.

Source: prometheus config/config.go (ScrapeConfig) and discovery/{file,http,dns}. Durations are ms.
"""

from __future__ import annotations

from dataclasses import dataclass

from zseval.model.labels import Labels
from zseval.model.relabel import RelabelRule
from zseval.transport.config import HttpClientConfig

__all__ = [
    "DiscoveryConfig",
    "DnsDiscovery",
    "FileDiscovery",
    "HttpDiscovery",
    "ScrapeConfig",
    "StaticDiscovery",
    "TargetGroup",
]


@dataclass(frozen=True, slots=True)
class TargetGroup:
    """Targets that share labels.

    targets: the labels of each, at least `__address__`.
    source: where the group came from (file, URL, …); an update replaces the group of the same source.
    """

    targets: tuple[Labels, ...]
    labels: Labels = Labels()
    source: str = ""


@dataclass(frozen=True, slots=True)
class StaticDiscovery:
    groups: tuple[TargetGroup, ...]


@dataclass(frozen=True, slots=True)
class FileDiscovery:
    """files: absolute globs of .json, .yml and .yaml."""

    files: tuple[str, ...]
    refresh_interval_ms: int = 5 * 60_000


@dataclass(frozen=True, slots=True)
class HttpDiscovery:
    url: str
    refresh_interval_ms: int = 60_000
    http: HttpClientConfig = HttpClientConfig()


@dataclass(frozen=True, slots=True)
class DnsDiscovery:
    """type: SRV, A, AAAA, MX or NS; port is needed for all but SRV."""

    names: tuple[str, ...]
    refresh_interval_ms: int = 30_000
    type: str = "SRV"
    port: int = 0


DiscoveryConfig = StaticDiscovery | FileDiscovery | HttpDiscovery | DnsDiscovery


@dataclass(frozen=True, slots=True)
class ScrapeConfig:
    """One job; limits of 0 mean none.

    scrape_protocols: what targets are asked for, the best first; empty means Prometheus' default.
    """

    job_name: str
    scrape_interval_ms: int = 60_000
    scrape_timeout_ms: int = 10_000
    metrics_path: str = "/metrics"
    scheme: str = "http"
    params: tuple[tuple[str, tuple[str, ...]], ...] = ()
    honor_labels: bool = False
    honor_timestamps: bool = True
    track_timestamps_staleness: bool = False
    enable_compression: bool = True
    scrape_protocols: tuple[str, ...] = ()
    fallback_scrape_protocol: str = ""
    body_size_limit: int = 0
    sample_limit: int = 0
    target_limit: int = 0
    label_limit: int = 0
    label_name_length_limit: int = 0
    label_value_length_limit: int = 0
    keep_dropped_targets: int = 0
    relabel: tuple[RelabelRule, ...] = ()
    metric_relabel: tuple[RelabelRule, ...] = ()
    discovery: tuple[DiscoveryConfig, ...] = ()
    http: HttpClientConfig = HttpClientConfig()
