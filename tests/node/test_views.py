"""Rule groups as the API shows them."""

from __future__ import annotations

from zseval import TSDB, Engine
from zseval.config.rule_files import parse_rule_file
from zseval.model.labels import Labels
from zseval.node.views import rule_groups
from zseval.rules.evaluate import GroupState, Surroundings
from zseval.rules.texts import Expanded

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
        expander=lambda _time_ms, _rule: lambda text, _labels, _value: Expanded(text),
        generator_url=lambda _expr: "",
    )
    return db, GroupState(group, surroundings)


def test_a_group_is_shown_before_and_after_its_evaluations() -> None:
    db, state = group_state()
    (view,) = rule_groups([state])
    assert (view.name, view.file, view.interval_s, view.limit) == ("g", "r.yml", 30.0, 7)
    alert, record = view.rules
    assert (alert.state, alert.health, alert.last_evaluation_ms) == ("unknown", "unknown", 0)
    assert (alert.is_alerting, alert.hold_s, alert.keep_firing_s) == (True, 60.0, 120.0)
    assert alert.labels == Labels({"team": "infra", "severity": "page"})
    assert (record.is_alerting, record.labels) == (False, Labels({"team": "infra"}))

    db.append({"__name__": "m", "a": "b"}, 1.0, 100.0)
    state.evaluate(100_000)
    alert = rule_groups([state])[0].rules[0]
    assert (alert.state, alert.health, alert.last_evaluation_ms) == ("pending", "ok", 100_000)
    (pending,) = alert.alerts
    assert pending.labels == Labels({"alertname": "Low", "a": "b", "team": "infra", "severity": "page"})
    assert (pending.state, pending.value, pending.active_at_ms) == ("pending", 1.0, 100_000)

    state.evaluate(160_000)
    assert rule_groups([state])[0].rules[0].state == "firing"
    db.append({"__name__": "m", "a": "b"}, 9.0, 190.0)
    state.evaluate(190_000)
    (kept,) = rule_groups([state])[0].rules[0].alerts
    assert (kept.state, kept.keep_firing_since_ms) == ("firing", 190_000)
    state.evaluate(310_000)
    assert rule_groups([state])[0].rules[0].state == "inactive"
    assert list(rule_groups([state])[0].rules[0].alerts) == []
