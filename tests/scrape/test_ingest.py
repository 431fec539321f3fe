"""Ingest: what a page becomes in the store, by Prometheus' rules."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from zseval.errors import ExpositionError, ScrapeError
from zseval.model.arrays import Ids, Times, Values
from zseval.model.histogram import Histogram
from zseval.model.labels import Labels
from zseval.model.metadata import Metadata, MetricType
from zseval.model.relabel import RelabelRule
from zseval.model.staleness import is_stale_value
from zseval.scrape.config import ScrapeConfig
from zseval.scrape.ingest import REPORT, Ingest, Outcome
from zseval.tsdb.db import TSDB, RowResult
from zseval.tsdb.errors import StaleReferences

TEXT = "text/plain; version=0.0.4"
TARGET = Labels({"job": "j", "instance": "i"})
Samples = dict[str, list[tuple[int, float | str]]]


class Bench:
    """A target being scraped into a store; `scrape` is one tick."""

    def __init__(self, target: Labels = TARGET, **config: object) -> None:
        self.db = TSDB(max_exemplars=100)
        self.now = 0
        self.ingest = Ingest(self.db, "scrape:j/i", target, ScrapeConfig("j", **config))  # type: ignore[arg-type]  # keys of the tests

    def scrape(self, *lines: str, content_type: str = TEXT) -> Outcome:
        self.now += 1000
        body = "".join(f"{line}\n" for line in lines).encode()
        return self.ingest.store(self.ingest.read(body, content_type), self.now, lambda: 0.5)

    def fail(self) -> Outcome:
        self.now += 1000
        return self.ingest.fail(ScrapeError("down"), self.now, lambda: 0.25)

    def samples(self, *, reports: bool = False) -> Samples:
        """What the store holds, by series without the target's labels; staleness markers as "stale"."""
        selection = self.db.select([], -1, 10**15)
        found: Samples = {}
        for frame in selection.frames:
            for row, values in zip(frame.rows.tolist(), frame.values, strict=True):
                labels = selection.labels[row]
                if labels.name in REPORT and not reports:
                    continue
                times = frame.times if frame.times.ndim == 1 else frame.times[list(frame.rows).index(row)]
                count = (
                    len(values) if frame.counts is None else int(frame.counts[list(frame.rows).index(row)])
                )
                found[str(labels.without("job", "instance"))] = [
                    (int(time), "stale" if is_stale_value(value) else value)
                    for time, value in zip(times[:count].tolist(), values[:count].tolist(), strict=True)
                ]
        return found

    def report(self, name: str) -> list[float | str]:
        return [value for _, value in self.samples(reports=True)[f'{{__name__="{name}"}}']]


class Renumbering:
    """A store that gives out ids of its own, and others after `renumber`."""

    def __init__(self, inner: TSDB) -> None:
        self._inner = inner
        self._shift = 0
        self.epoch = 0
        self.exemplars = None

    def renumber(self) -> None:
        self.epoch += 1
        self._shift += 3

    def resolve(self, labels: Sequence[Labels]) -> Ids:
        return (self._inner.resolve(labels) + self._shift).astype(np.int32)

    def table(self, source: str) -> Renumbering:
        self._table = self._inner.table(source)
        return self

    def append_row(
        self, timestamp_ms: int, ids: Ids, values: Values, *, epoch: int, starts: Times | None = None
    ) -> RowResult:
        if epoch != self.epoch:
            raise StaleReferences(epoch, self.epoch)
        inner = (ids - self._shift).astype(np.int32)
        return self._table.append_row(timestamp_ms, inner, values, epoch=self._inner.epoch, starts=starts)

    def append_samples(
        self, ids: Ids, timestamps_ms: Times, values: Values, *, epoch: int, starts: Times | None = None
    ) -> RowResult:
        raise NotImplementedError

    def append_histograms(
        self,
        ids: Ids,
        timestamps_ms: Times,
        histograms: Sequence[Histogram],
        *,
        epoch: int,
        starts: Times | None = None,
    ) -> RowResult:
        raise NotImplementedError


