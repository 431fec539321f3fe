"""What labels a result ends up with: group, rule, templates, and labels set to nothing."""

from __future__ import annotations

import pytest

from tests.rules.conftest import Bench, at
from zseval.model.labels import METRIC_NAME, Labels
from zseval.rules.evaluate import GroupState

SOURCE = {METRIC_NAME: "m", "instance": "i1", "job": "j", "alertname": "Other", "team": "theirs"}


def recorded(bench: Bench, text: str) -> Labels:
    bench.put_labelled(0, SOURCE, 1.0)
    bench.group(text).evaluate(at(0))
    ((labels, _),) = bench.engine.instant_at("r", at(0)).samples()
    return labels.without(METRIC_NAME)


def alert(bench: Bench, text: str) -> Labels:
    bench.put_labelled(0, SOURCE, 1.0)
    group = bench.group(text)
    group.evaluate(at(0))
    return alerts_of(group)[0]


def alerts_of(group: GroupState) -> list[Labels]:
    return [each.labels for rule in group.rules if rule.book is not None for each in rule.book.active]


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("rules: [{record: r, expr: m, labels: {instance: ''}}]", {"job": "j", "team": "theirs"}),
        ("labels: {instance: ''}, rules: [{record: r, expr: m}]", {"job": "j", "team": "theirs"}),
        (
            "labels: {instance: '', team: ours}, rules: [{record: r, expr: m, labels: {instance: i9}}]",
            {"instance": "i9", "job": "j", "team": "ours"},
        ),
        (
            "labels: {team: ours}, rules: [{record: r, expr: m, labels: {team: ''}}]",
            {"instance": "i1", "job": "j"},
        ),
    ],
)
def test_a_label_set_to_nothing_is_taken_off_what_is_recorded(
    bench: Bench, text: str, labels: dict[str, str]
) -> None:
    assert recorded(bench, text) == Labels({**labels, "alertname": "Other"})


def test_series_that_differ_only_in_a_label_that_is_taken_off_are_an_error(bench: Bench) -> None:
    for instance in ("a", "b"):
        bench.put_labelled(0, {METRIC_NAME: "m", "instance": instance}, 1.0)
    group = bench.group("rules: [{record: r, expr: m, labels: {instance: ''}}]")
    (error,) = group.evaluate(at(0)).errors
    assert "same labelset" in error[1]


def test_a_label_set_to_nothing_is_taken_off_an_alert(bench: Bench) -> None:
    text = "labels: {job: ''}, rules: [{alert: A, expr: m, labels: {instance: '', team: ''}}]"
    assert alert(bench, text) == Labels({"alertname": "A"})


def test_a_template_that_comes_to_nothing_takes_the_label_off(bench: Bench) -> None:
    text = (
        "rules: [{alert: A, expr: m, labels: {team: '{{ if false }}x{{ end }}', zone: '{{ $labels.none }}'}}]"
    )
    labels = alert(bench, text)
    assert labels == Labels({"alertname": "A", "instance": "i1", "job": "j"})
    written = {each.without(METRIC_NAME, "alertstate") for each, _ in _alert_series(bench)}
    assert written == {labels}


def _alert_series(bench: Bench) -> list[tuple[Labels, float]]:
    return bench.engine.instant_at('{__name__=~"ALERTS.*"}', at(0)).samples()


def test_nothing_takes_the_place_of_the_alerts_name(bench: Bench) -> None:
    labels = alert(bench, "rules: [{alert: A, expr: m, labels: {alertname: B}}]")
    assert labels.get("alertname") == "A"


def test_alertstate_of_the_result_does_not_reach_the_written_state(bench: Bench) -> None:
    bench.put_labelled(0, {METRIC_NAME: "m", "alertstate": "very_critical"}, 1.0)
    bench.group("rules: [{alert: A, expr: m, for: 5m}]").evaluate(at(0))
    states = {each.get("alertstate") for each, _ in _alert_series(bench) if each.name == "ALERTS"}
    assert states == {"pending"}


def test_templates_see_the_labels_of_the_result_with_its_name(bench: Bench) -> None:
    text = (
        "rules: [{alert: A, expr: m, labels: {was: '{{ $labels.__name__ }}/{{ $labels.alertname }}'},"
        " annotations: {says: '{{ .Labels.job }} {{ $value }}'}}]"
    )
    assert alert(bench, text).get("was") == "m/Other"


def test_moving_a_group_in_time_moves_its_alerts_and_evaluations(bench: Bench) -> None:
    group = bench.group("rules: [{alert: A, expr: vector(1), for: 5m, keep_firing_for: 1m}]")
    group.evaluate(at(0))
    hour_ms = 3_600_000
    group.shift(hour_ms)
    (book,) = [rule.book for rule in group.rules if rule.book is not None]
    (active,) = book.active
    assert active.active_at_ms == at(0) + hour_ms
    assert (active.fired_at_ms, active.resolved_at_ms, active.last_sent_at_ms) == (0, 0, 0)
    assert group.last_evaluation_ms == group.rules[0].last_evaluation_ms == at(0) + hour_ms
    assert [change.after.value for change in group.evaluate(at(4) + hour_ms).changes] == []
    assert [change.after.value for change in group.evaluate(at(5) + hour_ms).changes] == ["firing"]
