"""Snapshot: a node at one moment, for a person to look at. Plain values; times in ms."""

from __future__ import annotations

from dataclasses import dataclass

from zseval.model.labels import Labels

__all__ = ["AlertRow", "Snapshot", "TargetRow", "Transition"]


@dataclass(frozen=True, slots=True)
class TargetRow:
    """health: up, down or unknown.  last_scrape_ms: 0 before the first."""

    job: str
    instance: str
    url: str
    health: str
    error: str
    last_scrape_ms: int
    duration_s: float
    samples: int


@dataclass(frozen=True, slots=True)
class AlertRow:
    """state: pending or firing.  active_at_ms: since when its condition holds."""

    name: str
    state: str
    severity: str
    labels: Labels
    value: float
    active_at_ms: int
    summary: str


@dataclass(frozen=True, slots=True)
class Transition:
    """One alert that changed its state at one evaluation.

    before: inactive, pending or firing.  after: pending, firing, resolved (it was firing) or inactive (it
    was pending only).
    """

    at_ms: int
    name: str
    labels: Labels
    before: str
    after: str
    value: float
    summary: str

    @property
    def severity(self) -> str:
        return self.labels.get("severity")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """groups and rules count what is loaded; rule_errors names rules whose last evaluation failed."""

    now_ms: int
    series: int
    store_bytes: int
    targets: tuple[TargetRow, ...]
    groups: int
    rules: int
    rule_errors: tuple[str, ...]
    alerts: tuple[AlertRow, ...]
    alertmanagers: tuple[str, ...]
    config_error: str
