"""Native histograms on their way from a page into the store."""

from __future__ import annotations

from typing import Any

import pytest

from tests.exposition import protobuf_pages as pages
from tests.exposition.protobuf_pages import classic, counter, exemplar, family, gauge, native, page
from zseval.exposition.generated import metrics_pb2 as pb
from zseval.model.histogram import Histogram
from zseval.model.labels import Labels
from zseval.model.matcher import Matcher
from zseval.model.relabel import RelabelRule
from zseval.promql.engine import Engine
from zseval.scrape.config import ScrapeConfig
from zseval.scrape.ingest import Ingest, Outcome
from zseval.tsdb.db import TSDB

TARGET = Labels({"job": "j", "instance": "i"})
OPENMETRICS = "application/openmetrics-text"


class Bench:
    """A target being scraped into a store; `scrape` is one tick, a second after the other."""

    def __init__(self, **config: Any) -> None:
        self.db = TSDB(max_exemplars=100)
        self.now = 0
        given = {"scrape_native_histograms": True, **config}
        self.ingest = Ingest(self.db, "scrape:j/i", TARGET, ScrapeConfig("j", **given))

    def scrape(self, *families: pb.MetricFamily) -> Outcome:
        return self.read(page(*families), pages.CONTENT_TYPE)

    def text(self, *lines: str) -> Outcome:
        return self.read("".join(f"{line}\n" for line in [*lines, "# EOF"]).encode(), OPENMETRICS)

    def read(self, body: bytes, content_type: str) -> Outcome:
        self.now += 1000
        return self.ingest.store(self.ingest.read(body, content_type), self.now, lambda: 0.5)

    def value(self, expr: str, *, features: str = "") -> dict[str, str]:
        """What an expression is now, by labels without the target's."""
        engine = Engine(self.db, features={features} if features else ())
        result: Any = engine.instant(expr, self.now / 1000).to_json()["result"]
        return {
            str(Labels(each["metric"]).without("job", "instance")): str(
                each.get("value", each.get("histogram"))[1]
            )
            for each in result
        }

    def starts(self, selector: str) -> list[str]:
        """Start times, sorted as text."""
        result: Any = (
            Engine(self.db, features="all").instant(f"start_timestamp({selector})", self.now / 1000).to_json()
        )
        return sorted(each["value"][1] for each in result["result"])

    def histograms(self, name: str) -> list[tuple[int, Histogram]]:
        selection = self.db.select([Matcher.metric(name)], -1, 10**15)
        return [
            (int(time), value)
            for frame in selection.histograms
            for time, value in zip(frame.times, frame.values, strict=True)
        ]


def m(name: str, **labels: str) -> str:
    return str(Labels({"__name__": name, **labels}))


def test_a_histogram_is_stored_at_the_scrapes_time_and_counted_as_one_sample() -> None:
    bench = Bench()
    outcome = bench.scrape(
        family("h", "HISTOGRAM", native([(0, 2)], [1, 2])), family("c", "COUNTER", counter(1.0))
    )
    assert (outcome.error, outcome.scraped, outcome.post_relabel, outcome.series_added) == (None, 2, 2, 2)
    bench.scrape(family("h", "HISTOGRAM", native([(0, 2)], [2, 4])), family("c", "COUNTER", counter(1.0)))
    assert [(time, value.count) for time, value in bench.histograms("h")] == [(1000, 3.0), (2000, 6.0)]
    assert bench.value("histogram_count(h)") == {"{}": "6"}
    assert bench.value("scrape_samples_scraped") == {m("scrape_samples_scraped"): "2"}
    assert bench.value("c") == {m("c"): "1"}


def test_a_histogram_that_vanishes_becomes_stale() -> None:
    bench = Bench()
    bench.scrape(family("h", "HISTOGRAM", native([(0, 2)], [1, 2])))
    assert len(bench.value("h")) == 1
    bench.scrape(family("c", "COUNTER", counter(1.0)))
    assert bench.value("h") == {}
    bench.scrape(family("h", "HISTOGRAM", native([(0, 2)], [1, 2])))
    assert len(bench.value("h")) == 1
    bench.read(b"\x05abc", pages.CONTENT_TYPE)
    assert bench.value("h") == {}
    assert bench.value("up") == {m("up"): "0"}


