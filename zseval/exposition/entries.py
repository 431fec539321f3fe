"""What a scrape body consists of: samples and metadata, in the order they are exposed."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from zseval.exposition.floats import normal_label_float, parse_float
from zseval.model.labels import Labels
from zseval.model.metadata import MetricType

__all__ = ["Description", "DescriptionKind", "Entry", "Exemplar", "Pairs", "Sample", "normalized"]

Pairs = tuple[tuple[str, str], ...]
"""(name, value) of each label in the order exposed, the metric name first; a name may repeat."""

_FLOAT_LABELS = {(MetricType.SUMMARY, "quantile"), (MetricType.HISTOGRAM, "le")}


class DescriptionKind(enum.Enum):
    HELP = "HELP"
    TYPE = "TYPE"
    UNIT = "UNIT"


@dataclass(frozen=True, slots=True)
class Exemplar:
    labels: Labels
    value: float
    timestamp_ms: int | None


@dataclass(frozen=True, slots=True)
class Sample:
    """One exposed sample.

    series: its bytes up to the value, without the white space between: what identifies it to the target.
    line: the line it starts on, from 1.
    """

    series: bytes
    labels: Pairs
    value: float
    timestamp_ms: int | None
    exemplar: Exemplar | None
    line: int


@dataclass(frozen=True, slots=True)
class Description:
    """A HELP, TYPE or UNIT line. family is as written between the quotes, where it is quoted."""

    kind: DescriptionKind
    family: str
    text: str
    line: int

    @property
    def type(self) -> MetricType:
        """The metric type of a TYPE line."""
        return MetricType.UNKNOWN if self.text == "untyped" else MetricType(self.text)


Entry = Sample | Description


def normalized(pairs: Sequence[tuple[str, str]], kind: MetricType) -> Pairs:
    """Labels as Prometheus 3 keeps them: `le` of histograms and `quantile` of summaries as OpenMetrics
    writes floats (`1` is `1.0`), so that the text formats give the same series."""
    if kind not in (MetricType.SUMMARY, MetricType.HISTOGRAM):
        return tuple(pairs)
    return tuple((name, _normal(value) if (kind, name) in _FLOAT_LABELS else value) for name, value in pairs)


def _normal(value: str) -> str:
    number = parse_float(value.encode())
    return value if number is None else normal_label_float(number)
