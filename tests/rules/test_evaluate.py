"""Groups on a real store and engine: order, series and their ends, errors, alerts, reloads."""

from __future__ import annotations

import pytest

from tests.rules.conftest import MINUTE_MS, START_MS, Bench, at
from zseval.model.alert import Alert
from zseval.rules.evaluate import GroupResult, GroupState
from zseval.rules.state import AlertState


def names(alerts: list[Alert], now_ms: int) -> list[tuple[str, bool]]:
    return [(alert.name, alert.is_resolved_at(now_ms)) for alert in alerts]


def errors(result: GroupResult) -> dict[str, str]:
    return dict(result.errors)


def book_labels(group: GroupState, rule: int = 0) -> list[dict[str, str]]:
    book = group.rules[rule].book
    assert book is not None
    return [alert.labels.to_dict() for alert in book.active]


def test_each_rule_sees_what_those_before_it_wrote_at_the_same_time(bench: Bench) -> None:
    group = bench.group(
        "rules: [{record: a, expr: m + 1}, {record: b, expr: a * 10}, {record: c, expr: b + a}]"
    )
    for minute in range(3):
        bench.put(minute, m=float(minute))
        group.evaluate(at(minute))
        assert bench.samples("c", minute) == {'{__name__="c"}': (minute + 1) * 11.0}


def test_a_recorded_series_has_the_labels_of_result_group_and_rule_in_that_order(bench: Bench) -> None:
    group = bench.group(
        "labels: {x: group, y: group, z: ''}, rules: [{record: r, expr: m, labels: {y: rule, w: ''}}]"
    )
    bench.put_labelled(0, {"__name__": "m", "x": "own", "z": "own", "w": "own", "v": "own"}, 1.0)
    group.evaluate(at(0))
    assert bench.samples("r", 0) == {'{__name__="r", v="own", x="group", y="rule"}': 1.0}


def test_a_scalar_becomes_one_series_and_a_string_is_an_error(bench: Bench) -> None:
    group = bench.group("rules: [{record: a, expr: '42'}, {record: b, expr: '\"text\"'}]")
    result = group.evaluate(at(0))
    assert bench.samples("a", 0) == {'{__name__="a"}': 42.0}
    assert errors(result) == {"b": "rule result is not a vector or scalar"}


def test_series_that_vanish_end_at_that_evaluation(bench: Bench) -> None:
    group = bench.group("rules: [{record: r, expr: m > 1}]")
    bench.put(0, m=2.0)
    group.evaluate(at(0))
    bench.put(1, m=0.0)
    group.evaluate(at(1))
    assert bench.samples("r", 0.9) == {'{__name__="r"}': 2.0}
    assert bench.samples("r", 1) == {}


def test_a_rule_that_fails_costs_the_others_nothing_and_recovers(bench: Bench) -> None:
    group = bench.group(
        'rules: [{record: a, expr: m}, {record: dup, expr: \'label_replace(many, "i", "", "", "")\'},'
        " {record: c, expr: m}]"
    )
    for name in ("x", "y"):
        bench.put_labelled(0, {"__name__": "many", "i": name}, 1.0)
    bench.put(0, m=1.0)
    result = group.evaluate(at(0))
    assert list(errors(result)) == ["dup"]
    assert [rule.health for rule in group.rules] == ["ok", "err", "ok"]
    assert len(bench.samples("c", 0)) == 1
    bench.put(10, m=1.0)  # `many` is out of the lookback by now
    assert errors(group.evaluate(at(10))) == {}
    assert [(rule.health, rule.last_error) for rule in group.rules] == [("ok", "")] * 3


def test_results_that_become_one_series_are_an_error(bench: Bench) -> None:
    group = bench.group(
        "rules: [{record: r, expr: m, labels: {i: same}}, {alert: A, expr: m, labels: {i: same}}]"
    )
    for name in ("x", "y"):
        bench.put_labelled(0, {"__name__": "m", "i": name}, 1.0)
    assert errors(group.evaluate(at(0))) == {
        "r": "vector contains metrics with the same labelset after applying rule labels",
        "A": "vector contains metrics with the same labelset after applying alert labels",
    }


