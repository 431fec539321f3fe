"""The simulated network: its pages are what a real node could expose, and depend on seed and time alone."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
from collections import defaultdict
from dataclasses import fields
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from zseval.zerostate.catalogue import catalogue
from zseval.zerostate.simulator import FAULTS, Incident, Network, Unreachable
from zseval.zerostate.simulator.distributions import Lognormal, Mixture, lognormal
from zseval.zerostate.simulator.members import MEMBERS, Condition

NODES = tuple(member.name for member in MEMBERS)
Key = tuple[str, tuple[tuple[str, str], ...]]
LABEL = re.compile(r'(\w+)="([^"]*)"')


def samples(page: bytes) -> dict[Key, float]:
    """The page's samples; as quick as the simulator's plain label values allow."""
    lines = (line.rsplit(" ", 1) for line in page.decode().splitlines() if not line.startswith("#"))
    return {series_key(series): float(value) for series, value in lines}


@cache
def series_key(series: str) -> Key:
    name, _, labels = series.partition("{")
    return name, tuple(sorted((label, value) for label, value in LABEL.findall(labels)))


def pages(network: Network) -> dict[str, bytes]:
    return {name: network.page(name) for name in NODES}


def typed_lines(page: bytes) -> dict[str, tuple[str, str]]:
    """Type and help by name, as the page declares them."""
    types, helps = {}, {}
    for line in page.decode().splitlines():
        if line.startswith("# TYPE "):
            name, kind = line[7:].split(" ", 1)
            types[name] = kind
        elif line.startswith("# HELP "):
            name, text = line[7:].split(" ", 1)
            helps[name] = text
    return {name: (types[name], helps[name]) for name in types}


@pytest.mark.parametrize("node", NODES)
def test_every_node_declares_the_whole_catalogue_with_its_types_and_help(node: str) -> None:
    declared = typed_lines(Network(1).page(node))
    assert declared == {metric.name: (metric.type, metric.help) for metric in catalogue().values()}


def test_the_network_has_series_of_every_metric_with_exactly_the_labels_of_the_catalogue() -> None:
    found: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for page in pages(Network(1)).values():
        for name, labels in samples(page):
            found[name].add(tuple(label for label, _ in labels))
    for metric in catalogue().values():
        expected = tuple(sorted(metric.labels))
        if metric.type == "histogram":
            assert found[f"{metric.name}_bucket"] == {tuple(sorted((*expected, "le")))}
            assert found[f"{metric.name}_sum"] == found[f"{metric.name}_count"] == {expected}
        else:
            assert found[metric.name] == {expected}, metric.name


def test_prometheus_client_reads_the_pages() -> None:
    for page in pages(Network(2)).values():
        families = list(text_string_to_metric_families(page.decode()))
        read = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in families
            for sample in family.samples
        }
        assert read == {
            (as_prometheus_client_names(name), labels): value
            for (name, labels), value in samples(page).items()
        }
        assert {family.type for family in families} == {"counter", "gauge", "histogram"}


def as_prometheus_client_names(name: str) -> str:
    """It gives every counter the suffix, as OpenMetrics wants; ZeroState has counters without."""
    metric = catalogue().get(name)
    return f"{name}_total" if metric and metric.type == "counter" and not name.endswith("_total") else name


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_reads_the_pages_and_only_dislikes_the_names_zerostate_chose() -> None:
    for page in pages(Network(2)).values():
        run = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, check=False)
        complaints = run.stderr.decode().splitlines()
        assert run.returncode == 3  # lint only; 1 would be a page it cannot read
        assert {line.split(" ", 1)[0] for line in complaints} == {
            "execution_guild_total",
            "execution_guilds_total",
            "p2p_bandwidth_bytes_received",
            "p2p_connections_failed",
            "p2p_connections_total",
            "p2p_relay_connections_total",
        }
        assert all('"_total" suffix' in line for line in complaints)


def test_the_same_seed_and_time_give_the_same_pages_and_another_seed_gives_others() -> None:
    one, same, other = Network(5), Network(5), Network(6)
    for network in (one, same, other):
        network.advance(1234.5)
    assert pages(one) == pages(same)
    assert pages(one) != pages(other)


INCIDENTS = (Incident("ServiceDown", 100.0, 400.0), Incident("CriticalTaskFailureRate", 250.0, 700.0))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0.0, 900.0), max_size=12))
def test_the_steps_in_which_a_time_is_reached_make_no_difference(stops: list[float]) -> None:
    wandering, straight = Network(3, INCIDENTS), Network(3, INCIDENTS)
    for stop in sorted(stops):
        wandering.advance(stop)
    wandering.advance(900.0)
    straight.advance(900.0)
    assert pages(wandering) == pages(straight)


def test_faults_started_and_cleared_by_hand_are_the_same_as_planned_ones() -> None:
    planned, by_hand = Network(3, INCIDENTS), Network(3)
    by_hand.advance(100.0)
    by_hand.start("ServiceDown")
    by_hand.advance(250.0)
    by_hand.start("CriticalTaskFailureRate")
    assert by_hand.active_faults == ("ServiceDown", "CriticalTaskFailureRate")
    by_hand.advance(400.0)
    by_hand.clear("ServiceDown")
    by_hand.advance(700.0)
    by_hand.clear("CriticalTaskFailureRate")
    for network in (planned, by_hand):
        network.advance(800.0)
    assert pages(planned) == pages(by_hand)


def is_count(name: str) -> bool:
    metric = catalogue().get(name)
    return metric.type == "counter" if metric else True  # the rest is buckets, sums and counts


@pytest.mark.parametrize("fault", FAULTS)
def test_counters_never_fall_but_at_a_restart(fault: str) -> None:
    network = Network(4, [Incident(fault, 60.0, 180.0)])
    before: dict[str, dict[Key, float]] = {}
    for seconds in range(0, 300, 20):
        network.advance(float(seconds))
        for node in NODES:
            if not network.answers(node):
                continue
            now = samples(network.page(node))
            restarted = fault == "ServiceDown" and node == "edge-2" and seconds == 180
            fallen = [
                key for key, value in before.get(node, now).items() if is_count(key[0]) and now[key] < value
            ]
            assert bool(fallen) == restarted, fallen[:3]
            assert all(value >= 0 for value in now.values())
            before[node] = now


@pytest.mark.parametrize("fault", FAULTS)
def test_histograms_agree_with_themselves_whatever_goes_wrong(fault: str) -> None:
    network = Network(4, [Incident(fault, 30.0)])
    network.advance(600.0)
    for node in NODES:
        if network.answers(node):
            check_histograms(samples(network.page(node)))


def check_histograms(page: dict[Key, float]) -> None:
    buckets: dict[Key, list[tuple[float, float]]] = defaultdict(list)
    for (name, labels), value in page.items():
        if name.endswith("_bucket"):
            rest = tuple(pair for pair in labels if pair[0] != "le")
            buckets[name.removesuffix("_bucket"), rest].append((float(dict(labels)["le"]), value))
    assert buckets
    for (name, labels), rows in buckets.items():
        rows.sort()
        assert rows[-1][0] == math.inf
        assert all(low <= high for (_, low), (_, high) in pairwise(rows)), name
        count, total = page[f"{name}_count", labels], page[f"{name}_sum", labels]
        assert rows[-1][1] == count
        inside = [(high[1] - low[1], low[0], high[0]) for low, high in pairwise([(0.0, 0.0), *rows])]
        at_least = sum(n * low for n, low, _ in inside)
        at_most = sum(n * high for n, _, high in inside if n)
        slack = sum(high for _, _, high in inside if high < math.inf)  # one observation a bucket: floors
        assert at_least - slack <= total <= at_most + slack, name


def test_histograms_of_limited_things_reach_past_the_limits() -> None:
    page = samples(Network(1).page("edge-1"))
    bounds = defaultdict(set)
    for name, labels in page:
        if name.endswith("_bucket"):
            bounds[name].add(float(dict(labels)["le"]))
    assert max(bounds["execution_task_duration_seconds_bucket"] - {math.inf}) > 30
    assert max(bounds["execution_memory_bytes_bucket"] - {math.inf}) > 128 * 2**20


def test_values_that_mean_the_same_agree_with_each_other() -> None:
    network = Network(8)
    network.advance(3600.0)
    page = samples(network.page("edge-1"))

    def value(name: str, **labels: str) -> float:
        return page[name, tuple(sorted(labels.items()))]

    states = {state: value("p2p_connections_total", state=state) for state in ("active", "idle", "total")}
    assert states["total"] == states["active"] + states["idle"]
    ended = sum(value("execution_tasks_total", result=result) for result in ("success", "failure", "timeout"))
    assert ended == pytest.approx(value("execution_task_duration_seconds_count"), abs=3)
    delivered = value("p2p_messages_total", status="success") + value("p2p_messages_total", status="failed")
    assert delivered == pytest.approx(value("p2p_messages_total", status="sent"), abs=2)


def test_values_move() -> None:
    network = Network(9)
    early = samples(network.page("edge-1"))
    network.advance(300.0)
    late = samples(network.page("edge-1"))
    moved = [key for key in early if early[key] != late[key]]
    assert len(moved) > len(early) / 2


def test_a_node_that_is_down_does_not_answer_and_comes_back_with_its_counters_at_0() -> None:
    network = Network(1, [Incident("ServiceDown", 60.0, 120.0)])
    before = samples(network.page("edge-2"))
    network.advance(90.0)
    assert not network.answers("edge-2")
    with pytest.raises(Unreachable):
        network.page("edge-2")
    assert network.answers("edge-1")
    network.advance(125.0)
    after = samples(network.page("edge-2"))
    tasks = ("execution_tasks_total", (("result", "success"),))
    assert 0 < after[tasks] < before[tasks] / 10


def test_a_flapping_node_answers_half_of_the_time() -> None:
    network = Network(1, [Incident("SLAViolation_Availability", 60.0)])
    answers = []
    for seconds in range(0, 240, 15):
        network.advance(float(seconds))
        answers.append(network.answers("edge-2"))
    assert answers == [True] * 4 + [True, True, False, False] * 3


def test_time_does_not_go_back_and_faults_are_checked() -> None:
    network = Network(1)
    network.advance(10.0)
    with pytest.raises(ValueError, match="cannot go back"):
        network.advance(9.0)
    with pytest.raises(ValueError, match="no fault 'Nonsense'"):
        network.start("Nonsense")
    with pytest.raises(ValueError, match="not in effect"):
        network.clear("TVLDrop")
    network.start("TVLDrop")
    with pytest.raises(ValueError, match="in effect already"):
        network.start("TVLDrop")
    with pytest.raises(ValueError, match="cannot last"):
        Incident("TVLDrop", 5.0, 5.0)


def test_a_fault_cleared_the_moment_it_began_leaves_no_trace() -> None:
    touched, untouched = Network(1), Network(1)
    for network in (touched, untouched):
        network.advance(30.0)
    touched.start("ServiceDown")
    touched.clear("ServiceDown")
    assert touched.active_faults == ()
    # The crash restarted the node, the others never noticed.
    assert touched.page("edge-1") == untouched.page("edge-1")


def test_the_fault_table_names_only_what_exists() -> None:
    known = {field.name for field in fields(Condition)}
    for alert, fault in FAULTS.items():
        assert fault.alert == alert
        assert set(fault.implies) | set(fault.pends) <= set(FAULTS) - {alert}
        for nodes, change in fault.effects:
            assert set(nodes) <= set(NODES)
            assert set(change) <= known


@settings(deadline=None)
@given(
    st.floats(0.001, 1e6),
    st.floats(0.01, 2.0),
    st.floats(1.0, 20.0),
    st.lists(st.floats(1e-3, 1e8), min_size=2, max_size=8, unique=True),
)
def test_shares_below_rising_bounds_rise_to_1_and_none_is_above_the_limit(
    median: float, spread: float, limit: float, bounds: list[float]
) -> None:
    mixture = Mixture(((0.7, Lognormal(median, spread, median * limit)), (0.3, Lognormal(median, spread))))
    shares = [mixture.below(bound) for bound in sorted(bounds)]
    assert all(0.0 <= low <= high <= 1.0 for low, high in pairwise(shares))
    assert lognormal(median, spread, median * limit).below(median * limit) == 1.0


def test_a_limit_that_cuts_more_than_half_away_is_refused() -> None:
    with pytest.raises(ValueError, match="below the median"):
        Lognormal(2.5, 0.7, limit=2.0)


@pytest.mark.parametrize("limit", [math.inf, 30.0, 4.0])
def test_the_mean_is_that_of_the_shares(limit: float) -> None:
    part = Lognormal(2.5, 0.7, limit)
    step = 0.001
    top = min(limit, 100.0)
    cells = [n * step for n in range(int(top / step) + 1)]
    integral = sum(
        (low + step / 2) * (part.below(low + step) - (part.below(low) if low else 0.0)) for low in cells
    )
    assert part.mean == pytest.approx(integral, rel=2e-3)
