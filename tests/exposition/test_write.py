"""What is written reads back the same."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zseval.exposition.entries import Description, Sample
from zseval.exposition.openmetrics import parse_openmetrics
from zseval.exposition.text import parse_text
from zseval.exposition.write import Family, Point, write_openmetrics, write_text
from zseval.model.labels import Labels
from zseval.model.metadata import MetricType


def point(value: float, timestamp_ms: int | None = None, /, **labels: str) -> Point:
    return Point(Labels({"__name__": labels.pop("name"), **labels}), value, timestamp_ms)


def test_the_text_format_looks_as_clients_write_it() -> None:
    families = [
        Family("b", MetricType.GAUGE, [point(1.5, 12, name="b", x='q"\\\n')], help='Of b.\n"q" \\'),
        Family(
            "a_total",
            MetricType.COUNTER,
            [point(1e6, name="a_total", z="2"), point(2, name="a_total", z="1")],
        ),
        Family("my.metric", MetricType.UNKNOWN, [point(math.nan, name="my.metric", k="v")]),
    ]
    assert write_text(families).decode() == (
        "# TYPE a_total counter\n"
        'a_total{z="1"} 2\n'
        'a_total{z="2"} 1e+06\n'
        '# HELP b Of b.\\n"q" \\\\\n'
        "# TYPE b gauge\n"
        'b{x="q\\"\\\\\\n"} 1.5 12\n'
        '# TYPE "my.metric" untyped\n'
        '{"my.metric",k="v"} NaN\n'
    )


def test_openmetrics_ends_with_eof_and_writes_floats_and_seconds() -> None:
    families = [
        Family(
            "a_seconds_total",
            MetricType.COUNTER,
            [point(3, 1500, name="a_seconds_total")],
            "Of a.",
            "seconds",
        )
    ]
    assert write_openmetrics(families).decode() == (
        "# HELP a_seconds Of a.\n# TYPE a_seconds counter\n"
        "# UNIT a_seconds seconds\na_seconds_total 3.0 1.5\n# EOF\n"
    )


def test_buckets_are_in_the_order_of_their_bounds() -> None:
    bounds = ["+Inf", "10.0", "2.0", "1e+06"]
    family = Family("h", MetricType.HISTOGRAM, [point(1, name="h_bucket", le=bound) for bound in bounds])
    written = [
        dict(entry.labels)["le"] for entry in parse_text(write_text([family])) if isinstance(entry, Sample)
    ]
    assert written == ["2.0", "10.0", "1e+06", "+Inf"]


names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=8)
families = st.builds(
    lambda name, labels, value, time: Family(
        name, MetricType.GAUGE, [Point(Labels({**labels, "__name__": name}), value, time)], help="h" + name
    ),
    names,
    st.dictionaries(names.filter(lambda name: name != "__name__"), names, max_size=3),
    st.floats(allow_nan=False),
    st.none() | st.integers(0, 2**40),
)


@given(families)
@settings(max_examples=200)
@pytest.mark.parametrize(
    ("write", "parse"), [(write_text, parse_text), (write_openmetrics, parse_openmetrics)]
)
def test_what_is_written_reads_back_the_same(write, parse, family: Family) -> None:  # type: ignore[no-untyped-def]
    entries = list(parse(write([family])))
    (sample,) = [entry for entry in entries if isinstance(entry, Sample)]
    assert Labels(sample.labels) == family.points[0].labels
    assert sample.value == family.points[0].value
    assert (
        sample.timestamp_ms is None
        or parse is parse_openmetrics
        or sample.timestamp_ms == family.points[0].timestamp_ms
    )
    assert next(entry.text for entry in entries if isinstance(entry, Description)) == family.help