def m(name: str, **labels: str) -> str:
    return str(Labels({"__name__": name, **labels}))


def test_samples_get_the_targets_labels_and_the_scrapes_time() -> None:
    bench = Bench()
    bench.scrape("a 1", 'b{x="y"} 2')
    assert bench.samples() == {m("a"): [(1000, 1.0)], m("b", x="y"): [(1000, 2.0)]}
    assert bench.db.series([], 0, 10**15)[0]["job"] == "j"


def test_a_scrape_reports_on_itself_in_the_same_row() -> None:
    bench = Bench()
    bench.scrape("a 1", "b 2")
    bench.scrape("a 1", "c 2", "d 3")
    bench.fail()
    assert bench.report("up") == [1, 1, 0]
    assert bench.report("scrape_duration_seconds") == [0.5, 0.5, 0.25]
    assert bench.report("scrape_samples_scraped") == [2, 3, 0]
    assert bench.report("scrape_samples_post_metric_relabeling") == [2, 3, 0]
    assert bench.report("scrape_series_added") == [2, 2, 0]


def test_a_series_that_vanishes_becomes_stale_at_that_scrape() -> None:
    bench = Bench()
    bench.scrape("a 1", "b 2")
    bench.scrape("a 1")
    bench.scrape("a 1", "b 3")
    assert bench.samples()[m("b")] == [(1000, 2.0), (2000, "stale"), (3000, 3.0)]
    assert bench.samples()[m("a")] == [(1000, 1.0), (2000, 1.0), (3000, 1.0)]


def test_all_series_become_stale_once_when_scrapes_fail() -> None:
    bench = Bench()
    bench.scrape("a 1", "b 2")
    bench.fail()
    bench.fail()
    bench.scrape("a 1", "b 2")
    assert bench.samples()[m("a")] == [(1000, 1.0), (2000, "stale"), (4000, 1.0)]
    assert bench.report("scrape_series_added") == [2, 0, 0, 0]


def test_a_page_with_an_error_fails_the_scrape_and_counts_what_came_before() -> None:
    bench = Bench(metric_relabel=(RelabelRule(("__name__",), regex="b", action="drop"),))
    bench.scrape("a 1")
    outcome = bench.scrape("a 1", "b 2", "c x")
    assert isinstance(outcome.error, ExpositionError)
    assert str(outcome.error).startswith("3:3: strconv.ParseFloat")
    assert (outcome.scraped, outcome.post_relabel) == (2, 1)
    assert bench.samples() == {m("a"): [(1000, 1.0), (2000, "stale")]}
    assert bench.report("up") == [1, 0]


def test_an_empty_page_is_a_good_scrape_without_samples() -> None:
    bench = Bench()
    bench.scrape("a 1")
    assert bench.scrape(content_type="").error is None
    assert bench.report("up") == [1, 1]
    assert bench.samples() == {m("a"): [(1000, 1.0), (2000, "stale")]}


def test_a_content_type_nobody_knows_fails_the_scrape() -> None:
    outcome = Bench().scrape("a 1", content_type="text/html")
    assert "no fallback_scrape_protocol" in str(outcome.error)
    assert (
        Bench(fallback_scrape_protocol="PrometheusText0.0.4").scrape("a 1", content_type="text/html").error
        is None
    )


def test_a_target_that_goes_over_to_another_format_keeps_its_series() -> None:
    bench = Bench()
    bench.scrape("a 1", "b 1")
    bench.scrape("a 2", "# EOF", content_type="application/openmetrics-text; version=1.0.0")
    assert bench.samples() == {m("a"): [(1000, 1.0), (2000, 2.0)], m("b"): [(1000, 1.0), (2000, "stale")]}


