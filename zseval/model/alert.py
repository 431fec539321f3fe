"""Alert: what a rule emits and a notifier sends."""

from __future__ import annotations

from dataclasses import dataclass

from zseval.model.labels import Labels

__all__ = ["Alert"]


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert on its way to a receiver; times are int64 milliseconds, ends_at_ms 0 means "not known"."""

    labels: Labels
    annotations: Labels
    starts_at_ms: int
    ends_at_ms: int = 0
    generator_url: str = ""

    @property
    def name(self) -> str:
        return self.labels.get("alertname")

    def is_resolved_at(self, now_ms: int) -> bool:
        return 0 < self.ends_at_ms <= now_ms
