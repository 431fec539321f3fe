"""Families to text: what our own /metrics and /federate answer.

Source: prometheus/common expfmt/text_create.go and openmetrics_create.go (layout, escapes), and for the
order of federated samples prometheus web/federate.go.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from zseval.exposition.floats import normal_label_float
from zseval.model.labels import METRIC_NAME, Labels, is_legacy_label_name, is_legacy_metric_name
from zseval.model.metadata import MetricType
from zseval.model.number import format_g

__all__ = ["CONTENT_TYPES", "Family", "Point", "write_openmetrics", "write_text"]

CONTENT_TYPES = {
    "text": "text/plain; version=0.0.4; charset=utf-8; escaping=allow-utf-8",
    "openmetrics": "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8",
}
"""The Content-Type of each writer's output."""


@dataclass(frozen=True, slots=True)
class Point:
    """A sample to write; labels include the metric name, which may have a suffix to the family's."""

    labels: Labels
    value: float
    timestamp_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Family:
    name: str
    type: MetricType
    points: Sequence[Point]
    help: str = ""
    unit: str = ""


_ESCAPES = {"\\": "\\\\", "\n": "\\n", '"': '\\"'}
_IN_HELP = re.compile(r"[\\\n]")
_IN_LABEL = re.compile(r'[\\\n"]')


def _escaped(pattern: re.Pattern[str], text: str) -> str:
    return pattern.sub(lambda match: _ESCAPES[match.group()], text)


def _quoted(text: str) -> str:
    return f'"{_escaped(_IN_LABEL, text)}"'


def _family_name(name: str) -> str:
    return name if is_legacy_metric_name(name) else _quoted(name)


def series_text(labels: Labels) -> str:
    """A series as it is exposed: `name{a="b"}`, or `{"my.name",a="b"}` where the name needs quotes."""
    name = labels.name
    parts = [
        f"{label if is_legacy_label_name(label) else _quoted(label)}={_quoted(value)}"
        for label, value in labels
        if label != METRIC_NAME
    ]
    if not is_legacy_metric_name(name):
        return "{" + ",".join([_quoted(name), *parts]) + "}"
    return name + ("{" + ",".join(parts) + "}" if parts else "")


def write_text(families: Iterable[Family]) -> bytes:
    """The text format 0.0.4; families by name, samples by labels. Types it has no word for are untyped."""
    lines: list[str] = []
    for family in sorted(families, key=lambda family: family.name):
        name = _family_name(family.name)
        if family.help:
            lines.append(f"# HELP {name} {_escaped(_IN_HELP, family.help)}")
        lines.append(f"# TYPE {name} {_TEXT_TYPES.get(family.type, 'untyped')}")
        for point in sorted(family.points, key=_order):
            stamp = "" if point.timestamp_ms is None else f" {point.timestamp_ms}"
            lines.append(f"{series_text(point.labels)} {format_g(point.value)}{stamp}")
    return "".join(f"{line}\n" for line in lines).encode()


_TEXT_TYPES = {
    MetricType.COUNTER: "counter",
    MetricType.GAUGE: "gauge",
    MetricType.HISTOGRAM: "histogram",
    MetricType.SUMMARY: "summary",
}


def write_openmetrics(families: Iterable[Family]) -> bytes:
    """OpenMetrics 1.0. A counter's family goes without `_total`, which its samples have."""
    lines: list[str] = []
    for family in sorted(families, key=lambda family: family.name):
        is_counter = family.type is MetricType.COUNTER
        name = _family_name(family.name.removesuffix("_total") if is_counter else family.name)
        if family.help:
            lines.append(f"# HELP {name} {_escaped(_IN_LABEL, family.help)}")
        lines.append(f"# TYPE {name} {family.type.value}")
        if family.unit:
            lines.append(f"# UNIT {name} {family.unit}")
        for point in sorted(family.points, key=_order):
            stamp = "" if point.timestamp_ms is None else f" {_seconds(point.timestamp_ms)}"
            lines.append(f"{series_text(point.labels)} {normal_label_float(point.value)}{stamp}")
    return "".join(f"{line}\n" for line in [*lines, "# EOF"]).encode()


def _seconds(timestamp_ms: int) -> str:
    seconds, rest = divmod(abs(timestamp_ms), 1000)
    fraction = f".{rest:03d}".rstrip("0").rstrip(".") if rest else ""
    return f"{'-' if timestamp_ms < 0 else ''}{seconds}{fraction}"


def _order(point: Point) -> tuple[str, tuple[tuple[int, float, str, str], ...]]:
    """By name, then by labels, buckets and quantiles by their number: as clients write them."""
    return point.labels.name, tuple(
        (int(name in _NUMBERS), _number(value) if name in _NUMBERS else 0.0, name, value)
        for name, value in point.labels
        if name != METRIC_NAME
    )


_NUMBERS = frozenset({"le", "quantile"})


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
