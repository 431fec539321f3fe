"""Pages in the protobuf format, for tests: messages with a length before each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zseval.exposition.generated import metrics_pb2 as pb

__all__ = [
    "CONTENT_TYPE",
    "classic",
    "counter",
    "delimited",
    "exemplar",
    "family",
    "gauge",
    "labels",
    "native",
    "page",
    "varint",
]

CONTENT_TYPE = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"


def varint(number: int) -> bytes:
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def delimited(raw: bytes) -> bytes:
    return varint(len(raw)) + raw


def page(*families: pb.MetricFamily) -> bytes:
    return b"".join(delimited(each.SerializeToString()) for each in families)


def family(name: str, kind: str, *metrics: pb.Metric, help: str = "", unit: str = "") -> pb.MetricFamily:  # noqa: A002
    return pb.MetricFamily(name=name, type=kind, metric=metrics, help=help, unit=unit)


def labels(**pairs: str) -> list[pb.LabelPair]:
    return [pb.LabelPair(name=name, value=value) for name, value in pairs.items()]


def counter(value: float, exemplar: pb.Exemplar | None = None, start: float = 0.0, **pairs: str) -> pb.Metric:
    made = pb.Counter(value=value, exemplar=exemplar)
    if start:
        made.created_timestamp.FromMilliseconds(round(start * 1000))
    return pb.Metric(counter=made, label=labels(**pairs))


def gauge(value: float, **pairs: str) -> pb.Metric:
    return pb.Metric(gauge=pb.Gauge(value=value), label=labels(**pairs))


def classic(
    buckets: dict[float, int], count: int, total: float, start: float = 0.0, **pairs: str
) -> pb.Metric:
    made = pb.Histogram(
        sample_count=count,
        sample_sum=total,
        bucket=[pb.Bucket(upper_bound=bound, cumulative_count=each) for bound, each in buckets.items()],
    )
    if start:
        made.created_timestamp.FromMilliseconds(round(start * 1000))
    return pb.Metric(histogram=made, label=labels(**pairs))


def native(
    spans: Sequence[tuple[int, int]],
    counts: Sequence[int],
    *,
    negative: tuple[Sequence[tuple[int, int]], Sequence[int]] = ((), ()),
    schema: int = 0,
    zero: int = 0,
    threshold: float = 0.001,
    total: float = 1.0,
    exemplars: Iterable[pb.Exemplar] = (),
    **pairs: str,
) -> pb.Metric:
    """An integer histogram; its count is what its buckets hold."""
    made = pb.Histogram(
        sample_count=sum(counts) + sum(negative[1]) + zero,
        sample_sum=total,
        schema=schema,
        zero_threshold=threshold,
        zero_count=zero,
        positive_span=[pb.BucketSpan(offset=offset, length=length) for offset, length in spans],
        positive_delta=deltas(counts),
        negative_span=[pb.BucketSpan(offset=offset, length=length) for offset, length in negative[0]],
        negative_delta=deltas(negative[1]),
        exemplars=exemplars,
    )
    return pb.Metric(histogram=made, label=labels(**pairs))


def deltas(counts: Sequence[int]) -> list[int]:
    return [each - before for before, each in zip([0, *counts], counts, strict=False)]


def exemplar(value: float, time: float | None = None, **pairs: str) -> pb.Exemplar:
    made = pb.Exemplar(value=value, label=labels(**pairs))
    if time is not None:
        made.timestamp.FromMilliseconds(round(time * 1000))
    return made