def test_exposed_labels_that_conflict_are_renamed() -> None:
    bench = Bench()
    bench.scrape('a{job="mine",exported_job="x",instance=""} 1')
    (labels,) = [labels for labels in bench.db.series([], 0, 10**15) if labels.name == "a"]
    assert labels.to_dict() == {
        "__name__": "a", "job": "j", "instance": "i", "exported_job": "x", "exported_exported_job": "mine",
    }  # fmt: skip


def test_exposed_labels_win_where_they_are_honored() -> None:
    bench = Bench(honor_labels=True)
    bench.scrape('a{job="mine",instance=""} 1', "b 1")
    found = {labels.name: labels.to_dict() for labels in bench.db.series([], 0, 10**15)}
    assert found["a"] == {"__name__": "a", "job": "mine"}
    assert found["b"] == {"__name__": "b", "job": "j", "instance": "i"}


def test_metric_relabelling_drops_and_renames_and_is_done_once_a_series(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rules = (
        RelabelRule(("__name__",), regex="b", action="drop"),
        RelabelRule(("__name__",), regex="c", target_label="__name__", replacement="d"),
    )
    bench = Bench(metric_relabel=rules)
    bench.scrape("a 1", "b 2", "c 3")
    monkeypatch.setattr("zseval.scrape.ingest.final_labels", lambda *_: pytest.fail("relabelled again"))
    bench.scrape("a 4", "b 5", "c 6")
    assert bench.samples() == {m("a"): [(1000, 1.0), (2000, 4.0)], m("d"): [(1000, 3.0), (2000, 6.0)]}
    assert bench.report("scrape_samples_scraped") == [3, 3]
    assert bench.report("scrape_samples_post_metric_relabeling") == [2, 2]


def test_a_series_that_loses_its_name_fails_the_scrape() -> None:
    bench = Bench(metric_relabel=(RelabelRule(regex="__name__", action="labeldrop"),))
    assert str(bench.scrape("a 1").error) == "missing metric name (__name__ label)"


def test_more_samples_than_the_limit_fail_the_scrape_and_leave_no_series() -> None:
    bench = Bench(sample_limit=2)
    bench.scrape("a 1", "b 1")
    outcome = bench.scrape("a 1", "b 1", "c 1")
    assert str(outcome.error) == "sample limit exceeded"
    assert bench.report("scrape_samples_post_metric_relabeling") == [2, 3]
    assert m("c") not in bench.samples()
    assert bench.samples()[m("a")] == [(1000, 1.0), (2000, "stale")]
    bench.scrape("a 1", "b 1", "c 1")
    bench.scrape("a 1", "c 1")
    assert bench.samples()[m("c")] == [(4000, 1.0)]


def test_the_sample_limit_counts_what_relabelling_leaves() -> None:
    bench = Bench(sample_limit=1, metric_relabel=(RelabelRule(("__name__",), regex="b", action="drop"),))
    assert bench.scrape("a 1", "b 1").error is None
    assert str(bench.scrape("a 1", "c 1").error) == "sample limit exceeded"


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"label_limit": 3}, "label_limit exceeded (metric: a, number of labels: 4, limit: 3)"),
        (
            {"label_name_length_limit": 8},
            "label_name_length_limit exceeded (metric: a, label name: a_long_name, length: 11, limit: 8)",
        ),
        (
            {"label_value_length_limit": 3},
            (
                'label_value_length_limit exceeded (metric: a, label name: a_long_name, value: "wide",'
                " length: 4, limit: 3)"
            ),
        ),
    ],
)
def test_labels_beyond_a_limit_fail_the_scrape(limits: dict[str, int], message: str) -> None:
    bench = Bench(TARGET, **limits)
    outcome = bench.scrape("ok 1", 'a{a_long_name="wide"} 1', "b 1")
    if "name_length" in message:
        assert "label_name_length_limit exceeded (metric: " in str(outcome.error)
    else:
        assert str(outcome.error) == message
    assert outcome.scraped in (1, 2)


