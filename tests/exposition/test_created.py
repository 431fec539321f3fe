"""`_created` lines as start times."""

from __future__ import annotations

from zseval.exposition.negotiate import Format
from zseval.exposition.options import PageOptions
from zseval.exposition.page import PageParser
from zseval.exposition.parsers import page_parser
from zseval.model.labels import Labels


def read(*lines: str, parser: PageParser | None = None) -> list[tuple[str, float, int]]:
    parser = parser or page_parser(Format.OPENMETRICS, PageOptions(starts=True))
    page = parser.parse(("\n".join(lines) + "\n# EOF\n").encode())
    starts = [0] * len(page.slots) if page.starts is None else page.starts.tolist()
    return [
        (str(Labels(parser.labels(int(slot)))), value, start)
        for slot, value, start in zip(page.slots, page.values.tolist(), starts, strict=True)
    ]


def m(name: str, **labels: str) -> str:
    return str(Labels({"__name__": name, **labels}))


def test_a_counter_begins_where_its_created_line_says() -> None:
    lines = [
        "# TYPE c counter",
        'c_total{a="x"} 3',
        'c_created{a="x"} 1.5',
        'c_total{a="y"} 4',
        'c_created{a="y"} 2.25',
    ]
    assert read(*lines) == [(m("c_total", a="x"), 3.0, 1500), (m("c_total", a="y"), 4.0, 2250)]


def test_the_series_of_histograms_and_summaries_share_a_start() -> None:
    assert read(
        "# TYPE h histogram", 'h_bucket{le="1"} 1', 'h_bucket{le="+Inf"} 2', "h_count 2",
        "h_sum 3", "h_created 5",
        "# TYPE s summary", 's{quantile="0.5"} 1', "s_count 2", "s_sum 3", "s_created 6",
    ) == [
        (m("h_bucket", le="1.0"), 1.0, 5000), (m("h_bucket", le="+Inf"), 2.0, 5000),
        (m("h_count"), 2.0, 5000), (m("h_sum"), 3.0, 5000),
        (m("s", quantile="0.5"), 1.0, 6000), (m("s_count"), 2.0, 6000), (m("s_sum"), 3.0, 6000),
    ]  # fmt: skip


def test_series_after_the_created_line_have_it_as_well() -> None:
    assert read("# TYPE s summary", "s_count 2", "s_created 6", "s_sum 3") == [
        (m("s_count"), 2.0, 6000), (m("s_sum"), 3.0, 6000),
    ]  # fmt: skip


def test_a_created_line_of_other_labels_or_another_family_says_nothing() -> None:
    assert read("# TYPE c counter", 'c_total{a="x"} 3', 'c_created{a="y"} 1') == [
        (m("c_total", a="x"), 3.0, 0)
    ]
    assert read("# TYPE c counter", "c_total 3", "# TYPE d counter", "c_created 1", "d_total 1") == [
        (m("c_total"), 3.0, 0), (m("d_total"), 1.0, 0),
    ]  # fmt: skip


def test_gauges_may_end_in_created() -> None:
    assert read("# TYPE x gauge", "x_created 7") == [(m("x_created"), 7.0, 0)]


def test_exemplars_keep_to_their_samples() -> None:
    parser = page_parser(Format.OPENMETRICS, PageOptions(starts=True))
    page = parser.parse(
        b'# TYPE c counter\nc_total{a="x"} 3\nc_created{a="x"} 1\n'
        b'c_total{a="y"} 3 # {t="u"} 1\nc_created{a="y"} 2\n# EOF\n'
    )
    assert list(page.exemplars) == [1]
    assert page.starts is not None
    assert page.starts.tolist() == [1000, 2000]


def test_times_that_are_none_are_not_known() -> None:
    for value in ("NaN", "+Inf", "1e300", "0"):
        assert read("# TYPE c counter", "c_total 3", f"c_created {value}") == [(m("c_total"), 3.0, 0)]


def test_a_series_that_begins_anew_is_seen_on_the_same_lines() -> None:
    parser = page_parser(Format.OPENMETRICS, PageOptions(starts=True))
    assert read("# TYPE c counter", "c_total 3", "c_created 1", parser=parser) == [(m("c_total"), 3.0, 1000)]
    assert read("# TYPE c counter", "c_total 1", "c_created 2", parser=parser) == [(m("c_total"), 1.0, 2000)]
    assert read("# TYPE c counter", "c_total 1", parser=parser) == [(m("c_total"), 1.0, 0)]


def test_histograms_with_custom_buckets_begin_as_their_lines_do() -> None:
    parser = page_parser(Format.OPENMETRICS, PageOptions(starts=True, nhcb=True))
    page = parser.parse(b'# TYPE h histogram\nh_bucket{le="1"} 1\nh_count 2\nh_sum 3\nh_created 5\n# EOF\n')
    assert page.starts is not None
    assert page.starts.tolist() == [5000]
    assert list(page.histograms) == [0]


def test_created_lines_are_series_where_start_times_are_not_wanted() -> None:
    parser = page_parser(Format.OPENMETRICS, PageOptions())
    assert read("# TYPE c counter", "c_total 3", "c_created 1", parser=parser) == [
        (m("c_total"), 3.0, 0), (m("c_created"), 1.0, 0),
    ]  # fmt: skip
