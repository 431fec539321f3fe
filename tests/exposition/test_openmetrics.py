"""OpenMetrics: what is taken, what is refused and with which words."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zseval.errors import ExpositionError
from zseval.exposition.entries import Description, Exemplar, Sample
from zseval.exposition.openmetrics import parse_openmetrics
from zseval.model.labels import Labels
from zseval.model.metadata import MetricType

CONFORMANCE = Path(__file__).parents[3] / "shared" / "conformance" / "exposition"


def samples(body: bytes) -> list[Sample]:
    return [entry for entry in parse_openmetrics(body) if isinstance(entry, Sample)]


def message(body: bytes) -> str:
    with pytest.raises(ExpositionError) as caught:
        list(parse_openmetrics(body))
    return caught.value.message


@pytest.mark.parametrize("body", [b"# EOF", b"# EOF\n", b"a 1\n# EOF", b'a{b="x\x00y"} 1\n# EOF\n'])
def test_a_body_ends_with_eof(body: bytes) -> None:
    assert len(samples(body)) == body.count(b" 1")


def test_timestamps_are_seconds_cut_to_milliseconds() -> None:
    body = b"a 1 1520879607.789\nb 2 -0.0015\nc 3 123\nd 4\n# EOF\n"
    assert [sample.timestamp_ms for sample in samples(body)] == [1520879607789, -1, 123000, None]


def test_an_exemplar_has_labels_a_value_and_perhaps_a_time() -> None:
    body = b'a_total 1 # {id="x\\"y","b.c"="d"} 0.5\nb_total 1 7.5 # {} 2 1.25\nc_total 1\n# EOF\n'
    assert [sample.exemplar for sample in samples(body)] == [
        Exemplar(Labels({"id": 'x"y', "b.c": "d"}), 0.5, None),
        Exemplar(Labels(), 2.0, 1250),
        None,
    ]


def test_created_lines_are_series() -> None:
    body = b"# TYPE a counter\na_total 1\na_created 1520872607.123\n# EOF\n"
    assert [dict(sample.labels)["__name__"] for sample in samples(body)] == ["a_total", "a_created"]


def test_metadata_has_types_units_and_help() -> None:
    body = (
        b'# HELP a_bytes Say \\"hi\\"\\n\\\\.\n# TYPE a_bytes gaugehistogram\n# UNIT a_bytes bytes\n'
        b'# TYPE "x.y" stateset\n# UNIT z \n# EOF\n'
    )
    entries = [entry for entry in parse_openmetrics(body) if isinstance(entry, Description)]
    assert [(entry.family, entry.text) for entry in entries] == [
        ("a_bytes", 'Say "hi"\n\\.'),
        ("a_bytes", "gaugehistogram"),
        ("a_bytes", "bytes"),
        ("x.y", "stateset"),
        ("z", ""),
    ]
    assert entries[1].type is MetricType.GAUGE_HISTOGRAM


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "data does not end with # EOF"),
        (b"a 1", "data does not end with # EOF"),
        (b"a 1\n", "data does not end with # EOF"),
        (b'a 1 # {b="c"} 4', "data does not end with # EOF"),
        (b"# EOF\na 1", "unexpected data after # EOF"),
        (b"# EOF\n\n", "unexpected data after # EOF"),
        (b"# EOFa 1", "unexpected data after # EOF"),
        (b"\n", 'expected a valid start token, got "\\n" ("INVALID") while parsing: "\\n"'),
        (b"a", 'expected value after metric, got "a" ("EOF") while parsing: "a"'),
        (b" a 1\n# EOF\n", 'expected a valid start token, got " " ("INVALID") while parsing: " "'),
        (b"# x\n# EOF\n", 'expected a valid start token, got "# x" ("INVALID") while parsing: "# x"'),
        (b"#", 'expected a valid start token, got "#" ("INVALID") while parsing: "#"'),
        (b"# H", 'expected a valid start token, got "# H" ("INVALID") while parsing: "# H"'),
        (b"#  TYPE c counter\n", 'expected a valid start token, got "#  " ("INVALID") while parsing: "#  "'),
        (b"# TYPE u untyped\n", 'invalid metric type "untyped"'),
        (b"# TYPE c  counter\n", 'invalid metric type " counter"'),
        (b"# TYPE c\n", "expected text in TYPE"),
        (b"# UNIT \n", 'expected metric name after UNIT, got "\\n" ("INVALID") while parsing: "# UNIT \\n"'),
        (b"# UNIT a_meters seconds\n", 'unit "seconds" not a suffix of metric "a_meters"'),
        (b"# UNIT aseconds seconds\n", 'unit "seconds" not a suffix of metric "aseconds"'),
        (b"a\t1\n", 'expected value after metric, got "\\t" ("INVALID") while parsing: "a\\t"'),
        (b"a 1\t2\n", 'strconv.ParseFloat: parsing "1\\t2": invalid syntax while parsing: "a 1\\t2"'),
        (
            b"a 1 2 \n",
            'expected next entry after timestamp, got " \\n" ("INVALID") while parsing: "a 1 2 \\n"',
        ),
        (
            b"a 1 2 3\n",
            'expected next entry after timestamp, got " 3\\n" ("TIMESTAMP") while parsing: "a 1 2 3\\n"',
        ),
        (b"a 1 1z\n", 'strconv.ParseFloat: parsing "1z": invalid syntax while parsing: "a 1 1z"'),
        (b"a 1 NaN\n", "invalid timestamp NaN"),
        (b"a 1 -Inf\n", "invalid timestamp -Inf"),
        (b'a 1 # {b="c"} 4 NaN\n', "invalid exemplar timestamp NaN"),
        (b'a{,b="c"} 1\n', 'expected label name, got ",b" ("COMMA") while parsing: "a{,b"'),
        (
            b'a{b="c"d="e"} 1\n',
            'expected comma or brace close, got "d=" ("LNAME") while parsing: "a{b=\\"c\\"d="',
        ),
        (b"a 1_2\n", 'unsupported character in float while parsing: "a 1_2"'),
        (b"a 1 # {b=c}\n", 'expected label value, got "c" ("INVALID") while parsing: "a 1 # {b=c"'),
        (b"a 1 # {b}\n", 'expected equal, got "}\\n" ("BCLOSE") while parsing: "a 1 # {b}\\n"'),
        (b'a 1 # {"b"} 1\n', 'expected label name, got "} " ("BCLOSE") while parsing: "a 1 # {\\"b\\"} "'),
        (
            b'a 1 # {b="c"}\n',
            (
                'expected value after exemplar labels, got "\\n" ("INVALID") while parsing: '
                '"a 1 # {b=\\"c\\"}\\n"'
            ),
        ),
        (b'a{b="x\ny"} 1\n', 'expected label value, got "\\"x\\n" ("INVALID") while parsing: "a{b=\\"x\\n"'),
        (b'{b="c",} 1', 'metric name not set while parsing: "{b=\\"c\\",} 1"'),
        (
            b'a 1 # {b="\x00"} 1\n',
            'expected label value, got "\\"\\x00" ("INVALID") while parsing: "a 1 # {b=\\"\\x00"',
        ),
    ],
)
def test_errors_have_prometheus_words(body: bytes, words: str) -> None:
    assert message(body) == words


@pytest.mark.skipif(not CONFORMANCE.exists(), reason="the conformance pages are not beside the repository")
def test_a_conformance_page_reads_as_the_reference_client_reads_it() -> None:
    from prometheus_client.openmetrics.parser import text_string_to_metric_families

    body = (CONFORMANCE / "1histogram.om.txt").read_bytes()
    families = list(text_string_to_metric_families(body.decode()))  # type: ignore[no-untyped-call]  # the client has no types there
    expected = sorted(
        (sample.name, sorted(sample.labels.items()), repr(float(sample.value)), sample.exemplar is not None)
        for family in families
        for sample in family.samples
    )
    found = sorted(
        (
            dict(sample.labels)["__name__"],
            sorted(pair for pair in sample.labels if pair[0] != "__name__"),
            repr(sample.value),
            sample.exemplar is not None,
        )
        for sample in samples(body)
    )
    assert found == expected


@pytest.mark.skipif(not CONFORMANCE.exists(), reason="the conformance pages are not beside the repository")
def test_a_conformance_page_with_a_negative_sum_is_taken_which_the_reference_client_refuses() -> None:
    found = samples((CONFORMANCE / "alltypes.5mfs.om.txt").read_bytes())
    assert any(dict(sample.labels)["__name__"].endswith("_sum") and sample.value < 0 for sample in found)


def test_nan_and_infinities_are_values() -> None:
    values = [sample.value for sample in samples(b"a NaN\nb +Inf\nc -Inf\n# EOF\n")]
    assert math.isnan(values[0])
    assert values[1:] == [math.inf, -math.inf]


def outcome(body: bytes) -> int | ExpositionError:
    """How many entries there are, or the error."""
    try:
        return sum(isinstance(entry, Sample | Description) for entry in parse_openmetrics(body))
    except ExpositionError as found:
        return found


@given(
    st.binary(max_size=200)
    | st.lists(
        st.sampled_from(
            [
                b"a",
                b" 1",
                b"\n",
                b"{",
                b"}",
                b'b="c"',
                b",",
                b"# EOF",
                b"# TYPE ",
                b" # {",
                b'"',
                b"\x00",
                b"\\",
                b"\xff",
            ]
        ),
        max_size=20,
    ).map(b"".join)
)
@settings(max_examples=200)
def test_any_bytes_give_entries_or_an_exposition_error(body: bytes) -> None:
    found = outcome(body)
    assert isinstance(found, int) or found.position is not None
