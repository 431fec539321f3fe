"""What the configuration says about a scrape job and where its targets come from.

Source: prometheus config/config.go (ScrapeConfig) and discovery/{file,http,dns}. Durations are ms.
"""

from __future__ import annotations

from dataclasses import dataclass

from zseval.exposition.negotiate import PROTOBUF_FIRST
from zseval.exposition.options import HistogramLimits, PageOptions, finest_schema
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

    scrape_protocols: what targets are asked for, the best first; empty means Prometheus' default, which is
        protobuf before the text formats where native histograms are scraped.
    native_histogram_min_bucket_factor: 0 means the finest buckets there are.
    start_timestamps, type_and_unit_labels: upstream's features st-storage and type-and-unit-labels.
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
    scrape_native_histograms: bool = False
    always_scrape_classic_histograms: bool = False
    convert_classic_histograms_to_nhcb: bool = False
    native_histogram_bucket_limit: int = 0
    native_histogram_min_bucket_factor: float = 0.0
    start_timestamps: bool = False
    type_and_unit_labels: bool = False
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

    @property
    def protocols(self) -> tuple[str, ...]:
        """What targets are asked for, the best first; empty for the text formats, in Prometheus' order."""
        return self.scrape_protocols or (PROTOBUF_FIRST if self.scrape_native_histograms else ())

    @property
    def page_options(self) -> PageOptions:
        """What is wanted of the pages."""
        return PageOptions(
            native_histograms=self.scrape_native_histograms,
            classic_histograms=self.always_scrape_classic_histograms,
            nhcb=self.convert_classic_histograms_to_nhcb,
            starts=self.start_timestamps,
            describe=self.type_and_unit_labels,
            limits=HistogramLimits(
                self.native_histogram_bucket_limit, finest_schema(self.native_histogram_min_bucket_factor)
            ),
        )
