"""The Prometheus protobuf format: messages io.prometheus.client.MetricFamily, a length before each.

Native histograms come in no other format. A body is cut into its families; one whose bytes were there in
the body before is not read again, and of the others every series keeps its slot.
Needs the package `protobuf`, which zseval's optional dependency of that name brings.
Source: prometheus model/textparse/protobufparse.go, prompb/io/prometheus/client/decoder.go.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from zseval.errors import ExpositionError, ScrapeError
from zseval.exposition.entries import Exemplar, Sample
from zseval.exposition.floats import normal_label_float
from zseval.exposition.histograms import custom_histograms, limited
from zseval.exposition.options import PageOptions
from zseval.exposition.page import NO_TIMESTAMP, BrokenBodyError, HistogramSample, Page
from zseval.exposition.slots import Slots
from zseval.model.arrays import Rows, Times
from zseval.model.histogram import CounterReset, Histogram
from zseval.model.histogram.buckets import Buckets
from zseval.model.labels import METRIC_NAME, TYPE_LABEL, UNIT_LABEL, Labels, quote
from zseval.model.metadata import Metadata, MetricType
from zseval.model.number import format_g

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

    from zseval.exposition.generated import metrics_pb2 as pb

__all__ = ["ProtobufParser"]

_LONGEST_VARINT = 5  # bytes; lengths are of 32 bits
_LARGEST_INDEX = 2**31 - 1
_TYPES = (  # by number in the enumeration MetricType
    MetricType.COUNTER,
    MetricType.GAUGE,
    MetricType.SUMMARY,
    MetricType.UNKNOWN,
    MetricType.HISTOGRAM,
    MetricType.GAUGE_HISTOGRAM,
)


class _Series(NamedTuple):
    """What identifies a series. magic: the value of `le` or `quantile`, None where it has none."""

    name: str
    pairs: tuple[tuple[str, str], ...]
    kind: MetricType
    unit: str
    magic: str | None
    is_native: bool


@dataclass(slots=True)
class _Family:
    """The samples of one message. exemplars, histograms: by place within it."""

    raw: bytes
    name: str = ""
    metadata: Metadata = field(default_factory=Metadata)
    slots: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    timestamps: list[int] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    exemplars: dict[int, Exemplar] = field(default_factory=dict)
    histograms: dict[int, HistogramSample] = field(default_factory=dict)


@dataclass(slots=True)
class _Whole:
    """All samples of a page, as far as they do not depend on one scrape."""

    slots: Rows = field(default_factory=lambda: np.zeros(0, dtype=np.intp))
    metadata: dict[str, Metadata] = field(default_factory=dict)
    exemplars: dict[int, Exemplar] = field(default_factory=dict)


class ProtobufParser:
    """Reads the bodies of one target. Not for use by two threads at a time.

    Raises ScrapeError where the package `protobuf` is missing.
    """

    def __init__(self, options: PageOptions) -> None:
        self._message, self._decode_errors = _runtime()
        self._options = options
        self._slots: Slots[_Series] = Slots()
        self._families: dict[bytes, _Family] = {}  # of the previous body
        self._whole = _Whole()
        self._new: dict[int, dict[str, str]] = {}  # of the body being read

    def parse(self, body: bytes) -> Page:
        """The samples of a body. Raises BrokenBodyError; the next is then compared with the last good one."""
        self._new = {}
        families: list[_Family] = []
        try:
            for number, (offset, raw) in enumerate(_delimited(body)):
                family = self._families.get(raw)
                if family is None:
                    family = _Family(raw)
                    families.append(family)
                    self._read(family, number, offset)
                else:
                    families.append(family)
        except ExpositionError as error:
            before = [sample for family in families for sample in self._samples(family)]
            self._slots.drop(self._new)
            raise BrokenBodyError(error, before) from None
        self._families = {family.raw: family for family in families}
        return self._page(families)

    def labels(self, slot: int) -> dict[str, str]:
        """The labels of the series in a slot of the latest Page or the one before it."""
        return self._labels(self._slots.key(slot))

    def _page(self, families: Sequence[_Family]) -> Page:
        timestamps = _joined([each.timestamps for each in families], NO_TIMESTAMP)
        starts = _joined([each.starts for each in families], 0)
        exemplars: dict[int, Exemplar] = {}
        histograms: dict[int, HistogramSample] = {}
        place = 0
        for family in families:
            for at, exemplar in family.exemplars.items():
                exemplars[place + at] = exemplar
            for at, histogram in family.histograms.items():
                histograms[place + at] = histogram
            place += len(family.slots)
        slots = np.array([slot for family in families for slot in family.slots], dtype=np.intp)
        values = np.array([value for family in families for value in family.values], dtype=np.float64)
        metadata = {family.name: family.metadata for family in families if family.name}
        before = self._whole
        self._slots.keep(before.slots, slots)
        self._whole = _Whole(
            before.slots if np.array_equal(slots, before.slots) else slots,
            before.metadata if metadata == before.metadata else metadata,
            before.exemplars if exemplars == before.exemplars else exemplars,
        )
        return Page(
            self._whole.slots,
            values,
            timestamps,
            self._whole.exemplars,
            self._new,
            self._whole.metadata,
            histograms,
            starts,
        )

    def _samples(self, family: _Family) -> Iterator[Sample]:
        for slot, value in zip(family.slots, family.values, strict=True):
            labels = self._labels(self._slots.key(slot))
            yield Sample(b"", tuple(labels.items()), value, None, None, 0)

    def _labels(self, series: _Series) -> dict[str, str]:
        labels = {METRIC_NAME: series.name, **dict(series.pairs)}
        if self._options.describe:
            # What the exposition says of the family goes before labels of these names.
            if series.kind is not MetricType.UNKNOWN:
                labels[TYPE_LABEL] = series.kind.value
            if series.unit:
                labels[UNIT_LABEL] = series.unit
        if series.magic is not None:
            labels["quantile" if series.kind is MetricType.SUMMARY else "le"] = series.magic
        return labels

    def _read(self, family: _Family, number: int, offset: int) -> None:
        """Fill in a family from its bytes."""
        where = f"metric family {number + 1} at byte {offset}"
        try:
            message = self._message.FromString(family.raw)
        except self._decode_errors as error:
            raise ExpositionError(f"{where}: {error}") from None
        try:
            self._read_message(message, family)
        except ExpositionError as error:
            raise ExpositionError(f"{where}: {error}") from None

    def _read_message(self, message: pb.MetricFamily, family: _Family) -> None:
        if not message.metric:
            return  # Prometheus skips a family without metrics, whatever is in it
        name = _text(message.name, "metric name")
        if not name:
            raise ExpositionError("invalid metric name: ")
        help_text = _text(message.help, f"help for metric {quote(name)}")
        kind = _type_of(message, name)
        unit = _text(message.unit, f"unit for metric {quote(name)}")
        family.name, family.metadata = name, Metadata(kind, help_text, unit)
        reader = _Reader(family, self._options, self._slot, name, kind, unit)
        for metric in message.metric:
            reader.read(metric)

    def _slot(self, series: _Series) -> int:
        slot = self._slots.get(series)
        if slot is None:
            names = [name for name, _ in series.pairs]
            if series.magic is not None:
                names.append("quantile" if series.kind is MetricType.SUMMARY else "le")
            if len(set(names)) < len(names) or METRIC_NAME in names:
                twice = next(name for name in (METRIC_NAME, *names) if (METRIC_NAME, *names).count(name) > 1)
                raise ExpositionError(f'label name "{twice}" is not unique: invalid sample')
            slot = self._slots.add(series)
            self._new[slot] = self._labels(series)
        return slot


class _Reader:
    """Turns the metrics of one family into samples."""

    def __init__(
        self,
        family: _Family,
        options: PageOptions,
        slot: Callable[[_Series], int],
        name: str,
        kind: MetricType,
        unit: str,
    ) -> None:
        self._family = family
        self._options = options
        self._slot = slot
        self._name = name
        self._kind = kind
        self._unit = unit
        self._pairs: tuple[tuple[str, str], ...] = ()
        self._timestamp = NO_TIMESTAMP
        self._start = 0

    def read(self, metric: pb.Metric) -> None:
        self._pairs = tuple([(pair.name, pair.value) for pair in metric.label])
        for label, value in self._pairs:
            if not label or not isinstance(label, str):
                raise ExpositionError(f"invalid label name: {_shown(label)}")
            if not isinstance(value, str):
                raise ExpositionError(f"invalid label value: {_shown(value)}")
        # 0 is what a client writes that gives no time, and so it is no time.
        self._timestamp = metric.timestamp_ms or NO_TIMESTAMP
        self._start = 0
        match self._kind:
            case MetricType.COUNTER:
                self._start = self._start_of(metric.counter)
                self._add(self._name, metric.counter.value, exemplar=_exemplar_of(metric.counter))
            case MetricType.GAUGE:
                self._add(self._name, metric.gauge.value)
            case MetricType.SUMMARY:
                self._start = self._start_of(metric.summary)
                self._summary(metric.summary)
            case MetricType.HISTOGRAM | MetricType.GAUGE_HISTOGRAM:
                self._start = self._start_of(metric.histogram)
                self._histogram(metric.histogram)
            case _:
                self._add(self._name, metric.untyped.value)

    def _start_of(self, message: pb.Counter | pb.Summary | pb.Histogram) -> int:
        if not self._options.starts or not message.HasField("created_timestamp"):
            return 0
        return _milliseconds(message.created_timestamp)

    def _add(
        self, name: str, value: float, *, magic: str | None = None, exemplar: Exemplar | None = None
    ) -> None:
        family = self._family
        slot = self._slot(_Series(name, self._pairs, self._kind, self._unit, magic, False))
        if exemplar is not None:
            family.exemplars[len(family.slots)] = exemplar
        family.slots.append(slot)
        family.values.append(value)
        family.timestamps.append(self._timestamp)
        family.starts.append(self._start)

    def _add_native(self, sample: HistogramSample) -> None:
        family = self._family
        slot = self._slot(_Series(self._name, self._pairs, self._kind, self._unit, None, True))
        family.histograms[len(family.slots)] = sample
        family.slots.append(slot)
        family.values.append(math.nan)
        family.timestamps.append(self._timestamp)
        family.starts.append(self._start)

    def _summary(self, summary: pb.Summary) -> None:
        self._add(f"{self._name}_count", float(summary.sample_count))
        self._add(f"{self._name}_sum", summary.sample_sum)
        for each in summary.quantile:
            self._add(self._name, each.value, magic=normal_label_float(each.quantile))

    def _histogram(self, histogram: pb.Histogram) -> None:
        options = self._options
        if options.native_histograms and _is_native(histogram):
            try:
                value, flaw = _native(histogram, is_gauge=self._kind is MetricType.GAUGE_HISTOGRAM)
            except ExpositionError as error:
                raise ExpositionError(f"histogram {quote(self._name)}: {error}") from None
            self._add_native(limited(value, options.limits, _exemplars_of(histogram), flaw))
            if options.classic_histograms and histogram.bucket:
                self._classic(histogram)
            return
        custom = self._custom(histogram) if options.nhcb else None
        if custom is None or options.classic_histograms:
            self._classic(histogram)
        if custom is not None:
            self._add_native(limited(custom, options.limits, _exemplars_of(histogram)))

    def _classic(self, histogram: pb.Histogram) -> None:
        count = _either(histogram.sample_count_float, histogram.sample_count)
        self._add(f"{self._name}_count", count)
        self._add(f"{self._name}_sum", histogram.sample_sum)
        bucket_name = f"{self._name}_bucket"
        for bucket in histogram.bucket:
            value = _either(bucket.cumulative_count_float, bucket.cumulative_count)
            magic = normal_label_float(bucket.upper_bound)
            self._add(bucket_name, value, magic=magic, exemplar=_exemplar_of(bucket))
            if bucket.upper_bound == math.inf:
                return
        self._add(bucket_name, count, magic="+Inf")

    def _custom(self, histogram: pb.Histogram) -> Histogram | None:
        """Its buckets as custom ones; None where they contradict themselves: it stays classic."""
        counts: dict[float, float] = {}
        for bucket in histogram.bucket:
            if math.isnan(bucket.upper_bound):
                return None
            value = _either(bucket.cumulative_count_float, bucket.cumulative_count)
            counts.setdefault(bucket.upper_bound, value)
        bounds = sorted(counts)
        return custom_histograms(
            bounds,
            np.array([[counts[bound] for bound in bounds]], dtype=np.float64),
            np.array([_either(histogram.sample_count_float, histogram.sample_count)]),
            np.array([histogram.sample_sum]),
            is_gauge=self._kind is MetricType.GAUGE_HISTOGRAM,
        )[0]


def _runtime() -> tuple[type[pb.MetricFamily], tuple[type[Exception], ...]]:
    """The message, and what reading one raises."""
    try:
        from google.protobuf.message import DecodeError

        from zseval.exposition.generated.metrics_pb2 import MetricFamily
    except ImportError as error:
        raise ScrapeError(
            f"reading the Prometheus protobuf format needs the package protobuf ({error}): "
            "pip install 'zseval[protobuf]', or leave PrometheusProto out of scrape_protocols"
        ) from error
    return MetricFamily, (DecodeError, ValueError)


def _delimited(body: bytes) -> Iterator[tuple[int, bytes]]:
    """The messages of a body, each with where it starts, its length included."""
    at, number = 0, 1
    while at < len(body):
        length, begin = _varint(body, at, number)
        end = begin + length
        if end > len(body):
            raise ExpositionError(
                f"metric family {number} at byte {at}: the body ends before it does: "
                f"{length} bytes should follow its length, {len(body) - begin} do"
            )
        yield at, body[begin:end]
        at, number = end, number + 1


def _varint(body: bytes, at: int, number: int) -> tuple[int, int]:
    """The number that starts at a byte, and where it ends."""
    value = 0
    for place, byte in enumerate(body[at : at + _LONGEST_VARINT]):
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, at + place + 1
    raise ExpositionError(f"metric family {number} at byte {at}: its length is no varint of 32 bits")


def _type_of(message: pb.MetricFamily, name: str) -> MetricType:
    if not message.HasField("type"):
        # A type that the definition does not know is not in the field, but among what is unknown.
        from google.protobuf.unknown_fields import UnknownFieldSet

        unknown_fields = UnknownFieldSet(message)
        for place in range(len(unknown_fields)):
            unknown = unknown_fields[place]
            if unknown.field_number == 3:
                raise ExpositionError(f"unknown metric type for metric {quote(name)}: {unknown.data}")
    return _TYPES[message.type]


def _text(value: object, what: str) -> str:
    """A string field: its bytes come instead where they are not UTF-8."""
    if not isinstance(value, str):
        raise ExpositionError(f"invalid {what}: {_shown(value)}")
    return value


def _shown(value: object) -> str:
    return quote(value.decode("utf-8", "surrogateescape")) if isinstance(value, bytes) else str(value)


def _joined(parts: list[list[int]], nothing: int) -> Times | None:
    """int64[N], or None where there is nothing in it."""
    made = np.array([each for part in parts for each in part], dtype=np.int64)
    return made if (made != nothing).any() else None


def _either(as_float: float, as_integer: int) -> float:
    return as_float or float(as_integer)


def _milliseconds(timestamp: Timestamp) -> int:
    return timestamp.seconds * 1000 + timestamp.nanos // 1_000_000


def _exemplar_of(message: pb.Counter | pb.Bucket) -> Exemplar | None:
    return _exemplar(message.exemplar) if message.HasField("exemplar") else None


def _exemplar(message: pb.Exemplar) -> Exemplar:
    labels = Labels(
        (_text(each.name, "label name"), _text(each.value, "label value")) for each in message.label
    )
    time_ms = _milliseconds(message.timestamp) if message.HasField("timestamp") else None
    return Exemplar(labels, message.value, time_ms)


def _exemplars_of(histogram: pb.Histogram) -> tuple[Exemplar, ...]:
    """Its own, or else those of its buckets; without a time they are of no use to a native histogram."""
    found = list(histogram.exemplars) or [
        bucket.exemplar for bucket in histogram.bucket if bucket.HasField("exemplar")
    ]
    made = [_exemplar(each) for each in found if each.HasField("timestamp")]
    return tuple(sorted(made, key=lambda each: (each.timestamp_ms or 0, each.value)))


def _is_native(histogram: pb.Histogram) -> bool:
    """Whether anything in it is of a native histogram; one without observations shows it by an empty span."""
    return bool(
        histogram.positive_span
        or histogram.negative_span
        or histogram.zero_threshold > 0
        or histogram.zero_count > 0
    )


def _native(histogram: pb.Histogram, *, is_gauge: bool) -> tuple[Histogram, str]:
    """The native histogram, and what is wrong with it, where it can be put into the form of one at all."""
    is_float = histogram.sample_count_float > 0 or histogram.zero_count_float > 0
    made: list[Buckets] = []
    flaw = ""
    observed = 0 if is_float else histogram.zero_count
    for side, spans, deltas, counts in (
        ("positive", histogram.positive_span, histogram.positive_delta, histogram.positive_count),
        ("negative", histogram.negative_span, histogram.negative_delta, histogram.negative_count),
    ):
        absolute = list(counts) if is_float else _absolute(deltas)
        pairs = [(span.offset, span.length) for span in spans]
        needed = sum(length for _, length in pairs)
        if needed != len(absolute):
            raise ExpositionError(f"{side} side: spans require {needed} buckets, have {len(absolute)}")
        flaw = flaw or _side_flaw(side, pairs, absolute)
        if not is_float:
            observed += int(sum(absolute))
        made.append(Buckets.of(()) if flaw else Buckets.of_spans(pairs, absolute).compact())
    count = histogram.sample_count_float if is_float else histogram.sample_count
    if not is_float and not flaw:
        flaw = _count_flaw(observed, histogram.sample_count, is_nan=math.isnan(histogram.sample_sum))
    positive, negative = made
    return Histogram(
        schema=histogram.schema,
        zero_threshold=histogram.zero_threshold,
        zero_count=histogram.zero_count_float if is_float else float(histogram.zero_count),
        count=float(count),
        sum=histogram.sample_sum,
        positive=positive,
        negative=negative,
        counter_reset=CounterReset.GAUGE if is_gauge else CounterReset.UNKNOWN,
    ), flaw


def _absolute(deltas: Sequence[int]) -> list[int]:
    """Counts of which each is given as its difference to the one before."""
    return list(accumulate(deltas))


def _side_flaw(side: str, spans: list[tuple[int, int]], counts: Sequence[float]) -> str:
    at = 0
    for number, (offset, length) in enumerate(spans):
        if number and offset < 0:
            return (
                f"{side} side: span number {number + 1} with offset {offset}: "
                "histogram has a span whose offset is negative"
            )
        at += offset + length
        if abs(at) > _LARGEST_INDEX:
            return f"{side} side: span number {number + 1} ends at index {at}, which is no index of 32 bits"
    for number, count in enumerate(counts):
        if count < 0:
            return (
                f"{side} side: bucket number {number + 1} has observation count of {format_g(count)}: "
                "histogram has a bucket whose observation count is negative"
            )
    return ""


def _count_flaw(observed: int, count: int, *, is_nan: bool) -> str:
    """Observations that are NaN are in no bucket."""
    if is_nan:
        if observed <= count:
            return ""
        rule = "should be at least the number of observations found in the buckets"
    elif observed == count:
        return ""
    else:
        rule = "should equal the number of observations found in the buckets (in absence of NaN)"
    return (
        f"{observed} observations found in buckets, but the Count field is {count}: "
        f"histogram's observation count {rule}"
    )