def test_explicit_timestamps_are_kept_and_not_followed_for_staleness() -> None:
    bench = Bench()
    bench.scrape("a 1 500", "b 1")
    bench.scrape("b 1")
    assert bench.samples() == {m("a"): [(500, 1.0)], m("b"): [(1000, 1.0), (2000, 1.0)]}


def test_explicit_timestamps_can_be_followed_for_staleness() -> None:
    bench = Bench(track_timestamps_staleness=True)
    bench.scrape("a 1 500", "b 1")
    bench.scrape("b 1")
    assert bench.samples()[m("a")] == [(500, 1.0), (2000, "stale")]


def test_explicit_timestamps_can_be_ignored() -> None:
    bench = Bench(honor_timestamps=False)
    bench.scrape("a 1 500")
    assert bench.samples() == {m("a"): [(1000, 1.0)]}


def test_samples_too_far_ahead_are_counted_and_dropped() -> None:
    bench = Bench()
    outcome = bench.scrape("a 1 5000", f"b 1 {1000 + 10 * 60_000 + 1}")
    assert outcome.error is None
    assert outcome.refused.out_of_bounds == 1
    assert bench.samples() == {m("a"): [(5000, 1.0)]}


def test_of_a_series_exposed_twice_the_first_sample_counts() -> None:
    bench = Bench()
    outcome = bench.scrape("a 1", "a 2", "b 1", 'b{x=""} 2')
    assert outcome.refused.duplicates == 1
    assert bench.samples() == {m("a"): [(1000, 1.0)], m("b"): [(1000, 1.0)]}
    assert bench.report("scrape_samples_post_metric_relabeling") == [4]


def test_out_of_order_samples_are_counted() -> None:
    bench = Bench()
    bench.scrape("a 1 900")
    outcome = bench.scrape("a 1 800")
    assert outcome.error is None
    assert outcome.refused.out_of_order == 1


def test_an_exposed_up_wins_over_the_report() -> None:
    bench = Bench()
    bench.scrape("up 7")
    bench.scrape("a 1")
    assert bench.report("up") == [7, 1]


def test_a_target_that_is_gone_leaves_markers_everywhere() -> None:
    bench = Bench()
    bench.scrape("a 1")
    bench.ingest.finish(1500)
    assert bench.samples()[m("a")] == [(1000, 1.0), (1500, "stale")]
    assert all(bench.report(name)[-1] == "stale" for name in REPORT)


def test_markers_of_a_target_that_came_back_are_refused() -> None:
    bench = Bench()
    bench.scrape("a 1")
    again = Ingest(bench.db, "scrape:j/i", TARGET, ScrapeConfig("j"))
    again.store(again.read(b"a 2\n", TEXT), 2000, lambda: 0.0)
    bench.ingest.finish(1900)
    assert bench.samples()[m("a")] == [(1000, 1.0), (2000, 2.0)]


def test_series_are_resolved_again_when_the_store_renumbers_them() -> None:
    rules = (RelabelRule(("__name__",), regex="d", action="drop"),)
    bench = Bench(metric_relabel=rules)
    store = Renumbering(bench.db)
    bench.ingest = Ingest(store, "scrape:j/i", TARGET, ScrapeConfig("j", metric_relabel=rules))
    bench.scrape("# TYPE h histogram", 'h_bucket{le="1"} 1', "b 2", "c 3", "d 4")
    store.renumber()
    bench.scrape("# TYPE h histogram", 'h_bucket{le="1"} 5', "c 6", "d 4")
    assert bench.samples() == {
        m("h_bucket", le="1.0"): [(1000, 1.0), (2000, 5.0)],
        m("b"): [(1000, 2.0), (2000, "stale")],
        m("c"): [(1000, 3.0), (2000, 6.0)],
    }
    assert bench.report("up") == [1, 1]
    assert bench.report("scrape_series_added") == [3, 0]


