"""Requests of protocol 2.0: like those of 1.0, with the strings of labels in a table of symbols.

The name of a series is a hash over the hashes of its symbols, since a symbol's number changes from request to
request. Metadata is looked at, and makes labels where those are wanted; like Prometheus, nothing stores it.
"""

from __future__ import annotations

import secrets
import zlib
from collections.abc import Iterator, Sequence

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from zseval.errors import ZsevalError
from zseval.model.arrays import Rows, Times, Values
from zseval.model.labels import METADATA_LABELS, Labels
from zseval.model.metadata import MetricType
from zseval.remote.columns import columns_of
from zseval.remote.generated import views_v2_pb2 as views
from zseval.remote.generated import write_v2_pb2 as pb
from zseval.remote.histograms import timed_histogram
from zseval.remote.known import Names, digest_of
from zseval.remote.message import Extras, InvalidSeriesError, Outline, checked_labels
from zseval.remote.protocol import RefusedError
from zseval.tsdb.exemplars import StoredExemplar

__all__ = ["RequestV2"]

_TYPES = (
    MetricType.UNKNOWN,
    MetricType.COUNTER,
    MetricType.GAUGE,
    MetricType.HISTOGRAM,
    MetricType.GAUGE_HISTOGRAM,
    MetricType.SUMMARY,
    MetricType.INFO,
    MetricType.STATESET,
)
_TYPE_LABEL, _UNIT_LABEL = (name.encode() for name in METADATA_LABELS[1:])


class _BadReferenceError(ZsevalError):
    """A number that is none of a symbol."""


