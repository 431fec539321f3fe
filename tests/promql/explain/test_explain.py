"""`Engine.explain`: what each part of a query gave, and in words why a part is empty."""

from __future__ import annotations

import json

import pytest

from zseval.model.histogram import Histogram
from zseval.promql.engine import Engine
from zseval.promql.errors import ParseError
from zseval.promql.explain.explanation import Explanation
from zseval.tsdb.db import TSDB

START, STEP, STEPS = 1_700_000_000, 15, 40
END = START + STEP * (STEPS - 1)


@pytest.fixture(scope="module")
def engine() -> Engine:
    """Ten minutes of samples, 15 s apart; `old` ends after 150 s, `ended` with a staleness marker."""
    db = TSDB()
    for step in range(STEPS):
        at = START + STEP * step
        for status in ("success", "sent", "received"):
            for job in ("a", "b"):
                labels = {"__name__": "tx_total", "status": status, "job": job}
                db.append(labels, 3.0 * step, at)
        db.append({"__name__": "up", "job": "a", "instance": "x:1"}, 1, at)
        db.append({"__name__": "up", "job": "b", "instance": "y:1"}, 0, at)
        if step < 10:
            db.append({"__name__": "old"}, 1, at)
    db.append({"__name__": "single"}, 1, END)
    db.append({"__name__": "later"}, 1, END + 60)
    return Engine(db, features="all")


def _explain(engine: Engine, expr: str) -> Explanation:
    return engine.explain(expr, END)


@pytest.mark.parametrize(
    ("expr", "reason"),
    [
        (
            'tx_total{status="failed"}',
            'no series has label status="failed"; values seen: received, sent, success',
        ),
        ('up{job=~"c.*"}', 'no series has label job=~"c.*"; values seen: a, b'),
        ('up{jub="a"}', "no series of up has a label jub; labels seen: instance, job"),
        ('{jub="a"}', "no series has a label jub; labels seen: instance, job, status"),
        (
            'up{job="a", instance="y:1"}',
            'no series of {__name__="up",job="a"} has label instance="y:1"; values seen there: x:1',
        ),
        ("tx_totl", "there is no metric tx_totl; close names: tx_total"),
        ("quite_something_else", "there is no metric quite_something_else; none of the 5 names is close"),
        (
            "old",
            (
                "a series matches, but the newest sample is 7m30s older than this step: "
                "more than the lookback of 5m"
            ),
        ),
        (
            "rate(old[2m])",
            (
                "a series matches, but the newest sample is 7m30s older than this step: "
                "more than its range of 2m"
            ),
        ),
        ("timestamp(tx_totl)", "there is no metric tx_totl; close names: tx_total"),
        ("later", "a series matches, but all their samples are later than this step"),
        (
            "rate(single[5m])",
            (
                "rate() needs two samples of a series; none has more than one in 5m "
                "(a longer range, or more frequent scrapes)"
            ),
        ),
        ("up > 5", "value > 5 holds for none of 2 series: they are between 0 and 1"),
        ("5 < up", "5 < value holds for none of 2 series: they are between 0 and 1"),
        (
            "tx_total > on(job, status) (tx_total + 1)",
            "series match, but left > right holds for none of them",
        ),
        (
            "up * tx_total",
            (
                "no series of the two sides match: label instance is only on the left; "
                "label status is only on the right (ignoring(instance, status) leaves it out)"
            ),
        ),
        (
            'up{job="a"} and on(job) up{job="b"}',
            "no series of the two sides match: label job is a on the left, b on the right",
        ),
        (
            'up{job="a"} + on(zone) label_replace(up{job="a"}, "zone", "1", "", "")',
            "no series of the two sides match: label zone is only on the right",
        ),
        ("up unless up", "every series of the left side has a match on the right"),
        ("absent(up)", "absent() has a value only where its argument has none"),
        ("absent_over_time(up[5m])", "absent_over_time() has a value only where its argument has none"),
        ("topk(0, up)", "topk() of 0 series is none"),
        ("(up / 0) < 0", "value < 0 holds for none of 2 series: they are +Inf, or NaN"),
        (
            'info(up, {zone="x"})',
            'no info series of {__name__="target_info",zone="x"} goes with its argument',
        ),
        (
            "histogram_quantile(0.9, up)",
            "no series of its argument is a histogram bucket with a label le",
        ),
        ("max_over_time(up[5s:10s])", "no multiple of its step lies in the 5s up to this step"),
        ("sum(rate(tx_totl[5m])) / up > 3", "there is no metric tx_totl; close names: tx_total"),
    ],
)
def test_an_empty_part_says_why(engine: Engine, expr: str, reason: str) -> None:
    explanation = _explain(engine, expr)
    assert explanation.reasons[:1] == [reason]
    assert f"◀ empty: {reason}" in str(explanation)