def test_metadata_lingers_for_ten_scrapes() -> None:
    bench = Bench()
    bench.scrape("# TYPE a counter", "# HELP a Of a.", "a 1")
    known = {"a": Metadata(MetricType.COUNTER, "Of a.", "")}
    assert bench.ingest.metadata == known
    for _ in range(10):
        bench.scrape("b 1")
        assert bench.ingest.metadata == known
    bench.scrape("b 1")
    assert bench.ingest.metadata == {}


def test_the_row_of_an_unchanged_page_has_the_same_ids_object(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    seen = []
    append_row = bench.ingest._table.append_row

    def spy(timestamp_ms, ids, values, *, epoch, starts=None):  # type: ignore[no-untyped-def]
        assert starts is None
        seen.append(ids)
        return append_row(timestamp_ms, ids, values, epoch=epoch)

    monkeypatch.setattr(bench.ingest._table, "append_row", spy)
    bench.scrape("a 1", "b 2")
    bench.scrape("a 2", "b 2")
    bench.fail()
    bench.scrape("a 3", "b 2")
    assert seen[0] is seen[1]
    assert seen[1] is seen[3]


def test_nan_and_infinities_are_stored_as_they_are() -> None:
    bench = Bench()
    bench.scrape("a NaN", "b +Inf", "c -0")
    found = bench.samples()
    value = found[m("a")][0][1]
    assert isinstance(value, float)
    assert math.isnan(value)
    assert found[m("b")] == [(1000, math.inf)]
    assert np.signbit(found[m("c")][0][1])


OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def _exemplars(bench: Bench) -> list[tuple[str, list[tuple[str, float, int]]]]:
    assert bench.db.exemplars is not None
    return [
        (
            str(series.without("job", "instance")),
            [(each.labels["t"], each.value, each.timestamp_ms) for each in own],
        )
        for series, own in bench.db.exemplars.select([[]], -(2**62), 2**62)
    ]


def test_exemplars_are_kept_under_the_labels_of_their_series() -> None:
    bench = Bench()
    lines = ("# TYPE a counter", 'a_total{x="y"} 1 # {t="u"} 0.5 3.25', 'a_total{x="z"} 1 # {t="v"} 2')
    bench.scrape(*lines, "# EOF", content_type=OPENMETRICS)
    assert _exemplars(bench) == [
        (m("a_total", x="y"), [("u", 0.5, 3250)]),
        (m("a_total", x="z"), [("v", 2.0, 1000)]),
    ]
    bench.scrape(*lines, "# EOF", content_type=OPENMETRICS)
    assert [len(own) for _, own in _exemplars(bench)] == [1, 1], "the same again says nothing new"
    bench.scrape(*lines[:2], 'a_total{x="z"} 2 # {t="w"} 2', "# EOF", content_type=OPENMETRICS)
    assert _exemplars(bench)[1] == (m("a_total", x="z"), [("v", 2.0, 1000), ("w", 2.0, 3000)])


def test_exemplars_of_series_that_relabelling_drops_are_not_kept() -> None:
    rule = RelabelRule(action="drop", source_labels=("x",), regex="y")
    bench = Bench(metric_relabel=(rule,))
    body = ("# TYPE a counter", 'a_total{x="y"} 1 # {t="u"} 1', 'a_total{x="z"} 1 # {t="v"} 1', "# EOF")
    bench.scrape(*body, content_type=OPENMETRICS)
    assert _exemplars(bench) == [(m("a_total", x="z"), [("v", 1.0, 1000)])]


def test_an_exemplar_without_a_time_has_that_of_its_sample() -> None:
    bench = Bench()
    bench.scrape("# TYPE a counter", 'a_total 1 0.5 # {t="u"} 1', "# EOF", content_type=OPENMETRICS)
    assert _exemplars(bench) == [(m("a_total"), [("u", 1.0, 500)])]
