"""Sources inside the process: a prometheus_client registry, or a callable that gives exposition text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from zseval.errors import ScrapeError
from zseval.exposition.write import Family, Point, write_text
from zseval.model.labels import METRIC_NAME, Labels
from zseval.model.metadata import MetricType

__all__ = ["CONTENT_TYPE", "CollectorRegistry", "Source", "body_of"]

CONTENT_TYPE = "text/plain; version=0.0.4"


class _Sample(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def labels(self) -> Mapping[str, str]: ...
    @property
    def value(self) -> float: ...


class _Metric(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def documentation(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def samples(self) -> Sequence[_Sample]: ...


class CollectorRegistry(Protocol):
    """What of prometheus_client's registry is used; the package itself is not needed."""

    def collect(self) -> Iterable[_Metric]: ...


Source = CollectorRegistry | Callable[[], bytes | str]


def body_of(source: Source) -> bytes:
    """What the source exposes now, in the text format. Raises ScrapeError whatever it raises."""
    try:
        if callable(source):
            text = source()
            return text.encode() if isinstance(text, str) else text
        return write_text([_family(metric) for metric in source.collect()])
    except Exception as error:
        raise ScrapeError(f"the source failed: {type(error).__name__}: {error}") from error


def _family(metric: _Metric) -> Family:
    """The names of prometheus_client's text format: a counter's and an info's family has its suffix."""
    suffix = {"counter": "_total", "info": "_info"}.get(metric.type, "")
    try:
        kind = MetricType(metric.type)
    except ValueError:
        kind = MetricType.UNKNOWN
    points = [
        Point(Labels({**sample.labels, METRIC_NAME: sample.name}), float(sample.value))
        for sample in metric.samples
    ]
    return Family(metric.name + suffix, kind, points, metric.documentation)