def test_a_histogram_that_becomes_a_float_is_one_series() -> None:
    bench = Bench()
    bench.scrape(family("h", "HISTOGRAM", native([(0, 2)], [1, 2])))
    bench.scrape(family("h", "GAUGE", gauge(5.0)))
    assert bench.value("h") == {m("h"): "5"}
    outcome = bench.scrape(family("h", "HISTOGRAM", native([(0, 2)], [1, 2])))
    assert bench.value("histogram_count(h)") == {"{}": "3"}
    assert outcome.refused.duplicates == 0


def test_times_of_their_own_are_kept() -> None:
    bench = Bench()
    metric = native([(0, 2)], [1, 2])
    metric.timestamp_ms = 700
    bench.scrape(family("h", "HISTOGRAM", metric))
    assert [time for time, _ in bench.histograms("h")] == [700]
    metric.timestamp_ms = bench.now + 3_600_000
    outcome = bench.scrape(family("h", "HISTOGRAM", metric))
    assert outcome.refused.out_of_bounds == 1
    bench = Bench(honor_timestamps=False)
    bench.scrape(family("h", "HISTOGRAM", metric))
    assert [time for time, _ in bench.histograms("h")] == [1000]


def test_of_a_histogram_exposed_twice_the_first_counts() -> None:
    bench = Bench()
    outcome = bench.scrape(family("h", "HISTOGRAM", native([(0, 1)], [1]), native([(0, 1)], [2])))
    assert [value.count for _, value in bench.histograms("h")] == [1.0]
    assert (outcome.scraped, outcome.refused.duplicates) == (2, 1)


def test_metric_relabelling_is_of_histograms_too() -> None:
    rules = (
        RelabelRule(source_labels=("__name__",), regex="gone", action="drop"),
        RelabelRule(target_label="x", replacement="y"),
    )
    bench = Bench(metric_relabel=rules)
    outcome = bench.scrape(
        family("gone", "HISTOGRAM", native([(0, 1), (-1, 1)], [1, 1])),
        family("h", "HISTOGRAM", native([(0, 1)], [1])),
    )
    assert (outcome.error, outcome.scraped, outcome.post_relabel) == (None, 2, 1)
    assert list(bench.value("h")) == [m("h", x="y")]


def test_one_that_contradicts_itself_costs_the_scrape() -> None:
    bench = Bench()
    families = [family("a", "GAUGE", gauge(1.0)), family("h", "HISTOGRAM", native([(0, 1), (-1, 1)], [1, 1]))]
    outcome = bench.scrape(*families, family("b", "GAUGE", gauge(1.0)))
    assert str(outcome.error).startswith("positive side: span number 2 with offset -1")
    assert (outcome.scraped, outcome.post_relabel, outcome.series_added) == (2, 1, 1)
    outcome = bench.scrape(families[0], family("h", "HISTOGRAM", native([(0, 1)], [1])))
    assert outcome.error is None
    assert len(bench.value("h")) == 1


def test_more_buckets_than_allowed_cost_the_scrape() -> None:
    bench = Bench(
        native_histogram_bucket_limit=1,
        scrape_native_histograms=False,
        convert_classic_histograms_to_nhcb=True,
    )
    families = [
        family("a", "GAUGE", gauge(1.0)),
        family("h", "HISTOGRAM", classic({1.0: 1}, 2, 3.0)),
        family("b", "GAUGE", gauge(1.0)),
    ]
    outcome = bench.scrape(*families)
    assert str(outcome.error) == "histogram bucket limit exceeded"
    assert (outcome.scraped, outcome.post_relabel, outcome.series_added) == (3, 3, 1)
    assert bench.value("a") == {}
    bench = Bench(native_histogram_bucket_limit=2)
    bench.scrape(family("h", "HISTOGRAM", native([(1, 4)], [1, 2, 3, 4], schema=3)))
    ((_, value),) = bench.histograms("h")
    assert (value.schema, value.positive.counts.tolist()) == (2, [3.0, 7.0])


def test_the_sample_limit_goes_before_the_bucket_limit() -> None:
    bench = Bench(native_histogram_bucket_limit=1, sample_limit=1)
    far = native([(-1000, 1), (2000, 1)], [1, 1], schema=-4)
    outcome = bench.scrape(family("a", "GAUGE", gauge(1.0)), family("h", "HISTOGRAM", far))
    assert str(outcome.error) == "sample limit exceeded"


