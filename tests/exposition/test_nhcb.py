"""Classic histograms of text pages as native ones with custom buckets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zseval.exposition.entries import Exemplar
from zseval.exposition.negotiate import Format
from zseval.exposition.options import HistogramLimits, PageOptions
from zseval.exposition.page import Page, PageParser
from zseval.exposition.parsers import page_parser
from zseval.model.labels import Labels

NHCB = PageOptions(nhcb=True)
BOTH = PageOptions(nhcb=True, classic_histograms=True)


def m(name: str, **labels: str) -> str:
    return str(Labels({"__name__": name, **labels}))


def body(*lines: str, end: str = "") -> bytes:
    return ("\n".join(lines) + "\n" + end).encode()


def rows(parser: PageParser, page: Page) -> list[tuple[str, object]]:
    return [
        (
            str(Labels(parser.labels(int(slot)))),
            str(page.histograms[place].value) if place in page.histograms else value,
        )
        for place, (slot, value) in enumerate(zip(page.slots, page.values.tolist(), strict=True))
    ]


def read(*lines: str, options: PageOptions = NHCB) -> list[tuple[str, object]]:
    parser = page_parser(Format.TEXT, options)
    return rows(parser, parser.parse(body(*lines)))


H = [
    "# TYPE h histogram",
    'h_bucket{a="x",le="0.1"} 1',
    'h_bucket{a="x",le="1"} 3',
    'h_bucket{a="x",le="+Inf"} 4',
    'h_sum{a="x"} 2.5',
    'h_count{a="x"} 4',
]
H_ROW = (m("h", a="x"), "{count:4, sum:2.5, [-Inf,0.1]:1, (0.1,1]:2, (1,+Inf]:1}")
H_CLASSIC = [
    (m("h_bucket", a="x", le="0.1"), 1.0),
    (m("h_bucket", a="x", le="1.0"), 3.0),
    (m("h_bucket", a="x", le="+Inf"), 4.0),
    (m("h_sum", a="x"), 2.5),
    (m("h_count", a="x"), 4.0),
]


def test_the_lines_of_a_histogram_become_one_sample() -> None:
    assert read("# TYPE a counter", "a 1", *H, "# TYPE b gauge", "b 2") == [
        (m("a"), 1.0),
        H_ROW,
        (m("b"), 2.0),
    ]


def test_the_classic_series_stay_where_they_are_wanted() -> None:
    assert read(*H, "# TYPE b gauge", "b 2", options=BOTH) == [*H_CLASSIC, H_ROW, (m("b"), 2.0)]


def test_histograms_of_other_labels_are_others() -> None:
    other = [line.replace('"x"', '"y"') for line in H[1:]]
    assert read(*H, *other) == [H_ROW, (m("h", a="y"), H_ROW[1])]


def test_only_a_histograms_type_line_makes_one() -> None:
    assert [name for name, _ in read(*H[1:])] == [
        m("h_bucket", a="x", le="0.1"), m("h_bucket", a="x", le="1"), m("h_bucket", a="x", le="+Inf"),
        m("h_sum", a="x"), m("h_count", a="x"),
    ]  # fmt: skip
    assert len(read("# TYPE g histogram", *H[1:])) == 5
    assert len(read("# TYPE h gauge", *H[1:])) == 5


def test_the_order_of_lines_does_not_matter() -> None:
    assert read(H[0], *reversed(H[1:])) == [H_ROW]


def test_parts_may_be_missing() -> None:
    assert read(*H[:3]) == [(m("h", a="x"), "{count:3, sum:0, [-Inf,0.1]:1, (0.1,1]:2}")]
    assert read(H[0], H[4]) == [(m("h", a="x"), "{count:0, sum:2.5}")]
    assert read(H[0], H[5]) == [(m("h", a="x"), "{count:4, sum:0, [-Inf,+Inf]:4}")]


def test_a_bucket_without_a_bound_stays_a_series() -> None:
    found = read(*H, 'h_bucket{a="x"} 9', 'h_bucket{a="x",le="wide"} 9', 'h_bucket{a="x",le="NaN"} 9')
    assert [name for name, _ in found] == [
        m("h_bucket", a="x"), m("h_bucket", a="x", le="wide"), m("h_bucket", a="x", le="NaN"), H_ROW[0],
    ]  # fmt: skip


def test_a_histogram_that_contradicts_itself_stays_classic() -> None:
    broken = [*H[:2], 'h_bucket{a="x",le="1"} 0', *H[3:]]
    assert [name for name, _ in read(*broken, *[line.replace('"x"', '"y"') for line in H[1:]])] == [
        *(name for name, _ in H_CLASSIC), m("h", a="y"),
    ]  # fmt: skip


def test_a_comment_ends_a_histogram() -> None:
    found = read(*H[:4], "# a word", *H[4:])
    assert [name for name, _ in found] == [H_ROW[0], H_ROW[0]]


def test_float_counts_are_kept() -> None:
    lines = [
        "# TYPE h histogram",
        'h_bucket{le="1"} 0.5',
        'h_bucket{le="+Inf"} 1.5',
        "h_count 1.5",
        "h_sum NaN",
    ]
    assert read(*lines) == [(m("h"), "{count:1.5, sum:NaN, [-Inf,1]:0.5, (1,+Inf]:1}")]


def test_times_are_kept() -> None:
    page = page_parser(Format.TEXT, NHCB).parse(body(*[f"{line} 7000" for line in H[1:]]).replace(b"#", b"#"))
    assert not page.histograms
    page = page_parser(Format.TEXT, NHCB).parse(body(H[0], *[f"{line} 7000" for line in H[1:]]))
    assert page.timestamps is not None
    assert page.timestamps.tolist() == [7000]


def test_exemplars_of_buckets_become_the_histograms_where_they_have_a_time() -> None:
    lines = [
        "# TYPE h histogram",
        'h_bucket{le="1"} 1 # {t="a"} 0.5 20',
        'h_bucket{le="2"} 2 # {t="b"} 1.5',
        'h_bucket{le="+Inf"} 4 # {t="c"} 9 10.5',
        "h_count 4",
        "h_sum 12",
        "# TYPE c counter",
        'c_total 1 # {t="d"} 1',
    ]
    for options, place in ((NHCB, 1), (BOTH, 6)):
        page = page_parser(Format.OPENMETRICS, options).parse(body(*lines, end="# EOF\n"))
        assert page.exemplars == {place: Exemplar(Labels({"t": "d"}), 1.0, None)}
        (sample,) = page.histograms.values()
        assert sample.exemplars == (
            Exemplar(Labels({"t": "c"}), 9.0, 10_500),
            Exemplar(Labels({"t": "a"}), 0.5, 20_000),
        )


def test_a_limit_counts_custom_buckets() -> None:
    options = PageOptions(nhcb=True, limits=HistogramLimits(max_buckets=2))
    (sample,) = page_parser(Format.TEXT, options).parse(body(*H)).histograms.values()
    assert sample.is_too_large


def test_pages_of_the_same_lines_have_the_same_slots() -> None:
    parser = page_parser(Format.TEXT, NHCB)
    first = parser.parse(body(*H, "# TYPE b gauge", "b 2"))
    second = parser.parse(body(*H[:-2], 'h_sum{a="x"} 3.5', H[-1], "# TYPE b gauge", "b 3"))
    assert second.slots is first.slots
    assert not second.new
    assert rows(parser, second) == [(H_ROW[0], H_ROW[1].replace("2.5", "3.5")), (m("b"), 3.0)]


X = [line.replace('"1"', '"1.0"') for line in H]  # a series keeps the labels of when it was first seen
LINES = [
    *X,
    *[line.replace('"x"', '"y"') for line in X[1:]],
    'h_bucket{a="x",le="1.0"} 0',
    "# HELP h x",
    "h 3",
    "b 1",
]


@given(st.lists(st.lists(st.sampled_from(LINES), max_size=14), min_size=1, max_size=5), st.booleans())
def test_whatever_came_before_a_page_reads_as_if_it_were_the_first(
    pages: list[list[str]], keep: bool
) -> None:
    options = BOTH if keep else NHCB
    parser = page_parser(Format.TEXT, options)
    known: dict[int, dict[str, str]] = {}
    for lines in pages:
        page = parser.parse(body(*lines))
        known.update(page.new)
        alone = page_parser(Format.TEXT, options)
        assert rows(parser, page) == rows(alone, alone.parse(body(*lines)))
        for slot in page.slots.tolist():
            assert known[slot] == parser.labels(slot)


@pytest.mark.parametrize("format", [Format.TEXT, Format.OPENMETRICS])
def test_type_and_unit_labels_are_of_the_histogram_too(format: Format) -> None:  # noqa: A002
    parser = page_parser(format, PageOptions(nhcb=True, describe=True))
    page = parser.parse(body(*H, end="# EOF\n" if format is Format.OPENMETRICS else ""))
    assert rows(parser, page) == [(m("h", a="x", __type__="histogram"), H_ROW[1])]
    assert np.array_equal(page.slots, [1])
