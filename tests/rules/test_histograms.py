"""Native histograms in rules: recorded as they are, worth 0 to an alert."""

from __future__ import annotations

from zseval.model.histogram import Histogram
from zseval.model.labels import Labels
from zseval.model.staleness import STALE_NAN
from zseval.promql.engine import Engine
from zseval.promql.syntax.parser import parse
from zseval.rules.evaluate import GroupState, Surroundings
from zseval.rules.rule import AlertingRule, Group, RecordingRule, Rule
from zseval.tsdb.db import TSDB

_HISTOGRAM = Histogram.parse("{{schema:0 sum:5 count:4 buckets:[1 2 1]}}")


def group_of(db: TSDB, *rules: Rule) -> GroupState:
    surroundings = Surroundings(Engine(db), db, lambda _time, _rule: lambda text, *_: text, lambda _: "")
    return GroupState(Group("rules.yml", "g", 60_000, rules), surroundings)


def test_a_histogram_is_recorded_under_the_rules_name() -> None:
    db = TSDB(retention=None)
    db.append_histogram({"__name__": "h", "a": "b"}, _HISTOGRAM, 60.0)
    group = group_of(db, RecordingRule("r", parse("h * 2"), "h * 2", Labels({"x": "y"})))
    result = group.evaluate(60_000)
    assert (result.errors, result.samples) == ([], 1)
    ((labels, recorded),) = Engine(db).instant("r", 60.0).histogram_samples()
    assert labels == Labels({"__name__": "r", "a": "b", "x": "y"})
    assert recorded.count == 2 * _HISTOGRAM.count


def test_a_recorded_histogram_that_is_gone_is_marked_stale() -> None:
    db = TSDB(retention=None)
    db.append_histogram({"__name__": "h"}, _HISTOGRAM, 60.0)
    group = group_of(db, RecordingRule("r", parse("h"), "h"))
    group.evaluate(60_000)
    db.append({"__name__": "h"}, STALE_NAN, 120.0)
    group.evaluate(120_000)
    assert Engine(db).instant("r", 119.0).histogram_samples() != []
    assert Engine(db).instant("r", 120.0).histogram_samples() == []


def test_an_alert_on_a_histogram_has_the_value_zero() -> None:
    db = TSDB(retention=None)
    db.append_histogram({"__name__": "h"}, _HISTOGRAM, 60.0)
    group = group_of(db, AlertingRule("A", parse("h"), "h"))
    (alert,) = group.evaluate(60_000).changes
    assert alert.value == 0.0
