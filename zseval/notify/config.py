"""What the configuration says about Alertmanagers.

Source: prometheus config/config.go (AlertmanagerConfig).
"""

from __future__ import annotations

from dataclasses import dataclass

from zseval.model.labels import Labels
from zseval.model.relabel import RelabelRule
from zseval.transport.config import HttpClientConfig

__all__ = ["AlertingConfig", "AlertmanagerConfig"]


@dataclass(frozen=True, slots=True)
class AlertmanagerConfig:
    """One entry of `alerting.alertmanagers`; targets are the label sets of its static groups."""

    targets: tuple[Labels, ...]
    scheme: str = "http"
    path_prefix: str = ""
    timeout_ms: int = 10_000
    api_version: str = "v2"
    relabel: tuple[RelabelRule, ...] = ()
    alert_relabel: tuple[RelabelRule, ...] = ()
    http: HttpClientConfig = HttpClientConfig()


@dataclass(frozen=True, slots=True)
class AlertingConfig:
    alertmanagers: tuple[AlertmanagerConfig, ...] = ()
    alert_relabel: tuple[RelabelRule, ...] = ()