def test_series_that_ended_are_named() -> None:
    db = TSDB()
    db.append({"__name__": "x"}, 1, END - 60)
    import numpy as np

    from zseval.model.staleness import STALE_NAN

    ids = db.resolve([db.series([], -(2**62), 2**62)[0]])
    times, values = np.array([(END - 30) * 1000]), np.array([STALE_NAN])
    db.append_samples(ids, times, values, epoch=db.epoch)
    (reason,) = Engine(db).explain("x", END).reasons
    assert reason == "a series matches, but ended before this step: the newest sample is a staleness marker"


def test_a_store_without_series_says_so() -> None:
    assert Engine(TSDB()).explain("up", END).reasons == ["there is no series at all"]


@pytest.mark.parametrize(
    "expr",
    ["up", "sum(up) + 1", "rate(tx_total[1m])[3m:30s]", "tx_total[1m]", "1", '"text"', "up @ start() or up"],
)
def test_what_has_values_has_no_reason(engine: Engine, expr: str) -> None:
    explanation = _explain(engine, expr)
    assert explanation.reasons == []
    assert json.loads(json.dumps(explanation.to_json()))["text"] == str(explanation)


def test_each_part_has_its_series_samples_and_values(engine: Engine) -> None:
    explanation = _explain(engine, "sum by (job) (rate(tx_total[5m])) > 0.5")
    kinds = {node.expr: node for node in explanation.root.walk()}
    window, rate = kinds["tx_total[5m]"], kinds["rate(tx_total[5m])"]
    assert (window.series, window.samples, window.values[0].samples) == (6, 120, 20)
    assert (rate.series, rate.samples) == (6, 120)
    total = kinds["sum by (job) (rate(tx_total[5m]))"]
    assert [str(value) for value in total.values] == ['{job="a"} 0.6', '{job="b"} 0.6']
    assert all(node.seconds >= 0 for node in kinds.values())


def test_a_failure_is_shown_at_the_part_that_failed(engine: Engine) -> None:
    explanation = _explain(engine, "1 + (up + on() tx_total)")
    failed = [node for node in explanation.root.walk() if node.error]
    assert [node.expr for node in failed] == ["up + on() tx_total"]
    assert explanation.error == failed[0].error
    assert explanation.result is None
    assert "failed: found duplicate series" in str(explanation)


def test_a_range_query_counts_all_steps_and_shows_one(engine: Engine) -> None:
    shown = START + 60
    explanation = engine.explain("old", shown, start=START, end=END, step=15)
    assert explanation.time_ms == shown * 1000
    assert (explanation.root.series, explanation.root.shown) == (1, 1)
    later = engine.explain("old", END, start=START, end=END, step=15)
    assert (later.root.series, later.root.shown) == (1, 0)
    assert "0 of 1 series" in str(later)


def test_the_explained_result_is_that_of_the_query(engine: Engine) -> None:
    explanation = _explain(engine, "sum(tx_total)")
    assert explanation.result is not None
    assert explanation.result.to_json() == engine.instant("sum(tx_total)", END).to_json()


def test_what_cannot_be_parsed_is_an_error(engine: Engine) -> None:
    with pytest.raises(ParseError):
        _explain(engine, "sum(")


def test_native_histograms_are_shown_as_text() -> None:
    db = TSDB()
    histogram = Histogram.parse("{{schema:0 sum:3 count:3 buckets:[1 2]}}")
    for at in (0, 15, 30):
        db.append_histogram({"__name__": "h"}, histogram, at)
    engine = Engine(db)
    explanation = engine.explain("h[1m]", 30)
    (value,) = explanation.root.values
    assert (value.samples, value.histogram) == (3, str(histogram))
    assert engine.explain("h", 30).root.values[0].histogram == str(histogram)
    assert engine.explain("abs(h)", 30).reasons == [
        "abs() takes floats; all series of its argument are native histograms"
    ]
    assert engine.explain("h > 3", 30).reasons == ["> does not compare native histograms"]
    assert engine.instant_at("h[1m]", 30_000, stats=True).stats is not None