def test_exemplars_land_in_the_ring() -> None:
    bench = Bench()
    metric = native([(0, 1)], [1], exemplars=[exemplar(2.0, 20.0, t="b"), exemplar(1.0, 10.0, t="a")], x="y")
    for _ in range(2):
        bench.scrape(
            family("h", "HISTOGRAM", metric), family("c", "COUNTER", counter(1.0, exemplar(3.0, t="c")))
        )
    assert bench.db.exemplars is not None
    found = bench.db.exemplars.select([[]], 0, 10**15)
    assert [
        (series.name, [(each.labels.get("t"), each.value, each.timestamp_ms) for each in own])
        for series, own in found
    ] == [("c", [("c", 3.0, 1000)]), ("h", [("a", 1.0, 10_000), ("b", 2.0, 20_000)])]


def test_without_native_histograms_the_classic_ones_are_read() -> None:
    bench = Bench(scrape_native_histograms=False)
    outcome = bench.scrape(family("h", "HISTOGRAM", native([(0, 2)], [1, 2])))
    assert outcome.scraped == 3
    assert bench.value("h_bucket") == {m("h_bucket", le="+Inf"): "3"}


@pytest.mark.parametrize("keep", [False, True])
def test_classic_histograms_of_text_pages_become_native(keep: bool) -> None:
    bench = Bench(convert_classic_histograms_to_nhcb=True, always_scrape_classic_histograms=keep)
    lines = ["# TYPE h histogram", 'h_bucket{le="1"} 1', 'h_bucket{le="+Inf"} 2', "h_count 2", "h_sum 3"]
    outcome = bench.text(*lines)
    assert outcome.scraped == outcome.series_added == (5 if keep else 1)
    ((_, value),) = bench.histograms("h")
    assert value == Histogram.parse("{{schema:-53 sum:3 count:2 custom_values:[1] buckets:[1 1]}}")
    assert len(bench.value("h_bucket")) == (2 if keep else 0)
    bench.text("# TYPE g gauge", "g 1")
    assert bench.value("h") == {}


def test_start_times_reach_the_engine() -> None:
    bench = Bench(start_timestamps=True)
    for value in (3.0, 5.0):
        bench.scrape(
            family("c", "COUNTER", counter(value, start=0.25)),
            family("h", "HISTOGRAM", classic({}, int(value), 1.0, start=0.75, n="h")),
            family("g", "GAUGE", gauge(1.0)),
        )
    features = "use-start-timestamps"
    assert bench.starts("{__name__=~'c|h_count'}") == ["0.25", "0.75"]
    assert bench.value("increase(c[2s])", features=features) != bench.value("increase(c[2s])")


def test_start_times_of_samples_with_times_and_of_native_histograms_are_kept() -> None:
    bench = Bench(start_timestamps=True)
    timed = counter(3.0, start=0.25, n="c")
    timed.timestamp_ms = 500
    metric = native([(0, 1)], [1])
    metric.histogram.created_timestamp.FromMilliseconds(125)
    bench.scrape(family("c", "COUNTER", timed), family("h", "HISTOGRAM", metric))
    assert bench.starts("{__name__=~'c|h'}") == ["0.125", "0.25"]


def test_created_lines_of_openmetrics_are_start_times_where_these_are_kept() -> None:
    lines = ["# TYPE c counter", "c_total 3", "c_created 0.5"]
    bench = Bench(start_timestamps=True)
    outcome = bench.text(*lines)
    assert outcome.scraped == 1
    assert bench.starts("c_total") == ["0.5"]
    assert Bench().text(*lines).scraped == 2


def test_type_and_unit_become_labels_where_that_is_wanted() -> None:
    bench = Bench(type_and_unit_labels=True)
    bench.text("# TYPE a_seconds gauge", "# UNIT a_seconds seconds", 'a_seconds{__type__="mine"} 1')
    assert list(bench.value("a_seconds")) == [m("a_seconds", __type__="gauge", __unit__="seconds")]


def test_a_format_may_change_from_scrape_to_scrape() -> None:
    bench = Bench()
    bench.scrape(family("h", "HISTOGRAM", native([(0, 2)], [1, 2])))
    bench.text("# TYPE h histogram", 'h_bucket{le="+Inf"} 2', "h_count 2")
    assert bench.value("h") == {}
    assert len(bench.value("h_count")) == 1
    bench.scrape(family("h", "HISTOGRAM", native([(0, 2)], [1, 2])))
    assert len(bench.value("h")) == 1
    assert bench.value("h_count") == {}
