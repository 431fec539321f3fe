"""Requests of protocol 2.0 and what a store holds after them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.remote.writing import NOW_MS, Sample, bits, contents, receiver, request_v2, send_v2, snappy
from zseval.metrics import Registry
from zseval.model.labels import Labels
from zseval.model.matcher import Matcher, MatchType
from zseval.model.staleness import STALE_NAN
from zseval.remote import placing, shapes
from zseval.remote.generated import histogram_pb2
from zseval.remote.generated import write_v2_pb2 as pb
from zseval.remote.protocol import Answer
from zseval.remote.receiver import Receiver
from zseval.tsdb.db import TSDB
from zseval.tsdb.exemplars import StoredExemplar

M = [("__name__", "m")]
INVALID = "prometheus_api_remote_write_invalid_labels_samples_total"
VALUES = st.sampled_from([0.0, -0.0, 1.0, 2.5, float("nan"), float("inf"), STALE_NAN])
SAMPLES = st.lists(st.tuples(st.integers(1, 9), VALUES), min_size=1, max_size=4)


def series(number: int) -> list[tuple[str, str]]:
    return [("__name__", f"m{number % 3}"), ("n", str(number))]


def written(answer: Answer) -> tuple[int, int, int]:
    return tuple(  # type: ignore[return-value]  # three of them
        int(answer.headers[f"X-Prometheus-Remote-Write-{kind}-Written"])
        for kind in ("Samples", "Histograms", "Exemplars")
    )


class Model:
    """Each sample judged by what was there before its request; what is refused is left out."""

    def __init__(self) -> None:
        self.samples: dict[int, list[tuple[int, int]]] = {}

    def take(self, sent: list[tuple[int, list[Sample]]]) -> tuple[int, list[str]]:
        refused, count = [], 0
        before = {number: (self.samples.get(number) or [(0, 0)])[-1] for number, _ in sent}
        fresh: dict[int, dict[int, int]] = {}
        for number, samples in sent:
            newest_time, newest_bits = before[number]
            for time, value in samples:
                if time > newest_time:
                    own = fresh.setdefault(number, {})
                    count += time not in own or own[time] == bits(value)
                    own.setdefault(time, bits(value))
                elif (time, bits(value)) == (newest_time, newest_bits):
                    count += 1
                else:
                    kind = "out of order sample" if time < newest_time else "duplicate sample"
                    refused.append(kind)
        for number, own in fresh.items():
            self.samples[number] = sorted([*self.samples.get(number, []), *own.items()])
        return count, refused


@settings(max_examples=200)
@given(requests=st.lists(st.lists(st.tuples(st.integers(0, 11), SAMPLES), max_size=10), max_size=8))
def test_a_query_returns_what_was_good_of_what_was_sent(
    requests: list[list[tuple[int, list[Sample]]]],
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(placing, "_LEAST_ROW", 3)
        patch.setattr(placing, "_MOST_TABLES", 3)
        patch.setattr(shapes, "_MOST_SHAPES", 2)
        store, model = TSDB(), Model()
        to = receiver(store)
        for sent in requests:
            answer = send_v2(to, [(series(number), samples) for number, samples in sent])
            count, refused = model.take(sent)
            assert answer.status == (400 if refused else 204)
            lines = answer.text.split("\n") if answer.text else []
            assert [line[: len(kind)] for line, kind in zip(lines, refused, strict=True)] == refused
            assert written(answer) == (count, 0, 0)
        expected = {Labels(series(number)): samples for number, samples in model.samples.items()}
        assert contents(store) == expected


@given(body=st.binary(max_size=200))
def test_any_bytes_are_a_request_or_refused(body: bytes) -> None:
    content_type = "application/x-protobuf;proto=io.prometheus.write.v2.Request"
    answer = receiver(TSDB()).receive(snappy(body), content_type, "snappy")
    assert answer.status in (204, 400)
    assert len(written(answer)) == 3


def test_symbols_may_be_numbered_anew_in_each_request() -> None:
    store = TSDB()
    to = receiver(store)
    everything = [series(number) for number in range(30)]
    for time, order in enumerate((everything, everything[::-1], everything[7:] + everything[:7]), 1):
        assert send_v2(to, [(labels, [(time, float(time))]) for labels in order]).status == 204
    assert contents(store) == {
        Labels(labels): [(time, bits(time)) for time in (1, 2, 3)] for labels in everything
    }
    assert store.series_count == 30


def test_start_times_are_read_over() -> None:
    store = TSDB()
    request = request_v2([(M, [(5, 0.0), (6, 2.0)])])
    for sample in request.timeseries[0].samples:
        sample.start_timestamp = 1
    assert send_v2(receiver(store), request).status == 204
    assert contents(store) == {Labels(M): [(5, bits(0.0)), (6, bits(2.0))]}


def _broken(**changes: Any) -> pb.Request:
    """A good series, one that is changed, and another good one."""
    request = request_v2([(series(0), [(5, 1.0)]), (M, [(5, 1.0)]), (series(1), [(5, 1.0)])])
    for name, value in changes.items():
        field = getattr(request.timeseries[1], name)
        if name == "metadata":
            field.CopyFrom(value)
        else:
            del field[:]
            field.extend(value)
    return request


@pytest.mark.parametrize(
    ("changes", "text", "invalid"),
    [
        ({"labels_refs": [1]}, "parsing labels for series [1]: invalid labelRefs length 1", 1),
        (
            {"labels_refs": [1, 99]},
            (
                "parsing labels for series [1 99]: labelRefs 1 (name) = 99 (value) outside of symbols table "
                "(size 8)"
            ),
            1,
        ),
        ({"labels_refs": [3, 4]}, 'invalid metric name or labels, got {n="0"}', 1),
        (
            {"labels_refs": [1, 2, 3, 4, 3, 4]},
            'invalid labels for series, labels {__name__="m0", n="0", n="0"}, duplicated label n',
            1,
        ),
        (
            {"metadata": pb.Metadata(unit_ref=8)},
            "parsing metadata for series [1 5]: metadata unit_ref 8 outside of symbols table (size 8)",
            0,
        ),
        (
            {"metadata": pb.Metadata(help_ref=9)},
            "parsing metadata for series [1 5]: metadata help_ref 9 outside of symbols table (size 8)",
            0,
        ),
        (
            {"samples": []},
            'TimeSeries must contain at least one sample or histogram for series {__name__="m"}',
            0,
        ),
    ],
)
def test_a_series_that_is_none_is_said_and_the_others_written(
    changes: dict[str, Any], text: str, invalid: int
) -> None:
    store, registry = TSDB(), Registry()
    to = receiver(store, registry)
    for _ in range(2):  # the second time it is remembered
        answer = send_v2(to, _broken(**changes))
        assert (answer.status, answer.text, written(answer)) == (400, text, (2, 0, 0))
    assert set(contents(store)) == {Labels(series(0)), Labels(series(1))}
    assert registry.counter(INVALID, "").get() == 2 * invalid


def test_every_refusal_has_a_line_with_its_series() -> None:
    store = TSDB()
    to = receiver(store)
    assert send_v2(to, [(M, [(5, 2.5)])]).status == 204
    sent = [(M, [(4, 1.0), (5, 3.0), (6, 1.0)]), (series(1), [(NOW_MS + 600_001, 1.0), (7, 1.0)])]
    answer = send_v2(to, sent)
    assert answer.status == 400
    assert answer.text.split("\n") == [
        'out of order sample for series {__name__="m"}',
        (
            "duplicate sample for timestamp 5; overrides not allowed: existing 2.5, new value 3 for series "
            '{__name__="m"}'
        ),
        'out of bounds: timestamp is too far in the future for series {__name__="m1", n="1"}',
    ]
    assert written(answer) == (2, 0, 0)
    assert contents(store) == {
        Labels(M): [(5, bits(2.5)), (6, bits(1.0))],
        Labels(series(1)): [(7, bits(1.0))],
    }


def test_what_is_no_request_is_refused() -> None:
    content_type = "application/x-protobuf;proto=io.prometheus.write.v2.Request"
    answer = receiver(TSDB()).receive(snappy(b"\x2a\x05"), content_type, "snappy")
    assert (answer.status, written(answer)) == (400, (0, 0, 0))


def _histogram(time: int, count: int = 3) -> histogram_pb2.Histogram:
    span = histogram_pb2.BucketSpan(offset=0, length=2)
    return histogram_pb2.Histogram(
        count_int=count,
        sum=1.0,
        positive_spans=[span],
        positive_deltas=[1, 1],
        timestamp=time,
        start_timestamp=1,
    )


def test_histograms_and_exemplars_come_in_as_far_as_they_are_good() -> None:
    store = TSDB(max_exemplars=5)
    request = request_v2([([*M, ("trace_id", "x")], [])])
    own = request.timeseries[0]
    own.histograms.extend([_histogram(5), _histogram(6, count=9), _histogram(7)])
    own.exemplars.add(labels_refs=[3, 4], value=2.0, timestamp=6)
    own.exemplars.add(labels_refs=[3, 99], value=2.0, timestamp=7)
    own.exemplars.add(labels_refs=[3, 4], value=2.0, timestamp=5)
    answer = send_v2(receiver(store), request)
    labels = Labels([*M, ("trace_id", "x")])
    assert answer.status == 400
    assert answer.text.split("\n") == [
        (
            "3 observations found in buckets, but the Count field is 9: histogram's observation count "
            "should equal the number of observations found in the buckets (in absence of NaN) "
            f"for series {labels}"
        ),
        (
            f"parsing exemplar for series {labels}: labelRefs 3 (name) = 99 (value) "
            "outside of symbols table (size 5)"
        ),
        f"out of order exemplar for series {labels}",
    ]
    assert written(answer) == (0, 2, 1)
    everything = [Matcher(MatchType.EQUAL, "__name__", "m")]
    (frame,) = store.select(everything, 0, 10).histograms
    assert frame.times.tolist() == [5, 7]
    assert store.exemplars is not None
    exemplar = StoredExemplar(Labels({"trace_id": "x"}), 2.0, 6, has_time=True)
    assert store.exemplars.select([everything], 0, 10) == [(labels, [exemplar])]


def test_metadata_becomes_labels_where_those_are_wanted() -> None:
    store = TSDB()
    to = Receiver(store, Registry(), lambda: NOW_MS, type_and_unit_labels=True)
    request = request_v2([([*M, ("__type__", "what")], [(5, 1.0)]), (series(1), [(5, 1.0)]), (M, [(5, 1.0)])])
    request.symbols.append(b"seconds")
    unit = len(request.symbols) - 1
    request.timeseries[0].metadata.CopyFrom(pb.Metadata(type=pb.Metadata.METRIC_TYPE_COUNTER, unit_ref=unit))
    request.timeseries[1].metadata.CopyFrom(pb.Metadata(type=pb.Metadata.METRIC_TYPE_GAUGE))
    assert send_v2(to, request).status == 204
    request.timeseries[2].metadata.CopyFrom(pb.Metadata(unit_ref=unit))  # the same references, another series
    assert send_v2(to, request).status == 204
    assert set(contents(store)) == {
        Labels({"__name__": "m", "__type__": "counter", "__unit__": "seconds"}),
        Labels({**dict(series(1)), "__type__": "gauge"}),
        Labels(M),
        Labels({"__name__": "m", "__unit__": "seconds"}),
    }
