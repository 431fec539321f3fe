"""Views of real rule groups and targets."""

from __future__ import annotations

from zseval import TSDB, Engine
from zseval.config.rule_files import parse_rule_file
from zseval.model.labels import Labels
from zseval.model.metadata import Metadata, MetricType
from zseval.rules.evaluate import GroupState, Surroundings
from zseval.scrape.target import DroppedTarget, Health, Target, TargetStatus
from zseval.web.views import dropped_target_views, rule_group_views, target_views

RULES = """
groups:
- name: g
  interval: 30s
  limit: 7
  labels: {team: infra}
  rules:
  - alert: Low
    expr: m < 5
    for: 1m
    keep_firing_for: 2m
    labels: {severity: page}
    annotations: {summary: low}
  - record: n
    expr: nope + on (x) group_left () m
"""


def group_state() -> tuple[TSDB, GroupState]:
    db = TSDB()
    (group,) = parse_rule_file(RULES, "r.yml", 15_000)
    surroundings = Surroundings(
        querier=Engine(db),
        store=db,
        expander=lambda _time_ms, _rule: lambda text, _labels, _value: text,
        generator_url=lambda _expr: "",
    )
    return db, GroupState(group, surroundings)


def test_a_group_is_shown_before_and_after_its_evaluations() -> None:
    db, state = group_state()
    (view,) = rule_group_views([state])
    assert (view.name, view.file, view.interval_s, view.limit) == ("g", "r.yml", 30.0, 7)
    alert, record = view.rules
    assert (alert.state, alert.health, alert.last_evaluation_ms) == ("unknown", "unknown", 0)
    assert (alert.is_alerting, alert.hold_s, alert.keep_firing_s) == (True, 60.0, 120.0)
    assert alert.labels == Labels({"team": "infra", "severity": "page"})
    assert (record.is_alerting, record.labels) == (False, Labels({"team": "infra"}))

    db.append({"__name__": "m", "a": "b"}, 1.0, 100.0)
    state.evaluate(100_000)
    alert = rule_group_views([state])[0].rules[0]
    assert (alert.state, alert.health, alert.last_evaluation_ms) == ("pending", "ok", 100_000)
    (pending,) = alert.alerts
    assert pending.labels == Labels({"alertname": "Low", "a": "b", "team": "infra", "severity": "page"})
    assert (pending.state, pending.value, pending.active_at_ms) == ("pending", 1.0, 100_000)

    state.evaluate(160_000)
    assert rule_group_views([state])[0].rules[0].state == "firing"
    db.append({"__name__": "m", "a": "b"}, 9.0, 190.0)
    state.evaluate(190_000)
    (kept,) = rule_group_views([state])[0].rules[0].alerts
    assert (kept.state, kept.keep_firing_since_ms) == ("firing", 190_000)
    state.evaluate(310_000)
    assert rule_group_views([state])[0].rules[0].state == "inactive"
    assert rule_group_views([state])[0].rules[0].alerts == ()


def test_targets_are_shown_by_job_and_url() -> None:
    status = TargetStatus(Health.DOWN, "refused", 5000, 0.5)
    labels = Labels({"job": "b", "instance": "h:1", "__address__": "h:1"})
    found = [
        (Target("b", Labels({"__address__": "h:1"}), labels, "http://h:1/m", 15_000, 10_000, status), {}),
        (Target("a", Labels(), Labels(), "http://z/", 1, 1), {"x": Metadata(MetricType.GAUGE)}),
    ]
    a, b = target_views(found)
    assert (a.scrape_pool, a.health, dict(a.metadata)) == ("a", "unknown", {"x": Metadata(MetricType.GAUGE)})
    assert b.labels == Labels({"job": "b", "instance": "h:1"})
    assert (b.health, b.last_error, b.last_scrape_ms, b.last_scrape_duration_s) == (
        "down",
        "refused",
        5000,
        0.5,
    )
    assert (b.scrape_interval_ms, b.scrape_timeout_ms) == (15_000, 10_000)
    (dropped,) = dropped_target_views([DroppedTarget("a", Labels({"x": "y"}))])
    assert (dropped.scrape_pool, dropped.discovered_labels) == ("a", Labels({"x": "y"}))
