"""Reading requests of protocol 1.0 in columns gives what reading them message by message gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.remote.writing import bits, request_v1
from zseval.model.labels import Labels
from zseval.remote.columns import varint_lengths
from zseval.remote.generated import write_v1_pb2 as pb
from zseval.remote.message import InvalidSeriesError
from zseval.remote.protocol import RefusedError
from zseval.remote.v1 import RequestV1

NUMBERS = st.one_of(st.sampled_from([0.0, -0.0, 1.0, float("nan"), float("inf")]), st.floats())
TIMES = st.one_of(st.sampled_from([0, 1, 127, 128, 2**62, -1]), st.integers(-(2**63), 2**63 - 1))
SAMPLES = st.lists(st.tuples(TIMES, NUMBERS), max_size=5)


def read(body: bytes) -> list[tuple[int, int, int]]:
    """(series, time, bits) of every sample."""
    request = RequestV1(body)
    outline = request.outline()
    values, times = request.columns(int(outline.counts.sum()))
    series = np.repeat(np.arange(len(outline.counts)), outline.counts)
    return list(zip(series.tolist(), times.tolist(), map(bits, values.tolist()), strict=True))


@given(sent=st.lists(SAMPLES, max_size=6))
@example(sent=[[(0, 1.0)], [(5, 0.0)]])  # as many values as times, of different samples
def test_samples_are_those_sent(sent: list[list[tuple[int, float]]]) -> None:
    body = request_v1([([("__name__", "m")], samples) for samples in sent]).SerializeToString()
    assert read(body) == [
        (series, time, bits(value)) for series, samples in enumerate(sent) for time, value in samples
    ]


@given(pieces=st.lists(st.lists(st.binary(max_size=12), max_size=4), max_size=4))
def test_any_content_of_a_sample_is_read_as_the_library_reads_it(pieces: list[list[bytes]]) -> None:
    outer = pb.WriteRequest()
    for _ in pieces:
        outer.timeseries.add()
    body = b"".join(
        b"\x0a" + _delimited(b"".join(b"\x12" + _delimited(sample) for sample in samples))
        for samples in pieces
    )
    try:
        expected = [
            (place, sample.timestamp, bits(sample.value))
            for place, series in enumerate(pb.WriteRequest.FromString(body).timeseries)
            for sample in series.samples
        ]
    except Exception:  # noqa: BLE001 - whatever the library says, it refuses it
        with pytest.raises(RefusedError):
            read(body)
    else:
        assert read(body) == expected


def test_fields_nobody_knows_are_passed_over() -> None:
    request = request_v1([([("__name__", "m")], [(1, 2.0), (2, 0.0)])])
    sample = request.timeseries[0].samples[1].SerializeToString() + b"\x48\x07"  # field 9
    body = b"\x0a" + _delimited(
        b"\x0a" + _delimited(request.timeseries[0].labels[0].SerializeToString())
        + b"\x12" + _delimited(request.timeseries[0].samples[0].SerializeToString())
        + b"\x30\x05"  # field 6 of the series
        + b"\x12" + _delimited(sample)
    )  # fmt: skip
    assert read(body) == [(0, 1, bits(2.0)), (0, 2, bits(0.0))]


@given(numbers=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20))
def test_varint_lengths(numbers: list[int]) -> None:
    lengths = varint_lengths(np.array(numbers, dtype=np.int64)).tolist()
    assert lengths == [max((number % 2**64).bit_length() + 6, 7) // 7 for number in numbers]


def test_the_digest_tells_series_and_counts_apart_but_not_values() -> None:
    def digest(name: str, samples: list[tuple[int, float]]) -> object:
        return RequestV1(request_v1([([("__name__", name)], samples)]).SerializeToString()).digest

    assert digest("a", [(1, 1.0)]) == digest("a", [(2, 5.0)])
    assert digest("a", [(1, 1.0)]) != digest("b", [(1, 1.0)])
    assert digest("a", [(1, 1.0)]) != digest("a", [(1, 1.0), (2, 1.0)])


@pytest.mark.parametrize(
    ("pairs", "labels"),
    [
        ([("b", "2"), ("__name__", "m"), ("a", "1")], {"__name__": "m", "a": "1", "b": "2"}),
        ([("__name__", "m"), ("gone", "")], {"__name__": "m"}),
        ([("__name__", "häm.\n"), ("a b", "1")], {"__name__": "häm.\n", "a b": "1"}),
    ],
)
def test_labels_in_any_order_name_a_series(pairs: list[tuple[str, str]], labels: dict[str, str]) -> None:
    assert RequestV1(request_v1([(pairs, [])]).SerializeToString()).labels(0) == Labels(labels)


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([], "invalid metric name or labels, got {}"),
        ([("a", "1")], 'invalid metric name or labels, got {a="1"}'),
        ([("__name__", "")], 'invalid metric name or labels, got {__name__=""}'),
        ([("__name__", "m"), ("", "1")], 'invalid metric name or labels, got {""="1", __name__="m"}'),
        (
            [("__name__", "m"), ("a", "\udcff")],
            'invalid metric name or labels, got {__name__="m", a="\\xff"}',
        ),
        (
            [("__name__", "m"), ("a", "1"), ("a", "2")],
            'invalid labels for series, labels {__name__="m", a="1", a="2"}, duplicated label a',
        ),
    ],
)
def test_labels_that_name_no_series(pairs: list[tuple[str, str]], message: str) -> None:
    request = RequestV1(request_v1([(pairs, [])]).SerializeToString())
    with pytest.raises(InvalidSeriesError) as invalid:
        request.labels(0)
    assert str(invalid.value) == message


def _delimited(content: bytes) -> bytes:
    assert len(content) < 128
    return bytes([len(content)]) + content
