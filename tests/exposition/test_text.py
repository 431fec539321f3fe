"""The text format: what is taken, what is refused and with which words."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zseval.errors import ExpositionError, Position
from zseval.exposition.entries import Description, DescriptionKind, Sample
from zseval.exposition.text import parse_text
from zseval.model.metadata import MetricType

CONFORMANCE = Path(__file__).parents[3] / "shared" / "conformance" / "exposition"


def samples(body: bytes | str) -> list[Sample]:
    raw = body.encode() if isinstance(body, str) else body
    return [entry for entry in parse_text(raw) if isinstance(entry, Sample)]


def descriptions(body: bytes) -> list[Description]:
    return [entry for entry in parse_text(body) if isinstance(entry, Description)]


def error(body: bytes) -> ExpositionError:
    with pytest.raises(ExpositionError) as caught:
        list(parse_text(body))
    return caught.value


@pytest.mark.parametrize(
    ("line", "labels"),
    [
        ("up 1", {}),
        ("up{} 1", {}),
        ('up{a="b"} 1', {"a": "b"}),
        ('up{a="b",} 1', {"a": "b"}),
        ('up{a="b",c="d"} 1', {"a": "b", "c": "d"}),
        ('up { a = "b" , c="d" } 1', {"a": "b", "c": "d"}),
        ('up{a="b" c="d"} 1', {"a": "b", "c": "d"}),
        ('up{"a"="b"} 1', {"a": "b"}),
        ('up{a="}"} 1', {"a": "}"}),
        ('up{a="x\\"y\\\\z\\n\\t"} 1', {"a": 'x"y\\z\n\\t'}),
        ('up{a="over\ntwo lines"} 1', {"a": "over\ntwo lines"}),
        ('up{a="b\x00c"} 1', {"a": "b\x00c"}),
        ('{"up",a="b"} 1', {"a": "b"}),
        ('{a="b","up"} 1', {"a": "b"}),
        ('{"up"} 1', {}),
        ('\t {"up",a="b"}1', {"a": "b"}),
        ("up\t1", {}),
        ("up+1", {}),
        ('up{a="\u20ac"} 1', {"a": "\u20ac"}),
    ],
)
def test_a_series_is_read_in_every_way_prometheus_takes_it(line: str, labels: dict[str, str]) -> None:
    (sample,) = samples(line)
    assert dict(sample.labels) == {"__name__": "up", **labels}
    assert sample.value == 1


def test_white_space_before_a_name_is_part_of_it_as_in_prometheus() -> None:
    (sample,) = samples('\t up{a="b"} 1')
    assert sample.labels == (("__name__", "\t up"), ("a", "b"))


def test_a_name_in_quotes_may_be_any_text() -> None:
    (sample,) = samples('{"my \\"metric\\"\\n10\u20ac.x","strange label\\\\"="v"} 10')
    assert sample.labels == (("__name__", 'my "metric"\n10\u20ac.x'), ("strange label\\", "v"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1.0),
        ("+1.", 1.0),
        (".5", 0.5),
        ("-0", -0.0),
        ("1e3", 1000.0),
        ("1E-3", 0.001),
        ("Inf", math.inf),
        ("+inf", math.inf),
        ("-INFINITY", -math.inf),
        ("4.9351e-05", 4.9351e-05),
        ("1e-400", 0.0),
    ],
)
def test_values_are_the_floats_go_reads(text: str, value: float) -> None:
    (sample,) = samples(f"m {text}")
    assert sample.value == value
    assert math.copysign(1, sample.value) == math.copysign(1, value)


@pytest.mark.parametrize("text", ["NaN", "nan", "NAN"])
def test_nan_is_a_value(text: str) -> None:
    assert math.isnan(samples(f"m {text}")[0].value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1_000", "unsupported character in float"),
        ("0x1p-2", "unsupported character in float"),
        ("0x1", 'strconv.ParseFloat: parsing "0x1": invalid syntax'),
        ("true", 'strconv.ParseFloat: parsing "true": invalid syntax'),
        ("+NaN", 'strconv.ParseFloat: parsing "+NaN": invalid syntax'),
        (".", 'strconv.ParseFloat: parsing ".": invalid syntax'),
        ("1e", 'strconv.ParseFloat: parsing "1e": invalid syntax'),
        ("\u0661", 'strconv.ParseFloat: parsing "\u0661": invalid syntax'),
        ("1\x0b", 'strconv.ParseFloat: parsing "1\\v": invalid syntax'),
        ("1\r", 'strconv.ParseFloat: parsing "1\\r": invalid syntax'),
        ("1e400", 'strconv.ParseFloat: parsing "1e400": value out of range'),
    ],
)
def test_what_go_does_not_read_as_a_float_is_refused(text: str, reason: str) -> None:
    assert error(f"m {text}\n".encode()).message.startswith(reason)


def test_a_timestamp_is_milliseconds() -> None:
    assert [sample.timestamp_ms for sample in samples("a 1 1234\nb 2\nc 3 \t 0 \n")] == [1234, None, 0]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"a", 'expected value after metric, got "\\n" ("INVALID") while parsing: "a\\n"'),
        (b"a{b='c'} 1\n", 'expected label value, got "\'" ("INVALID") while parsing: "a{b=\'"'),
        (b"a{b=\n", 'expected label value, got "\\n" ("INVALID") while parsing: "a{b=\\n"'),
        (b'a{\xff="x"} 1\n', 'expected label name, got "\\xff" ("INVALID") while parsing: "a{\\xff"'),
        (b'a{b="\xff"} 1\n', 'invalid UTF-8 label value: "\\"\\xff\\""'),
        (
            b'{"a", "b = "c"}',
            'expected equal, got "c\\"" ("LNAME") while parsing: "{\\"a\\", \\"b = \\"c\\""',
        ),
        (b'a{b="', 'expected label value, got "\\"\\n" ("INVALID") while parsing: "a{b=\\"\\n"'),
        (b'a{=""} 0', 'expected label name, got "=\\"" ("EQUAL") while parsing: "a{=\\""'),
        (b"{A}0", 'expected equal, got "}0" ("BCLOSE") while parsing: "{A}0"'),
        (
            b"a 0 1_2\n",
            'expected next entry after timestamp, got "_" ("INVALID") while parsing: "a 0 1_"',
        ),
        (b"a 1 -5\n", 'expected timestamp or new record, got "-" ("INVALID") while parsing: "a 1 -"'),
        (b'{a="ok"} 1', 'metric name not set while parsing: "{a=\\"ok\\"} 1"'),
        (b'a{"b"} 1', 'metric name already set while parsing: "a{\\"b\\"}"'),
        (b"# TYPE #\n", 'expected metric name after TYPE, got "#" ("INVALID") while parsing: "# TYPE #"'),
        (b"# HELP \n", 'expected metric name after HELP, got "\\n" ("INVALID") while parsing: "# HELP \\n"'),
        (b"# TYPE a speed\n", 'invalid metric type "speed"'),
        (b"# TYPE a counter \n", 'invalid metric type "counter "'),
        (b"# HELP a \xff\n", 'help text "\\xff" is not a valid utf8 string'),
        (b'a{b=\x00"s"} 1\n', 'expected label value, got "\\x00" ("INVALID") while parsing: "a{b=\\x00"'),
        (b'a{b\x00="s"} 1\n', 'expected equal, got "\\x00" ("INVALID") while parsing: "a{b\\x00"'),
        (b"a\x00 1\n", 'expected value after metric, got "\\x00" ("INVALID") while parsing: "a\\x00"'),
        (
            b'a{b="\x00',
            'expected label value, got "\\"\\x00\\n" ("INVALID") while parsing: "a{b=\\"\\x00\\n"',
        ),
        (b"9 1\n", 'expected a valid start token, got "9" ("INVALID") while parsing: "9"'),
        (b"<html>\n", 'expected a valid start token, got "<" ("INVALID") while parsing: "<"'),
    ],
)
def test_errors_have_prometheus_words(body: bytes, message: str) -> None:
    assert error(body).message == message


def test_an_error_names_line_and_column() -> None:
    found = error('ok 1\n# a comment\nbad{a="\u20ac", 1="x"} 1\n'.encode())
    assert found.position == Position(3, 12)
    assert str(found).startswith("3:12: expected label name")


def test_metadata_is_kept_as_declared() -> None:
    body = b'# HELP m A \\n text \\\\ "q"\n#\tTYPE m  \thistogram\n'.replace(b"  \t", b" ")
    assert [(entry.kind, entry.family, entry.text) for entry in descriptions(body)] == [
        (DescriptionKind.HELP, "m", 'A \n text \\ "q"'),
        (DescriptionKind.TYPE, "m", "histogram"),
    ]


def test_metadata_without_a_text_and_of_quoted_names_is_taken() -> None:
    entries = descriptions(b'# HELP a\n# HELP b \n# HELP "c.d" x\n# TYPE "c.d" untyped\n')
    assert [(entry.family, entry.text) for entry in entries] == [
        ("a", ""),
        ("b", ""),
        ("c.d", "x"),
        ("c.d", "untyped"),
    ]
    assert entries[-1].type is MetricType.UNKNOWN


def test_comments_and_empty_lines_are_nothing() -> None:
    assert len(samples("# hello\n#\n\n  \n#HELP\n# HELPS me\n# TYPEs x\na 1\n# HELP\n")) == 1


def test_a_nul_where_a_line_could_start_ends_the_page() -> None:
    assert len(samples(b"a 1\n\x00b 2\nrubbish")) == 1


@pytest.mark.parametrize(
    ("kind", "label", "written", "kept"),
    [
        ("summary", "quantile", "0", "0.0"),
        ("summary", "quantile", "0.5", "0.5"),
        ("histogram", "le", "1", "1.0"),
        ("histogram", "le", "+Inf", "+Inf"),
        ("histogram", "le", "1000000", "1e+06"),
        ("histogram", "le", "x", "x"),
        ("gauge", "le", "1", "1"),
        ("summary", "le", "1", "1"),
    ],
)
def test_bucket_bounds_and_quantiles_are_normalized(kind: str, label: str, written: str, kept: str) -> None:
    (sample,) = samples(f'# TYPE m {kind}\nm{{{label}="{written}"}} 1\n')
    assert dict(sample.labels)[label] == kept


@pytest.mark.skipif(not CONFORMANCE.exists(), reason="the conformance pages are not beside the repository")
@pytest.mark.parametrize("name", ["alltypes.237mfs.prom.txt", "alltypes.237mfs.nometa.prom.txt"])
def test_the_conformance_pages_read_as_the_reference_client_reads_them(name: str) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    body = (CONFORMANCE / name).read_bytes()
    expected = [
        (sample.name, sample.labels, sample.value)
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    ]
    found = [(dict(sample.labels)["__name__"], dict(sample.labels), sample.value) for sample in samples(body)]
    assert len(found) == len(expected)
    for (name_a, labels_a, value_a), (name_b, labels_b, value_b) in zip(
        sorted(found, key=repr_without_bounds), sorted(expected, key=repr_without_bounds), strict=True
    ):
        assert name_a == name_b
        assert without_bounds(labels_a) == without_bounds(labels_b)
        assert value_a == value_b or (math.isnan(value_a) and math.isnan(value_b))


def without_bounds(labels: dict[str, str]) -> list[tuple[str, object]]:
    """Labels with `le` and `quantile` as numbers: only Prometheus 3 normalizes them."""
    return sorted(
        (name, float(value) if name in ("le", "quantile") else value)
        for name, value in labels.items()
        if name != "__name__"
    )


def repr_without_bounds(entry: tuple[str, dict[str, str], float]) -> str:
    return repr((entry[0], without_bounds(entry[1]), entry[2]))


def outcome(body: bytes) -> int | ExpositionError:
    """How many entries there are, or the error."""
    try:
        return sum(isinstance(entry, Sample | Description) for entry in parse_text(body))
    except ExpositionError as found:
        return found


@given(
    st.binary(max_size=200)
    | st.text(alphabet='ab{}="\\,# \n\t01.eN+_\x00\xffTYPEHL', max_size=80).map(
        lambda text: text.encode("latin-1")
    )
)
@settings(max_examples=200)
def test_any_bytes_give_entries_or_an_exposition_error(body: bytes) -> None:
    found = outcome(body)
    assert isinstance(found, int) or found.position is not None


@pytest.mark.parametrize(
    "unit", [b'a{b="', b"{", b"a" * 100, b'a{b="\\', b"# HELP ", b'a{b="c",', b"\x00", b'"']
)
def test_a_long_hostile_body_is_refused_in_linear_time(unit: bytes) -> None:
    body = unit * (1_000_000 // len(unit))
    assert len(str(outcome(body))) < 5_000
