"""Alertmanager: where one is reached, and alerts as its API v2 takes them.

Source: notifier/alertmanager.go upstream; Alertmanager's api/v2/openapi.yaml.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from zseval.model.alert import Alert
from zseval.model.labels import Labels
from zseval.model.relabel import relabel
from zseval.notify.config import AlertmanagerConfig

__all__ = ["Endpoint", "endpoints", "payload"]

_log = logging.getLogger(__name__)
_NEVER = "0001-01-01T00:00:00Z"  # Go's zero time: the Alertmanager then sets the end itself


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One Alertmanager. dropped: relabelling dropped it, so nothing is sent there."""

    url: str
    config: AlertmanagerConfig
    dropped: bool = False


def endpoints(config: AlertmanagerConfig) -> Iterator[Endpoint]:
    """The Alertmanagers of one entry of the configuration, each target after relabelling."""
    path = f"{config.path_prefix.rstrip('/')}/api/{config.api_version}/alerts"
    for target in config.targets:
        base = Labels({"__scheme__": config.scheme, "__alerts_path__": path}).merged(target)
        labels = relabel(base, config.relabel)
        if labels is not None and not labels.get("__address__"):
            _log.error("an Alertmanager has no address after relabelling, it gets no alerts: %s", base)
            continue
        yield Endpoint(_url(labels or base), config, dropped=labels is None)


def _url(labels: Labels) -> str:
    path = labels.get("__alerts_path__")
    slash = "" if path.startswith("/") else "/"
    return f"{labels.get('__scheme__')}://{labels.get('__address__')}{slash}{path}"


def payload(alerts: Sequence[Alert]) -> bytes:
    """The body of a POST to /api/v2/alerts."""
    return orjson.dumps(
        [
            {
                "labels": alert.labels.to_dict(),
                "annotations": alert.annotations.to_dict(),
                "startsAt": _rfc3339(alert.starts_at_ms),
                "endsAt": _rfc3339(alert.ends_at_ms) if alert.ends_at_ms else _NEVER,
                "generatorURL": alert.generator_url,
            }
            for alert in alerts
        ]
    )


def _rfc3339(time_ms: int) -> str:
    moment = datetime.fromtimestamp(time_ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03d}Z"
