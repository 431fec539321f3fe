"""What zseval counts about itself, under the names Prometheus uses where it has one.

A `Registry` belongs to one node; there is no global one, so two nodes in a program do not mix.
Increments are single dict operations and therefore safe from any thread that holds the interpreter
lock; readers may see a counter and its neighbour one event apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Metric", "Reading", "Registry"]

Kind = Literal["counter", "gauge"]


@dataclass(slots=True)
class Metric:
    """A counter or gauge with one value for each tuple of label values."""

    name: str
    help: str
    kind: Kind
    label_names: tuple[str, ...] = ()
    values: dict[tuple[str, ...], float] = field(default_factory=dict)

    def inc(self, *label_values: str, by: float = 1.0) -> None:
        """Add `by` to the value under these label values."""
        self._check(label_values)
        self.values[label_values] = self.values.get(label_values, 0.0) + by

    def set(self, value: float, *label_values: str) -> None:
        """Set the value under these label values (gauges)."""
        self._check(label_values)
        self.values[label_values] = value

    def get(self, *label_values: str) -> float:
        return self.values.get(label_values, 0.0)

    def forget(self, *label_values: str) -> None:
        """Drop the value under these label values, as when a target went away."""
        self.values.pop(label_values, None)

    def _check(self, label_values: tuple[str, ...]) -> None:
        if len(label_values) != len(self.label_names):
            raise ValueError(f"{self.name} takes the labels {self.label_names}, got {label_values}")


@dataclass(frozen=True, slots=True)
class Reading:
    """One metric as it stands: samples are (label pairs, value)."""

    name: str
    help: str
    kind: Kind
    samples: tuple[tuple[tuple[tuple[str, str], ...], float], ...]


class Registry:
    """The metrics of one node. Gauges whose value is known only when asked for come from callbacks."""

    def __init__(self) -> None:
        self._metrics: dict[str, Metric] = {}
        self._callbacks: dict[str, Callable[[], float]] = {}

    def counter(self, name: str, help_text: str, *label_names: str) -> Metric:
        """The counter of this name; without labels it starts at 0, so that it is there from the start."""
        return self._metric(name, help_text, "counter", label_names)

    def gauge(self, name: str, help_text: str, *label_names: str) -> Metric:
        return self._metric(name, help_text, "gauge", label_names)

    def watch(self, name: str, help_text: str, read: Callable[[], float], *, kind: Kind = "gauge") -> None:
        """A value read by calling `read` at each collection."""
        self._metric(name, help_text, kind, ())
        self._callbacks[name] = read

    def collect(self) -> Iterator[Reading]:
        """All metrics, by name."""
        for name in sorted(self._metrics):
            metric = self._metrics[name]
            if name in self._callbacks:
                metric.set(self._callbacks[name]())
            samples = tuple(
                (tuple(zip(metric.label_names, key, strict=True)), value)
                for key, value in sorted(metric.values.items())
            )
            yield Reading(metric.name, metric.help, metric.kind, samples)

    def _metric(self, name: str, help_text: str, kind: Kind, label_names: tuple[str, ...]) -> Metric:
        metric = self._metrics.get(name)
        if metric is None:
            metric = self._metrics[name] = Metric(name, help_text, kind, label_names)
            if not label_names:
                metric.values[()] = 0.0
        elif (metric.kind, metric.label_names) != (kind, label_names):
            raise ValueError(f"{name} is already a {metric.kind} with labels {metric.label_names}")
        return metric
