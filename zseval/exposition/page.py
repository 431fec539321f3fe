"""Page: what one scrape body holds, by series; the same whatever the format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from zseval.errors import ExpositionError
from zseval.exposition.entries import Exemplar, Sample
from zseval.model.arrays import Rows, Times, Values
from zseval.model.histogram import Histogram
from zseval.model.metadata import Metadata, MetricType

__all__ = ["NO_TIMESTAMP", "BrokenBodyError", "HistogramSample", "Mark", "Page", "PageParser"]

NO_TIMESTAMP = -(2**63)
"""In `Page.timestamps`: the sample has none of its own."""


@dataclass(frozen=True, slots=True)
class HistogramSample:
    """A native histogram and its exemplars; these have a time of their own each.

    flaw: why it cannot be stored, "" where it can.  is_too_large: it has more buckets than the job allows.
    """

    value: Histogram
    exemplars: tuple[Exemplar, ...] = ()
    flaw: str = ""
    is_too_large: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """Something between samples that is none: a comment, or a line that describes a family.

    place: of the sample that follows.  family, type: what the latest TYPE line says.
    """

    place: int
    family: str
    type: MetricType


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """N samples of one body, in order.

    slots: intp[N], which series each sample is of; the same object as last time where no series came,
        went or moved. A slot keeps its series as long as that is exposed, and may be given to another then.
        A series has one slot for floats and another for native histograms.
    values: float64[N], fresh; of histograms whatever.
    timestamps: int64[N] ms, NO_TIMESTAMP where a sample has none of its own; None where none has.
    exemplars: of floats, by the sample's place.
    new: labels of the series first seen in this body, by slot.
    metadata: by metric family; the same object as last time where nothing changed.
    histograms: the samples that are native histograms, by place.
    starts: int64[N] ms, when the counter began, 0 where that is not known; None where it never is.
    marks: in order, where the parser was asked for them; the same object as last time where nothing changed.
    """

    slots: Rows
    values: Values
    timestamps: Times | None
    exemplars: dict[int, Exemplar]
    new: dict[int, dict[str, str]]
    metadata: dict[str, Metadata]
    histograms: Mapping[int, HistogramSample] = field(default_factory=dict)
    starts: Times | None = None
    marks: tuple[Mark, ...] = ()


class PageParser(Protocol):
    """Reads the bodies of one target. Not for use by two threads at a time."""

    def parse(self, body: bytes) -> Page:
        """The samples of a body. Raises BrokenBodyError."""
        ...

    def labels(self, slot: int) -> dict[str, str]:
        """The labels of the series in a slot of the latest Page or the one before it."""
        ...


class BrokenBodyError(ExpositionError):
    """An error in a body, and the samples before it (Prometheus counts these)."""

    def __init__(self, error: ExpositionError, before: list[Sample]) -> None:
        super().__init__(error.message, error.position)
        self.before = before
