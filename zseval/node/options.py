"""NodeOptions: what a command line or a program asks of a node, and the Config that makes of it.

A configuration file is optional: rule files, targets and Alertmanagers can be named directly and
are added to what the file says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, urlsplit

from zseval.config.settings import Config, GlobalConfig
from zseval.errors import ConfigError
from zseval.exposition.negotiate import PROTOBUF_FIRST, reads_protobuf
from zseval.model.labels import Labels
from zseval.notify.config import AlertmanagerConfig
from zseval.scrape.config import ScrapeConfig, StaticDiscovery, TargetGroup

__all__ = ["DEFAULT_TARGET", "NODE_FEATURES", "NodeOptions", "effective_config", "max_exemplars"]

DEFAULT_TARGET = "http://localhost:8080/metrics"  # where a ZeroState node exposes its metrics
_JOB = "node"
_MIB = 1024 * 1024
_EXEMPLARS = "exemplar-storage"
_STARTS = "st-storage"
_DESCRIBED = "type-and-unit-labels"
NODE_FEATURES = frozenset({_EXEMPLARS, _STARTS})
"""Upstream's feature names that concern a node and not its queries."""


@dataclass(frozen=True, slots=True)
class NodeOptions:
    """listen: `host:port`, or "" to serve nothing.  memory_bytes: budget of the sample store.

    targets and alertmanagers are URLs. interval_ms is how often targets named here are scraped, and
    rules evaluated where neither their group nor a configuration file says so. external_labels take the
    place of those of the same name in the file. remote_write_max_bytes is how large a request may be that is
    received, before and after it is decoded.
    """

    rule_files: tuple[str, ...] = ()
    config_file: str = ""
    targets: tuple[str, ...] = ()
    alertmanagers: tuple[str, ...] = ()
    interval_ms: int = 15_000
    listen: str = "127.0.0.1:9090"
    external_url: str = ""
    retention: str = ""
    memory_bytes: int = 256 * _MIB
    lookback: str = "5m"
    query_timeout: str = "2m"
    max_samples: int = 50_000_000
    max_concurrency: int = 20
    features: frozenset[str] = frozenset()
    enable_lifecycle: bool = False
    cors_origin: str = ".*"
    enable_remote_write: bool = False
    remote_write_max_bytes: int = 32 * _MIB
    external_labels: Labels = Labels()


def max_exemplars(options: NodeOptions, config: Config) -> int:
    """How many exemplars are kept: none where the feature is off."""
    return config.max_exemplars if _EXEMPLARS in options.features else 0


def effective_config(options: NodeOptions) -> Config:
    """The configuration file, if any, with what the options name added to it.

    Reads files. Raises ConfigError where a file or a URL cannot be used.
    """
    config = _file_config(options) if options.config_file else _bare_config(options)
    rule_files = tuple(str(Path(file).absolute()) for file in options.rule_files)
    scrape = config.scrape
    if options.targets:
        if any(job.job_name == _JOB for job in scrape):
            raise ConfigError(
                f'job "{_JOB}" of the file has the name that --target uses; rename it', file=config.file
            )
        scrape = (*scrape, target_job(options))
    alertmanagers = tuple(alertmanager(url) for url in options.alertmanagers)
    return replace(
        config,
        global_=replace(
            config.global_, external_labels=config.global_.external_labels.merged(options.external_labels)
        ),
        rule_files=tuple(dict.fromkeys((*config.rule_files, *rule_files))),
        scrape=tuple(_with_features(job, options.features) for job in scrape),
        alerting=replace(config.alerting, alertmanagers=(*config.alerting.alertmanagers, *alertmanagers)),
    )


def _with_features(job: ScrapeConfig, features: frozenset[str]) -> ScrapeConfig:
    """Start times come with protobuf better than with text, so it is asked for first, as upstream does."""
    has_starts = _STARTS in features
    prefers = has_starts and not job.scrape_protocols and reads_protobuf()
    return replace(
        job,
        start_timestamps=has_starts,
        type_and_unit_labels=_DESCRIBED in features,
        scrape_protocols=PROTOBUF_FIRST if prefers else job.scrape_protocols,
    )


def _file_config(options: NodeOptions) -> Config:
    from zseval.config.load import read_config

    try:
        return read_config(Path(options.config_file))
    except OSError as error:
        raise ConfigError(f"cannot read it: {error.strerror}", file=options.config_file) from error


def _bare_config(options: NodeOptions) -> Config:
    every = GlobalConfig(
        scrape_interval_ms=options.interval_ms,
        scrape_timeout_ms=min(options.interval_ms, 10_000),
        evaluation_interval_ms=options.interval_ms,
    )
    return Config(global_=every)


def target_job(options: NodeOptions) -> ScrapeConfig:
    """One job for all URLs given by hand; what differs between them is in their labels."""
    return ScrapeConfig(
        job_name=_JOB,
        scrape_interval_ms=options.interval_ms,
        scrape_timeout_ms=min(options.interval_ms, 10_000),
        discovery=(StaticDiscovery((TargetGroup(tuple(map(target_labels, options.targets))),)),),
    )


def target_labels(url: str) -> Labels:
    """The labels that make a scrape of exactly this URL; `host:port` alone means /metrics over http."""
    parts = _http_url("target", url, DEFAULT_TARGET)
    labels = {
        "__address__": parts.netloc,
        "__scheme__": parts.scheme,
        "__metrics_path__": parts.path or "/metrics",
    }
    for name, values in parse_qs(parts.query, keep_blank_values=True).items():
        if len(values) > 1:
            raise ConfigError(f'target "{url}" gives "{name}" twice; use params in a configuration file')
        labels[f"__param_{name}"] = values[0]
    return Labels(labels)


def alertmanager(url: str) -> AlertmanagerConfig:
    """The Alertmanager behind a URL, path prefix included."""
    parts = _http_url("Alertmanager", url, "http://localhost:9093")
    return AlertmanagerConfig(
        targets=(Labels({"__address__": parts.netloc}),),
        scheme=parts.scheme,
        path_prefix=parts.path.rstrip("/"),
    )


def _http_url(what: str, url: str, example: str) -> SplitResult:
    """The parts of an http(s) URL; the scheme may be left out. Raises ConfigError for anything else."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    try:
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, or too large
        usable = False
    if not usable:
        raise ConfigError(f'{what} "{url}" is not an http(s) URL such as {example}')
    return parts
