"""Each fault in simulated time: its alert becomes pending, fires and is resolved when it should, and no
other alert fires but those the fault implies. A healthy network fires none.
"""

from __future__ import annotations

from collections import defaultdict

import pytest

from zseval import Labels
from zseval.config.rule_files import parse_rule_file
from zseval.rules.rule import AlertingRule
from zseval.zerostate import RULES, bundled
from zseval.zerostate.rehearsal import Change, Rehearsal
from zseval.zerostate.scenario import ROUND_SECONDS, scenario
from zseval.zerostate.simulator import FAULTS, Incident, Network

STEP = 30.0
WINDOW = 300.0
"""The longest window of a condition: how long a change of the network takes to show in it at most."""

GROUPS = parse_rule_file(bundled(RULES).read_text(), RULES, 15_000)
ALERTS = {rule.name: rule for group in GROUPS for rule in group.rules if isinstance(rule, AlertingRule)}

AT_ONCE = {
    "LowPeerConnections",
    "CriticalPeerConnections",
    "NoActiveGuilds",
    "TVLDrop",
    "HighBlacklistRate",
    "CriticalBlacklistRate",
    "LowActiveChannels",
    "ServiceDown",
}
"""Conditions on the latest samples only: true and false in the very scrape that shows the change."""


def hold(alert: str) -> float:
    return ALERTS[alert].hold_ms / 1000


def histories(changes: list[Change]) -> dict[tuple[str, Labels], list[Change]]:
    found: dict[tuple[str, Labels], list[Change]] = defaultdict(list)
    for change in changes:
        found[change.alert, change.labels].append(change)
    return found


@pytest.mark.parametrize("alert", FAULTS)
def test_a_fault_fires_its_alert_and_what_it_implies_at_the_right_times_and_nothing_else(alert: str) -> None:
    fault = FAULTS[alert]
    expected = {alert, *fault.implies}
    begins = 3_630.0 if alert == "TVLDrop" else 360.0  # it compares with an hour ago; rates need their window
    ends = begins + WINDOW + max(hold(name) for name in expected) + 2 * STEP
    rehearsal = Rehearsal(Network(21, [Incident(alert, begins, ends)]), GROUPS, STEP)
    rehearsal.run(ends + WINDOW + 2 * STEP)

    assert min(change.seconds for change in rehearsal.changes) >= begins
    fired, waited = set(), set()
    for (name, labels), changes in histories(rehearsal.changes).items():
        if any(change.after == "firing" for change in changes):
            fired.add(name)
            check_times(name, changes, begins, ends)
            check_against_the_expression(rehearsal, name, labels, changes)
        else:
            waited.add(name)
    assert fired == expected
    assert waited <= expected | set(fault.pends)
    assert rehearsal.active == {}, "everything is resolved in the end"
    assert rehearsal.errors == []
    for change in rehearsal.changes:
        check_annotations(change)


def check_annotations(change: Change) -> None:
    assert {"summary", "description", "runbook"} == set(change.annotations.to_dict())
    for text in change.annotations.to_dict().values():
        assert "{{" not in text
        assert "error expanding" not in text
        assert "no value" not in text
    for label in ("instance", "component", "latency"):
        assert change.labels.get(label) in change.annotations["summary"]


def check_times(alert: str, changes: list[Change], begins: float, ends: float) -> None:
    assert [(change.before, change.after) for change in changes] == [
        ("inactive", "pending"),
        ("pending", "firing"),
        ("firing", "inactive"),
    ]
    pending, firing, resolved = (change.seconds for change in changes)
    assert firing - pending == hold(alert)
    if alert in AT_ONCE:
        assert pending == begins
        assert resolved == ends
    else:
        assert begins <= pending <= begins + WINDOW
        assert ends < resolved <= ends + WINDOW


def check_against_the_expression(
    rehearsal: Rehearsal, alert: str, labels: Labels, changes: list[Change]
) -> None:
    """The state follows the condition: evaluated once more, over the whole time at once."""
    pending, _, resolved = (change.seconds for change in changes)
    start, end = (rehearsal.time_ms(seconds) for seconds in (0.0, rehearsal.seconds))
    result = rehearsal.engine.range_at(ALERTS[alert].expr, start, end, round(STEP * 1000))
    own = labels.without("alertname", "severity")
    true_at = {
        time
        for series, times, _ in result.series()
        if series.without("__name__") == own
        for time in times.tolist()
    }
    steps = range(rehearsal.time_ms(pending), rehearsal.time_ms(resolved), round(STEP * 1000))
    assert true_at == set(steps)


@pytest.mark.parametrize(
    "alert",
    [
        "ServiceDown",
        "CriticalPeerConnections",
        "LowActiveChannels",
        "HighMessageFailureRate",
        "HighDisputeRate",
    ],
)
def test_a_fault_that_is_over_before_the_hold_time_fires_nothing(alert: str) -> None:
    # Conditions on rates stay true for up to a window after the fault, hence the shorter visit.
    lasting = hold(alert) - STEP if alert in AT_ONCE else STEP
    rehearsal = Rehearsal(Network(22, [Incident(alert, 360.0, 360.0 + lasting)]), GROUPS, STEP)
    rehearsal.run(360.0 + lasting + WINDOW + 2 * STEP)
    assert [change for change in rehearsal.changes if change.after == "firing"] == []


def test_a_healthy_network_makes_no_alert_even_pending_for_a_day() -> None:
    day = 86_400.0
    rehearsal = Rehearsal(Network(23), (), 60.0)
    rehearsal.run(day)
    start, end = rehearsal.time_ms(WINDOW), rehearsal.time_ms(day)
    held = {
        name for name, rule in ALERTS.items() if len(rehearsal.engine.range_at(rule.expr, start, end, 60_000))
    }
    assert held == set()


def test_a_healthy_network_is_quiet_from_its_first_scrape_on() -> None:
    rehearsal = Rehearsal(Network(24), GROUPS, 15.0)
    rehearsal.run(900.0)
    assert rehearsal.changes == []


def test_two_faults_at_once_fire_both_of_their_alerts_and_clear_separately() -> None:
    incidents = [
        Incident("CriticalPeerConnections", 360.0, 900.0),
        Incident("HighBlacklistRate", 420.0, 1_200.0),
    ]
    rehearsal = Rehearsal(Network(25, incidents), GROUPS, STEP)
    rehearsal.run(1_260.0)
    resolved = {(c.alert, c.seconds) for c in rehearsal.changes if c.before == "firing"}
    assert resolved == {
        ("CriticalPeerConnections", 900.0),
        ("LowPeerConnections", 900.0),
        ("HighBlacklistRate", 1_200.0),
    }


def test_a_round_of_the_demo_shows_alerts_of_two_severities_in_all_states() -> None:
    rehearsal = Rehearsal(Network(0, scenario(1)), GROUPS, 15.0)
    rehearsal.run(ROUND_SECONDS)
    steps = {(change.before, change.after) for change in rehearsal.changes}
    assert steps >= {("inactive", "pending"), ("pending", "firing"), ("firing", "inactive")}
    fired = {change.alert for change in rehearsal.changes if change.after == "firing"}
    assert fired >= {"ServiceDown", "CriticalTaskFailureRate", "CriticalBlacklistRate", "HighBandwidthUsage"}
    assert {ALERTS[name].labels.get("severity") for name in fired} == {"critical", "warning"}
    assert min(change.seconds for change in rehearsal.changes if change.after == "firing") <= 180.0
    assert rehearsal.active == {}
