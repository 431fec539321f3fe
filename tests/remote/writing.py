"""Remote-write requests as senders make them, and what a store holds, for the tests here."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

import cramjam

from zseval.metrics import Registry
from zseval.model.labels import Labels
from zseval.model.matcher import Matcher, MatchType
from zseval.remote.generated import write_v1_pb2 as pb
from zseval.remote.generated import write_v2_pb2 as pb2
from zseval.remote.protocol import Answer
from zseval.remote.receiver import Receiver
from zseval.tsdb.db import TSDB

__all__ = [
    "NOW_MS",
    "Sample",
    "Sent",
    "bits",
    "contents",
    "receiver",
    "request_v1",
    "request_v2",
    "send_v1",
    "send_v2",
    "snappy",
]

NOW_MS = 1_700_000_000_000

Sample = tuple[int, float]
"""Time in ms, value."""

Sent = tuple[Iterable[tuple[str, str]], Sequence[Sample]]
"""Labels in the order they are sent in, samples."""


def snappy(content: bytes) -> bytes:
    return bytes(memoryview(cramjam.snappy.compress_raw(content)))


def request_v1(sent: Iterable[Sent]) -> pb.WriteRequest:
    request = pb.WriteRequest()
    for labels, samples in sent:
        series = request.timeseries.add()
        for name, value in labels:
            series.labels.add(
                name=name.encode("utf-8", "surrogateescape"), value=value.encode("utf-8", "surrogateescape")
            )
        for time_ms, number in samples:
            series.samples.add(value=number, timestamp=time_ms)
    return request


def receiver(store: TSDB, registry: Registry | None = None) -> Receiver:
    return Receiver(store, registry or Registry(), lambda: NOW_MS)


def send_v1(to: Receiver, sent: Iterable[Sent] | pb.WriteRequest) -> Answer:
    request = sent if isinstance(sent, pb.WriteRequest) else request_v1(sent)
    return to.receive(snappy(request.SerializeToString()), "application/x-protobuf", "snappy")


def request_v2(sent: Iterable[Sent]) -> pb2.Request:
    """Symbols are numbered by first use, as senders do it."""
    symbols: dict[bytes, int] = {b"": 0}
    request = pb2.Request()
    for labels, samples in sent:
        series = request.timeseries.add()
        for text in (text for pair in labels for text in pair):
            encoded = text.encode("utf-8", "surrogateescape")
            series.labels_refs.append(symbols.setdefault(encoded, len(symbols)))
        for time_ms, number in samples:
            series.samples.add(value=number, timestamp=time_ms)
    request.symbols.extend(symbols)
    return request


def send_v2(to: Receiver, sent: Iterable[Sent] | pb2.Request) -> Answer:
    request = sent if isinstance(sent, pb2.Request) else request_v2(sent)
    content_type = "application/x-protobuf;proto=io.prometheus.write.v2.Request"
    return to.receive(snappy(request.SerializeToString()), content_type, "snappy")


def bits(value: float) -> int:
    found: int = struct.unpack("<q", struct.pack("<d", value))[0]
    return found


def contents(store: TSDB) -> dict[Labels, list[tuple[int, int]]]:
    """All float samples as (time, bits of the value)."""
    selection = store.select([Matcher(MatchType.REGEX, "__name__", ".+")], -(2**62), 2**62)
    labels = selection.labels.to_list()
    found: dict[Labels, list[tuple[int, int]]] = {}
    for frame in selection.frames:
        for number, row in enumerate(frame.rows.tolist()):
            length = frame.shape[1] if frame.counts is None else int(frame.counts[number])
            times = frame.times if frame.is_dense else frame.times[number]
            found[labels[row]] = list(
                zip(times[:length].tolist(), map(bits, frame.values[number, :length].tolist()), strict=True)
            )
    return found