@pytest.mark.parametrize(("limit", "is_error"), [(0, False), (2, False), (1, True)])
def test_a_limit_counts_series_and_alerts(bench: Bench, limit: int, is_error: bool) -> None:
    group = bench.group(f"limit: {limit}, rules: [{{record: r, expr: m}}, {{alert: A, expr: m}}]")
    for name in ("x", "y"):
        bench.put_labelled(0, {"__name__": "m", "i": name}, 1.0)
    wanted = {"r": "exceeded limit of 1 with 2 series", "A": "exceeded limit of 1 with 2 alerts"}
    assert errors(group.evaluate(at(0))) == (wanted if is_error else {})


def test_alerts_are_written_told_and_resolved(bench: Bench) -> None:
    group = bench.group("rules: [{alert: A, expr: m > 1, for: 1m, labels: {severity: page}}]")
    told = []
    for minute, value in enumerate([2.0, 2.0, 2.0, 0.0, 0.0]):
        bench.put(minute, m=value)
        result = group.evaluate(at(minute))
        told.append(names(list(result.alerts), at(minute)))
    # firing is told again once more than the resend delay has passed: every second minute
    assert told == [[], [("A", False)], [], [("A", True)], []]
    state = {minute: list(bench.samples("ALERTS", minute)) for minute in (0, 1, 3)}
    labels = '{{__name__="ALERTS", alertname="A", alertstate="{}", severity="page"}}'
    assert state == {0: [labels.format("pending")], 1: [labels.format("firing")], 3: []}
    since = '{__name__="ALERTS_FOR_STATE", alertname="A", severity="page"}'
    assert bench.samples("ALERTS_FOR_STATE", 2) == {since: START_MS / 1000}


def test_a_notice_says_when_it_fired_until_when_it_holds_and_where_to_look(bench: Bench) -> None:
    group = bench.group(
        "interval: 30s, rules: [{alert: A, expr: m > 1, annotations: {v: 'is {{ $value }}'}}]"
    )
    bench.put(0, m=2.0)
    (notice,) = group.evaluate(at(0)).alerts
    assert notice.starts_at_ms == at(0)
    assert notice.ends_at_ms == at(0) + 4 * MINUTE_MS
    assert notice.generator_url == "http://host/graph?g0.expr=m > 1"
    assert notice.annotations.to_dict() == {"v": "is 2"}
    bench.put(1, m=0.0)
    (notice,) = group.evaluate(at(1)).alerts
    assert (notice.starts_at_ms, notice.ends_at_ms) == (at(0), at(1))


def test_an_end_is_told_for_fifteen_minutes(bench: Bench) -> None:
    group = bench.group("rules: [{alert: A, expr: m > 1}]")
    bench.put(0, m=2.0)
    group.evaluate(at(0))
    told = []
    for minute in range(1, 22):
        bench.put(minute, m=0.0)
        told += [minute for alert in group.evaluate(at(minute)).alerts if alert.is_resolved_at(at(minute))]
    assert told == [1, 3, 5, 7, 9, 11, 13, 15]


def test_changes_name_every_transition(bench: Bench) -> None:
    group = bench.group("rules: [{alert: A, expr: m > 1, for: 1m}]")
    seen = []
    for minute, value in enumerate([2.0, 2.0, 2.0, 0.0, 2.0, 0.0]):
        bench.put(minute, m=value)
        seen.append(
            [(change.before.value, change.after.value) for change in group.evaluate(at(minute)).changes]
        )
    assert seen == [
        [("inactive", "pending")],
        [("pending", "firing")],
        [],
        [("firing", "inactive")],
        [("inactive", "pending")],
        [("pending", "inactive")],
    ]


def test_a_template_that_fails_becomes_the_text_and_is_counted(bench: Bench) -> None:
    group = bench.group("rules: [{alert: A, expr: m, annotations: {v: '{{ .Nope }}', w: '{{ $value }}'}}]")
    bench.put(0, m=1.0)
    (notice,) = group.evaluate(at(0)).alerts
    text = notice.annotations.get("v")
    assert text.startswith(
        "<error expanding template: error executing template __alert_A: template: __alert_A:1:"
    )
    assert notice.annotations.get("w") == "1"
    assert bench.failures == 1


