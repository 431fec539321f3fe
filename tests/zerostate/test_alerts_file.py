"""The rule file: all alerts of the guide as the guide has them, valid, and explained."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from zseval.config.rule_files import parse_rule_file
from zseval.model.duration import format_duration
from zseval.promql.syntax.ast import VectorSelector, walk
from zseval.rules.rule import AlertingRule
from zseval.zerostate import RULES, bundled
from zseval.zerostate.catalogue import catalogue

# The guide's tables: section, alert, severity, for, and the number its condition names.
GUIDE = """
network    LowPeerConnections         warning   5m   < 3
network    CriticalPeerConnections    critical  2m   == 0
network    HighMessageFailureRate     warning   5m   > 0.2
network    HighBandwidthUsage         warning   5m   > 10 * 1024 * 1024
network    HealthCheckFailures        warning   5m   > 0.3
execution  HighTaskFailureRate        warning   5m   > 0.1
execution  CriticalTaskFailureRate    critical  2m   > 0.5
execution  HighTaskDuration           warning   5m   >= 25
execution  HighMemoryUsage            warning   5m   >= 100 * 1024 * 1024
execution  TaskTimeoutRate            warning   5m   > 0.05
execution  NoActiveGuilds             info      10m  == 0
economic   TVLDrop                    critical  5m   > 0.5
economic   HighBlacklistRate          warning   5m   > 0.1
economic   CriticalBlacklistRate      critical  2m   > 0.25
economic   PaymentFailureRate         warning   5m   > 0.05
economic   LowActiveChannels          info      10m  < 5
economic   HighDisputeRate            warning   5m   > 0.5
economic   SettlementFailures         warning   5m   > 0.1
system     ServiceDown                critical  1m   == 0
system     HighSystemLatency          warning   5m   >= 10
system     ComponentHealthDegraded    warning   5m   < 0.8
system     HighErrorRate              warning   5m   > 10
sla        SLAViolation_TaskExecution   critical  10m  >= 30
sla        SLAViolation_Availability    critical  5m   < 0.999
sla        SLAViolation_PaymentSuccess  critical  10m  < 0.999
"""
ROWS = [tuple(re.split(r"\s{2,}", line)) for line in GUIDE.strip().splitlines()]
GROUPS = parse_rule_file(bundled(RULES).read_text(), RULES, 15_000)
ALERTS = {rule.name: rule for group in GROUPS for rule in group.rules if isinstance(rule, AlertingRule)}


def test_the_groups_are_the_guides_sections_with_its_alerts_in_its_order() -> None:
    written = [
        (group.name, rule.name, rule.labels.to_dict() if isinstance(rule, AlertingRule) else None)
        for group in GROUPS
        for rule in group.rules
    ]
    assert written == [(f"zerostate-{row[0]}", row[1], {"severity": row[2]}) for row in ROWS]


@pytest.mark.parametrize(("alert", "hold", "condition"), [(row[1], row[3], row[4]) for row in ROWS])
def test_an_alert_holds_for_as_long_and_compares_with_what_the_guide_says(
    alert: str, hold: str, condition: str
) -> None:
    rule = ALERTS[alert]
    assert format_duration(rule.hold_ms) == hold
    assert condition in rule.text


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_explains_itself(alert: str) -> None:
    notes = ALERTS[alert].annotations.to_dict()
    assert set(notes) == {"summary", "description", "runbook"}
    assert all(text.strip() for text in notes.values())


def test_expressions_read_metrics_of_the_catalogue_only() -> None:
    known = {"up"}
    for metric in catalogue().values():
        suffixes = ("_bucket", "_sum", "_count") if metric.type == "histogram" else ("",)
        known |= {metric.name + suffix for suffix in suffixes}
    read = {
        node.name for rule in ALERTS.values() for node in walk(rule.expr) if isinstance(node, VectorSelector)
    }
    assert read <= known
    assert len(read) > 20


def test_every_rule_has_a_comment_that_says_whom_it_is_about() -> None:
    text = bundled(RULES).read_text()
    comments = re.findall(r"((?: {6}# [^\n]*\n)+) {6}- alert: (\w+)", text)
    assert {name for _, name in comments} == set(ALERTS)
    for comment, name in comments:
        assert re.match(r" +# (Per node|Per service|Network-wide)", comment), name


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_accepts_the_file() -> None:
    command = ["promtool", "check", "rules", "--lint=all", "--lint-fatal", str(bundled(RULES))]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "25 rules found" in run.stdout
