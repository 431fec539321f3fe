"""What both protocols come to: the series of a request, and its samples in columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from zseval.errors import ZsevalError
from zseval.model.arrays import Rows, Times, Values
from zseval.model.histogram import Histogram, InvalidHistogramError
from zseval.model.labels import METRIC_NAME, Labels, is_legacy_label_name, quote
from zseval.remote.known import Digest, Names
from zseval.tsdb.exemplars import StoredExemplar

__all__ = ["Extras", "InvalidSeriesError", "Outline", "Request", "TimedHistogram", "checked_labels"]


class InvalidSeriesError(ZsevalError):
    """Labels that cannot name a series; only that series is left out."""


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """names: of its S series.  counts: intp[S], how many samples each has.

    weights: intp[S], as how many samples each counts where its labels are none.  refused: series left out
    for another reason than their labels, by place.  has_extras: whether there are exemplars or histograms.
    """

    names: Names
    counts: Rows
    weights: Rows
    refused: Mapping[int, str]
    has_extras: bool


@dataclass(frozen=True, slots=True)
class TimedHistogram:
    """histogram: or why it is none."""

    histogram: Histogram | InvalidHistogramError
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class Extras:
    """What else the request has of one series, by its place. exemplars: or why one is none."""

    series: int
    exemplars: Sequence[StoredExemplar | str]
    histograms: Sequence[TimedHistogram]


class Request(Protocol):
    """One decoded request. Its methods raise RefusedError where a part of it cannot be read.

    digest: the same for requests about the same series, in the same order, with as many samples of each.
    """

    @property
    def digest(self) -> Digest: ...

    def outline(self) -> Outline: ...

    def columns(self, count: int) -> tuple[Values, Times]:
        """float64[N] values and int64[N] times, ms, of all samples, series by series; N is `count`."""
        ...

    def labels(self, series: int) -> Labels:
        """Of one series, by its place. Raises InvalidSeriesError."""
        ...

    def extras(self) -> Iterator[Extras]: ...


def checked_labels(pairs: list[tuple[bytes, bytes]]) -> Labels:
    """The label set of names and values in any order. Raises InvalidSeriesError.

    Source: the receiver's checks in prometheus storage/remote/write_handler.go; any UTF-8 is a name.
    """
    try:
        texts = sorted((name.decode(), value.decode()) for name, value in pairs)
    except UnicodeDecodeError:
        raise InvalidSeriesError(f"invalid metric name or labels, got {_shown(pairs)}") from None
    names = [name for name, _ in texts]
    if "" in names or not dict(texts).get(METRIC_NAME):
        raise InvalidSeriesError(f"invalid metric name or labels, got {_shown(pairs)}")
    for name, following in pairwise(names):
        if name == following:
            raise InvalidSeriesError(
                f"invalid labels for series, labels {_shown(pairs)}, duplicated label {name}"
            )
    return Labels.from_sorted(tuple(pair for pair in texts if pair[1]))


def _shown(pairs: list[tuple[bytes, bytes]]) -> str:
    """As Prometheus prints label sets, whatever is in them."""
    texts = sorted(
        (name.decode("utf-8", "surrogateescape"), value.decode("utf-8", "surrogateescape"))
        for name, value in pairs
    )
    return "{" + ", ".join(f"{_name(name)}={quote(value)}" for name, value in texts) + "}"


def _name(name: str) -> str:
    return name if is_legacy_label_name(name) else quote(name)
