"""The protobuf exposition: what Prometheus makes of each message, and what is wrong with others."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.exposition import protobuf_pages as pages
from tests.exposition.protobuf_pages import classic, counter, exemplar, family, gauge, native, page
from zseval.errors import ExpositionError, ScrapeError
from zseval.exposition.entries import Exemplar
from zseval.exposition.generated import metrics_pb2 as pb
from zseval.exposition.negotiate import Format
from zseval.exposition.options import HistogramLimits, PageOptions
from zseval.exposition.page import NO_TIMESTAMP, BrokenBodyError, Page, PageParser
from zseval.exposition.parsers import page_parser
from zseval.exposition.protobuf import ProtobufParser
from zseval.model.histogram import CounterReset, Histogram
from zseval.model.labels import Labels
from zseval.model.metadata import Metadata, MetricType

PLAIN = PageOptions()
NATIVE = PageOptions(native_histograms=True)
NO_LIMITS = HistogramLimits()


def m(name: str, **labels: str) -> str:
    return str(Labels({"__name__": name, **labels}))


def rows(parser: PageParser, found: Page) -> list[tuple[str, object]]:
    """Series and what it is at: a float, or the text of a histogram."""
    return [
        (
            str(Labels(parser.labels(int(slot)))),
            str(found.histograms[place].value) if place in found.histograms else value,
        )
        for place, (slot, value) in enumerate(zip(found.slots, found.values.tolist(), strict=True))
    ]


def read(*families: pb.MetricFamily, options: PageOptions = PLAIN) -> list[tuple[str, object]]:
    parser = ProtobufParser(options)
    return rows(parser, parser.parse(page(*families)))


def only(*families: pb.MetricFamily, options: PageOptions = NATIVE) -> Page:
    return ProtobufParser(options).parse(page(*families))


def error(body: bytes, options: PageOptions = NATIVE) -> str:
    with pytest.raises(BrokenBodyError) as raised:
        ProtobufParser(options).parse(body)
    return str(raised.value)


def test_simple_metrics_are_one_series_each() -> None:
    untyped = pb.Metric(untyped=pb.Untyped(value=7.0))
    found = read(
        family("c_total", "COUNTER", counter(3.0, code="200"), counter(4.0, code="500")),
        family("g", "GAUGE", gauge(-1.5)),
        family("u", "UNTYPED", untyped),
    )
    assert found == [
        (m("c_total", code="200"), 3.0),
        (m("c_total", code="500"), 4.0),
        (m("g"), -1.5),
        (m("u"), 7.0),
    ]


def test_a_summary_is_count_sum_and_quantiles() -> None:
    summary = pb.Summary(
        sample_count=4,
        sample_sum=8.5,
        quantile=[pb.Quantile(quantile=0.5, value=2.0), pb.Quantile(quantile=1, value=3.0)],
    )
    assert read(family("s", "SUMMARY", pb.Metric(summary=summary))) == [
        (m("s_count"), 4.0),
        (m("s_sum"), 8.5),
        (m("s", quantile="0.5"), 2.0),
        (m("s", quantile="1.0"), 3.0),
    ]


def test_a_classic_histogram_gets_its_last_bucket() -> None:
    assert read(family("h", "HISTOGRAM", classic({0.1: 1, 1.0: 3}, 4, 2.5, a="b"))) == [
        (m("h_count", a="b"), 4.0),
        (m("h_sum", a="b"), 2.5),
        (m("h_bucket", a="b", le="0.1"), 1.0),
        (m("h_bucket", a="b", le="1.0"), 3.0),
        (m("h_bucket", a="b", le="+Inf"), 4.0),
    ]


def test_a_last_bucket_that_is_exposed_is_not_made_again() -> None:
    found = read(family("h", "GAUGE_HISTOGRAM", classic({1.0: 3, math.inf: 4}, 4, 2.5)))
    assert [name for name, _ in found].count(m("h_bucket", le="+Inf")) == 1
    assert len(found) == 4


def test_float_counts_of_classic_histograms_go_before_integers() -> None:
    histogram = pb.Histogram(
        sample_count=1,
        sample_count_float=2.5,
        bucket=[pb.Bucket(upper_bound=1, cumulative_count=1, cumulative_count_float=1.5)],
    )
    found = dict(read(family("h", "HISTOGRAM", pb.Metric(histogram=histogram))))
    assert found[m("h_count")] == 2.5
    assert found[m("h_bucket", le="1.0")] == 1.5
    assert found[m("h_bucket", le="+Inf")] == 2.5


def test_a_native_histogram_is_one_sample() -> None:
    metric = native([(0, 2), (1, 1)], [1, 2, 3], negative=([(2, 1)], [4]), schema=1, zero=5, total=6.5)
    ((place, sample),) = only(family("h", "HISTOGRAM", metric)).histograms.items()
    assert place == 0
    assert sample.flaw == ""
    assert (
        sample.value
        == Histogram.parse(
            "{{schema:1 count:15 sum:6.5 z_bucket:5 z_bucket_w:0.001 "
            "offset:0 buckets:[1 2 0 3] n_offset:2 n_buckets:[4]}}"
        ).compact()
    )
    assert sample.value.counter_reset is CounterReset.UNKNOWN


def test_a_native_float_histogram_has_absolute_counts() -> None:
    histogram = pb.Histogram(
        sample_count_float=4.5, sample_sum=2, zero_count_float=0.5, zero_threshold=0.25, schema=0,
        positive_span=[pb.BucketSpan(offset=-1, length=2)], positive_count=[1.5, 2.5],
    )  # fmt: skip
    found = only(family("h", "GAUGE_HISTOGRAM", pb.Metric(histogram=histogram))).histograms[0].value
    assert found == Histogram.parse(
        "{{count:4.5 sum:2 z_bucket:0.5 z_bucket_w:0.25 offset:-1 buckets:[1.5 2.5]}}"
    )
    assert found.counter_reset is CounterReset.GAUGE


def test_an_empty_span_marks_a_native_histogram_without_observations() -> None:
    histogram = pb.Histogram(positive_span=[pb.BucketSpan(offset=0, length=0)])
    assert only(family("h", "HISTOGRAM", pb.Metric(histogram=histogram))).histograms[0].value == Histogram()
    assert read(family("h", "HISTOGRAM", pb.Metric(histogram=pb.Histogram())), options=NATIVE) == [
        (m("h_count"), 0.0), (m("h_sum"), 0.0), (m("h_bucket", le="+Inf"), 0.0),
    ]  # fmt: skip


def both() -> pb.MetricFamily:
    metric = native([(0, 2)], [1, 2], zero=1, total=9.0)
    metric.histogram.bucket.add(upper_bound=1.0, cumulative_count=3)
    return family("h", "HISTOGRAM", metric)


NATIVE_ROW = (m("h"), "{count:4, sum:9, [-0.001,0.001]:1, (0.5,1]:1, (1,2]:2}")
CLASSIC_ROWS = [
    (m("h_count"), 4.0),
    (m("h_sum"), 9.0),
    (m("h_bucket", le="1.0"), 3.0),
    (m("h_bucket", le="+Inf"), 4.0),
]
NHCB_ROW = (m("h"), "{count:4, sum:9, [-Inf,1]:3, (1,+Inf]:1}")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (PageOptions(), CLASSIC_ROWS),
        (PageOptions(classic_histograms=True), CLASSIC_ROWS),
        (PageOptions(native_histograms=True), [NATIVE_ROW]),
        (PageOptions(native_histograms=True, nhcb=True), [NATIVE_ROW]),
        (PageOptions(native_histograms=True, classic_histograms=True), [NATIVE_ROW, *CLASSIC_ROWS]),
        (PageOptions(nhcb=True), [NHCB_ROW]),
        (PageOptions(nhcb=True, classic_histograms=True), [*CLASSIC_ROWS, NHCB_ROW]),
    ],
)
def test_what_a_job_takes_of_a_histogram_in_both_forms(options: PageOptions, expected: object) -> None:
    assert read(both(), options=options) == expected


def test_a_histogram_whose_counts_contradict_each_other_stays_classic() -> None:
    found = read(
        family("h", "HISTOGRAM", classic({1.0: 3, 2.0: 2}, 4, 2.5), classic({1.0: 1}, 2, 3.0, a="b")),
        options=PageOptions(nhcb=True),
    )
    assert [name for name, _ in found] == [
        m("h_count"), m("h_sum"), m("h_bucket", le="1.0"), m("h_bucket", le="2.0"), m("h_bucket", le="+Inf"),
        m("h", a="b"),
    ]  # fmt: skip


def test_exemplars_of_counters_and_buckets_belong_to_their_series() -> None:
    histogram = classic({1.0: 3}, 4, 2.5)
    histogram.histogram.bucket[0].exemplar.CopyFrom(exemplar(0.5, trace="b"))
    found = only(
        family("c", "COUNTER", counter(3.0, exemplar(1.0, 12.345, trace="a"))),
        family("h", "HISTOGRAM", histogram),
    )
    assert found.exemplars == {
        0: Exemplar(Labels({"trace": "a"}), 1.0, 12_345),
        3: Exemplar(Labels({"trace": "b"}), 0.5, None),
    }


def test_exemplars_of_a_native_histogram_have_times_and_come_in_order() -> None:
    metric = native(
        [(0, 1)],
        [1],
        exemplars=[exemplar(2.0, 20.0, n="2"), exemplar(3.0, n="3"), exemplar(1.0, 10.0, n="1")],
    )
    found = only(family("h", "HISTOGRAM", metric, metric)).histograms
    assert [[each.value for each in found[place].exemplars] for place in (0, 1)] == [[1.0, 2.0]] * 2


def test_a_native_histogram_without_exemplars_has_those_of_its_buckets() -> None:
    made = both()
    made.metric[0].histogram.bucket[0].exemplar.CopyFrom(exemplar(0.5, 7.0))
    made.metric[0].histogram.bucket.add(upper_bound=2.0, cumulative_count=4, exemplar=exemplar(1.5))
    (sample,) = only(made).histograms.values()
    assert sample.exemplars == (Exemplar(Labels(), 0.5, 7_000),)


def test_timestamps_are_of_all_series_of_a_metric() -> None:
    metric = counter(1.0)
    metric.timestamp_ms = 5
    found = only(family("a", "COUNTER", metric, counter(2.0, x="y")))
    assert found.timestamps is not None
    assert found.timestamps.tolist() == [5, NO_TIMESTAMP]
    assert only(family("a", "COUNTER", counter(1.0))).timestamps is None


def test_start_times_are_read_where_they_are_wanted() -> None:
    families = [
        family("c", "COUNTER", counter(1.0, start=1.5)),
        family("h", "HISTOGRAM", classic({}, 1, 1.0, start=2.5)),
        family("g", "GAUGE", gauge(1.0)),
    ]
    assert only(*families).starts is None
    found = only(*families, options=PageOptions(starts=True)).starts
    assert found is not None
    assert found.tolist() == [1500, 2500, 2500, 2500, 0]


def test_families_are_described() -> None:
    found = only(
        family("a_seconds", "GAUGE", gauge(1.0), help="Of a.", unit="seconds"),
        family("empty", "GAUGE", help="No."),
    )
    assert found.metadata == {"a_seconds": Metadata(MetricType.GAUGE, "Of a.", "seconds")}


def test_type_and_unit_become_labels_where_that_is_wanted() -> None:
    options = PageOptions(describe=True)
    metric = gauge(1.0, __type__="mine", a="b")
    families = (family("a_seconds", "GAUGE", metric, unit="seconds"), family("u", "UNTYPED", pb.Metric()))
    assert read(*families, options=options) == [
        (m("a_seconds", a="b", __type__="gauge", __unit__="seconds"), 1.0), (m("u"), 0.0),
    ]  # fmt: skip


def test_a_series_keeps_its_slot_and_families_of_the_same_bytes_are_not_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parser = ProtobufParser(NATIVE)
    first = parser.parse(page(family("a", "COUNTER", counter(1.0)), both()))
    second = parser.parse(page(family("a", "COUNTER", counter(2.0)), both()))
    assert second.slots is first.slots
    assert second.metadata is first.metadata
    assert not second.new
    assert second.values[0] == 2.0
    monkeypatch.setattr(parser, "_read", lambda *_: pytest.fail("a family was read again"))
    third = parser.parse(page(family("a", "COUNTER", counter(2.0)), both()))
    assert rows(parser, third) == rows(parser, second)


def test_slots_of_what_is_gone_are_given_again() -> None:
    parser = ProtobufParser(NATIVE)
    for step in range(50):
        found = parser.parse(page(family("a", "COUNTER", counter(1.0, step=str(step)), counter(2.0))))
        assert rows(parser, found) == [(m("a", step=str(step)), 1.0), (m("a"), 2.0)]
        assert found.slots.max() < 6


def spans_alone(**spans: list[pb.BucketSpan]) -> pb.MetricFamily:
    return family("h", "HISTOGRAM", pb.Metric(histogram=pb.Histogram(**spans)))  # type: ignore[arg-type]  # fields of it


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            b"\x05abc",
            "metric family 1 at byte 0: the body ends before it does: 5 bytes should follow its length, 3 do",
        ),
        (b"\xff\xff\xff\xff\xff\xff", "metric family 1 at byte 0: its length is no varint of 32 bits"),
        (b"\x80", "metric family 1 at byte 0: its length is no varint of 32 bits"),
        (pages.delimited(b"\x0a\x7fabc"), "metric family 1 at byte 0: "),
        (
            pages.delimited(b"\x0a\x02\xff\xfe\x22\x00"),
            r'metric family 1 at byte 0: invalid metric name: "\xff\xfe"',
        ),
        (pages.delimited(b"\x22\x00"), "metric family 1 at byte 0: invalid metric name: "),
        (
            page(family("a", "GAUGE", gauge(1.0))) + pages.delimited(b"\x0a\x01b\x18\x09\x22\x00"),
            'metric family 2 at byte 23: unknown metric type for metric "b": 9',
        ),
        (
            page(family("a", "GAUGE", gauge(1.0, **{"": "x"}))),
            "metric family 1 at byte 0: invalid label name: ",
        ),
        (
            page(family("a", "HISTOGRAM", classic({}, 1, 1.0, le="1"))),
            'metric family 1 at byte 0: label name "le" is not unique: invalid sample',
        ),
        (
            page(spans_alone(positive_span=[pb.BucketSpan(length=3)])),
            'metric family 1 at byte 0: histogram "h": positive side: spans require 3 buckets, have 0',
        ),
        (
            page(spans_alone(negative_span=[pb.BucketSpan(length=2**32 - 1)])),
            ('metric family 1 at byte 0: histogram "h": '
            "negative side: spans require 4294967295 buckets, have 0"),
        ),
    ],
)  # fmt: skip
def test_a_broken_message_is_named_with_its_place(body: bytes, message: str) -> None:
    assert error(body).startswith(message)


def test_samples_before_the_broken_message_are_counted() -> None:
    parser = ProtobufParser(NATIVE)
    good = page(family("a", "GAUGE", gauge(1.0)), family("b", "GAUGE", gauge(2.0)))
    with pytest.raises(BrokenBodyError) as raised:
        parser.parse(good + b"\x05abc")
    assert [dict(sample.labels)["__name__"] for sample in raised.value.before] == ["a", "b"]
    found = parser.parse(good)
    assert len(found.new) == 2


def flaw(metric: pb.Metric, limits: HistogramLimits = NO_LIMITS) -> str:
    options = PageOptions(native_histograms=True, limits=limits)
    (sample,) = only(family("h", "HISTOGRAM", metric), options=options).histograms.values()
    return sample.flaw


def test_a_native_histogram_that_contradicts_itself_is_marked() -> None:
    metric = native([(0, 2), (-1, 1)], [1, 2, 3])
    assert (
        flaw(metric)
        == "positive side: span number 2 with offset -1: histogram has a span whose offset is negative"
    )
    metric = native([(0, 2)], [1, 2])
    metric.histogram.sample_count = 4
    assert flaw(metric) == (
        "3 observations found in buckets, but the Count field is 4: histogram's observation count "
        "should equal the number of observations found in the buckets (in absence of NaN)"
    )
    metric.histogram.sample_sum = math.nan
    assert flaw(metric) == ""
    metric.histogram.sample_count = 2
    assert flaw(metric).endswith("should be at least the number of observations found in the buckets")
    metric = native([(0, 2)], [1, 2])
    metric.histogram.positive_delta[1] = -3
    assert flaw(metric).startswith("positive side: bucket number 2 has observation count of -2: ")
    assert flaw(native([(0, 1)], [1], schema=9)).endswith("or -53 for custom buckets, got schema 9")
    assert flaw(native([(2**31 - 1, 1)], [1])).endswith("which is no index of 32 bits")


def test_a_finer_histogram_than_the_job_wants_is_made_coarser() -> None:
    metric = native([(1, 4)], [1, 2, 3, 4], schema=3)
    limits = HistogramLimits(max_schema=2)
    (sample,) = only(
        family("h", "HISTOGRAM", metric), options=PageOptions(native_histograms=True, limits=limits)
    ).histograms.values()
    assert sample.value.schema == 2
    assert sample.value.positive.counts.tolist() == [3.0, 7.0]
    assert flaw(native([(0, 1)], [1], schema=20), limits) == ""


def test_too_many_buckets_are_joined_and_at_last_refused() -> None:
    metric = native([(1, 4)], [1, 2, 3, 4], schema=3)
    options = PageOptions(native_histograms=True, limits=HistogramLimits(max_buckets=2))
    (sample,) = only(family("h", "HISTOGRAM", metric), options=options).histograms.values()
    assert (sample.value.schema, sample.is_too_large) == (2, False)
    far = native([(-1000, 1), (2000, 1)], [1, 1], schema=-4)
    options = PageOptions(native_histograms=True, limits=HistogramLimits(max_buckets=1))
    assert only(family("h", "HISTOGRAM", far), options=options).histograms[0].is_too_large
    options = PageOptions(nhcb=True, limits=HistogramLimits(max_buckets=1))
    custom = only(family("h", "HISTOGRAM", classic({1.0: 1}, 2, 3.0)), options=options).histograms[0]
    assert custom.is_too_large


def test_without_the_package_the_error_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zseval.exposition.generated.metrics_pb2", None)
    with pytest.raises(ScrapeError, match=r"pip install 'zseval\[protobuf\]'"):
        page_parser(Format.PROTOBUF, NATIVE)


COUNTS = st.lists(st.integers(0, 2**40), max_size=6)


@given(
    positive=COUNTS,
    negative=COUNTS,
    offset=st.integers(-50, 50),
    zero=st.integers(0, 9),
    schema=st.integers(-4, 8),
)
def test_buckets_and_totals_arrive_as_they_were_written(
    positive: list[int], negative: list[int], offset: int, zero: int, schema: int
) -> None:
    metric = native(
        [(offset, len(positive))],
        positive,
        negative=([(offset, len(negative))], negative),
        schema=schema,
        zero=zero,
    )
    (sample,) = only(family("h", "HISTOGRAM", metric)).histograms.values()
    value = sample.value
    assert sample.flaw == ""
    assert value.count == zero + sum(positive) + sum(negative)
    for side, counts in ((value.positive, positive), (value.negative, negative)):
        assert dict(zip(side.indices.tolist(), side.counts.tolist(), strict=True)) == {
            offset + at: float(count) for at, count in enumerate(counts) if count
        }


@given(st.binary(max_size=60) | st.binary(max_size=60).map(pages.delimited))
def test_any_bytes_give_a_page_or_our_error(body: bytes) -> None:
    parser = ProtobufParser(PageOptions(native_histograms=True, nhcb=True, starts=True, describe=True))
    try:
        found = parser.parse(body)
    except ExpositionError:
        return
    assert len(found.values) == len(found.slots)


@given(st.data())
def test_a_page_with_changed_bytes_gives_a_page_or_our_error(data: st.DataObject) -> None:
    whole = bytearray(
        page(both(), family("c", "COUNTER", counter(1.0, exemplar(2.0, 3.0, a="b"), start=5.0)))
    )
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    parser = ProtobufParser(PageOptions(native_histograms=True, classic_histograms=True, starts=True))
    try:
        found = parser.parse(bytes(whole))
    except ExpositionError:
        return
    assert np.all(found.slots >= 0)