class RequestV2:
    """A decoded `io.prometheus.write.v2.Request`; as `Request` says. Raises RefusedError for what is none."""

    def __init__(self, body: bytes, type_and_unit: bool = False) -> None:
        self._body = body
        self._type_and_unit = type_and_unit
        try:
            self._outline = views.Outline.FromString(body)
            self._columns = views.Columns.FromString(body).timeseries
        except DecodeError as error:
            raise RefusedError(400, f"proto: {error}") from error
        self._outline.DiscardUnknownFields()
        self._symbols = list(self._outline.symbols)
        self.digest = digest_of(self._outline.SerializeToString())

    def outline(self) -> Outline:
        counts, weights, lengths, kinds = [], [], [], []
        has_extras = False
        refused: dict[int, str] = {}
        for place, series in enumerate(self._outline.timeseries):
            samples, histograms, metadata = len(series.samples), len(series.histograms), series.metadata
            counts.append(samples)
            weights.append(samples + histograms)
            lengths.append(len(series.labels_refs))
            kinds.append((metadata.type, min(metadata.unit_ref, len(self._symbols))))
            has_extras |= bool(histograms or series.exemplars)
            if not samples + histograms or max(metadata.unit_ref, metadata.help_ref) >= len(self._symbols):
                refused[place] = self._reason(place)
        names = self._names(np.array(lengths, dtype=np.intp), np.array(kinds, dtype=np.intp).reshape(-1, 2))
        sizes = np.array(counts, dtype=np.intp)
        return Outline(names, sizes, np.array(weights, dtype=np.intp), refused, has_extras)

    def columns(self, count: int) -> tuple[Values, Times]:
        samples = self._columns.samples
        return columns_of(
            samples,
            samples.start_timestamp,
            count,
            lambda: views.Unread.FromString(self._body).timeseries.samples,
            pb.Sample.FromString,
        )

    def labels(self, series: int) -> Labels:
        message = self._outline.timeseries[series]
        try:
            pairs = self._pairs(message.labels_refs)
        except _BadReferenceError as error:
            raise InvalidSeriesError(
                f"parsing labels for series {_shown(message.labels_refs)}: {error}"
            ) from error
        if self._type_and_unit:
            pairs = self._with_metadata(pairs, message.metadata)
        return checked_labels(pairs)

    def extras(self) -> Iterator[Extras]:
        try:
            request = pb.Request.FromString(self._body)
        except DecodeError as error:
            raise RefusedError(400, f"proto: {error}") from error
        for place, series in enumerate(request.timeseries):
            if series.exemplars or series.histograms:
                yield Extras(
                    place,
                    [self._exemplar(exemplar) for exemplar in series.exemplars],
                    [timed_histogram(histogram) for histogram in series.histograms],
                )

    def _names(self, lengths: Rows, kinds: Rows) -> Names:
        """lengths: intp[S], label references of each series.  kinds: intp[S, 2], its type and unit."""
        refs = np.minimum(np.array(self._columns.labels_refs, dtype=np.intp), len(self._symbols))
        ends = np.cumsum(lengths)
        places = np.arange(len(refs), dtype=np.intp) - np.repeat(ends - lengths, lengths)
        # The last stands for every reference that is none; such a series is never made, and so never found.
        symbols = [*self._symbols, b""]
        hashes = np.fromiter(map(hash, symbols), dtype=np.int64, count=len(symbols)).view(np.uint64)
        checks = np.fromiter(map(zlib.crc32, symbols), dtype=np.uint64, count=len(symbols))
        sums = []
        for row, tokens in enumerate((hashes, checks)):
            factors = _FACTORS.up_to(_LEAD + int(lengths.max(initial=0)))[row]
            running = np.zeros(len(refs) + 1, dtype=np.uint64)
            np.cumsum(tokens[refs] * factors[_LEAD + places], out=running[1:])
            total = running[ends] - running[ends - lengths]
            if self._type_and_unit:
                total += kinds[:, 0].astype(np.uint64) * factors[0] + tokens[kinds[:, 1]] * factors[1]
            sums.append(total)
        return sums[0].view(np.int64), (sums[1] >> np.uint64(32)).astype(np.uint32)

    def _pairs(self, refs: Sequence[int]) -> list[tuple[bytes, bytes]]:
        if len(refs) % 2:
            raise _BadReferenceError(f"invalid labelRefs length {len(refs)}")
        symbols = self._symbols
        for name, value in zip(refs[::2], refs[1::2], strict=True):
            if max(name, value) >= len(symbols):
                raise _BadReferenceError(
                    f"labelRefs {name} (name) = {value} (value) outside of symbols table "
                    f"(size {len(symbols)})"
                )
        return [(symbols[name], symbols[value]) for name, value in zip(refs[::2], refs[1::2], strict=True)]

    def _with_metadata(
        self, pairs: list[tuple[bytes, bytes]], metadata: pb.Metadata
    ) -> list[tuple[bytes, bytes]]:
        kind = _TYPES[metadata.type] if metadata.type < len(_TYPES) else MetricType.UNKNOWN
        unit = self._symbols[metadata.unit_ref] if metadata.unit_ref < len(self._symbols) else b""
        if kind is MetricType.UNKNOWN and not unit:
            return pairs
        kept = [pair for pair in pairs if pair[0] not in (_TYPE_LABEL, _UNIT_LABEL)]
        added = [(_TYPE_LABEL, kind.value.encode())] if kind is not MetricType.UNKNOWN else []
        return [*kept, *added, (_UNIT_LABEL, unit)]

    def _reason(self, place: int) -> str:
        """Why a series whose labels are good is left out."""
        series, size = self._outline.timeseries[place], len(self._symbols)
        for field, ref in (("unit_ref", series.metadata.unit_ref), ("help_ref", series.metadata.help_ref)):
            if ref >= size:
                return (
                    f"parsing metadata for series {_shown(series.labels_refs)}: "
                    f"metadata {field} {ref} outside of symbols table (size {size})"
                )
        try:
            labels = self.labels(place)
        except InvalidSeriesError as error:  # which is then said instead
            return str(error)
        return f"TimeSeries must contain at least one sample or histogram for series {labels}"

    def _exemplar(self, message: pb.Exemplar) -> StoredExemplar | str:
        try:
            pairs = self._pairs(message.labels_refs)
        except _BadReferenceError as error:
            return str(error)
        labels = Labels(
            (name.decode("utf-8", "replace"), value.decode("utf-8", "replace")) for name, value in pairs
        )
        return StoredExemplar(labels, message.value, message.timestamp, has_time=message.timestamp != 0)


class _Factors:
    """Random odd numbers, uint64[2, n]: the same for as long as the process lives."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(secrets.randbits(128))
        self._factors: NDArray[np.uint64] = np.zeros((2, 0), dtype=np.uint64)

    def up_to(self, count: int) -> NDArray[np.uint64]:
        """At least so many of each."""
        short = count - self._factors.shape[1]
        if short > 0:
            more = self._random.integers(0, 2**64, size=(2, short + 64), dtype=np.uint64)
            self._factors = np.concatenate([self._factors, more | np.uint64(1)], axis=1)
        return self._factors


_FACTORS = _Factors()
_LEAD = 2  # the first two are for type and unit


def _shown(refs: Sequence[int]) -> str:
    """As Go prints a list of numbers."""
    return f"[{' '.join(map(str, refs))}]"
