"""Config: a whole configuration file as the dataclasses each package owns."""

from __future__ import annotations

from dataclasses import dataclass

from zseval.model.labels import Labels
from zseval.notify.config import AlertingConfig
from zseval.scrape.config import ScrapeConfig

__all__ = ["Config", "GlobalConfig"]


@dataclass(frozen=True, slots=True)
class GlobalConfig:
    scrape_interval_ms: int = 60_000
    scrape_timeout_ms: int = 10_000
    evaluation_interval_ms: int = 60_000
    rule_query_offset_ms: int = 0
    external_labels: Labels = Labels()
    query_log_file: str = ""


@dataclass(frozen=True, slots=True)
class Config:
    """rule_files: absolute paths, globs resolved.  text: the file, secrets hidden, for status/config."""

    global_: GlobalConfig = GlobalConfig()
    scrape: tuple[ScrapeConfig, ...] = ()
    alerting: AlertingConfig = AlertingConfig()
    rule_files: tuple[str, ...] = ()
    storage_retention: str = ""
    storage_retention_bytes: int = 0
    max_exemplars: int = 100_000
    text: str = ""
    file: str = ""
