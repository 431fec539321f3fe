"""Requests of protocol 1.0.

The protobuf library is asked for columns, not for messages: a Python object for each sample and label would
cost several times what storing it does. The views in `generated/views_v1.proto` make that possible.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from google.protobuf.message import DecodeError

from zseval.model.arrays import Times, Values
from zseval.model.labels import Labels
from zseval.remote.generated import views_v1_pb2 as views
from zseval.remote.generated import write_v1_pb2 as pb
from zseval.remote.histograms import timed_histogram
from zseval.remote.known import digest_of, names_of
from zseval.remote.message import Extras, Outline, checked_labels
from zseval.remote.protocol import RefusedError
from zseval.tsdb.exemplars import StoredExemplar

__all__ = ["RequestV1"]

_VALUE_BYTES = 9  # what the value of a sample takes on the wire, with its tag


class RequestV1:
    """A decoded `prometheus.WriteRequest`; as `Request` says. Raises RefusedError for what is none."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        try:
            self._outline = views.Outline.FromString(body)
        except DecodeError as error:
            raise RefusedError(400, f"proto: {error}") from error
        self._outline.DiscardUnknownFields()
        self.digest = digest_of(self._outline.SerializeToString())

    def outline(self) -> Outline:
        keys: list[bytes] = []
        counts: list[int] = []
        has_extras = False
        for series in self._outline.timeseries:
            counts.append(len(series.samples))
            if series.exemplars or series.histograms:
                has_extras = True
                series.ClearField("exemplars")
                series.ClearField("histograms")
            series.ClearField("samples")
            # What is left are its labels, each with its length: no two sets look alike.
            keys.append(series.SerializeToString())
        return Outline(names_of(keys), np.array(counts, dtype=np.intp), has_extras)

    def columns(self, count: int) -> tuple[Values, Times]:
        try:
            return _columns(self._body, count)
        except DecodeError as error:
            raise RefusedError(400, f"proto: {error}") from error

    def labels(self, series: int) -> Labels:
        try:
            found = [pb.Label.FromString(label) for label in self._outline.timeseries[series].labels]
        except DecodeError as error:
            raise RefusedError(400, f"proto: {error}") from error
        return checked_labels([(label.name, label.value) for label in found])

    def extras(self) -> Iterator[Extras]:
        try:
            request = pb.WriteRequest.FromString(self._body)
        except DecodeError as error:
            raise RefusedError(400, f"proto: {error}") from error
        for place, series in enumerate(request.timeseries):
            if series.exemplars or series.histograms:
                yield Extras(
                    place,
                    [_exemplar(exemplar) for exemplar in series.exemplars],
                    [timed_histogram(histogram) for histogram in series.histograms],
                )


def _columns(body: bytes, count: int) -> tuple[Values, Times]:
    """The values and times of all samples, in order. Raises DecodeError."""
    columns = views.Columns.FromString(body).timeseries.samples
    values = np.array(columns.value, dtype=np.float64)
    times = np.array(columns.timestamp, dtype=np.int64)
    if len(values) == len(times) == count:
        return values, times
    return with_zeros(list(views.Unread.FromString(body).timeseries.samples), values, times)


def with_zeros(samples: list[bytes], values: Values, times: Times) -> tuple[Values, Times]:
    """Values and times where a value or time that is 0 was left out.

    samples: as they are on the wire.  values, times: those that are there. Which sample a value is of follows
    from how long the samples are; where that leaves a doubt, each sample is read by itself.
    """
    lengths = np.fromiter(map(len, samples), dtype=np.int64, count=len(samples))
    if len(times) == len(samples):
        without = lengths - (1 + varint_lengths(times))
        has_value = without == _VALUE_BYTES
        if np.count_nonzero(has_value) == len(values) and not without[~has_value].any():
            full = np.zeros(len(samples), dtype=np.float64)
            full[has_value] = values
            return full, times
    read = [pb.Sample.FromString(sample) for sample in samples]
    return (
        np.array([sample.value for sample in read], dtype=np.float64),
        np.array([sample.timestamp for sample in read], dtype=np.int64),
    )


def varint_lengths(numbers: Times) -> Times:
    """int64[N]: how many bytes each number takes on the wire."""
    lengths = np.ones(len(numbers), dtype=np.int64)
    unsigned = numbers.view(np.uint64)
    for bits in range(7, 64, 7):
        lengths += unsigned >= np.uint64(1) << np.uint64(bits)
    return lengths


def _exemplar(message: pb.Exemplar) -> StoredExemplar:
    pairs = sorted(
        (label.name.decode("utf-8", "replace"), label.value.decode("utf-8", "replace"))
        for label in message.labels
    )
    return StoredExemplar(Labels(pairs), message.value, message.timestamp, has_time=message.timestamp != 0)
