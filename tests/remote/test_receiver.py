"""Requests of protocol 1.0 and what a store holds after them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.remote.writing import NOW_MS, Sample, bits, contents, receiver, request_v1, send_v1, snappy
from zseval.metrics import Registry
from zseval.model.histogram import Histogram
from zseval.model.labels import Labels
from zseval.model.matcher import Matcher, MatchType
from zseval.model.staleness import STALE_NAN
from zseval.promql.engine import Engine
from zseval.remote import placing, shapes
from zseval.remote.generated import histogram_pb2
from zseval.remote.generated import write_v1_pb2 as pb
from zseval.tsdb.db import TSDB
from zseval.tsdb.exemplars import StoredExemplar

M = [("__name__", "m")]
INVALID = "prometheus_api_remote_write_invalid_labels_samples_total"


def series(number: int) -> list[tuple[str, str]]:
    return [("__name__", f"m{number % 3}"), ("n", str(number))]


# Whatever is sent ----------------------------------------------------------------------------------


VALUES = st.sampled_from([0.0, -0.0, 1.0, 2.5, float("nan"), float("inf"), STALE_NAN])
TIMES = st.integers(1, 9)
SERIES = st.integers(0, 11)
ANY = st.lists(st.tuples(SERIES, st.lists(st.tuples(TIMES, VALUES), max_size=4)), max_size=8)


@st.composite
def rows(draw: st.DrawFn) -> list[tuple[int, list[Sample]]]:
    """Many series with one sample each, as a scrape is."""
    time = draw(TIMES)
    numbers = draw(st.lists(SERIES, unique=True, max_size=12))
    return [(number, [(time, draw(VALUES))]) for number in numbers]


class Model:
    """Each sample is judged by what was there before its request; within that, time is what orders them."""

    def __init__(self) -> None:
        self.samples: dict[int, list[tuple[int, int]]] = {}

    def refuses(self, number: int, time: int, value: float) -> str:
        newest_time, newest_bits = (self.samples.get(number) or [(0, 0)])[-1]
        if time > newest_time or (time, bits(value)) == (newest_time, newest_bits):
            return ""
        return "out of order sample" if time < newest_time else "duplicate sample for timestamp"

    def take(self, sent: list[tuple[int, list[Sample]]]) -> str:
        for number, samples in sent:
            for time, value in samples:
                if text := self.refuses(number, time, value):
                    return text
        for number, samples in sent:
            fresh = {time: bits(value) for time, value in reversed(samples)}
            self.samples[number] = sorted((fresh | dict(self.samples.get(number, []))).items())
        return ""


@settings(max_examples=200)
@given(requests=st.lists(st.one_of(ANY, rows()), max_size=8))
def test_a_query_returns_what_was_sent(requests: list[list[tuple[int, list[Sample]]]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(placing, "_LEAST_ROW", 3)
        patch.setattr(placing, "_MOST_TABLES", 3)
        patch.setattr(shapes, "_MOST_SHAPES", 2)
        store, model = TSDB(), Model()
        to = receiver(store)
        for sent in requests:
            answer = send_v1(to, [(series(number), samples) for number, samples in sent])
            refused = model.take(sent)
            assert (answer.status, answer.text.startswith(refused)) == (400 if refused else 204, True)
        expected = {Labels(series(number)): samples for number, samples in model.samples.items() if samples}
        assert contents(store) == expected


@given(body=st.binary(max_size=200))
def test_any_bytes_are_a_request_or_refused(body: bytes) -> None:
    assert receiver(TSDB()).receive(snappy(body), "", "snappy").status in (204, 400)


# Histories ----------------------------------------------------------------------------------------


def test_history_comes_in_row_by_row() -> None:
    store = TSDB("30d")
    to = receiver(store)
    for step in range(240):
        row = [(series(number), [(NOW_MS - (240 - step) * 15_000, float(step))]) for number in range(40)]
        assert send_v1(to, row).status == 204
    status = store.status(0)
    assert status.samples == 240 * 40
    result = Engine(store).instant("count(count_over_time({n=~'.+'}[1h]) == 240)", NOW_MS / 1000 - 15)
    assert result.to_json()["result"] == [{"metric": {}, "value": [NOW_MS / 1000 - 15, "40"]}]


def test_history_comes_in_series_by_series() -> None:
    store = TSDB("30d")
    to = receiver(store)
    times = [NOW_MS - (240 - step) * 15_000 for step in range(240)]
    for number in range(40):
        assert send_v1(to, [(series(number), [(time, float(number)) for time in times])]).status == 204
    assert contents(store) == {
        Labels(series(number)): [(time, bits(number)) for time in times] for number in range(40)
    }


def test_the_history_of_another_series_may_be_older() -> None:
    store = TSDB()
    to = receiver(store)
    for first, start in ((0, NOW_MS), (100, NOW_MS - 3_600_000), (200, NOW_MS - 1_800_000)):
        for step in range(5):
            row = [(series(first + number), [(start + step, 1.0)]) for number in range(20)]
            assert send_v1(to, row).status == 204
    assert {len(samples) for samples in contents(store).values()} == {5}
    assert all(not table.has_open or len(table._open.layout) == 20 for table in store._held.tables.values())  # type: ignore[union-attr]


def test_rows_that_arrive_late_move_to_a_table_of_their_own() -> None:
    """Two senders, or two shards of one, of which one is behind."""
    store = TSDB()
    to = receiver(store)
    halves = [range(20), range(20, 40)]
    for step, half in [(0, 0), (0, 1), (1, 0), (2, 0), (1, 1), (3, 0), (2, 1), (3, 1)]:
        row = [(series(number), [(NOW_MS + step, 1.0)]) for number in halves[half]]
        assert send_v1(to, row).status == 204
    assert {len(samples) for samples in contents(store).values()} == {4}
    assert len(store._held.tables) == 2
    assert store._held.irregular.samples == 0


def test_samples_older_than_the_retention_are_out_of_bounds() -> None:
    store = TSDB("1d")
    to = receiver(store)
    assert send_v1(to, [(series(0), [(NOW_MS, 1.0)])]).status == 204
    answer = send_v1(to, [(series(1), [(NOW_MS - 86_400_001, 1.0)])])
    assert (answer.status, answer.text) == (400, "out of bounds")
    assert send_v1(to, [(series(1), [(NOW_MS - 86_400_000, 1.0)])]).status == 204


# What is refused ----------------------------------------------------------------------------------


def test_samples_from_the_future_are_out_of_bounds() -> None:
    store, registry = TSDB(), Registry()
    to = receiver(store, registry)
    answer = send_v1(to, [(series(0), [(NOW_MS, 1.0)]), (series(1), [(NOW_MS + 600_001, 1.0)])])
    assert (answer.status, answer.text) == (400, "out of bounds: timestamp is too far in the future")
    assert contents(store) == {}
    assert registry.counter("prometheus_tsdb_out_of_bound_samples_total", "", "type").get("float") == 1
    assert send_v1(to, [(series(1), [(NOW_MS + 600_000, 1.0)])]).status == 204


@pytest.mark.parametrize(
    ("time", "value", "text"),
    [
        (4, 1.0, "out of order sample"),
        (5, 1e21, "duplicate sample for timestamp 5; overrides not allowed: existing 2.5, new value 1e+21"),
    ],
)
def test_a_refused_sample_refuses_the_request(time: int, value: float, text: str) -> None:
    store = TSDB()
    to = receiver(store)
    assert send_v1(to, [(M, [(5, 2.5)])]).status == 204
    answer = send_v1(to, [(series(0), [(9, 1.0)]), (M, [(time, value)]), (series(1), [(9, 1.0)])])
    assert (answer.status, answer.text) == (400, text)
    assert contents(store) == {Labels(M): [(5, bits(2.5))]}


def test_the_newest_sample_may_be_sent_again() -> None:
    store = TSDB()
    to = receiver(store)
    for _ in range(3):
        assert send_v1(to, [(series(number), [(5, 2.5)]) for number in range(20)]).status == 204
    assert len(store._held.tables) == 1
    assert set(map(tuple, contents(store).values())) == {((5, bits(2.5)),)}


def test_a_series_without_proper_labels_is_left_out_and_counted() -> None:
    store, registry = TSDB(), Registry()
    to = receiver(store, registry)
    broken = [("__name__", "m"), ("a", "\udcff")]
    for time in (1, 2):
        sent = [(broken, [(time, 1.0)]), (M, [(time, 1.0), (time + 10, 1.0)] if time == 1 else []), ([], [])]
        assert send_v1(to, sent).status == 204
    assert contents(store) == {Labels(M): [(1, bits(1.0)), (11, bits(1.0))]}
    assert registry.counter(INVALID, "").get() == 4


def test_what_is_no_request_is_refused() -> None:
    answer = receiver(TSDB()).receive(snappy(b"\x0a\x05"), "", "snappy")
    assert answer.status == 400
    assert answer.text.startswith("proto: ")


def test_series_that_were_renumbered_are_found_again() -> None:
    store = TSDB()
    to = receiver(store)
    row = [series(number) for number in range(20)]
    assert send_v1(to, [(labels, [(1, 1.0)]) for labels in row]).status == 204
    store.delete([Matcher(MatchType.EQUAL, "n", "3")], 0, 10)
    assert store.epoch > 0
    assert send_v1(to, [(labels, [(2, 2.0)]) for labels in row]).status == 204
    assert {len(samples) for samples in contents(store).values()} == {1, 2}
    assert contents(store)[Labels(row[3])] == [(2, bits(2.0))]


# Histograms and exemplars -------------------------------------------------------------------------


def integer(time: int, **changes: Any) -> histogram_pb2.Histogram:
    span = histogram_pb2.BucketSpan
    fields: dict[str, Any] = {
        "count_int": 7,
        "sum": 5.0,
        "schema": 1,
        "zero_threshold": 0.001,
        "zero_count_int": 1,
        "positive_spans": [span(offset=-1, length=2), span(offset=1, length=1)],
        "positive_deltas": [1, 1, -1],
        "negative_spans": [span(offset=2, length=1)],
        "negative_deltas": [2],
        "timestamp": time,
    }
    kept = {name: value for name, value in (fields | changes).items() if value is not None}
    return histogram_pb2.Histogram(**kept)


def floating(time: int, **changes: Any) -> histogram_pb2.Histogram:
    fields = {
        "count_int": None,
        "zero_count_int": None,
        "positive_deltas": None,
        "negative_deltas": None,
        "count_float": 7.5,
        "zero_count_float": 1.5,
        "positive_counts": [1.0, 2.0, 1.0],
        "negative_counts": [2.0],
    }
    return integer(time, **(fields | changes))


def with_histograms(*histograms: histogram_pb2.Histogram) -> pb.WriteRequest:
    request = request_v1([(M, [])])
    request.timeseries[0].histograms.extend(histograms)
    return request


def histograms(store: TSDB) -> list[tuple[int, Histogram]]:
    selection = store.select([Matcher(MatchType.EQUAL, "__name__", "m")], 0, 2**62)
    return [
        (time, histogram)
        for frame in selection.histograms
        for time, histogram in zip(frame.times.tolist(), frame.values, strict=True)
    ]


def test_native_histograms_come_in() -> None:
    store = TSDB()
    to = receiver(store)
    assert send_v1(to, with_histograms(integer(1), integer(2), floating(3, reset_hint=3))).status == 204
    whole = Histogram.parse(
        "{{schema:1 sum:5 count:7 z_bucket:1 z_bucket_w:0.001 offset:-1 buckets:[1 2 0 1] "
        "n_offset:2 n_buckets:[2]}}"
    )
    found = histograms(store)
    assert [time for time, _ in found] == [1, 2, 3]
    assert [str(histogram) for _, histogram in found[:2]] == [str(whole)] * 2
    assert found[2][1].count == 7.5
    assert found[2][1].is_gauge


def test_custom_buckets_come_in() -> None:
    store = TSDB()
    custom = integer(
        1, schema=-53, custom_values=[0.5, 1.0], zero_threshold=0.0, zero_count_int=0, count_int=4,
        positive_spans=[histogram_pb2.BucketSpan(offset=0, length=3)],
        negative_spans=None, negative_deltas=None,
    )  # fmt: skip
    assert send_v1(receiver(store), with_histograms(custom)).status == 204
    ((_, found),) = histograms(store)
    assert (found.custom_values, found.positive.counts.tolist()) == ((0.5, 1.0), [1.0, 2.0, 1.0])


def test_a_finer_schema_is_reduced() -> None:
    store = TSDB()
    assert send_v1(receiver(store), with_histograms(integer(1, schema=10))).status == 204
    ((_, found),) = histograms(store)
    assert (found.schema, found.count) == (8, 7)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"count_int": 8}, "7 observations found in buckets, but the Count field is 8"),
        ({"count_int": 6, "sum": float("nan")}, "should be at least the number of observations"),
        ({"positive_deltas": [1, 1]}, "positive side: spans need 3 buckets, have 2 buckets"),
        ({"positive_deltas": [1, 1, -3]}, "observation count is negative"),
        ({"schema": -10}, "got schema -10"),
        (
            {"negative_spans": [histogram_pb2.BucketSpan(length=1), histogram_pb2.BucketSpan(offset=-1)]},
            "negative side: span number 2 with offset -1",
        ),
        (
            {"negative_spans": [histogram_pb2.BucketSpan(offset=2**31 - 1, length=1)]},
            "negative side: the index of a bucket is beyond 32 bits",
        ),
    ],
)
def test_a_histogram_that_contradicts_itself_refuses_the_request(changes: dict[str, Any], text: str) -> None:
    store = TSDB()
    answer = send_v1(receiver(store), with_histograms(integer(1), integer(2, **changes)))
    assert answer.status == 400
    assert text in answer.text
    assert histograms(store) == []


def test_histograms_out_of_order_refuse_the_request() -> None:
    store, registry = TSDB(), Registry()
    to = receiver(store, registry)
    assert send_v1(to, with_histograms(integer(5))).status == 204
    for late in (integer(4), integer(5, sum=9.0), integer(NOW_MS + 600_001)):
        assert send_v1(to, with_histograms(integer(6), late)).status == 400
    assert [time for time, _ in histograms(store)] == [5]
    assert send_v1(to, with_histograms(integer(5))).status == 204
    assert registry.counter("prometheus_tsdb_out_of_order_samples_total", "", "type").get("histogram") == 1


def test_a_series_may_change_between_floats_and_histograms() -> None:
    store = TSDB()
    to = receiver(store)
    request = with_histograms(integer(2))
    request.MergeFrom(request_v1([(M, [(3, 1.0)])]))
    request.timeseries[0].samples.add(value=4.0, timestamp=1)
    request.MergeFrom(with_histograms(integer(4), integer(1)))  # the last is out of order among them
    assert send_v1(to, request).status == 204
    assert [time for time, _ in histograms(store)] == [2, 4]
    assert contents(store)[Labels(M)] == [(1, bits(4.0)), (3, bits(1.0))]


def test_exemplars_come_in_where_they_are_kept() -> None:
    request = request_v1([(M, [(5, 1.0)])])
    exemplar = request.timeseries[0].exemplars.add(value=2.0, timestamp=4)
    exemplar.labels.add(name=b"trace_id", value=b"x")
    request.timeseries[0].exemplars.add(value=3.0, timestamp=3)  # older: left out
    request.timeseries[0].exemplars.add(value=3.0, timestamp=NOW_MS + 600_001)  # from the future: likewise
    for store in (TSDB(), TSDB(max_exemplars=10)):
        assert send_v1(receiver(store), request).status == 204
        assert contents(store) == {Labels(M): [(5, bits(1.0))]}
    assert store.exemplars is not None
    everything = [[Matcher(MatchType.EQUAL, "__name__", "m")]]
    assert store.exemplars.select(everything, 0, 10) == [
        (Labels(M), [StoredExemplar(Labels({"trace_id": "x"}), 2.0, 4, has_time=True)])
    ]