def test_templates_query_at_the_time_of_the_evaluation(bench: Bench) -> None:
    group = bench.group(
        "query_offset: 2m,"
        " rules: [{alert: A, expr: m, annotations: {v: '{{ query \"m\" | first | value }}'}}]"
    )
    bench.put(0, m=1.0)
    bench.put(2, m=3.0)
    (notice,) = group.evaluate(at(2)).alerts
    assert notice.annotations.get("v") == "3"


def test_a_query_offset_moves_the_query_and_what_is_written(bench: Bench) -> None:
    group = bench.group("rules: [{record: r, expr: m}]", query_offset_ms=2 * MINUTE_MS)
    bench.put(0, m=1.0)
    bench.put(2, m=3.0)
    group.evaluate(at(2))
    assert bench.samples("r", 0) == {'{__name__="r"}': 1.0}


def test_what_the_store_refuses_is_the_rules_error_and_alerts_are_told_all_the_same(bench: Bench) -> None:
    group = bench.group("rules: [{record: r, expr: m}, {alert: A, expr: m}]")
    bench.put(5, r=1.0)
    bench.put(0, m=1.0)
    result = group.evaluate(at(0))
    assert dict(result.refused) == {"r": "out of order sample"}
    assert group.rules[0].health == "err"
    assert names(list(result.alerts), at(0)) == [("A", False)]


def test_a_reload_keeps_alerts_of_rules_that_stay_and_ends_series_of_those_that_go(bench: Bench) -> None:
    before = bench.group(
        "rules: [{alert: Stays, expr: m, for: 5m}, {alert: Goes, expr: m}, {record: r, expr: m}]"
    )
    bench.put(0, m=1.0)
    before.evaluate(at(0))
    after = bench.group("rules: [{alert: New, expr: m, for: 5m}, {alert: Stays, expr: m + 1, for: 5m}]")
    after.take_over(before)
    ended = before.resolve(at(0.5))
    assert names(list(ended.alerts), at(0.5)) == [("Goes", True)]
    bench.put(1, m=1.0)
    after.evaluate(at(1))
    active = {labels["alertname"] for labels in (*book_labels(after, 0), *book_labels(after, 1))}
    assert active == {"New", "Stays"}
    stays = after.rules[1].book
    assert stays is not None
    assert [alert.active_at_ms for alert in stays.active] == [at(0)]
    assert bench.samples("r", 1) == {}
    assert bench.samples('ALERTS{alertname="Goes"}', 1) == {}


def test_rules_of_one_name_are_told_apart_by_labels_and_then_by_order(bench: Bench) -> None:
    rules = (
        "rules: [{alert: A, expr: m, labels: {s: one}}, {alert: A, expr: m, labels: {s: two}},"
        " {alert: A, expr: m > 5, labels: {s: two}}]"
    )
    before = bench.group(rules)
    bench.put(0, m=1.0)
    before.evaluate(at(0))
    after = bench.group(rules)
    after.take_over(before)
    states = [rule.book.state for rule in after.rules if rule.book is not None]
    assert states == [AlertState.FIRING, AlertState.FIRING, AlertState.INACTIVE]
    assert before.rules == []


def test_a_group_that_is_gone_ends_its_series(bench: Bench) -> None:
    group = bench.group("rules: [{record: r, expr: m}, {alert: A, expr: m}]")
    bench.put(0, m=1.0)
    group.evaluate(at(0))
    group.end(at(0.5))
    assert bench.samples('{__name__=~"r|ALERTS.*"}', 0.6) == {}


def test_durations_are_those_of_the_stopwatch(bench: Bench) -> None:
    group = bench.group("rules: [{record: r, expr: '1'}]")
    group.evaluate(at(0))
    assert 0 < group.rules[0].evaluation_s <= group.evaluation_s
    assert group.last_evaluation_ms == group.rules[0].last_evaluation_ms == at(0)
