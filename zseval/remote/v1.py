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
from zseval.remote.columns import columns_of
from zseval.remote.generated import views_v1_pb2 as views
from zseval.remote.generated import write_v1_pb2 as pb
from zseval.remote.histograms import timed_histogram
from zseval.remote.known import digest_of, names_of
from zseval.remote.message import Extras, Outline, checked_labels
from zseval.remote.protocol import RefusedError
from zseval.tsdb.exemplars import StoredExemplar

__all__ = ["RequestV1"]


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
        sizes = np.array(counts, dtype=np.intp)
        return Outline(names_of(keys), sizes, np.ones_like(sizes), {}, has_extras)

    def columns(self, count: int) -> tuple[Values, Times]:
        try:
            return columns_of(
                views.Columns.FromString(self._body).timeseries.samples,
                (),
                count,
                lambda: views.Unread.FromString(self._body).timeseries.samples,
                pb.Sample.FromString,
            )
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


def _exemplar(message: pb.Exemplar) -> StoredExemplar:
    pairs = sorted(
        (label.name.decode("utf-8", "replace"), label.value.decode("utf-8", "replace"))
        for label in message.labels
    )
    return StoredExemplar(Labels(pairs), message.value, message.timestamp, has_time=message.timestamp != 0)
