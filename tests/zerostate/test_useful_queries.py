"""Every 'useful query' of the guide gives a sensible answer on the simulated network."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest

from zseval import Engine
from zseval.zerostate.rehearsal import Rehearsal
from zseval.zerostate.simulator import Network

MB = 2**20


@dataclass(frozen=True)
class Query:
    """series: how many the answer has.  low, high: bounds of each value.  idle: how many may be NaN,
    for nodes that do not do what is asked about."""

    text: str
    series: int
    low: float
    high: float
    idle: int = 0


QUERIES = [
    Query('sum(p2p_connections_total{state="active"})', 1, 30, 60),
    # The guide's denominator counts sent and received as well: a third is what a good network shows.
    Query(
        'sum(rate(p2p_messages_total{status="success"}[5m])) / sum(rate(p2p_messages_total[5m]))', 1, 0.3, 0.4
    ),
    Query("rate(p2p_bandwidth_bytes_total[1m]) / 1024 / 1024", 8, 0.01, 5),
    Query("rate(p2p_dht_operations_total[1m])", 16, 0.05, 4),
    Query(
        'sum(rate(execution_tasks_total{result="success"}[5m])) / sum(rate(execution_tasks_total[5m]))',
        1,
        0.97,
        1,
    ),
    Query("histogram_quantile(0.95, rate(execution_task_duration_seconds_bucket[5m]))", 4, 4, 15, idle=2),
    Query("histogram_quantile(0.95, rate(execution_memory_bytes_bucket[5m]))", 4, 20 * MB, 100 * MB, idle=2),
    Query('execution_guilds_total{state="active"}', 4, 0, 3),
    Query("economic_total_value_locked", 4, 0, 60_000),
    Query("sum(economic_channels_active)", 1, 20, 40),
    Query(
        'sum(rate(economic_payments_total{status="success"}[5m])) / sum(rate(economic_payments_total[5m]))',
        1,
        0.999,
        1,
    ),
    Query("topk(10, economic_reputation_score)", 10, 70, 100),
    Query("(economic_blacklisted_peers / economic_active_participants) * 100", 4, 2, 8),
]


@pytest.fixture(scope="module")
def engine() -> Engine:
    rehearsal = Rehearsal(Network(11), ())
    rehearsal.run(600.0)
    return rehearsal.engine


@pytest.mark.parametrize("query", QUERIES, ids=[query.text for query in QUERIES])
def test_query(engine: Engine, query: Query) -> None:
    values = [value for _, value in engine.instant(query.text, Rehearsal.START_S + 600.0).samples()]
    assert len(values) == query.series
    answers = [value for value in values if not math.isnan(value)]
    assert len(values) - len(answers) == query.idle
    assert all(query.low <= value <= query.high for value in answers), answers


def test_the_gauges_that_only_edge_nodes_have_add_up(engine: Engine) -> None:
    def total(text: str) -> float:
        ((_, value),) = engine.instant(text, Rehearsal.START_S + 600.0).samples()
        return value

    assert total('sum(execution_guilds_total{state="active"})') == 6
    assert total("sum(economic_total_value_locked)") == pytest.approx(104_000, rel=0.05)
