"""The alerts' expressions on networks that are not the simulated one: no traffic, other buckets.

Each case is a little data set and what the expression gives on it. zseval evaluates it, and the real
promtool as well, so that the rules are right in Prometheus too.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from zseval import STALE_NAN, TSDB, Engine, Labels
from zseval.config.rule_files import parse_rule_file
from zseval.rules.rule import AlertingRule
from zseval.zerostate import RULES, bundled

STEP = 30  # seconds between samples
ALERTS = {
    rule.name: rule
    for group in parse_rule_file(bundled(RULES).read_text(), RULES, 15_000)
    for rule in group.rules
    if isinstance(rule, AlertingRule)
}
A = '{job="edge",instance="a"}'
MB = 2**20


@dataclass(frozen=True)
class Case:
    """series: promtool's notation, a value every 30 s; result: label sets with the expression's values."""

    story: str
    alert: str
    series: dict[str, str]
    result: dict[str, float]
    minutes: int = 15


def on(node: str, name: str, **labels: str) -> str:
    """A series of a node of job `edge`."""
    pairs = {"job": "edge", "instance": node, **labels}
    return name + "{" + ",".join(f'{label}="{value}"' for label, value in pairs.items()) + "}"


def on_a(name: str, **labels: str) -> str:
    return on("a", name, **labels)


def per_second(rate: float) -> str:
    return f"0+{rate * STEP:.15g}x400"


def always(value: float) -> str:
    return f"{value:.15g}x400"


def messages(**rates: float) -> dict[str, str]:
    return {on_a("p2p_messages_total", status=name): per_second(rate) for name, rate in rates.items()}


def tasks(**rates: float) -> dict[str, str]:
    return {on_a("execution_tasks_total", result=name): per_second(rate) for name, rate in rates.items()}


def payments(**rates: float) -> dict[str, str]:
    return {on_a("economic_payments_total", status=name): per_second(rate) for name, rate in rates.items()}


def histogram(name: str, buckets: dict[str, float], total: float, node: str = "a") -> dict[str, str]:
    """Cumulative buckets and the sum, as rates."""
    series = {on(node, f"{name}_bucket", le=bound): per_second(rate) for bound, rate in buckets.items()}
    series[on(node, f"{name}_count")] = per_second(buckets["+Inf"])
    series[on(node, f"{name}_sum")] = per_second(total)
    return series


DURATION = "execution_task_duration_seconds"
MEMORY = "execution_memory_bytes"
TVL = "economic_total_value_locked"

CASES = [
    Case(
        "active connections count, the total does not",
        "LowPeerConnections",
        {
            on_a("p2p_connections_total", state="active"): always(2),
            on_a("p2p_connections_total", state="total"): always(9),
        },
        {A: 2},
    ),
    Case(
        "three connections are enough",
        "LowPeerConnections",
        {on_a("p2p_connections_total", state="active"): always(3)},
        {},
    ),
    Case(
        "a node that never had a connection is isolated",
        "CriticalPeerConnections",
        {on_a("p2p_peers_discovered"): always(40)},
        {A: 0},
    ),
    Case(
        "a node that never had a connection has few",
        "LowPeerConnections",
        {on_a("p2p_peers_discovered"): always(40)},
        {A: 0},
    ),
    Case(
        "a node with one connection is not isolated",
        "CriticalPeerConnections",
        {on_a("p2p_connections_total", state="active"): always(1), on_a("p2p_peers_discovered"): always(40)},
        {},
    ),
    Case(
        "failures are a share of the deliveries, not of all counted messages",
        "HighMessageFailureRate",
        messages(success=7, failed=3, sent=10, received=10),
        {A: 0.3},
    ),
    Case(
        "a share at the threshold is not above it",
        "HighMessageFailureRate",
        messages(success=8, failed=2),
        {},
    ),
    Case(
        "a node that only ever failed has no success series",
        "HighMessageFailureRate",
        messages(failed=1, sent=1),
        {A: 1},
    ),
    Case("a node that never failed has no failed series", "HighMessageFailureRate", messages(success=1), {}),
    Case("no traffic is no failure", "HighMessageFailureRate", messages(success=0, failed=0), {}),
    Case(
        "the two directions of a link are not added up",
        "HighBandwidthUsage",
        {
            on_a("p2p_bandwidth_bytes_total", direction="tx"): per_second(6 * MB),
            on_a("p2p_bandwidth_bytes_total", direction="rx"): per_second(6 * MB),
        },
        {},
    ),
    Case(
        "one direction above 10 MB/s",
        "HighBandwidthUsage",
        {on_a("p2p_bandwidth_bytes_total", direction="tx"): per_second(11 * MB)},
        {'{job="edge",instance="a",direction="tx"}': 11 * MB},
    ),
    Case(
        "no health check was ever answered",
        "HealthCheckFailures",
        {on_a("p2p_health_check_failures_total", peer_id="p"): per_second(0.1)},
        {A: 1},
    ),
    Case(
        "one dead peer of four is no alert",
        "HealthCheckFailures",
        {on_a("p2p_health_check_failures_total", peer_id="p"): per_second(0.1)}
        | {on_a("p2p_health_check_latency_seconds_count", peer_id=peer): per_second(0.1) for peer in "qrs"},
        {},
    ),
    Case(
        "two dead peers of four are",
        "HealthCheckFailures",
        {on_a("p2p_health_check_failures_total", peer_id=peer): per_second(0.1) for peer in "op"}
        | {on_a("p2p_health_check_latency_seconds_count", peer_id=peer): per_second(0.1) for peer in "qr"},
        {A: 0.5},
    ),
    Case(
        "a timeout is a failed task",
        "HighTaskFailureRate",
        tasks(success=4, failure=0.25, timeout=0.75),
        {A: 0.2},
    ),
    Case("when all tasks time out the layer is down", "CriticalTaskFailureRate", tasks(timeout=2), {A: 1}),
    Case(
        "one failed task on a quiet node is no disaster",
        "CriticalTaskFailureRate",
        {on_a("execution_tasks_total", result="failure"): "0x25 1x10"},
        {},
    ),
    Case(
        "one failed task on a quiet node is a high rate, for as long as it is in the window",
        "HighTaskFailureRate",
        {on_a("execution_tasks_total", result="failure"): "0x25 1x10"},
        {A: 1},
    ),
    Case("an idle executor has no failure rate", "CriticalTaskFailureRate", tasks(success=0, failure=0), {}),
    Case(
        "the p95 lies between two buckets",
        "HighTaskDuration",
        histogram(DURATION, {"20": 0, "30": 10, "+Inf": 10}, 250),
        {A: 29.5},
    ),
    Case(
        "the buckets end at the threshold, and a tenth of the tasks took longer",
        "HighTaskDuration",
        histogram(DURATION, {"10": 8, "25": 9, "+Inf": 10}, 100),
        {A: 25},
    ),
    Case(
        "the buckets end at 10, and the tasks take 28 s on average",
        "HighTaskDuration",
        histogram(DURATION, {"5": 0, "10": 1, "+Inf": 10}, 280),
        {A: 28},
    ),
    Case(
        "the buckets end at 10, and the tasks are not that slow",
        "HighTaskDuration",
        histogram(DURATION, {"5": 0, "10": 1, "+Inf": 10}, 120),
        {},
    ),
    Case(
        "no tasks, no duration", "HighTaskDuration", histogram(DURATION, {"10": 0, "25": 0, "+Inf": 0}, 0), {}
    ),
    Case(
        "memory whose buckets end at 64 MB, while the mean is 120 MB",
        "HighMemoryUsage",
        histogram(MEMORY, {str(32 * MB): 0, str(64 * MB): 0, "+Inf": 10}, 1200 * MB),
        {A: 120 * MB},
    ),
    Case(
        "memory below the threshold",
        "HighMemoryUsage",
        histogram(MEMORY, {str(64 * MB): 9.6, str(128 * MB): 10, "+Inf": 10}, 300 * MB),
        {},
    ),
    Case("timeouts above 5 %", "TaskTimeoutRate", tasks(success=9, timeout=1), {A: 0.1}),
    Case("no guild was ever formed", "NoActiveGuilds", {on_a("p2p_peers_discovered"): always(40)}, {"{}": 0}),
    Case(
        "a relay without guilds does not matter while an edge node has one",
        "NoActiveGuilds",
        {
            on_a("execution_guilds_total", state="active"): always(1),
            'execution_guilds_total{job="relay",instance="r",state="active"}': always(0),
        },
        {},
    ),
    Case(
        "a network nobody scrapes has no opinion on guilds",
        "NoActiveGuilds",
        {"something_else": always(0)},
        {},
    ),
    Case(
        "more than half of the value left within an hour",
        "TVLDrop",
        {on_a(TVL): "100x149 40x60"},
        {"{}": 0.6},
        minutes=90,
    ),
    Case("exactly half is not more than half", "TVLDrop", {on_a(TVL): "100x149 50x60"}, {}, minutes=90),
    Case(
        "value moves from one node to another",
        "TVLDrop",
        {on_a(TVL): "100x149 10x60", on("b", TVL): "10x149 100x60"},
        {},
        minutes=90,
    ),
    Case(
        "a node with most of the value is down",
        "TVLDrop",
        {on_a(TVL): "900x149 stale", on("b", TVL): "100x210"},
        {},
        minutes=90,
    ),
    Case(
        "a node without value joins",
        "TVLDrop",
        {on_a(TVL): "100x210", on("b", TVL): "_x149 1x60"},
        {},
        minutes=90,
    ),
    Case(
        "blacklisted peers are a share of the participants",
        "HighBlacklistRate",
        {on_a("economic_blacklisted_peers"): always(6), on_a("economic_active_participants"): always(50)},
        {A: 0.12},
    ),
    Case(
        "a node that sees nobody is isolated, not betrayed",
        "CriticalBlacklistRate",
        {on_a("economic_blacklisted_peers"): always(6), on_a("economic_active_participants"): always(0)},
        {},
    ),
    Case("payments all fail, from the first on", "PaymentFailureRate", payments(failed=1), {A: 1}),
    Case(
        "channels of all parties are counted",
        "LowActiveChannels",
        {
            on_a("economic_channels_active", party="p"): always(3),
            on_a("economic_channels_active", party="q"): always(2),
        },
        {},
    ),
    Case("no channel was ever opened", "LowActiveChannels", {on_a(TVL): always(0)}, {"{}": 0}),
    Case(
        "disputes of all resolutions and nodes are counted",
        "HighDisputeRate",
        {
            on_a("economic_disputes_total", resolution="resolved"): per_second(0.4),
            'economic_disputes_total{instance="b",resolution="pending"}': per_second(0.4),
        },
        {"{}": 0.8},
    ),
    Case(
        "settlements fail",
        "SettlementFailures",
        {
            on_a("economic_settlements_total", result="failed"): per_second(1),
            on_a("economic_settlements_total", result="success"): per_second(3),
        },
        {A: 0.25},
    ),
    Case(
        "a service that is down",
        "ServiceDown",
        {on("a", "up"): "1x20 0x200", on("b", "up"): always(1)},
        {'up{job="edge",instance="a"}': 0},
    ),
    Case(
        "a service of a job that has others leaves the discovery",
        "ServiceDown",
        {on("a", "up"): "1x20 stale", on("b", "up"): always(1)},
        {},
    ),
    Case(
        "the last service of a job leaves the discovery",
        "ServiceDown",
        {on("a", "up"): "1x20 stale", 'up{job="relay",instance="r"}': always(1)},
        {'{job="edge"}': 0},
    ),
    Case(
        "the last service of a job left the discovery long ago",
        "ServiceDown",
        {on("a", "up"): "1x20 stale", 'up{job="relay",instance="r"}': always(1)},
        {},
        minutes=30,
    ),
    Case(
        "the default buckets of the Go client end at exactly 10",
        "HighSystemLatency",
        histogram("p2p_operation_duration_seconds", {"5": 1, "10": 2, "+Inf": 10}, 300)
        | histogram("p2p_gossip_propagation_seconds", {"5": 10, "10": 10, "+Inf": 10}, 10),
        {'{latency="p2p_operation"}': 10},
    ),
    Case(
        "two kinds of latency are two alerts",
        "HighSystemLatency",
        histogram("economic_payment_duration_seconds", {"10": 0, "20": 10, "+Inf": 10}, 150)
        | histogram("p2p_health_check_latency_seconds", {"10": 0, "20": 10, "+Inf": 10}, 150),
        {'{latency="health_check"}': 19.5, '{latency="payment"}': 19.5},
    ),
    Case(
        "each degraded component is an alert of its own",
        "ComponentHealthDegraded",
        tasks(success=1, failure=1) | payments(success=9, failed=1) | messages(failed=2, sent=2),
        {'{component="execution"}': 0.5, '{component="p2p"}': 0},
    ),
    Case(
        "errors of messages and payments add up though their labels are the same",
        "HighErrorRate",
        messages(failed=6) | payments(failed=6),
        {"{}": 12},
    ),
    Case(
        "tasks alone can be too many errors",
        "HighErrorRate",
        tasks(failure=8, timeout=4, success=100),
        {"{}": 12},
    ),
    Case(
        "below ten errors a second",
        "HighErrorRate",
        messages(failed=3) | payments(failed=3) | tasks(failure=3),
        {},
    ),
    Case(
        "the buckets end at the limit of 30 s, as the tasks do",
        "SLAViolation_TaskExecution",
        histogram(DURATION, {"10": 8, "30": 9, "+Inf": 10}, 100),
        {"{}": 30},
    ),
    Case(
        "the p95 of the network, not of one node",
        "SLAViolation_TaskExecution",
        histogram(DURATION, {"10": 0, "30": 0, "60": 1, "+Inf": 1}, 40)
        | histogram(DURATION, {"10": 99, "30": 99, "60": 99, "+Inf": 99}, 200, node="b"),
        {},
    ),
    Case(
        "a service that comes and goes is not available",
        "SLAViolation_Availability",
        {on("a", "up"): " ".join(["1", "1", "0"] * 20), on("b", "up"): always(1)},
        {"{}": 0.5},
    ),
    Case(
        "all services answer",
        "SLAViolation_Availability",
        {on("a", "up"): always(1), on("b", "up"): always(1)},
        {},
    ),
    Case(
        "one payment in five hundred fails",
        "SLAViolation_PaymentSuccess",
        payments(success=4.99, failed=0.01),
        {"{}": 0.998},
    ),
    Case("no payment ever failed", "SLAViolation_PaymentSuccess", payments(success=5), {}),
]


@pytest.mark.parametrize("case", CASES, ids=[f"{case.alert}: {case.story}" for case in CASES])
def test_expression(case: Case) -> None:
    db = TSDB()
    for series, notation in case.series.items():
        labels = labels_of(series)
        for row, value in enumerate(values_of(notation)):
            if value is not None:
                db.append(labels, value, row * STEP)
    result = dict(Engine(db).instant(ALERTS[case.alert].expr, case.minutes * 60).samples())
    assert result == {
        labels_of(text): pytest.approx(value, rel=1e-9, abs=1e-12) for text, value in case.result.items()
    }


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_agrees_with_all_of_these(tmp_path: Path) -> None:
    tests = [promtool_test(case) for case in CASES]
    file = tmp_path / "expressions.yml"
    file.write_text(yaml.safe_dump({"evaluation_interval": "30s", "tests": tests}))
    run = subprocess.run(
        ["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr


def promtool_test(case: Case) -> dict[str, object]:
    # promtool compares exactly, and the last digits of a rate differ: compare what rounding leaves.
    expected = [{"labels": text.removeprefix("up"), "value": value} for text, value in case.result.items()]
    rounded = f"round({ALERTS[case.alert].text}, 1e-6)"
    return {
        "name": f"{case.alert}: {case.story}",
        "interval": f"{STEP}s",
        "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
        "promql_expr_test": [{"expr": rounded, "eval_time": f"{case.minutes}m", "exp_samples": expected}],
    }


LABEL = re.compile(r'(\w+)="([^"]*)"')
TERM = re.compile(r"(?P<start>_|stale|[\d.e]+)(?:\+(?P<step>[\d.e+]+))?(?:x(?P<times>\d+))?\Z")


def labels_of(series: str) -> Labels:
    name, _, body = series.partition("{")
    return Labels({"__name__": name, **dict(LABEL.findall(body))})


def values_of(notation: str) -> list[float | None]:
    """`a+bxn` is n + 1 values from a in steps of b, `axn` the same without steps, `_` none."""
    values: list[float | None] = []
    for text in notation.split():
        term = TERM.match(text)
        assert term is not None, text
        start, step = term["start"], float(term["step"] or 0)
        count = int(term["times"] or 0) + 1
        if start == "_":
            values += [None] * (count - 1 if term["times"] else 1)
        else:
            first = STALE_NAN if start == "stale" else float(start)
            values += [first + step * n if step else first for n in range(count)]
    return values
